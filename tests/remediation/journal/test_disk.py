"""Bad disks: full, read-only, locked, hanging, pulled away. Nobody is told "written" who should not be."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

import pytest

from remediation.journal import writer as journal_writer
from remediation.journal.journal import Journal, JournalError, verify
from remediation.model import Entry
from tests.remediation.journal.rigs import DEADLINE_S, disk, mounted, record, standing, wait_until

ROOT = Path(__file__).resolve().parents[3]
IMPATIENT_S = 0.5


def _bodies(journal: Journal) -> list[object]:
    return [entry.body["n"] for entry in journal.replay()]


def _fill(folder: Path) -> Path:
    """Take every byte that is left in *folder*; return the file to delete."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return filler


def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """On a disk that is really full appends raise and write nothing; with room again the journal goes on by itself."""
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=2m", "none") as folder:
        with Journal.open(folder / "j.db", clock=standing()) as journal:
            assert 1 == journal.append(record(1))[0].number
            filler = _fill(folder)
            refused = 0
            for _ in range(3):
                # Large ones: what SQLite has left in its log may still take a small one.
                with pytest.raises(JournalError) as error:
                    journal.append(record(2, text="x" * 200_000), record(3))
                refused += 1
                assert "the disk is full (SQLITE_FULL" in str(error.value)
                assert "Free space on it" in str(error.value)
                assert not error.value.may_be_written
                assert str(error.value) == journal.problem
            assert [1] == _bodies(journal)
            assert verify(journal.path).intact
            with pytest.raises(JournalError, match="the disk is full"):
                journal.compact({"through": 1, "text": "x" * 200_000})
            filler.unlink()
            assert [2, 3] == [e.number for e in journal.append(record(4), record(5))]
            assert (3, "") == (refused, journal.problem)
            assert [1, 4, 5] == _bodies(journal)
        assert verify(folder / "j.db").intact


def test_a_disk_that_is_full_at_the_start_is_said(tmp_path: Path) -> None:
    """Opening a new journal on a full disk gives the message; with room again it opens."""
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "none") as folder:
        filler = _fill(folder)
        with pytest.raises(JournalError, match=r"full|No space"):
            Journal.open(folder / "j.db", clock=standing())
        filler.unlink()
        with Journal.open(folder / "j.db", clock=standing()) as journal:
            assert 1 == journal.append(record(1))[0].number


def test_a_read_only_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """A journal on a disk that became read-only cannot be opened, can be verified, and opens once it is writable again."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "none") as folder:
        path = folder / "j.db"
        with Journal.open(path, clock=standing()) as journal:
            journal.append(record(1))
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with pytest.raises(JournalError, match="Read-only file system"):
            Journal.open(path, clock=standing())
        assert (True, 1) == ((report := verify(path)).intact, report.end.number)
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        with Journal.open(path, clock=standing()) as journal:
            assert 2 == journal.append(record(2))[0].number


def test_a_file_that_turns_read_only_refuses_and_recovers(tmp_path: Path) -> None:
    """When the kernel refuses writes to the open files (as after errors of an ext4), appends raise; later they work."""
    with disk(tmp_path) as (_, folder), Journal.open(folder / "j.db", clock=standing()) as journal:
        journal.append(record(1))
        files = [str(folder / "j.db"), str(folder / "j.db-wal")]
        subprocess.run(["chattr", "+i", *files], check=True)
        try:
            for _ in range(2):
                with pytest.raises(JournalError) as refused:
                    journal.append(record(2))
                assert "SQLITE_" in str(refused.value)
                assert not refused.value.may_be_written
            assert [1] == _bodies(journal)
        finally:
            subprocess.run(["chattr", "-i", *files], check=True)
        assert 2 == journal.append(record(3))[0].number
        assert [1, 3] == _bodies(journal)


def test_a_lock_of_somebody_else_refuses_and_recovers(tmp_path: Path) -> None:
    """While another process holds the file locked appends raise in bounded time; then they work."""
    path = tmp_path / "j.db"
    with Journal.open(path, clock=standing(), busy_s=0.2) as journal:
        journal.append(record(1))
        program = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()"
        )
        command = [sys.executable, "-c", program, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert b"locked\n" == other.stdout.readline()
            for _ in range(2):
                with pytest.raises(JournalError, match="another process has locked it") as refused:
                    journal.append(record(2))
                assert not refused.value.may_be_written
            assert [1] == _bodies(journal)
            other.communicate()
        assert 2 == journal.append(record(3))[0].number
        assert [1, 3] == _bodies(journal)


def test_somebody_else_who_wrote_is_noticed(tmp_path: Path) -> None:
    """Entries that another process appended are not built upon: appends raise until a restart looks at the file."""
    path = tmp_path / "j.db"
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(1))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("INSERT INTO entry VALUES (2, 1.0, 1.0, 'x', '{}', '')")
        for _ in range(2):
            with pytest.raises(JournalError, match="somebody else wrote to it"):
                journal.append(record(2))
    assert 2 == verify(path).broken


def test_an_end_that_somebody_else_moved_is_noticed(tmp_path: Path) -> None:
    """Also one who keeps the file's own note of the end right is noticed."""
    path = tmp_path / "j.db"
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(1))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("UPDATE chain SET last = 2")
        with pytest.raises(JournalError, match="somebody else wrote to it while we did"):
            journal.append(record(2))


