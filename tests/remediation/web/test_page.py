"""The status page: what it shows, who may press what, and that nothing on it can be turned against us."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from remediation import records
from remediation.config import Config
from remediation.model import Alert, Container, Decision, Outcome, Sight
from remediation.reasons import REASONS
from remediation.web.page import Times, headline
from remediation.web.picture import draw
from remediation.web.states import STATES, state_of
from remediation.web.story import tell
from tests.remediation import shop
from tests.remediation.simulation.sim import Sim
from tests.remediation.web.night import night_desk
from tests.remediation.web.rig import (
    NOW,
    OPERATOR,
    FakeDesk,
    Web,
    healthy_world,
    serving,
    write_tokens,
)


def text_of(page: str) -> str:
    """Return what people read of *page*, in one line."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def form_token(page: str) -> str:
    """Return the form token in *page*."""
    found = re.search(r'name="form" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


class Balance(HTMLParser):
    """Collects tags that are closed by none or by another."""

    EMPTY = frozenset({"meta", "input", "link", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Note an opened tag."""
        del attrs
        self.tags.append(tag)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Compare a closed tag with the last that was opened."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.mark.parametrize(
    "path", ["/", "/?still=1", "/login", "/metrics", "/-/healthy", "/nope", "/v1/status"]
)
def test_headers(web: Web, path: str) -> None:
    """Every answer tells browsers to load nothing from elsewhere, to frame nothing, to guess no type, to keep nothing."""
    headers = web.ask("GET", path).headers

    assert {
        name: headers[name]
        for name in (
            "x-content-type-options",
            "x-frame-options",
            "referrer-policy",
            "cache-control",
        )
    } == {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
    }
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["server"] == "tierwatch"


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    """No script, no picture, no font, no address of another host: it works where nothing else does."""
    with serving(night_desk(), tmp_path) as web:
        page = web.ask("GET", "/").body
    parser = Balance()
    parser.feed(page)

    assert (parser.wrong, parser.open) == ([], [])
    assert not {"script", "img", "link", "iframe", "object"} & set(parser.tags)
    assert re.findall(r"""(?:src|href|action)=["']?+(?!/)[^"'>]*""", page) == []
    assert "url(" not in page
    assert "@import" not in page


def test_a_night_on_the_page(tmp_path: Path) -> None:
    """What somebody who was woken wants to know stands there in words: what failed, why, what was tried, what is left."""
    with serving(night_desk(), tmp_path) as web:
        text = text_of(web.ask("GET", "/").body)
    expected = [
        "Needs a human: crewai",
        "Now unhealthy : health check unhealthy: connection refused; behind it: backend",
        "crewai agents given up: it needs a human",
        "every rung was climbed and it is still unhealthy",
        "postgres core waits for your approval",
        "waits for a human's approval: restart postgres: approve i-postgres approval",
        "ollama ai healthy; must stay so for 120 s",
        "postgres unhealthy health check unhealthy: connection refused",
        "backend starting no answer in 5 s",
        "crewai unhealthy container exited, exit code 137, killed for memory",
        "langflow stopped by a human (exited)",
        "browser-use absent",
        "redis healthy",
        "restarting crewai failed: exit code 137",
        "gave up on crewai: every rung was climbed and it is still unhealthy",
        "langflow : a human stopped it (exited) stopped_by_human",
        "service crewai 1h 0 of 3 none until 08:55:01",
        "utility until 09:58:20, by bob: moving the mesh workers",
        "a message was put aside: not JSON",
    ]

    assert [line for line in expected if line not in text] == []
    # Tiers in their order.
    order = [
        text.index(f" {number} {name} ")
        for number, name in ((1, "core"), (2, "ai"), (9, "utility"))
    ]
    assert order == sorted(order)


def test_looking_needs_no_login_and_shows_no_button(tmp_path: Path) -> None:
    """Who is not logged in sees the same state and nothing to press but the login."""
    with serving(night_desk(), tmp_path) as web:
        page = web.ask("GET", "/").body

    assert "<button" not in page
    assert 'name="form"' not in page
    assert "Log in to approve" in page


BANNERS = {
    "paused": ("Paused by a human By ann: moving", "Paused: nothing is restarted"),
    "frozen": (
        "Frozen by a storm Too much failed at once: kong, redis.",
        "Frozen by a storm: nothing is restarted",
    ),
    "blind": ("Blind The Watchdog has been missing for 180 s", "Blind: nothing is restarted"),
    "docker": (
        "Docker does not answer No container can be seen",
        "Docker does not answer: nothing is restarted",
    ),
    "engine": (
        "The engine has stopped Nothing is looked at",
        "The engine has stopped: nothing is restarted",
    ),
    "rounds": (
        "The engine's rounds break 3 rounds in a row broke: OSError: token=<masked>. What is shown",
        "The engine&#39;s rounds break: nothing is restarted",
    ),
    "dry_run": ("Dry run Everything is decided", "All is well"),
}


@pytest.mark.parametrize("what", BANNERS)
def test_banners(desk: FakeDesk, web: Web, what: str) -> None:
    """Whatever holds all action up stands at the top, with what it means, and in the title."""
    desk.blind, desk.dry_run, desk.is_alive = what == "blind", what == "dry_run", what != "engine"
    desk.broken = (
        "3 rounds in a row broke: OSError: token=abcdefgh12345678" if what == "rounds" else ""
    )
    if what == "paused":
        desk.write(records.paused("ann", "moving"))
    if what == "frozen":
        desk.write(records.frozen(["redis", "kong"], ["core", "mesh"], 0.6))
    if what == "docker":
        desk.world = healthy_world(desk.config)
        desk.world = type(desk.world)(alerts=None, services={}, docker_up=False)
    page = web.ask("GET", "/").body
    banner, title = BANNERS[what]

    assert banner in text_of(page)
    assert f"<title>{title} · sutazai</title>" in page
    assert (
        f'<h1 class="{"calm" if what == "paused" else "good" if what == "dry_run" else "bad"}">'
        in page
    )


@pytest.mark.parametrize(
    ("container", "probe", "expected"),
    [
        (Container("running", "healthy"), True, ("healthy", "")),
        (Container("running", "none"), None, ("healthy", "")),
        (Container("running", "healthy"), False, ("unhealthy", "probe failed: refused")),
        (Container("running", "unhealthy"), True, ("unhealthy", "health check unhealthy")),
        (Container("running", "starting"), None, ("starting", "")),
        (Container("restarting"), None, ("unhealthy", "container restarting")),
        (Container("exited", exit_code=1), None, ("unhealthy", "container exited, exit code 1")),
        (Container("exited", exit_code=0), None, ("stopped", "it ended by itself, exit code 0")),
        (
            Container("exited", exit_code=137, stopped=True),
            None,
            ("stopped", "by a human (exited)"),
        ),
        (Container("paused"), None, ("stopped", "by a human (paused)")),
        (Container("dead"), None, ("unhealthy", "container dead")),
        (Container("removing"), None, ("unhealthy", "removing")),
        (Container("unknown"), None, ("unknown", "Docker cannot inspect its container")),
        (Container("absent"), None, ("absent", "")),
    ],
)
def test_states(container: Container, probe: bool | None, expected: tuple[str, str]) -> None:
    """What Docker and our probe say comes to one word, and a reason where the word is not enough."""
    detail = "refused" if probe is False else ""

    assert state_of(Sight(container, probe, detail)) == expected
    assert expected[0] in STATES


def test_every_reason_can_be_shown(config: Config) -> None:
    """A decision with any reason has its meaning on the page, under its service."""
    for reason, meaning in REASONS.items():
        desk = FakeDesk(config)
        desk.write(records.decided(Decision(Outcome.DEFER, reason, "kong", tier="mesh")))
        shown = draw(desk.view(), alive=True).not_done

        assert [(each.service, each.meaning) for each in shown] == [("kong", meaning)]


def test_every_kind_of_entry_can_be_told() -> None:
    """Each kind that people are told of becomes a sentence, whatever order they come in; others are passed over."""
    desk = night_desk()
    desk.write(
        records.received([Alert("f" * 16, NOW, {"alertname": "A"})], source="s"),
        records.relapsed("i-ollama"), records.closed("i-ollama", "healed"), records.frozen(["a"], ["b"], 1),
        records.calm(calm=True), records.released("ann", "human"), records.resumed("ann"),
        records.approved("i-gone", "ann"), records.unheld("utility", "ann"), records.closed("i-x", "recovered"),
        records.stopped({}), records.reported(["core"]), records.evidence("a", {}),
    )  # fmt: skip
    told = [line.text for line in tell(desk.entries, desk.state, 100)]

    assert told[:9] == [
        "an earlier incident recovered without us",
        "ann ended the work on utility",
        "ann approved the next step for an earlier incident",
        "resumed by ann",
        "released by ann (human)",
        "frozen by a storm: a",
        "ollama is healed",
        "ollama did not stay healthy",
        "a message was put aside: not JSON",
    ]
    assert len(told) < len(desk.entries)


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"


def test_hostile_texts_are_shown_as_texts(tmp_path: Path) -> None:
    """Markup in a reason, a name, a detail, an incident's id is shown, never made part of the page."""
    desk = night_desk()
    desk.world = healthy_world(
        desk.config, kong=Sight(Container("running"), probe=False, probe_detail=HOSTILE)
    )
    desk.write(
        records.paused(HOSTILE, HOSTILE),
        records.opened(HOSTILE, "kong", "mesh", NOW),
        records.decided(
            Decision(
                Outcome.DEFER, "approval", "kong", tier="mesh", incident=HOSTILE, detail=HOSTILE
            )
        ),
        records.held(HOSTILE, 600, HOSTILE, HOSTILE),
        records.frozen([HOSTILE], ["mesh"], 1),
        records.dead_letter(HOSTILE, size=1, digest="", sample=HOSTILE),
    )
    with serving(desk, tmp_path) as web:
        page = web.ask("GET", f"/?said={HOSTILE[:8]}", headers={"Cookie": web.log_in()}).body
    parser = Balance()
    parser.feed(page)

    assert (parser.wrong, parser.open) == ([], [])
    assert not {"script", "img"} & set(parser.tags)
    assert HOSTILE in text_of(page)
    assert "49" not in re.findall(r"by [^<]*", text_of(page))


def test_login(web: Web, desk: FakeDesk) -> None:
    """Only an operator's token and a name open a session; its cookie is out of reach of scripts and other sites."""
    refused = [
        web.press("/login", fields).status
        for fields in ({}, {"name": "ann"}, {"name": "ann", "token": "wrong"}, {"token": OPERATOR})
    ]
    taken = web.press("/login", {"name": "ann", "token": f" {OPERATOR}\n"})

    assert refused == [401] * 4
    assert (taken.status, taken.headers["location"]) == (303, "/?said=in")
    name, *flags = taken.headers["set-cookie"].split("; ")
    assert sorted(flags) == ["HttpOnly", "Max-Age=1800", "Path=/", "SameSite=strict"]
    assert OPERATOR not in name
    assert desk.entries == []


def test_the_webhook_s_token_does_not_log_in(web: Web) -> None:
    """Alertmanager's token is no operator's."""
    from tests.remediation.web.rig import WEBHOOK

    assert web.press("/login", {"name": "ann", "token": WEBHOOK}).status == 401


def buttons(web: Web, cookie: str, form: str) -> dict[str, int]:
    """Press every button and return the statuses."""
    fields = {"form": form, "reason": "x", "incident": "i-postgres", "rung": "service"}
    paths = ("/do/approve", "/do/pause", "/do/resume", "/do/release")
    return {path: web.press(path, fields, cookie).status for path in paths}


def test_buttons(tmp_path: Path) -> None:
    """Who is logged in approves, pauses, resumes, releases; each press is an entry with the name of the session."""
    desk = night_desk()
    desk.write(records.frozen(["a"], ["core"], 0.5))
    before = len(desk.entries)
    with serving(desk, tmp_path) as web:
        cookie = web.log_in("ann")
        page = web.ask("GET", "/", headers={"Cookie": cookie}).body
        pressed = buttons(web, cookie, form_token(page))
    assert set(pressed.values()) == {303}
    assert "Approve: restart postgres<" in page

    assert [(e.kind, e.body) for e in desk.entries[before:]] == [
        (records.APPROVED, {"incident": "i-postgres", "by": "ann"}),
        (records.PAUSED, {"by": "ann", "reason": "x"}),
        (records.RESUMED, {"by": "ann"}),
        (records.RELEASED, {"by": "ann", "how": "human"}),
    ]


def test_a_second_press_does_nothing(web: Web, desk: FakeDesk) -> None:
    """Pressing what is done already, on a page that was loaded earlier, says so and writes nothing."""
    cookie = web.log_in()
    form = form_token(web.ask("GET", "/pause", headers={"Cookie": cookie}).body)
    answers = [web.press(f"/do/{what}", {"form": form}, cookie) for what in ("resume", "release")]

    assert [answer.headers["location"] for answer in answers] == ["/?said=unchanged"] * 2
    assert desk.entries == []


def test_a_pause_without_a_reason_asks_again(web: Web, desk: FakeDesk) -> None:
    """The form comes back and says what is missing."""
    cookie = web.log_in()
    form = form_token(web.ask("GET", "/pause", headers={"Cookie": cookie}).body)
    answer = web.press("/do/pause", {"form": form, "reason": "  "}, cookie)

    assert answer.status == 400
    assert "reason is missing. Send reason as a text." in text_of(answer.body)
    assert desk.entries == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "", "Sec_Fetch_Site": "cross-site"},
    ],
)
def test_forms_of_other_sites_are_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    """Even with the cookie and the right form token, a form that another site sent presses no button and logs nobody in."""
    desk = night_desk()
    before = len(desk.entries)
    with serving(desk, tmp_path) as web:
        cookie = web.log_in()
        form = form_token(web.ask("GET", "/", headers={"Cookie": cookie}).body)
        fields = {"form": form, "reason": "x", "incident": "i-postgres", "rung": "service"}
        paths = ("/do/approve", "/do/pause", "/do/resume", "/do/release", "/logout")
        statuses = [web.press(path, fields, cookie, **headers).status for path in paths]
        login = web.press("/login", {"name": "eve", "token": OPERATOR}, **headers).status

    assert statuses == [403] * 5
    assert login == 403
    assert len(desk.entries) == before


@pytest.mark.parametrize("which", ["none", "another session's", "empty"])
def test_forms_without_their_token_are_refused(tmp_path: Path, which: str) -> None:
    """A form of the right origin without this session's token presses nothing."""
    desk = night_desk()
    before = len(desk.entries)
    with serving(desk, tmp_path) as web:
        cookie, other = web.log_in(), web.log_in()
        page = web.ask("GET", "/", headers={"Cookie": other}).body
        form = {"none": "0" * 64, "empty": "", "another session's": form_token(page)}[which]
        assert set(buttons(web, cookie, form).values()) == {403}

    assert len(desk.entries) == before


def test_nobody_presses_without_a_session(web: Web, desk: FakeDesk) -> None:
    """Without a cookie, with a forged one, after the logout: no button works."""
    cookie = web.log_in()
    form = form_token(web.ask("GET", "/pause", headers={"Cookie": cookie}).body)
    assert web.press("/logout", {"form": form}, cookie).status == 303

    for shown in ("", "tierwatch_session=x.y", cookie):
        assert set(buttons(web, shown, form).values()) == {403}
    assert desk.entries == []


def test_a_session_ends_with_its_token(desk: FakeDesk, tmp_path: Path) -> None:
    """When an operator's token is replaced, who logged in with it is out at once."""
    with serving(desk, tmp_path) as web:
        cookie = web.log_in()
        form = form_token(web.ask("GET", "/pause", headers={"Cookie": cookie}).body)
        path = tmp_path / "operator"
        path.unlink()
        path.write_text("another-operator-token-0123")

        assert set(buttons(web, cookie, form).values()) == {403}
        assert "Log in to act" in web.ask("GET", "/", headers={"Cookie": cookie}).body
    assert desk.entries == []


def test_get_changes_nothing(web: Web, desk: FakeDesk) -> None:
    """No address that a link, a picture or a preview could load changes anything, logged in or not."""
    cookie = web.log_in()
    statuses = {
        path: web.ask("GET", path, headers={"Cookie": cookie}).status
        for path in (
            "/", "/pause", "/login", "/logout", "/do/pause?reason=x", "/do/resume", "/do/release",
            "/do/approve?incident=i-postgres", "/-/ready", "/-/healthy", "/metrics",
        )
    }  # fmt: skip

    assert {path for path, status in statuses.items() if status == 405} == {
        path for path in statuses if path.startswith(("/do/", "/logout"))
    }
    assert desk.entries == []


def test_other_bodies_are_no_forms(web: Web) -> None:
    """JSON, text and endless forms are refused before anything is made of them."""
    cookie = web.log_in()
    kinds = [
        web.press("/do/pause", {"reason": "x"}, cookie, Content_Type=kind).status
        for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x")
    ]
    large = web.press("/do/pause", {"reason": "x" * 20_000}, cookie)
    many = web.press("/do/pause", {f"f{n}": "" for n in range(100)}, cookie)

    assert (kinds, large.status, many.status) == ([415] * 3, 413, 400)


def test_the_page_survives_a_broken_journal(desk: FakeDesk, tmp_path: Path) -> None:
    """When the journal cannot be read the page still shows how things stand, and says so."""

    def broken(_: int) -> list[object]:
        raise OSError("no disk")

    desk.tail = broken  # type: ignore[method-assign, assignment]
    with serving(desk, tmp_path) as web:
        answer = web.ask("GET", "/")

    assert answer.status == 200
    assert "The journal cannot be read; the log says why." in text_of(answer.body)
    assert f"{len(desk.config.services)} healthy" in text_of(answer.body)


def test_what_breaks_is_not_shown(desk: FakeDesk, tmp_path: Path) -> None:
    """A failure that nobody foresaw is 500 with a hint to the log, without a word of what broke."""
    write_tokens(tmp_path)
    with serving(desk, tmp_path) as web:
        desk.view = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
        answer = web.ask("GET", "/")

    assert answer.status == 500
    assert answer.json == {
        "error": {"place": "/", "fact": "it broke on our side", "cure": "See the remediator's log"}
    }


def test_readiness(desk: FakeDesk, tmp_path: Path) -> None:
    """Ready is: a journal that can be written, an engine that works, a token for Alertmanager; each is named when missing."""
    problem = [""]
    with serving(desk, tmp_path, journal_problem=lambda: problem[0]) as web:
        told = [web.ask("GET", "/-/ready")]
        problem[0] = "/j.db: the disk is full. Free space"
        desk.is_alive = False
        desk.broken = "3 rounds in a row broke: KeyError: 'web'"
        (tmp_path / "webhook").unlink()
        (tmp_path / "operator").unlink()
        told.append(web.ask("GET", "/-/ready"))
        healthy = web.ask("GET", "/-/healthy")

    assert (told[0].status, told[0].body) == (200, "ready\n")
    assert told[1].status == 503
    starts = [line[:45] for line in told[1].body.splitlines()]
    assert starts == [
        "not ready: /j.db: the disk is full. Free spac",
        "not ready: the engine has stopped. See the lo",
        "not ready: nothing is healed: 3 rounds in a r",
        f"not ready: webhook token: {tmp_path}"[:45],
        f"note: operator token: {tmp_path}"[:45],
    ]
    assert (healthy.status, healthy.body) == (200, "healthy\n")


def test_a_round_that_never_ends_is_unhealthy(desk: FakeDesk, web: Web) -> None:
    """Docker's health check and the guard restart what only a restart helps; broken rounds it would not help."""
    desk.broken = "3 rounds in a row broke: OSError: no space left"
    broken = web.ask("GET", "/-/healthy")
    desk.hangs = desk.broken = "a round began 312 s ago and has not ended"
    hung = web.ask("GET", "/-/healthy")
    ready = web.ask("GET", "/-/ready")

    assert broken.status == 200
    assert (hung.status, hung.body) == (
        503, "not healthy: a round began 312 s ago and has not ended. Restart the remediator\n",
    )  # fmt: skip
    assert ready.status == 503


def test_metrics_over_http(web: Web) -> None:
    """The page of metrics comes as text or OpenMetrics, packed where the asker likes that."""
    plain = web.ask("GET", "/metrics")
    wanted = web.ask(
        "GET", "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )

    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert wanted.headers["content-type"].startswith("application/openmetrics-text")
    assert wanted.body.endswith("# EOF\n")


def test_a_call_without_an_incident_is_shown(desk: FakeDesk, web: Web) -> None:
    """Whom people were called about stands in the title and first among what is not done, until it is over."""
    later = Decision(Outcome.SKIP, "silenced", "redis", tier="core")
    page = Decision(Outcome.ESCALATE, "stopped_dependency", "kong", "mesh", detail="kong: absent")
    about_incident = replace(page, service="neo4j", tier="core", incident="i1")
    for decision in (page, about_incident, later):
        desk.write(records.decided(decision))
    shown = draw(desk.view(), alive=True)
    told = text_of(web.ask("GET", "/").body)
    desk.write(records.called_off("kong", "mesh", "stopped_dependency", "recovered"))
    after = draw(desk.view(), alive=True)

    assert [(each.service, each.outcome) for each in shown.not_done] == [
        ("kong", "escalate"), ("redis", "skip"),
    ]  # fmt: skip
    assert headline(shown).text == "Needs a human: kong"
    assert f"kong : {REASONS['stopped_dependency']} (kong: absent)" in told
    assert [each.service for each in after.not_done] == ["redis"]
    assert headline(after).text != headline(shown).text


def test_headlines_are_by_urgency() -> None:
    """What nobody heals comes before what is paused, before what asks, before what is at work, before what is well."""
    desk = night_desk()
    seen = [headline(draw(desk.view(), alive=True)).text]
    desk.write(records.closed("i-crewai", "recovered"))
    seen.append(headline(draw(desk.view(), alive=True)).text)
    desk.write(records.closed("i-postgres", "recovered"))
    seen.append(headline(draw(desk.view(), alive=True)).text)
    desk.write(records.closed("i-ollama", "healed"))
    seen.append(headline(draw(desk.view(), alive=True)).text)
    desk.world = None
    seen.append(headline(draw(desk.view(), alive=True)).text)

    assert seen == [
        "Needs a human: crewai",
        "Waits for your approval: postgres",
        "At work on ollama",
        "2 services are unhealthy; no incident is open",
        "All is well",
    ]


def test_times_are_told_as_people_do() -> None:
    """Seconds, minutes, hours and days; the day only when it is another."""
    times = Times(NOW)

    assert [times.ago(NOW - span) for span in (0, 5, 125, 3720, 90000, -600)] == [
        "now", "5 s ago", "2 min ago", "1 h 2 min ago", "1 d 1 h ago", "in 10 min",
    ]  # fmt: skip
    assert [times.clock(NOW), times.clock(NOW - 86400)] == ["08:53:20", "08 Oct 08:53"]


def test_a_call_is_shown_until_its_end() -> None:
    """People were called for a stopped root: they stay needed when it gets an alert of its own, or work is announced."""
    sim = Sim(shop.config())
    cache = sim.things["cache"]
    cache.stopped, cache.state, cache.fires_since = True, "exited", None
    sim.muted = frozenset({"cache"})
    sim.advance(600)
    sim.muted = frozenset()
    sim.advance(300)
    assert sim.engine is not None
    sim.engine.accept(records.held("cache", 600, "me", "x")).result()
    sim.advance(60)
    shown = [
        (each.service, each.outcome, each.reason) for each in draw(sim.view(), alive=True).not_done
    ]

    assert ("cache", "escalate", "stopped_dependency") in shown


def test_the_incident_names_who_needs_the_human() -> None:
    """The cache was healed, the worker not: the incident of the cache says that the worker needs a human."""
    sim = Sim(shop.config())
    sim.break_("cache", "restart")
    sim.break_("worker", "forever")
    sim.advance(2 * 3600)
    picture = draw(sim.view(), alive=True)

    assert [(each.root, each.headline) for each in picture.incidents] == [
        ("cache", "given up: worker needs a human")
    ]
    assert headline(picture).text == "Needs a human: worker"
