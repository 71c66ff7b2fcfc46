"""`tierwatch remediate history`: what people read, and what a script can rely on."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest

from remediation.commands import history as cli_history
from remediation.journal.journal import DEFAULT_JOURNAL, Journal, verify
from remediation.journal.seal import seal_path
from remediation.model import Record
from tests.remediation.journal.rigs import Standing, in_child, inside

WALL = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with two incidents, written an hour apart."""
    clock = Standing(1.0, WALL)
    # Forms as remediation.records has them, written down here: the lines must not depend on them.
    labels = {"alertname": "ServiceDown", "service": "db", "tier": "core"}
    alerts = [{"fingerprint": "f1", "starts_wall": WALL - 60, "firing": True, "labels": labels}]
    more = [{"fingerprint": f"f{n}", "labels": {}} for n in range(2, 8)]
    act = {
        "outcome": "act", "reason": "restart", "service": "db", "tier": "core", "rung": "service",
        "incident": "i1", "restart": "db", "detail": "probe failed", "alerts": [["f1", WALL - 60]],
    }  # fmt: skip
    skip = {
        "outcome": "skip", "reason": "stopped_by_human", "service": "web", "tier": "app",
        "incident": "i2", "restart": "", "detail": "", "alerts": [],
    }  # fmt: skip
    ended = {
        "action": "a1",
        "result": "succeeded",
        "detail": "",
        "started_wall": 0.0,
        "took_s": 1.5,
    }
    with Journal.open(tmp_path / "j.db", clock=lambda _anchor, _last: clock) as journal:
        journal.append(
            Record("received", {"alerts": alerts + more, "source": "g\x1b[31m", "truncated": 0})
        )
        journal.append(
            Record(
                "opened",
                {"incident": "i1", "root": "db", "tier": "core", "episode_wall": WALL - 60},
            ),
            Record("decided", act),
            Record(
                "intended", {"action": "a1", "incident": "i1", "service": "db", "rung": "service"}
            ),
            Record("finished", ended),
        )
        clock.wall += 3600
        journal.append(
            Record(
                "opened", {"incident": "i2", "root": "web", "tier": "app", "episode_wall": WALL}
            ),
            Record("decided", skip),
            Record("climbed", {"incident": "i1", "rung": "tier"}),
            Record("closed", {"incident": "i1", "how": "healed"}),
        )
        journal.compact({"through": 9, "pause": None})
    return tmp_path / "j.db"


def _run(path: Path, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    cli_history.add_options(parser)
    return cli_history.run(parser.parse_args(["--journal", str(path), *arguments]))


LINES = """\
2023-11-14 22:13:20       1  received     alerts=ServiceDown/db,f2,f3,f4,f5,... (7) source=g?[31m truncated=0
2023-11-14 22:13:20       2  opened       db episode_wall=2023-11-14T22:12:20 incident=i1 tier=core
2023-11-14 22:13:20       3  decided      db act restart (the alert is active, a second signal agrees, and every limit allows it) probe failed alerts=f1 incident=i1 restart=db rung=service tier=core
2023-11-14 22:13:20       4  intended     db action=a1 incident=i1 rung=service
2023-11-14 22:13:20       5  finished     succeeded action=a1 started_wall=never took_s=1.5
2023-11-14 23:13:20       6  opened       web episode_wall=2023-11-14T22:13:20 incident=i2 tier=app
2023-11-14 23:13:20       7  decided      web skip stopped_by_human (a human stopped it) incident=i2 tier=app
2023-11-14 23:13:20       8  climbed      incident=i1 rung=tier
2023-11-14 23:13:20       9  closed       healed incident=i1
2023-11-14 23:13:20      10  checkpoint   the state, from which a start goes on
""".splitlines()


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ([], range(1, 11)),
        (["--last", "3"], [8, 9, 10]),
        (["--kind", "decided"], [3, 7]),
        # By name, by alert, by the incident and by the action that are about it.
        (["--service", "db"], [1, 2, 3, 4, 5, 8, 9]),
        (["--service", "web"], [6, 7]),
        (["--service", "db", "--kind", "closed"], [9]),
        (["--service", "db", "--last", "2"], [8, 9]),
        (["--since", "30m"], [6, 7, 8, 9, 10]),
        (["--since", "2h", "--kind", "opened"], [2, 6]),
    ],
)
def test_lines_for_people(
    path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    numbers: list[int],
) -> None:
    """The filters choose the entries; each is one line with time, kind, subject, what and why, without control characters."""
    monkeypatch.setattr(cli_history.time, "time", lambda: WALL + 3660)
    assert 0 == _run(path, *arguments)
    assert [LINES[number - 1] for number in numbers] == capsys.readouterr().out.splitlines()


