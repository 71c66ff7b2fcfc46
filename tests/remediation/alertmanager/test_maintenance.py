"""Announced work, from the command line to a real Alertmanager and the remediator's API."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from remediation.alertmanager.client import Alertmanager
from remediation.alertmanager.rfc3339 import parse_time
from remediation.commands import maintenance as cli_maintenance
from remediation.model import Alert
from tests.live.servers import HOST, Server, free_port
from tests.remediation.alertmanager import rig
from tests.remediation.alertmanager.remediator import TOKEN, Remediator, remediating
from tests.remediation.web.rig import OPERATOR, FakeDesk, serving

pytestmark = pytest.mark.live

CONFIG = Path(__file__).parents[3] / "rendered" / "remediation" / "config.yml"


@dataclass(frozen=True, slots=True)
class Said:
    """What a call of the command came to."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What `--format json` printed."""
        return json.loads(self.out)


@pytest.fixture(scope="module", params=rig.VERSIONS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Run the Alertmanager that the tests of this module share; each test has names of its own."""
    with rig.alertmanager(tmp_path_factory.mktemp("am"), request.param) as running:
        yield running


@pytest.fixture
def remediator() -> Iterator[Remediator]:
    """Run a remediator that knows of no hold."""
    with remediating() as running:
        running.now = time.time()
        yield running


class Command:
    """The command as a human calls it, aimed at this test's servers."""

    def __init__(
        self, server_url: str, remediator_url: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._token = folder / "token"
        self._token.write_text(f"{TOKEN}\n")
        self._capsys = capsys
        self._aim = ["--alertmanager", server_url, "--url", remediator_url]

    def __call__(self, *words: str) -> Said:
        """Call it with *words*; return what it said."""
        parser = argparse.ArgumentParser()
        cli_maintenance.add_options(parser)
        common = ["--config", str(CONFIG), "--token-file", str(self._token), *self._aim]
        self._capsys.readouterr()
        try:
            status = cli_maintenance.run(parser.parse_args([*common, *words]))
        except SystemExit as error:
            status = int(str(error.code))
        captured = self._capsys.readouterr()
        return Said(status, captured.out, captured.err)


@pytest.fixture
def command(
    server: Server, remediator: Remediator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return the command, aimed at the servers of this test."""
    return Command(server.url, remediator.url, tmp_path, capsys)


def _silences(server: Server, value: str) -> list[dict[str, Any]]:
    """Return the silences with the value *value* in a matcher that have not ended."""
    return [
        one
        for one in rig.call(f"{server.url}/api/v2/silences")
        if one["status"]["state"] != "expired" and value in [m["value"] for m in one["matchers"]]
    ]


def _alert(server: Server, service: str) -> Alert:
    source = Alertmanager(rig.settings(server.url), rig.Clock())
    (told,) = (one for one in source.ask().active if one.labels["service"] == service)
    return told


def test_a_service_is_silenced_and_held_until_the_same_moment(
    server: Server, remediator: Remediator, command: Command
) -> None:
    """Announced work suppresses the alerts of that service, and of no other, and is told to the remediator."""
    rig.post(
        server,
        rig.labels("ServiceDown", "backend", "app"),
        rig.labels("ServiceDown", "frontend", "app"),
    )

    said = command(
        "backend", "--for", "30m", "--reason", "new disk", "--by", "ann", "--format", "json"
    )

    assert (0, "") == (said.status, said.err)
    until = parse_time(said.data["silenced_until"])
    assert abs(until - time.time() - 1800) < 60
    assert said.data["silenced_until"] == said.data["held_until"]
    assert {"name": "backend", "reason": "new disk", "by": "ann"} == {
        key: value for key, value in remediator.holds["backend"].items() if key != "for_s"
    }
    assert abs(remediator.holds["backend"]["for_s"] - 1800) < 60
    assert (True, False) == (
        _alert(server, "backend").suppressed,
        _alert(server, "frontend").suppressed,
    )


def test_a_tier_is_silenced_with_all_its_services_and_its_own_alerts(
    server: Server, command: Command
) -> None:
    """Work on a tier suppresses the alerts of its members and TierDown of that tier, no other tier's."""
    tier = rig.labels("TierDown", "none", "specialized", scope="tier")
    rig.post(
        server,
        tier,
        rig.labels("ServiceDown", "skyvern", "specialized"),
        rig.labels("ServiceDown", "n8n", "utility"),
    )

    said = command("specialized", "--for", "1h")

    assert 0 == said.status
    suppressed = {
        one.labels["service"]: one.suppressed
        for one in Alertmanager(rig.settings(server.url), rig.Clock()).ask().active
        if one.labels["service"] in ("skyvern", "n8n") or one.labels["alertname"] == "TierDown"
    }
    assert {"none": True, "skyvern": True, "n8n": False} == suppressed


def test_announcing_again_extends_the_one_silence(
    server: Server, remediator: Remediator, command: Command
) -> None:
    """Twice announced is one silence and one hold with the later end, whoever says it."""
    first = command("kong", "--for", "30m", "--by", "ann", "--format", "json").data
    second = command(
        "kong", "--for", "2h", "--by", "bob", "--reason", "longer", "--format", "json"
    ).data

    (silence,) = _silences(server, "kong")
    assert first["silences"] == second["silences"] == [silence["id"]]
    assert ("bob", "tierwatch maintenance: longer") == (silence["createdBy"], silence["comment"])
    assert second["silenced_until"] == silence["endsAt"] == second["held_until"]
    assert abs(remediator.holds["kong"]["for_s"] - 7200) < 60


def test_announcing_for_less_does_not_shorten(
    server: Server, remediator: Remediator, command: Command
) -> None:
    """Who announces ten minutes does not cut the four hours of a colleague, in neither half."""
    long = command("consul", "--for", "4h", "--format", "json").data
    short = command("consul", "--for", "10m", "--format", "json").data
    remediator.untils["consul"] += 3600  # a hold alone that is longer still
    longer = command("consul", "--for", "10m", "--format", "json").data

    assert long["silenced_until"] == short["silenced_until"]
    added_s = parse_time(longer["silenced_until"]) - parse_time(long["silenced_until"])
    assert abs(added_s - 3600) < 60  # the stand-in's clock stands
    assert longer["silenced_until"] == longer["held_until"]
    assert 1 == len(_silences(server, "consul"))


def test_silences_made_by_hand_are_left_alone(server: Server, command: Command) -> None:
    """Neither announcing nor ending touches what a human silenced, even with the same matcher."""
    now = time.time()
    by_hand = rig.silence(server, ("service", "letta"), start=now, end=now + 600)
    command("letta", "--for", "30m")
    both = _silences(server, "letta")
    command("letta", "--end")

    assert 2 == len(both)
    assert [by_hand] == [one["id"] for one in _silences(server, "letta")]


def test_ending_ends_both(server: Server, remediator: Remediator, command: Command) -> None:
    """--end ends silence and hold at once, nothing is announced then, and to end it again is fine."""
    rig.post(server, rig.labels("ServiceDown", "redis"))
    command("redis", "--for", "30m")
    during = _alert(server, "redis").suppressed
    ended = command("redis", "--end")
    again = command("redis", "--end")
    listed = command("--list").out

    assert (0, "redis: neither silenced nor held any more\n", "") == (
        ended.status,
        ended.out,
        ended.err,
    )
    assert ended == again
    assert "redis" not in listed
    assert (True, False) == (during, _alert(server, "redis").suppressed)
    assert {} == remediator.holds


def test_listing_says_both_halves_of_all_work(remediator: Remediator, command: Command) -> None:
    """--list joins silences and holds by name and says what is missing of each."""
    command("qdrant", "--for", "30m", "--by", "ann", "--reason", "new disk")
    command("neo4j", "--for", "30m", "--by", "bob", "--reason", "upgrade")
    del remediator.holds["neo4j"]
    remediator.holds["ollama"] = {"by": "eve", "reason": "model"}
    remediator.untils["ollama"] = 1_900_000_000.0

    said = command("--list")
    works = {one["name"]: one for one in command("--list", "--format", "json").data["works"]}

    lines = {line.split(":")[0]: line for line in said.out.splitlines()}
    assert 0 == said.status
    assert "not silenced, held until 2030-03-17 17:46:40 UTC (by eve: model)" in lines["ollama"]
    assert lines["neo4j"].endswith("UTC, not held (by bob: upgrade)")
    assert lines["qdrant"].endswith("UTC (by ann: new disk)")
    assert (True, True) == (works["qdrant"]["silenced"], works["qdrant"]["held"])
    assert (True, False, None) == tuple(
        works["neo4j"][key] for key in ("silenced", "held", "held_until")
    )


def test_without_the_remediator_the_silence_holds_and_the_command_says_so(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A remediator that cannot be reached costs its half: exit 1, what holds, what does not, and why."""
    url = f"http://{HOST}:{free_port()}"
    said = Command(server.url, url, tmp_path, capsys)("aider", "--for", "30m")

    assert 1 == said.status
    assert said.out.startswith("aider: silenced until 2")
    assert said.out.endswith("UTC, not known to be held\n")
    assert (
        f"{url}: refused. See that the remediator runs, or say with --url where it listens. The remediator"
        " was not told: it may restart aider as part of another's incident. Alerts that are silenced"
        " cause no restart.\n"
    ) == said.err
    assert 1 == len(_silences(server, "aider"))


def test_without_alertmanager_the_hold_holds_and_the_command_says_so(
    remediator: Remediator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An Alertmanager that cannot be reached costs its half: exit 1, what holds, what does not, and why."""
    url = f"http://{HOST}:{free_port()}"
    ask = Command(url, remediator.url, tmp_path, capsys)
    said, ended, listed = ask("aider", "--for", "30m"), ask("aider", "--end"), ask("--list")

    assert 1 == said.status
    assert said.out.startswith("aider: not known to be silenced, held until 2")
    assert f"{url}: refused. People may be told about aider as ever.\n" == said.err
    assert (1, "aider: not known to be silenced, not held\n") == (ended.status, ended.out)
    assert f"{url}: refused. The silence, if there is one, stays until its end.\n" == ended.err
    assert (1, "", f"{url}: refused.\n") == (listed.status, listed.out, listed.err)


def test_a_remediator_that_refuses_says_why(remediator: Remediator, command: Command) -> None:
    """Its own words, fact and cure, reach the one who asked; the silence is made all the same."""
    remediator.broken = True
    said, ended = command("autogpt", "--for", "30m"), command("autogpt", "--end")

    assert (1, 1) == (said.status, ended.status)
    place = f"{remediator.url}/v1/status"
    assert said.err.startswith(
        f"{place}: the journal cannot be written. Free the disk. The remediator was"
    )
    assert "autogpt: not silenced, not known to be held\n" == ended.out


def test_the_real_operator_api_takes_it(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The remediator's own web server takes, lists, extends and ends what the command announces."""
    desk = FakeDesk(at=time.time())
    with serving(desk, tmp_path) as web:
        ask = Command(server.url, f"http://{HOST}:{web.port}", tmp_path, capsys)
        (tmp_path / "token").write_text(OPERATOR)
        asked = [ask("crewai", "--for", "2h", "--by", "ann", "--reason", "upgrade")]
        asked.append(ask("crewai", "--for", "30m", "--by", "bob"))
        works = {one["name"]: one for one in ask("--list", "--format", "json").data["works"]}
        asked += [ask("crewai", "--end"), ask("crewai", "--end")]

    ends = [parse_time(works["crewai"][f"{half}_until"]) for half in ("silenced", "held")]
    assert [0, 0, 0, 0] == [said.status for said in asked], [said.err for said in asked]
    assert ["held", "held", "unheld"] == desk.kinds()
    assert [("crewai", "ann", "upgrade"), ("crewai", "bob", "announced work")] == [
        (body["name"], body["by"], body["reason"]) for body in desk.bodies("held")
    ]
    assert all(abs(until - desk.at - 7200) < 60 for until in ends)
    assert [] == _silences(server, "crewai")


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["backned", "--for", "30m"], "'backned' is no service and no tier. Did you mean 'backend'?\n"),
        (["backned", "--for", "30m", "--token-file", "/nowhere"],
         "'backned' is no service and no tier. Did you mean 'backend'?\n"),
        (["--for", "30m"], "what is worked on is missing. Name a service or a tier, or use --list.\n"),
        (["backend"], "how long is missing. Say it with --for 30m, or end the work with --end.\n"),
        (["backend", "--for", "30m", "--end"], "--for and --end do not go together. Use one of them.\n"),
        (["backend", "--list"], "--list takes no name. Leave it out.\n"),
        (["backend", "--for", "30"], "'30' is no duration. Write it like 30m, 2h or 1d.\n"),
        (["backend", "--for", "0m"], "'0m' is no duration. Write it like 30m, 2h or 1d.\n"),
        (["backend", "--for", "8d"], "8d is more than a week. Announce at most 7d.\n"),
        (["backend", "--for", "1h", "--reason", "a\nb"], "write one line of at most 200 letters.\n"),
        (["backend", "--for", "1h", "--token-file", "/nowhere"],
         "/nowhere: no such file or directory. Name a file that holds an operator token with --token-file.\n"),
        (["backend", "--for", "1h", "--config", "/nowhere"],
         "/nowhere: no such file or directory. Name a file that can be read.\n"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)  # fmt: skip
def test_a_wrong_call_does_nothing_and_exits_2(
    remediator: Remediator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    fact: str,
) -> None:
    """What is wrong with the call is said, and neither half is touched."""
    ask = Command(f"http://{HOST}:{free_port()}", remediator.url, tmp_path, capsys)
    said = ask(*words)

    assert (2, "") == (said.status, said.out)
    assert said.err.endswith(fact)
    assert {} == remediator.holds
