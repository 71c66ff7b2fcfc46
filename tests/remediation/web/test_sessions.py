"""Sessions of the status page: what opens, ends and forges them; which forms are ours."""

from __future__ import annotations

import pytest

from remediation.web.sessions import LASTS_S, MAX_SESSIONS, Sessions, foreign

HERE = "192.0.2.1"


class Clock:
    """A clock that stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_a_session_lasts_half_an_hour() -> None:
    """A cookie is good until its time is over, and no second longer."""
    clock = Clock()
    sessions = Sessions(clock)
    session, cookie = sessions.open("ann", HERE, "digest")
    clock.now += LASTS_S - 1

    assert sessions.find(cookie, HERE) == session
    clock.now += 1
    assert sessions.find(cookie, HERE) is None


def test_forged_cookies_open_nothing() -> None:
    """Another signature, another id, another process's cookie: none opens a session."""
    sessions, others = Sessions(), Sessions()
    session, cookie = sessions.open("ann", HERE, "digest")
    _, foreign_cookie = others.open("ann", HERE, "digest")
    number, _, signature = cookie.partition(".")
    forged = [
        "",
        ".",
        number,
        f"{number}.",
        f"{number}.{'0' * 64}",
        f"x.{signature}",
        foreign_cookie,
    ]
    # The form token is shown in the page; it must not do as a signature.
    forged.append(f"{number}.{sessions.form_token(session)}")

    assert [sessions.find(each, HERE) for each in [*forged, "ü.ü"]] == [None] * (len(forged) + 1)


def test_a_cookie_is_of_use_only_where_it_was_given() -> None:
    """Who has seen the cookie, as every other port of the host does, cannot use it from elsewhere; its owner still can."""
    sessions = Sessions()
    session, cookie = sessions.open("ann", HERE, "digest")

    assert sessions.find(cookie, "192.0.2.2") is None
    assert sessions.find(cookie, HERE) == session


def test_form_tokens_belong_to_one_session() -> None:
    """A form of one session does not fit another."""
    sessions = Sessions()
    one, two = (sessions.open(name, HERE, "digest")[0] for name in ("ann", "bob"))

    assert sessions.fits(one, sessions.form_token(one))
    assert not sessions.fits(two, sessions.form_token(one))
    assert not sessions.fits(one, "")


def test_sessions_are_bounded() -> None:
    """One session too many ends the oldest."""
    sessions = Sessions()
    cookies = [sessions.open(str(n), HERE, "digest")[1] for n in range(MAX_SESSIONS + 1)]

    assert [sessions.find(cookie, HERE) is None for cookie in cookies] == [True] + [
        False
    ] * MAX_SESSIONS


OURS = {"host": "box:9744", "origin": "http://box:9744"}


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        (OURS, ""),
        ({**OURS, "sec-fetch-site": "same-origin"}, ""),
        ({"host": "box:9744", "sec-fetch-site": "same-origin"}, ""),
        ({"host": "Box:9744", "origin": "https://box:9744"}, ""),
        ({**OURS, "sec-fetch-site": "cross-site"}, "Sec-Fetch-Site is 'cross-site'"),
        ({**OURS, "sec-fetch-site": "same-site"}, "Sec-Fetch-Site is 'same-site'"),
        ({**OURS, "sec-fetch-site": "none"}, "Sec-Fetch-Site is 'none'"),
        ({**OURS, "origin": "http://evil:9744"}, "Origin is another address than the page's"),
        ({**OURS, "origin": "http://box:9745"}, "Origin is another address than the page's"),
        ({**OURS, "origin": "null"}, "Origin is another address than the page's"),
        ({**OURS, "origin": ""}, "Origin is another address than the page's"),
        ({**OURS, "origin": "http://["}, "Origin is another address than the page's"),
        ({"origin": "http://box:9744"}, "Origin is another address than the page's"),
        ({"host": "box:9744"}, "neither Origin nor Sec-Fetch-Site was sent"),
    ],
)
def test_forms_from_elsewhere(headers: dict[str, str], why: str) -> None:
    """A form is ours only when the browser says that it comes from this very address."""
    assert foreign(headers) == why