def test_nothing_found_is_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No entry is no error and no silence."""
    assert 0 == _run(path, "--service", "nobody")
    assert "no entry of that sort\n" == capsys.readouterr().out


def test_json_for_machines(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON holds whole entries and the whole verdict."""
    assert 0 == _run(path, "--format", "json", "--kind", "closed", "--verify")
    data = json.loads(capsys.readouterr().out)
    (entry,) = data["entries"]
    assert (9, 1.0, WALL + 3600, "closed", {"incident": "i1", "how": "healed"}, 64) == (
        entry["number"], entry["at"], entry["wall"], entry["kind"], entry["body"], len(entry["digest"]),
    )  # fmt: skip
    verdict = data["verify"]
    assert (True, 1, 10, None, "") == tuple(
        verdict[key] for key in ("intact", "first", "last", "broken", "fact")
    )
    assert 64 == len(verdict["last_digest"])


def test_verify_alone_says_its_verdict_only(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --verify and no filter, what comes is the verdict, and what the check cannot see."""
    assert 0 == _run(path, "--verify")
    verdict, unseen = capsys.readouterr().out.splitlines()
    assert verdict.startswith(f"{path}: as it was written: entries 1 to 10; last digest ")
    assert unseen.startswith("not seen by this check: The chain has no key")


def test_a_broken_chain_exits_1(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tampering makes the exit status 1 and names the entry."""
    with inside(path) as connection:
        connection.execute("UPDATE entry SET body = '{}' WHERE number = 4")
    assert 1 == _run(path, "--verify")
    verdict = capsys.readouterr().out.splitlines()[0]
    assert verdict == (
        f"{path}: not as it was written from entry 4 on: entry 4 was changed, moved or put in: its digest does"
        " not follow from its content and the entry before it. The chain holds for entries 1 to 3. Compare"
        " with a backup; rely on nothing after that"
    )


def test_an_entry_that_is_no_json_exits_1(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a body cannot be read the command says which, and what to do; no traceback."""
    with inside(path) as connection:
        connection.execute("UPDATE entry SET body = '{' WHERE number = 4")
    assert 1 == _run(path)
    assert "entry 4 cannot be read" in capsys.readouterr().err


def test_a_missing_journal_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file is a wrong call, and nothing is made by looking."""
    assert 2 == _run(tmp_path / "none.db", "--verify")
    expected = f"{tmp_path}/none.db: there is no journal. Name it with --journal, or start the remediator first\n"
    assert expected == capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--last", "0"],
        ["--last", "x"],
        ["--since", "2 hours"],
        ["--since", "h"],
        ["--format", "xml"],
    ],
)
def test_wrong_options_exit_2(
    path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Options that make no sense are refused with an example."""
    with pytest.raises(SystemExit) as ended:
        _run(path, *arguments)
    assert 2 == ended.value.code
    assert "usage:" in capsys.readouterr().err


def test_the_default_is_where_the_service_writes() -> None:
    """Without --journal the one in /var/lib is read."""
    parser = argparse.ArgumentParser()
    cli_history.add_options(parser)
    assert DEFAULT_JOURNAL == parser.parse_args([]).journal
    assert Path("/var/lib/tierwatch/remediation.db") == DEFAULT_JOURNAL


def test_reading_while_the_service_writes_changes_nothing(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command reads a journal in use, sees the newest entry and leaves lock and file alone."""
    with Journal.open(path, clock=lambda _anchor, _last: Standing(9.0, WALL)) as journal:
        journal.append(Record("paused", {"by": "ann", "reason": "work"}))
        before = seal_path(path).read_bytes(), path.read_bytes()
        assert 0 == _run(path, "--last", "1")
        assert "paused       work by=ann" in capsys.readouterr().out
        assert before == (seal_path(path).read_bytes(), path.read_bytes())
        assert 12 == journal.append(Record("resumed", {"by": "ann"}))[0].number


NOBODY = 65534


@pytest.fixture
def foreign(path: Path) -> Path:
    """The journal in a folder where nobody else may write."""
    if os.geteuid() != 0:
        pytest.skip("NOT PROVEN: needs root to become somebody else")
    path.chmod(0o644)
    for folder in (path.parent, *path.parent.parents):
        if folder == Path("/tmp"):
            break
        folder.chmod(folder.stat().st_mode | 0o055)
    return path


def test_somebody_else_may_read_but_not_write(foreign: Path) -> None:
    """A user who may only read the folder can still verify a journal that nobody uses."""

    def look() -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        with pytest.raises(PermissionError):
            (foreign.parent / "x").touch()
        assert verify(foreign).intact

    assert 0 == in_child(look)
