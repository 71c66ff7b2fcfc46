"""
Read the journal's file: by itself, or while the remediator writes to it.

Readers see the file as it was at one moment and never hold up the writer. Nothing here writes.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from remediation.journal.chain import BrokenChainError, Link, Row, follow
from remediation.journal.errors import JournalError, told
from remediation.journal.schema import CHECKPOINT, check_version
from remediation.model import Entry

THROUGH = "through"  # in the body of a checkpoint: the last entry that its state holds
_BUSY_S = 5.0
# As bytes: what was tampered with may be no text at all.
_COLUMNS = "number, at, wall, CAST(kind AS BLOB), CAST(body AS BLOB), CAST(digest AS BLOB)"


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """
    Open the journal *path* for reading, as it is at this moment.

    Raises:
        JournalError: It is missing, no journal, of a newer version, or cannot be read.
    """
    if not path.is_file():
        raise JournalError(
            path, "there is no journal", "Name it with --journal, or start the remediator first"
        )
    try:
        with closing(_connect(path)) as connection:
            connection.execute("BEGIN")
            if check_version(connection, path) == 0:
                raise JournalError(path, "it is empty", "Start the remediator, it makes a new one")
            yield connection
    except sqlite3.Error as error:
        raise told(path, error) from error


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() and not os.access(path.parent, os.W_OK):
        uri += "&immutable=1"  # SQLite would want to make its index of the log beside the file
    return sqlite3.connect(uri, timeout=_BUSY_S, isolation_level=None, uri=True)


def ends(connection: sqlite3.Connection) -> tuple[Link, Link]:
    """Return after which entry the chain starts and with which it ends, as the file itself notes."""
    found = connection.execute(
        "SELECT dropped, dropped_digest, last, last_digest FROM chain"
    ).fetchone()
    if found is None:
        raise BrokenChainError(1, "the ends of the chain are missing")
    return Link(found[0], found[1]), Link(found[2], found[3])


def rows(connection: sqlite3.Connection, after: int) -> Iterator[Row]:
    """Return the rows of the entries after number *after*, in order."""
    return connection.execute(
        f"SELECT {_COLUMNS} FROM entry WHERE number > ? ORDER BY number",  # noqa: S608 - a constant
        (after,),
    )


def link_at(connection: sqlite3.Connection, number: int) -> Link:
    """Return the link of entry *number*, as the file holds it; BrokenChainError if it is missing."""
    dropped, _ = ends(connection)
    if number == dropped.number:
        return dropped
    found = connection.execute("SELECT digest FROM entry WHERE number = ?", (number,)).fetchone()
    if found is None:
        raise BrokenChainError(number, f"entry {number} is missing")
    return Link(number, str(found[0]))


def last_checkpoint(connection: sqlite3.Connection) -> int:
    """Return the number of the newest checkpoint; 0 if there is none."""
    (number,) = connection.execute(
        "SELECT coalesce(max(number), 0) FROM entry WHERE kind = 'checkpoint'"
    ).fetchone()
    return int(number)


def entry_of(row: Row) -> Entry:
    """Return *row*, whose place in the chain was checked or does not matter, as an entry."""
    number, at, wall, kind, body, digest = row
    return Entry(number, at, wall, kind.decode(), json.loads(body), digest.decode())


def whole_entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    """Yield every entry that is kept, in order; BrokenChainError where the chain breaks."""
    yield from _followed(connection, ends(connection)[0])


def state_entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    """Yield the last checkpoint, then what it does not hold yet; BrokenChainError where the chain breaks."""
    number = last_checkpoint(connection)
    if number == 0:
        yield from whole_entries(connection)
        return
    checkpoint = next(_followed(connection, link_at(connection, number - 1)))
    yield checkpoint
    for entry in _followed(connection, link_at(connection, through(checkpoint))):
        # An older checkpoint would put back what has happened since.
        if entry.kind != CHECKPOINT:
            yield entry


def through(checkpoint: Entry) -> int:
    """Return the number of the last entry that the state in *checkpoint* holds."""
    return min(int(str(checkpoint.body[THROUGH])), checkpoint.number - 1)


def _followed(connection: sqlite3.Connection, end: Link) -> Iterator[Entry]:
    for row in rows(connection, end.number):
        end = follow(end, row)
        yield entry_of(row)
