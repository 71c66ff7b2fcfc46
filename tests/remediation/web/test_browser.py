"""The status page in a real browser, with scripts switched off: look, log in, approve, pause, resume, log out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediation import records
from tests.remediation.web.browser import Browser, browsing
from tests.remediation.web.night import night_desk
from tests.remediation.web.rig import HOST, OPERATOR, ROOT, serving

PICTURE = ROOT / "docs" / "images" / "remediation-page.png"
MAX_PICTURE = 250_000

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Yield one browser for all tests; each opens a fresh window."""
    with browsing(tmp_path_factory.mktemp("browser")) as started:
        yield started


def words(browser: Browser) -> str:
    """Return what people read of the page."""
    return " ".join(str(browser.see("document.body.innerText")).split())


def test_a_night_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    """Somebody who was woken looks, logs in, approves, pauses, resumes and leaves; each press is done once, by name."""
    desk = night_desk()
    before = len(desk.entries)
    with serving(desk, tmp_path) as web:
        browser.fresh(scripts=False)
        browser.window(1100, 900)
        browser.open(f"http://{HOST}:{web.port}/?still=1")
        assert browser.see("document.title") == "Needs a human: crewai · sutazai"
        assert browser.see("document.querySelectorAll('button').length") == 0

        browser.press("nav a[href='/login']")
        browser.type("input[name=name]", "ann")
        browser.type("input[name=token]", OPERATOR)
        browser.press("form button")
        assert "Logged in." in words(browser)
        assert browser.see("document.cookie") == ""  # out of reach of scripts

        browser.press("form[action='/do/approve'] button")
        assert "Approved. It is looked at once more, then done." in words(browser)

        browser.press("a[href='/pause']")
        browser.type("input[name=reason]", "moving the database")
        browser.press("form[action='/do/pause'] button")
        text = words(browser)
        assert "Paused by a human By ann: moving the database" in text
        assert "Pause…" not in text

        browser.press("form[action='/do/resume'] button")
        assert "Paused by a human" not in words(browser)
        browser.press("form[action='/logout'] button")
        assert "Log in to act" in words(browser)

    assert [(e.kind, e.body) for e in desk.entries[before:]] == [
        (records.APPROVED, {"incident": "i-postgres", "by": "ann"}),
        (records.PAUSED, {"by": "ann", "reason": "moving the database"}),
        (records.RESUMED, {"by": "ann"}),
    ]


def test_another_site_s_form_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    """A page of another site that sends our forms, in the same browser that is logged in, changes nothing."""
    desk = night_desk()
    evil = tmp_path / "evil.html"
    with serving(desk, tmp_path) as web:
        browser.fresh(scripts=True)
        home = f"http://{HOST}:{web.port}"
        evil.write_text(
            f"<form method=post action='{home}/do/pause'><input name=reason value=x><input name=form value=x>"
            "<button>win a prize</button></form>"
        )
        browser.window(800, 600)
        browser.open(f"{home}/login")
        browser.type("input[name=name]", "ann")
        browser.type("input[name=token]", OPERATOR)
        browser.press("form button")
        before = len(desk.entries)

        browser.open(evil.as_uri())
        browser.press("button")
        refused = words(browser)
        browser.open(f"{home}/?still=1")

        assert "the form does not come from this page" in refused
        assert "Log out" in words(browser)
    assert len(desk.entries) == before


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1100])
def test_it_fits(browser: Browser, tmp_path: Path, width: int, dark: bool) -> None:
    """On a phone and on a desk nothing runs out of the window, in light and in dark, and texts stand out enough."""
    with serving(night_desk(), tmp_path) as web:
        browser.fresh(scripts=True)
        browser.window(width, 800, dark=dark)
        browser.open(f"http://{HOST}:{web.port}/?still=1")

        assert browser.see("document.documentElement.scrollWidth") <= width
        assert browser.see(_PALE) == []
        browser.see("document.querySelector('h1').style.color = '#777'")
        assert browser.see(_PALE) != []  # it sees what is pale


def test_the_picture_in_the_docs(browser: Browser, tmp_path: Path) -> None:
    """The picture of the page can be made, is small, and its file is there; `TIERWATCH_GOLDEN=write` makes it anew."""
    path = PICTURE if os.environ.get("TIERWATCH_GOLDEN") == "write" else tmp_path / "page.png"
    with serving(night_desk(), tmp_path) as web:
        browser.fresh(scripts=False)
        browser.window(1000, 1180)
        browser.open(f"http://{HOST}:{web.port}/login")
        browser.type("input[name=name]", "ann")
        browser.type("input[name=token]", OPERATOR)
        browser.press("form button")
        browser.open(f"http://{HOST}:{web.port}/")
        browser.picture(path)

    assert 10_000 < path.stat().st_size < MAX_PICTURE
    assert PICTURE.stat().st_size < MAX_PICTURE


# Texts whose contrast is below 4.5 (WCAG 2.2, AA) against the nearest background behind them.
_PALE = """
(() => {
  const numbers = text => text.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => { const f = [r, g, b].map(v => { v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
  const behind = e => { for (; e; e = e.parentElement) {
    const c = numbers(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
    return [255, 255, 255]; };
  const pale = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest("style") || e.classList.contains("hidden")) continue;
    const [a, b] = [light(numbers(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) pale.push(e.textContent.trim().slice(0, 30) + " " + ratio.toFixed(2));
  }
  return [...new Set(pale)];
})()
"""