@pytest.mark.parametrize("name", ["j.db", "j.db-wal"])
def test_a_file_pulled_away_is_noticed(tmp_path: Path, name: str) -> None:
    """Nobody is told that an entry is written to a file that has no name any more; put back, the journal goes on."""
    path, moved = tmp_path / name, tmp_path / "moved"
    with Journal.open(tmp_path / "j.db", clock=standing()) as journal:
        journal.append(record(1))
        path.rename(moved)
        for _ in range(2 if name == "j.db" else 1):
            with pytest.raises(JournalError, match="moved, deleted or replaced while in use"):
                journal.append(record(2))
        if name == "j.db":
            moved.rename(path)  # SQLite makes a new log by itself
        assert 2 == journal.append(record(3))[0].number
    with Journal.open(tmp_path / "j.db", clock=standing()) as journal:
        assert [1, 3] == _bodies(journal)


def test_a_file_pulled_away_during_the_commit_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted between the look before the commit and the one after it: the answer is that nobody knows."""
    path = tmp_path / "j.db"
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(1))
        real = journal_writer.transaction

        def deleting(connection: sqlite3.Connection) -> object:
            path.unlink()
            return real(connection)

        monkeypatch.setattr(journal_writer, "transaction", deleting)
        with pytest.raises(JournalError, match="moved, deleted or replaced") as refused:
            journal.append(record(2))
        assert refused.value.may_be_written
    with pytest.raises(JournalError, match="it is gone, and it had 1 entries"):
        Journal.open(path, clock=standing())


def test_a_broken_connection_is_replaced(tmp_path: Path) -> None:
    """When SQLite's connection itself is of no use any more, one append is refused and the next has a new one."""
    with Journal.open(tmp_path / "j.db", clock=standing()) as journal:
        connection = journal._writer._connection
        assert connection is not None
        connection.close()
        with pytest.raises(JournalError, match="ProgrammingError"):
            journal.append(record(1))
        assert 1 == journal.append(record(2))[0].number
        assert [2] == _bodies(journal)


class Hanging:
    """A writer's seal that hangs: the last thing between a commit and its answer that touches the disk."""

    def __init__(self, real: Callable[..., None]) -> None:
        self.gate, self.reached, self._real = threading.Event(), threading.Event(), real

    def __call__(self, *arguments: object) -> None:
        """Hang until the gate opens."""
        self.reached.set()
        self.gate.wait(DEADLINE_S)
        self._real(*arguments)


