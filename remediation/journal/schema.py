"""
The file behind the journal: how SQLite is set up, which tables there are, how old files become new.

Append-only is enforced by the file itself: entries are never updated, never inserted before the
last one, and deleted only up to a mark that must lie before the last checkpoint but one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from remediation.journal.chain import GENESIS
from remediation.journal.errors import DAMAGED_CURE, JournalError

APPLICATION_ID = 0x54574A4C  # "TWJL"; makes `file` and us tell a journal from other SQLite files
CHECKPOINT = "checkpoint"  # the kind of entry that holds all that entries before it came to
WAL_PAGES = 512  # 2 MiB: how long the write-ahead log gets before it is brought home; arbitrary

_SETTINGS = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # heeded while the file is empty
    "PRAGMA synchronous = FULL",  # in WAL mode: the log is synced at every commit
    f"PRAGMA wal_autocheckpoint = {WAL_PAGES}",
    f"PRAGMA journal_size_limit = {WAL_PAGES * 4096 * 2}",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -4096",  # KiB
)


_TABLES = (
    """CREATE TABLE entry (number INTEGER PRIMARY KEY, at REAL NOT NULL, wall REAL NOT NULL,
    kind TEXT NOT NULL, body TEXT NOT NULL, digest TEXT NOT NULL)""",
    "CREATE INDEX checkpoint ON entry (number) WHERE kind = 'checkpoint'",
    # dropped: the newest entry that retention has deleted; the chain starts after it
    """CREATE TABLE chain (one INTEGER PRIMARY KEY CHECK (one = 1), dropped INTEGER NOT NULL,
    dropped_digest TEXT NOT NULL, last INTEGER NOT NULL, last_digest TEXT NOT NULL)""",
    """CREATE TABLE anchor (one INTEGER PRIMARY KEY CHECK (one = 1), boot_id TEXT NOT NULL,
    boot_s REAL NOT NULL, steady REAL NOT NULL)""",
)
_GUARDS = (
    """CREATE TRIGGER entry_update BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END""",
    # REPLACE would delete without firing the trigger on DELETE
    """CREATE TRIGGER entry_insert BEFORE INSERT ON entry
    WHEN NEW.number <= (SELECT max(number) FROM entry)
    BEGIN SELECT RAISE(ABORT, 'entries are only appended'); END""",
    """CREATE TRIGGER entry_delete BEFORE DELETE ON entry
    WHEN OLD.number > (SELECT dropped FROM chain)
    BEGIN SELECT RAISE(ABORT, 'entries are deleted by retention only'); END""",
    """CREATE TRIGGER chain_update BEFORE UPDATE ON chain
    WHEN NEW.dropped < OLD.dropped OR NEW.last < OLD.last
    BEGIN SELECT RAISE(ABORT, 'the chain only grows'); END""",
    """CREATE TRIGGER chain_dropped BEFORE UPDATE OF dropped ON chain
    WHEN NEW.dropped > OLD.dropped AND NEW.dropped >= coalesce((SELECT number FROM entry
    WHERE kind = 'checkpoint' ORDER BY number DESC LIMIT 1 OFFSET 1), 0)
    BEGIN SELECT RAISE(ABORT, 'the last two checkpoints and all after them stay'); END""",
    """CREATE TRIGGER chain_delete BEFORE DELETE ON chain
    BEGIN SELECT RAISE(ABORT, 'the chain only grows'); END""",
)


def _first(connection: sqlite3.Connection) -> None:
    """Make version 1: the entries, the ends of their chain, the anchor of the clock, and the guards."""
    for statement in (*_TABLES, *_GUARDS):
        connection.execute(statement)
    connection.execute("INSERT INTO chain VALUES (1, 0, ?1, 0, ?1)", (GENESIS,))


# The step at place n takes a file of version n to version n + 1; an empty file has version 0.
STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_first,)


def connect(path: Path, busy_s: float) -> sqlite3.Connection:
    """
    Return a connection that writes to the existing file *path*; locks are waited for *busy_s* seconds.

    Raises:
        sqlite3.Error: SQLite says why not.
        JournalError: It is no journal, or of a newer version (it is left as it is), or its file system
            cannot hold a write-ahead log.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"  # never a silent new file
    connection = sqlite3.connect(
        uri, timeout=busy_s, isolation_level=None, check_same_thread=False, uri=True
    )
    try:
        check_version(connection, path)
        for setting in _SETTINGS:
            connection.execute(setting).fetchall()
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except BaseException:
        connection.close()
        raise
    if mode != "wal":
        connection.close()
        fact = "its file system has no shared memory for a write-ahead log"
        raise JournalError(path, fact, "Put it on a local disk")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done inside, all or nothing; an error rolls it back and goes on."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def check_version(connection: sqlite3.Connection, path: Path, newest: int = len(STEPS)) -> int:
    """Return the version of the schema, 0 for an empty file; JournalError unless this program can read it."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) == (0, 0, 0):
        return 0
    if application != APPLICATION_ID:
        cure = "Name another file with --journal"
        raise JournalError(path, "it is a SQLite file of some other program", cure)
    if version > newest:
        raise JournalError(
            path,
            f"it was written by a newer Tierwatch (schema {version}, this one knows {newest})",
            "Run that version, or restore the journal from before the upgrade",
        )
    if version < 1:
        raise JournalError(path, f"its schema has version {version}", DAMAGED_CURE)
    return int(version)


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    steps: Sequence[Callable[[sqlite3.Connection], None]] = STEPS,
) -> None:
    """Bring the file to the newest version, each step in a transaction of its own."""
    for version in range(check_version(connection, path, len(steps)), len(steps)):
        with transaction(connection):
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            steps[version](connection)
            connection.execute(f"PRAGMA user_version = {version + 1}")
