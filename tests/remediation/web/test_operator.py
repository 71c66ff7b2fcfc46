"""The API of people: what becomes an entry, what is refused and with which cure, what status tells."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from remediation import records
from remediation.desk import View
from remediation.model import Record
from remediation.web.latest import Latest
from tests.remediation.web.night import night_desk
from tests.remediation.web.rig import OPERATOR, WEBHOOK, FakeDesk, Web, serving

ENDPOINTS = [
    ("GET", "/v1/status"),
    ("POST", "/v1/pause"),
    ("POST", "/v1/resume"),
    ("POST", "/v1/release"),
    ("POST", "/v1/approve/i-postgres"),
    ("POST", "/v1/holds"),
    ("DELETE", "/v1/holds/utility"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_strangers(web: Web, desk: FakeDesk, method: str, path: str) -> None:
    """Every endpoint is 401 without or with a wrong token, 403 with the webhook's; none writes a thing."""
    answers = [web.operate(path, {}, method, token) for token in ("", "wrong", WEBHOOK)]

    assert [answer.status for answer in answers] == [401, 401, 403]
    assert all(set(answer.json["error"]) == {"place", "fact", "cure"} for answer in answers)
    assert desk.entries == []


def test_a_cookie_does_not_open_the_api(web: Web) -> None:
    """A browser that is logged in on the page cannot be sent to the API by another site."""
    cookie = web.log_in()

    assert web.ask("POST", "/v1/resume", b"{}", {"Cookie": cookie}).status == 401


@pytest.mark.parametrize(("method", "path"), ENDPOINTS[1:])
def test_no_wish_is_a_get(web: Web, desk: FakeDesk, method: str, path: str) -> None:
    """What changes something cannot be asked with GET or HEAD, not even with the right token."""
    del method
    answers = [web.operate(path, None, verb).status for verb in ("GET", "HEAD")]

    assert answers == [405, 405]
    assert desk.entries == []


def test_pause_and_resume(web: Web, desk: FakeDesk) -> None:
    """A pause has who and why, and a resume ends it; a second one has nothing to do."""
    told = [
        web.operate("/v1/pause", {"reason": "moving the database", "by": "ann"}).json,
        web.operate("/v1/resume", {"by": "bob"}).json,
        web.operate("/v1/resume").json,
    ]

    assert told == [
        {"changed": True, "entry": 1},
        {"changed": True, "entry": 2},
        {"changed": False},
    ]
    assert [(e.kind, e.body) for e in desk.entries] == [
        (records.PAUSED, {"by": "ann", "reason": "moving the database"}),
        (records.RESUMED, {"by": "bob"}),
    ]


def test_release(web: Web, desk: FakeDesk) -> None:
    """A human's release ends the freeze; without one there is nothing to release."""
    desk.write(records.frozen(["a", "b"], ["core", "ai"], 0.5))
    told = [web.operate("/v1/release").json["changed"] for _ in range(2)]

    assert told == [True, False]
    assert desk.bodies(records.RELEASED) == [{"by": "operator", "how": "human"}]


