"""The commands that ask the running remediator: what they send, print and exit with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.cli import main
from remediation import records
from remediation.model import Decision, Outcome
from tests.remediation.web.night import night_desk
from tests.remediation.web.rig import CONFIG, FakeDesk, Web, serving


def call(web: Web, *words: str) -> int:
    """Run `tierwatch remediate` against *web*."""
    options = ["--config", str(CONFIG), "--url", f"http://127.0.0.1:{web.port}"]
    return main(["remediate", *words, *options, "--token-file", str(web.tokens / "operator")])


def test_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The status of a busy night fits one screen, what wants a human first."""
    with serving(night_desk(), tmp_path) as web:
        assert call(web, "status") == 0

    assert capsys.readouterr().out == (
        "sutazai at 2025-10-09 08:53:20 UTC: 2 unhealthy, 1 starting, 1 stopped, 3 absent, 58 healthy\n"
        "incident i-crewai: crewai (agents): given up: it needs a human\n"
        "  since 2025-10-09 07:53:20 UTC, rung page, 3 restarts\n"
        "  now unhealthy: container exited, exit code 137, killed for memory\n"
        "  every rung was climbed and it is still unhealthy\n"
        "incident i-postgres: postgres (core): waits for your approval\n"
        "  since 2025-10-09 08:42:40 UTC, rung service, 0 restarts\n"
        "  now unhealthy: health check unhealthy: connection refused; behind it: backend\n"
        "  waits for a human's approval: restart postgres: approve i-postgres\n"
        "  approve it with `tierwatch remediate approve i-postgres`\n"
        "incident i-ollama: ollama (ai): healthy; must stay so for 120 s\n"
        "  since 2025-10-09 08:45:20 UTC, rung service, 1 restarts\n"
        "  now healthy\n"
        "  restarted; must stay healthy for the probation time: 200 s left\n"
        "unhealthy  postgres (core): health check unhealthy: connection refused\n"
        "starting   backend (app): no answer in 5 s\n"
        "stopped    langflow (agents): by a human (exited)\n"
        "unhealthy  crewai (agents): container exited, exit code 137, killed for memory\n"
        "work on utility until 2025-10-09 09:58:20 UTC, by bob: moving the mesh workers\n"
        "restarts left: platform: 26 of 30 in 24h\n"
        "restarts left: platform: 6 of 10 in 1h\n"
        "restarts left: service crewai: 0 of 3 in 1h\n"
    )


def test_status_tells_what_holds_up(
    web: Web, desk: FakeDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Paused, frozen: these lines stand at the top, with an exclamation mark."""
    desk.write(records.paused("ann", "moving"))
    call(web, "status")

    assert capsys.readouterr().out.splitlines()[1] == (
        "! Paused by a human (since 2025-10-09 08:53:20 UTC): By ann: moving"
    )


def test_status_tells_whom_people_were_called_about(
    web: Web, desk: FakeDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    """A call without an incident is a line of its own, below the incidents."""
    page = Decision(Outcome.ESCALATE, "stopped_dependency", "kong", "mesh", detail="kong: absent")
    desk.write(records.decided(page))
    call(web, "status")

    assert capsys.readouterr().out.splitlines()[1:3] == [
        "no open incident; 0 alerts wait for a decision",
        "kong needs a human: a hard dependency is down and nothing may restart it: kong: absent",
    ]


def test_status_tells_that_rounds_break(
    web: Web, desk: FakeDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    """An engine that lives and gets nothing done stands at the top, too; a dead one is only dead."""
    desk.broken = "3 rounds in a row broke: KeyError: 'web'"
    call(web, "status")
    desk.is_alive = False
    call(web, "status")

    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("! ")]
    broken = (
        "! The engine's rounds break: 3 rounds in a row broke: KeyError: 'web'. What is shown may be"
        " old, and nothing is healed. Its log has the whole error; mostly it is the journal's disk."
    )
    stopped = (
        "! The engine has stopped: Nothing is looked at and nothing is restarted. Its log says why;"
        " restart the remediator."
    )
    assert told == [broken, stopped]


def test_status_as_json(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    """For machines the answer of the API comes as it is."""
    assert call(web, "status", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == web.operate("/v1/status", None, "GET").json


def test_wishes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each wish becomes an entry with who wants it, and is confirmed in a line."""
    desk = night_desk()
    desk.write(records.frozen(["a"], ["core"], 0.5))
    before = len(desk.entries)
    with serving(desk, tmp_path) as web:
        statuses = [
            call(web, "approve", "i-postgres", "--by", "ann"),
            call(web, "pause", "--reason", "moving", "--by", "ann"),
            call(web, "resume", "--by", "ann"),
            call(web, "resume", "--by", "ann"),
            call(web, "release", "--by", "ann"),
            call(web, "release", "--by", "ann"),
        ]

    assert statuses == [0] * 6
    assert capsys.readouterr().out.splitlines() == [
        "approved: it is looked at once more, then done",
        "paused: nothing is restarted until `tierwatch remediate resume`",
        "resumed",
        "nothing is paused",
        "released: action goes on",
        "nothing is frozen",
    ]
    assert [(e.kind, e.body["by"]) for e in desk.entries[before:]] == [
        (records.APPROVED, "ann"),
        (records.PAUSED, "ann"),
        (records.RESUMED, "ann"),
        (records.RELEASED, "ann"),
    ]


def test_a_refusal(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    """What the remediator refuses is said with its fact and cure, exit 1; an odd name does not change the address."""
    statuses = [call(web, "approve", name) for name in ("i-gone", "../pause", "a b?c#d")]
    told = capsys.readouterr().err.splitlines()

    assert statuses == [1] * 3
    assert told[0].endswith("no such open incident. Open are: none.")
    assert web.desk.entries == []


def test_nobody_there(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    """A remediator that does not answer is exit 1, a token file that is not there exit 2."""
    options = ["--config", str(CONFIG), "--url", "http://127.0.0.1:9"]
    token = str(web.tokens / "operator")

    assert main(["remediate", "status", *options, "--token-file", token]) == 1
    assert main(["remediate", "status", *options, "--token-file", "/nonexistent/token"]) == 2
    assert main(["remediate", "status", "--config", "/nonexistent/config.yml"]) == 2
    assert capsys.readouterr().out == ""


def test_no_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a subcommand the usage is shown, exit 2."""
    assert main(["remediate"]) == 2
    assert capsys.readouterr().err.startswith("usage: tierwatch remediate")
