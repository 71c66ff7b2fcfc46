"""
Open the journal's file: make it where none ever was, refuse it when it is not as it was left.

A new journal knows of no restarts, so every budget is full: one is made only where neither the file
nor the note of its end (remediation.journal.seal) says that there was one before.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from remediation.clock import Anchor, Clock
from remediation.journal.chain import BrokenChainError, Link
from remediation.journal.errors import JournalError, broken, told
from remediation.journal.retention import Since, written_since
from remediation.journal.schema import connect, migrate, transaction
from remediation.journal.seal import Seal, seal_path
from remediation.journal.verify import check_tail

ClockMaker = Callable[[Anchor | None, float], Clock]

_FOLDER_CURE = "Make the folder writable for the remediator, or name another file"


@dataclass(frozen=True, slots=True)
class Opened:
    """An open file, locked by *seal*: its *end* with steady and wall time, and a clock that goes on from there."""

    path: Path
    connection: sqlite3.Connection
    seal: Seal
    clock: Clock
    end: Link
    at: float
    wall: float
    since: Since


def open_file(path: Path, clock: ClockMaker, busy_s: float) -> Opened:
    """Return the journal *path*, opened for this process alone; JournalError if that cannot be."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        fact = f"its folder cannot be made: {error.strerror}"
        raise JournalError(path, fact, _FOLDER_CURE) from error
    seal = Seal.take(path)
    try:
        _make_file(path, seal)
        return _opened(path, seal, clock, busy_s)
    except sqlite3.Error as error:
        seal.release()
        raise told(path, error) from error
    except BrokenChainError as error:
        seal.release()
        raise broken(path, error) from error
    except BaseException:
        seal.release()
        raise


def _make_file(path: Path, seal: Seal) -> None:
    """Make an empty file with mode 0600, unless there is one; it and its name are on disk afterwards."""
    there = path.exists() and path.stat().st_size > 0
    if not there and seal.end is not None and seal.end.number > 0:
        raise JournalError(
            path,
            f"it is gone, and it had {seal.end.number} entries",
            f"Restore it from a backup; or, to start a new one that knows of no restarts, remove {seal_path(path)}",
        )
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise JournalError(path, f"it cannot be opened: {error.strerror}", _FOLDER_CURE) from error


def _opened(path: Path, seal: Seal, clock: ClockMaker, busy_s: float) -> Opened:
    connection = connect(path, busy_s)
    try:
        migrate(connection, path)
        end = check_tail(connection, seal.end)
        found = connection.execute(
            "SELECT at, wall FROM entry WHERE number = ?", (end.number,)
        ).fetchone()
        at, wall = found or (0.0, 0.0)
        ours = clock(_anchor(connection), at)
        _keep_anchor(connection, ours)
        seal.write(end)
        return Opened(path, connection, seal, ours, end, at, wall, written_since(connection))
    except BaseException:
        connection.close()
        raise


def _anchor(connection: sqlite3.Connection) -> Anchor | None:
    found = connection.execute("SELECT boot_id, boot_s, steady FROM anchor").fetchone()
    return Anchor(*found) if found else None


def _keep_anchor(connection: sqlite3.Connection, clock: Clock) -> None:
    """Write down where the clock's line is fixed, so that the next process of this boot goes on with it."""
    anchor = getattr(clock, "anchor", None)  # the host's has one; a clock that stands needs none
    if not isinstance(anchor, Anchor) or anchor == _anchor(connection):
        return
    with transaction(connection):
        connection.execute(
            "INSERT OR REPLACE INTO anchor VALUES (1, ?, ?, ?)",
            (anchor.boot_id, anchor.boot_s, anchor.steady),
        )