def test_holds(web: Web, desk: FakeDesk) -> None:
    """Work on a service or a tier is announced, shown with its end, and ended."""
    for name in ("backend", "core"):
        body = {"name": name, "for_s": 1800, "reason": "upgrade", "by": "ann"}
        assert web.operate("/v1/holds", body).status == 200
    shown = web.operate("/v1/status", None, "GET").json["holds"]
    assert web.operate("/v1/holds/core?by=ann", None, "DELETE").json["changed"] is True

    assert shown == [
        {"name": name, "until_wall": desk.at + 1800, "by": "ann", "reason": "upgrade"}
        for name in ("backend", "core")
    ]
    assert desk.bodies(records.UNHELD) == [{"name": "core", "by": "ann"}]
    assert list(desk.state.holds) == ["backend"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "fact", "cure"),
    [
        ("POST", "/v1/pause", {}, 400, "reason is missing", "Send reason as a text"),
        ("POST", "/v1/pause", {"reason": " "}, 400, "reason is missing", "Send reason as a text"),
        ("POST", "/v1/pause", {"reason": 5}, 400, "reason is missing", "Send reason as a text"),
        ("POST", "/v1/pause", {"reason": "x" * 501}, 400,
         "reason is longer than 500 characters, or not on one line", "Shorten it"),
        ("POST", "/v1/pause", {"reason": "a\nb"}, 400,
         "reason is longer than 500 characters, or not on one line", "Shorten it"),
        ("POST", "/v1/pause", {"reason": "a", "by": "\x1b[2J"}, 400,
         "by is longer than 100 characters, or not on one line", "Shorten it"),
        ("POST", "/v1/pause", [], 400, "the body is no object", "Send a JSON object"),
        ("POST", "/v1/pause", {"reason": "x" * 20_000}, 413, "the body is larger than 16384 bytes", "Shorten it"),
        ("POST", "/v1/approve/i-gone", {}, 404, "no such open incident",
         "Open are: i-crewai, i-ollama, i-postgres"),
        ("POST", "/v1/approve/i-crewai", {}, 409, "crewai was given up: no rung is left to approve",
         "Cure crewai by hand; the incident then closes"),
        ("POST", "/v1/approve/i-ollama", {}, 409, "it does not wait for an approval, but: verifying",
         "See /v1/status for what it waits for"),
        ("POST", "/v1/approve/i-postgres", {"rung": "tier"}, 409, "it is at the rung service by now",
         "Read again what would be done, then approve that"),
        ("POST", "/v1/holds", {"name": "backed", "for_s": 9, "reason": "x"}, 404,
         "'backed' is no service and no tier", "Perhaps 'backend' was meant"),
        ("POST", "/v1/holds", {"name": "zzz", "for_s": 9, "reason": "x"}, 404,
         "'zzz' is no service and no tier", "See /v1/status for the names"),
        *[("POST", "/v1/holds", {"name": "core", "for_s": span, "reason": "x"}, 400,
           "for_s is no number of seconds above 0 and up to 604800", "Send one like 1800")
          for span in (0, -1, 604801, "30m", True, None)],
        ("DELETE", "/v1/holds/core", None, 404, "no work is announced on it", "Announced is: utility"),
        ("POST", "/v1/nothing", {}, 404, "there is no such page", "Look at / for what there is"),
        ("DELETE", "/v1/pause", None, 405, "DELETE is not for it", "Use POST"),
    ],
)  # fmt: skip
def test_refusals(  # noqa: PLR0917 - one column of the table each
    tmp_path: Path, method: str, path: str, body: Any, status: int, fact: str, cure: str
) -> None:
    """Each wrong wish is refused with its place, what is wrong, and what to do; nothing is written."""
    desk = night_desk()
    before = len(desk.entries)
    with serving(desk, tmp_path) as web:
        answer = web.operate(path, body, method)

    assert (answer.status, answer.json) == (
        status,
        {"error": {"place": path, "fact": fact, "cure": cure}},
    )
    assert len(desk.entries) == before


def test_approve(tmp_path: Path) -> None:
    """What waits for an approval gets it, with the rung that was read."""
    desk = night_desk()
    with serving(desk, tmp_path) as web:
        answer = web.operate("/v1/approve/i-postgres", {"by": "ann", "rung": "service"})

    assert answer.status == 200
    assert desk.bodies(records.APPROVED) == [{"incident": "i-postgres", "by": "ann"}]


def test_a_wish_that_cannot_be_written(web: Web, desk: FakeDesk) -> None:
    """When the journal fails nobody is told yes."""
    desk.journal = "fail"
    answer = web.operate("/v1/pause", {"reason": "x"})

    assert answer.status == 503
    assert "the disk is full" in answer.json["error"]["fact"]
    assert desk.state.pause is None


def test_not_json(web: Web) -> None:
    """A body that is no JSON is refused in our own words."""
    answer = web.ask("POST", "/v1/pause", b"reason=x", token=OPERATOR)

    assert answer.json["error"]["fact"] == "the body is not JSON"


class SlowEngine(FakeDesk):
    """A desk whose picture stays behind until it is let go on."""

    shown: View | None = None

    def view(self) -> View:
        """Return the picture of the last round."""
        if self.shown is None:
            self.shown = super().view()
        return self.shown


def test_wishes_are_seen_before_the_engine_s_next_round(tmp_path: Path) -> None:
    """A resume right after a pause is not taken for needless, and the page shows both at once."""
    desk = SlowEngine()
    desk.view()
    with serving(desk, tmp_path) as web:
        told = [web.operate("/v1/pause", {"reason": "x"}).json["changed"]]
        paused = web.operate("/v1/status", None, "GET").json["paused"]
        told.append(web.operate("/v1/resume").json["changed"])
        resumed = web.operate("/v1/status", None, "GET").json["paused"]

    assert (told, paused, resumed) == ([True, True], True, False)
    assert desk.kinds() == [records.PAUSED, records.RESUMED]


def test_the_engine_s_own_picture_wins_again() -> None:
    """Once the engine has taken a wish in, its picture is shown as it is, and what it did since."""
    desk = FakeDesk()
    latest = Latest(desk)
    latest.note(latest.accept(records.paused("ann", "x")).result())
    desk.write(Record(records.RESUMED, {"by": "bob"}))

    assert latest.view().state.pause is None


def test_status_of_a_night(tmp_path: Path) -> None:
    """The whole status of a busy night is what stands in the expected file, word for word."""
    desk = night_desk()
    with serving(desk, tmp_path) as web:
        found = web.operate("/v1/status", None, "GET").json
    path = Path(__file__).with_name("status.json")
    if os.environ.get("TIERWATCH_GOLDEN") == "write":
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    assert json.loads(path.read_text(encoding="utf-8")) == found
