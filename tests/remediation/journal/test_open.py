"""Opening: what is made, what is refused, and what is never replaced silently."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from remediation.journal import schema as journal_schema
from remediation.journal.journal import Journal, JournalError, verify
from remediation.journal.schema import APPLICATION_ID, STEPS, migrate
from remediation.journal.seal import seal_path
from tests.remediation.journal.rigs import inside, record, standing


def test_a_new_journal_is_made_with_its_folder(tmp_path: Path) -> None:
    """Folders are made; the file, its log and its seal are for the owner alone; SQLite is set up as promised."""
    path = tmp_path / "a" / "b" / "j.db"
    before = os.umask(0)
    try:
        with Journal.open(path, clock=standing()) as journal:
            journal.append(record(1))
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
            assert dict.fromkeys(("j.db", "j.db-wal", "j.db-shm", "j.db.lock"), 0o600) == modes
            assert journal.size_bytes > 4096
    finally:
        os.umask(before)
    with closing(sqlite3.connect(path)) as connection:
        pragmas = ("application_id", "user_version", "journal_mode", "auto_vacuum")
        got = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    assert [APPLICATION_ID, len(STEPS), "wal", 2] == got
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)


def test_every_commit_is_synced(tmp_path: Path) -> None:
    """The writing connection syncs its log at each commit (synchronous = FULL)."""
    (tmp_path / "j.db").touch()
    with closing(journal_schema.connect(tmp_path / "j.db", 1.0)) as connection:
        assert (2,) == connection.execute("PRAGMA synchronous").fetchone()


def test_a_loose_mode_is_tightened(tmp_path: Path) -> None:
    """A file that others could read is theirs no more once it was opened."""
    Journal.open(tmp_path / "j.db", clock=standing()).close()
    (tmp_path / "j.db").chmod(0o666)
    Journal.open(tmp_path / "j.db", clock=standing()).close()
    assert 0o600 == stat.S_IMODE((tmp_path / "j.db").stat().st_mode)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """A second opener, in this process or another, is refused and told who has it; afterwards it may."""
    path = tmp_path / "j.db"
    program = (
        "import sys; from pathlib import Path; from remediation.journal.journal import Journal, JournalError\n"
        "try: Journal.open(Path(sys.argv[1]))\n"
        "except JournalError as error: print(error)"
    )
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(1))
        expected = (
            f"{path}: process {os.getpid()} uses it. One remediator at a time: stop that one, or give this"
            " one another file"
        )
        with pytest.raises(JournalError) as refused:
            Journal.open(path, clock=standing())
        assert expected == str(refused.value)
        command = [sys.executable, "-c", program, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert expected + "\n" == done.stdout
        assert 2 == journal.append(record(2))[0].number
    with Journal.open(path, clock=standing()) as journal:
        assert 3 == journal.append(record(3))[0].number


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    """A file of a newer version is not touched, and the message says what to run."""
    path = tmp_path / "j.db"
    Journal.open(path, clock=standing()).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    before = path.read_bytes()
    with pytest.raises(JournalError) as refused:
        Journal.open(path, clock=standing())
    assert (
        f"{path}: it was written by a newer Tierwatch (schema {len(STEPS) + 1}, this one knows {len(STEPS)})."
        " Run that version, or restore the journal from before the upgrade" == str(refused.value)
    )
    with pytest.raises(JournalError, match="newer Tierwatch"):
        verify(path)
    assert before == path.read_bytes()


def test_an_older_journal_is_migrated_step_by_step(tmp_path: Path) -> None:
    """Only the missing steps are done, each in one transaction: a step that fails leaves the version before it."""
    path = tmp_path / "j.db"
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(1))
    done: list[str] = []

    def second(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE second (x)")
        done.append("second")

    def third(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE third (x)")
        if "broken" not in done:
            done.append("broken")
            raise sqlite3.OperationalError("no")

    def version(connection: sqlite3.Connection) -> tuple[int, list[str]]:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE name IN ('second', 'third') ORDER BY name"
        )
        names = [name for (name,) in tables]
        return connection.execute("PRAGMA user_version").fetchone()[0], names

    steps = (*STEPS, second, third)
    with closing(journal_schema.connect(path, 1.0)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, path, steps)
        assert (len(STEPS) + 1, ["second"]) == version(connection)
        migrate(connection, path, steps)
        assert (len(STEPS) + 2, ["second", "third"]) == version(connection)
    assert ["second", "broken"] == done


def test_what_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    """Another program's SQLite file and a file that is none are refused and stay as they are."""
    other, text = tmp_path / "other.db", tmp_path / "text.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    text.write_text("certainly no database\n" * 400)
    for path, fact in ((other, "some other program"), (text, "damaged, or no SQLite file")):
        before = path.read_bytes()
        for ask in (
            lambda path=path: Journal.open(path, clock=standing()),
            lambda path=path: verify(path),
        ):  # type: ignore[misc]
            with pytest.raises(JournalError, match=fact):
                ask()
        if path is text:
            assert before == path.read_bytes()
    with closing(sqlite3.connect(other)) as connection:
        assert [("theirs",)] == connection.execute("SELECT name FROM sqlite_master").fetchall()


@pytest.mark.parametrize("how", ["deleted", "emptied"])
def test_a_journal_that_is_gone_is_not_replaced(tmp_path: Path, how: str) -> None:
    """When the seal remembers entries and the file is gone, none is made: its budgets would be full."""
    path = tmp_path / "j.db"
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(1), record(2))
    if how == "deleted":
        path.unlink()
    else:
        path.write_bytes(b"")
    with pytest.raises(JournalError) as refused:
        Journal.open(path, clock=standing())
    assert (
        f"{path}: it is gone, and it had 2 entries. Restore it from a backup; or, to start a new one that"
        f" knows of no restarts, remove {seal_path(path)}" == str(refused.value)
    )
    assert (how == "emptied") == path.exists()
    # The cure that is named works.
    seal_path(path).unlink()
    with Journal.open(path, clock=standing()) as journal:
        assert 1 == journal.append(record(1))[0].number


def test_a_start_that_was_cut_short_is_no_loss(tmp_path: Path) -> None:
    """An empty file, or one with its tables and no entry, is where a crash at the first start may leave us."""
    path = tmp_path / "j.db"
    path.touch()
    Journal.open(path, clock=standing()).close()
    path.unlink()
    with Journal.open(path, clock=standing()) as journal:
        assert 1 == journal.append(record(1))[0].number


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    """A file in place of the folder, or a folder in place of the file, gives a message, no traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="its folder cannot be made: "):
        Journal.open(tmp_path / "file" / "j.db", clock=standing())
    (tmp_path / "folder").mkdir()
    with pytest.raises(JournalError, match="it cannot be opened: Is a directory"):
        Journal.open(tmp_path / "folder", clock=standing())


def test_a_refused_open_leaves_the_lock_free(tmp_path: Path) -> None:
    """After an open that failed the next one is not told that somebody has the journal."""
    path = tmp_path / "j.db"
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(1))
    with inside(path) as connection:
        connection.execute("UPDATE entry SET kind = 'x'")
    for _ in range(2):
        with pytest.raises(JournalError, match="it is damaged"):
            Journal.open(path, clock=standing())
    with inside(path) as connection:
        connection.execute("UPDATE entry SET kind = 'decided'")
    Journal.open(path, clock=standing()).close()
