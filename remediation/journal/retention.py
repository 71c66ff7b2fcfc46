"""
Keep the journal small: which entries may go, and how they go without breaking the chain.

An entry goes when it is too old, or when the file is too large, and only if it lies before the
last checkpoint but one: what start-up needs always stays. The digest of the newest one that went
stays as the start of the chain. A call does a bounded amount of work; the next one goes on.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from remediation.journal.reading import THROUGH, last_checkpoint
from remediation.journal.schema import transaction

_ROW_BYTES = 130  # what an entry takes besides kind and body: numbers, digest, overhead (measured)
_SHARE = 16  # a checkpoint is due when this part of the allowed size was written since the last


@dataclass(frozen=True, slots=True)
class Retention:
    """
    How much is kept: entries of *age_s*, a file of *size_bytes* (the write-ahead log comes on top).

    A checkpoint is due after *entries* entries or *every_s* seconds. One call deletes at most
    *most_rows* entries and gives back at most *most_pages* pages; arbitrary, some tenths of a second.
    """

    age_s: float = 90 * 86400.0
    size_bytes: int = 256 * 1024 * 1024
    entries: int = 1000
    every_s: float = 86400.0
    most_rows: int = 10_000
    most_pages: int = 2048


@dataclass(frozen=True, slots=True)
class Since:
    """What was written since the last checkpoint, which was at *at*."""

    entries: int
    size_bytes: int
    at: float


def is_due(bounds: Retention, since: Since, now_at: float, file_bytes: int) -> bool:
    """Return whether a checkpoint should be written now; never when nothing new is there."""
    if since.entries == 0:
        return False
    return (
        since.entries >= bounds.entries
        or since.size_bytes >= bounds.size_bytes / _SHARE
        or now_at - since.at >= bounds.every_s
        or file_bytes > bounds.size_bytes
    )


def written_since(connection: sqlite3.Connection) -> Since:
    """Return what the file holds after its last checkpoint, or in all if there is none."""
    checkpoint = last_checkpoint(connection)
    entries, size, first_at = connection.execute(
        "SELECT count(*), coalesce(sum(length(body)), 0), coalesce(min(at), 0) FROM entry WHERE number > ?",
        (checkpoint,),
    ).fetchone()
    if checkpoint:
        (first_at,) = connection.execute(
            "SELECT at FROM entry WHERE number = ?", (checkpoint,)
        ).fetchone()
    return Since(entries, size + entries * _ROW_BYTES, first_at)


def row_bytes(body: str) -> int:
    """Return about how much room an entry with *body* takes in the file."""
    return len(body) + _ROW_BYTES


def trim(connection: sqlite3.Connection, bounds: Retention, now_at: float) -> int:
    """Delete what may go, give room back to the disk, and return how many entries went."""
    cut, count = _cut(connection, bounds, now_at)
    if count:
        with transaction(connection):
            connection.execute(
                "UPDATE chain SET dropped = ?1,"
                " dropped_digest = (SELECT digest FROM entry WHERE number = ?1)",
                (cut,),
            )
            connection.execute("DELETE FROM entry WHERE number <= ?", (cut,))
    # As a script: `execute` stops after the first page, since its rows have no columns.
    connection.executescript(f"PRAGMA incremental_vacuum({bounds.most_pages})")
    # Not waiting for readers: what they still need is brought home the next time.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    return count


def _cut(connection: sqlite3.Connection, bounds: Retention, now_at: float) -> tuple[int, int]:
    """Return the newest entry that may go and how many that are; the steady time only grows with the number."""
    excess = _used_bytes(connection) - bounds.size_bytes
    cut = count = 0
    for number, at, size in connection.execute(
        "SELECT number, at, length(body) FROM entry WHERE number <= ? ORDER BY number LIMIT ?",
        (_last_that_may_go(connection), bounds.most_rows),
    ):
        if at >= now_at - bounds.age_s and excess <= 0:
            break
        cut, count, excess = number, count + 1, excess - size - _ROW_BYTES
    return cut, count


def _last_that_may_go(connection: sqlite3.Connection) -> int:
    """Return the last entry that is in the state of the last checkpoint but one; 0 without such."""
    found = connection.execute(
        "SELECT number, body FROM entry WHERE kind = 'checkpoint' ORDER BY number DESC LIMIT 1 OFFSET 1"
    ).fetchone()
    return min(found[0] - 1, int(json.loads(found[1])[THROUGH])) if found else 0


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