def test_a_hanging_disk_costs_nobody_more_than_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a write hangs, all who wait are refused in bounded time, and are told whether it may still be written."""
    with Journal.open(tmp_path / "j.db", clock=standing(), wait_s=IMPATIENT_S) as journal:
        hanging = Hanging(journal._seal.write)
        monkeypatch.setattr(journal._seal, "write", hanging)
        told: list[Entry] = []
        first = journal.submit(record(1), told=told.extend)
        assert hanging.reached.wait(DEADLINE_S)
        second = journal.submit(record(2), told=told.extend)
        begun = time.monotonic()
        assert ("the disk has not answered in time", True) == _refusal(first)
        assert ("the disk has not answered in time", False) == _refusal(second)
        assert time.monotonic() - begun < DEADLINE_S / 2
        assert 0 == journal.waiting
        with pytest.raises(JournalError, match="has not answered in time"):
            journal.settle()
        hanging.gate.set()
        journal.settle()
        # Whoever keeps a state has learnt of it by now.
        assert [1] == [entry.number for entry in told]
        # What could not be told was written; what was said not to be is not, and the journal goes on.
        assert 2 == journal.append(record(3))[0].number
        assert [1, 3] == _bodies(journal)


def _refusal(future: Future[tuple[Entry, ...]]) -> tuple[str, bool]:
    error = future.exception(timeout=DEADLINE_S)
    assert isinstance(error, JournalError)
    return str(error).split(": ")[1].split(".")[0], error.may_be_written


# A process of its own: nothing else can be done with threads that hang in the kernel.
FROZEN = """
import sys, subprocess
from pathlib import Path
from remediation.journal.journal import Journal, JournalError
from remediation.model import Record
path = Path(sys.argv[1])
journal = Journal.open(path, wait_s=1.0)
journal.append(Record("decided", {"n": 1}))
print("ready", flush=True)
sys.stdin.readline()
for n in (2, 3):
    try: journal.append(Record("decided", {"n": n})); print("written", flush=True)
    except JournalError as error: print(error.may_be_written, error, flush=True)
sys.stdin.readline()
print(journal.append(Record("decided", {"n": 4}))[0].body["n"], flush=True)
journal.close()
"""


def test_a_disk_that_really_hangs(tmp_path: Path) -> None:
    """On a frozen ext4, where every write sleeps in the kernel, appends are refused in bounded time; thawed, it goes on."""
    with disk(tmp_path) as (_, folder):
        command = [sys.executable, "-c", FROZEN, str(folder / "j.db")]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True, bufsize=1
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            assert "ready\n" == child.stdout.readline()
            subprocess.run(["fsfreeze", "--freeze", str(folder)], check=True)
            try:
                child.stdin.write("go\n")
                answers = [child.stdout.readline() for _ in range(2)]
            finally:
                subprocess.run(["fsfreeze", "--unfreeze", str(folder)], check=True)
            child.stdin.write("go\n")
            assert "4\n" == child.stdout.readline()
        fact = f"{folder}/j.db: the disk has not answered in time. "
        assert [f"True {fact}", f"False {fact}"] == [each[: each.index("Look")] for each in answers]
        assert 0 == child.returncode
        with Journal.open(folder / "j.db") as journal:
            assert [1, 2, 4] == _bodies(journal)


def test_closing_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Close returns in bounded time while a write hangs, and keeps the lock: the write may still happen."""
    path = tmp_path / "j.db"
    journal = Journal.open(path, clock=standing(), wait_s=IMPATIENT_S)
    hanging = Hanging(journal._seal.write)
    monkeypatch.setattr(journal._seal, "write", hanging)
    journal.submit(record(1))
    assert hanging.reached.wait(DEADLINE_S)
    journal.close()
    with pytest.raises(JournalError, match=f"process {os.getpid()} uses it"):
        Journal.open(path, clock=standing())
    hanging.gate.set()
    wait_until(lambda: not journal._writer._thread.is_alive())
    journal.close()
    with Journal.open(path, clock=standing()) as again:
        assert [1] == _bodies(again)
