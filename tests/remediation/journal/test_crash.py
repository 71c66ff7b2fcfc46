"""Crashes: whatever kills the process, what was acknowledged is there afterwards, whole and chained."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from remediation.journal import opening as journal_open
from remediation.journal import schema as journal_schema
from remediation.journal.journal import Journal, Retention, verify
from remediation.journal.seal import seal_path
from remediation.model import Entry
from tests.remediation.journal.rigs import disk, in_child, mounted, record, standing

ROUNDS = 10
ROOT = Path(__file__).resolve().parents[3]

# Appends from four threads, batches of one to three, and compacts; says each number once it is acknowledged.
LOOP = """
import os, sys, threading
from pathlib import Path
from remediation.journal.journal import Journal, Retention
from remediation.model import Record
journal = Journal.open(Path(sys.argv[1]), retention=Retention(age_s=1e9, entries=40))
last = max((entry.number for entry in journal.replay()), default=0)
def work(thread):
    for i in range(10**9):
        batch = [Record("decided", {"thread": thread, "i": i, "of": i % 3 + 1, "part": part}) for part in range(i % 3 + 1)]
        entries = journal.append(*batch)
        os.write(1, "".join(f"{entry.number} {entry.digest}\\n" for entry in entries).encode())
        if thread == 0 and journal.due():
            journal.compact({"through": entries[0].number - 1})
for thread in range(4):
    threading.Thread(target=work, args=(thread,), daemon=True).start()
threading.Event().wait()
"""


def test_a_kill_at_any_time_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """SIGKILL at random points, again and again on one journal: every acknowledged entry is there, none is torn."""
    path, chance = tmp_path / "j.db", random.Random(20261128)  # noqa: S311 - seeded, so that it can be repeated
    acknowledged: dict[int, str] = {}
    for _ in range(ROUNDS):
        command = [sys.executable, "-c", LOOP, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
            assert child.stdout is not None
            for _ in range(chance.randrange(1, 120)):
                _note(child.stdout.readline(), acknowledged)
            child.kill()
            for line in child.stdout:
                _note(line, acknowledged)
        report = verify(path)
        assert (None, "") == (report.broken, report.fact)
    with Journal.open(path) as journal:
        entries = {entry.number: entry for entry in journal.replay(whole=True)}
    assert list(range(1, len(entries) + 1)) == list(entries)
    assert acknowledged == {number: entries[number].digest for number in acknowledged}
    assert len(acknowledged) > ROUNDS
    _assert_whole_batches(list(entries.values()))


def _note(line: bytes, acknowledged: dict[int, str]) -> None:
    # The last line may be cut short by the kill: then its writer was not told either.
    if line.endswith(b"\n"):
        number, digest = line.decode().split()
        acknowledged[int(number)] = digest


def _assert_whole_batches(entries: list[Entry]) -> None:
    """Fail unless the parts of each batch stand one after the other, all of them."""
    ours = [entry.body for entry in entries if entry.kind == "decided"]
    while ours:
        size = int(str(ours[0]["of"]))
        expected = [{**ours[0], "part": part} for part in range(size)]
        assert expected == ours[:size]
        ours = ours[size:]


class Killed:
    """Opens connections that kill their own process just before their statement number *at*."""

    def __init__(self, at: int) -> None:
        self._left = at

    def connect(self, path: Path, busy_s: float) -> sqlite3.Connection:
        """Connect as the journal does, and listen to every statement."""
        connection = journal_schema.connect(path, busy_s)
        connection.set_trace_callback(self._count)
        return connection

    def _count(self, _statement: str) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _life(path: Path, said: int, kill_at: int) -> None:
    """Live the life of a journal, tell the pipe *said* what was acknowledged, and die at a statement."""
    journal_open.connect = Killed(kill_at).connect  # type: ignore[assignment]
    for steady, appends in ((1000.0, 2), (1100.0, 1)):
        journal = Journal.open(path, clock=standing(steady), retention=Retention(age_s=1.0))
        for _ in range(appends):
            entries = journal.append(record(1), record(2))
            os.write(said, f"{entries[-1].number}\n".encode())
            journal.compact({"through": entries[-1].number})
            os.write(said, f"{entries[-1].number + 1}\n".encode())
        journal.close()


def test_a_kill_before_any_statement_is_survived(tmp_path: Path) -> None:
    """Killed before each single statement, from the first start to a compaction: the next start finds all that was acknowledged."""
    finished, kill_at = False, 0
    while not finished:
        kill_at += 1
        assert kill_at < 300
        path = tmp_path / str(kill_at) / "j.db"
        read, said = os.pipe()
        status = in_child(lambda path=path, said=said, at=kill_at: _life(path, said, at))  # type: ignore[misc]
        os.close(said)
        with os.fdopen(read) as pipe:
            acknowledged = [int(line) for line in pipe]
        finished = os.WIFEXITED(status)
        assert finished or os.WTERMSIG(status) == signal.SIGKILL
        with Journal.open(path, clock=standing()) as journal:
            last = max([entry.number for entry in journal.replay(whole=True)], default=0)
            assert max(acknowledged, default=0) <= last
            assert last + 1 == journal.append(record(9))[0].number
        report = verify(path)
        assert (None, "", last + 1) == (report.broken, report.fact, report.end.number)
    assert kill_at > 60  # that many statements a life has, at least


@pytest.mark.parametrize("synced", [True, False])
def test_a_power_cut_loses_nothing_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, synced: bool
) -> None:
    """What the disk itself holds at the moment of an acknowledgement has the entry; without the sync it has not."""
    if not synced:
        _without_sync(monkeypatch)
    with disk(tmp_path) as (image, mount):
        path = mount / "j.db"
        with Journal.open(path, clock=standing()) as journal:
            os.sync()  # so that the file itself is there, whatever is lost afterwards
            for number in range(1, 31):
                journal.append(record(number))
            # The image is what survives a power cut: the page cache of the mounted disk is not in it.
            shutil.copy(image, tmp_path / "after.img")
    with mounted(tmp_path / "after", "-o", "loop", tmp_path / "after.img") as mount:
        survived = verify(mount / "j.db").end.number
        if not synced:
            assert survived < 30
            return
        assert 30 == survived
        with Journal.open(mount / "j.db", clock=standing()) as journal:
            assert list(range(1, 31)) == [entry.body["n"] for entry in journal.replay()]
            assert 31 == journal.append(record(31))[0].number


def _without_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant the fault: the journal's connections do not sync."""
    connect: Callable[[Path, float], sqlite3.Connection] = journal_schema.connect

    def careless(path: Path, busy_s: float) -> sqlite3.Connection:
        connection = connect(path, busy_s)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    monkeypatch.setattr(journal_open, "connect", careless)


def test_a_seal_that_lags_behind_is_brought_up_to_date(tmp_path: Path) -> None:
    """After a kill between commit and seal, the next start accepts the entry and notes the end anew."""
    path = tmp_path / "j.db"
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(1))
        before = seal_path(path).read_bytes()
        journal.append(record(2))
    after = seal_path(path).read_bytes()
    assert before != after
    seal_path(path).write_bytes(before)
    Journal.open(path, clock=standing()).close()
    assert after == seal_path(path).read_bytes()
