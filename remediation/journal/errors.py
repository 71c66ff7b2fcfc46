"""
What can be wrong with the journal, in words: place, fact, cure.

SQLite tells its troubles by number; whoever is woken by one wants to know what to do about it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from remediation.journal.chain import BrokenChainError


class JournalError(Exception):
    """
    The journal cannot be opened, read or written; the text has place, fact and cure.

    *may_be_written* is False when nothing of what was to be written is in the journal, and True
    when that cannot be told: the disk has not answered yet. *damaged* says that the file is not as
    it was written.
    """

    def __init__(
        self,
        path: Path,
        fact: str,
        cure: str,
        *,
        may_be_written: bool = False,
        damaged: bool = False,
    ) -> None:
        super().__init__(f"{path}: {fact}. {cure}")
        self.may_be_written, self.damaged = may_be_written, damaged
        self._parts = (path, fact, cure)

    def copy(self) -> JournalError:
        """Return the same error anew, for another thread to raise."""
        return JournalError(*self._parts, may_be_written=self.may_be_written, damaged=self.damaged)


DAMAGED_CURE = (
    "See what is left with `tierwatch remediate history --verify`. Restore the file from a backup; or, to"
    " start a new one that knows of no restarts, move it and its -wal, -shm and .lock away"
)

# By the first words of SQLite's names; the longer ones come first.
_TOLD = (
    ("SQLITE_FULL", "the disk is full", "Free space on it; the journal then goes on by itself"),
    (
        "SQLITE_BUSY",
        "another process has locked it",
        "End that process (`fuser` names it); only the remediator may write here",
    ),
    (
        "SQLITE_READONLY",
        "it cannot be written",
        "Make the file, its folder and its disk writable for the remediator",
    ),
    (
        "SQLITE_CANTOPEN",
        "it cannot be opened",
        "Make the file and its folder readable and writable for the remediator",
    ),
    (
        "SQLITE_PERM",
        "it cannot be opened",
        "Make the file and its folder readable and writable for the remediator",
    ),
    ("SQLITE_NOTADB", "it is damaged, or no SQLite file", DAMAGED_CURE),
    ("SQLITE_CORRUPT", "it is damaged", DAMAGED_CURE),
    (
        "SQLITE_IOERR",
        "the disk does not read or write as it should",
        "Look at the kernel's log (`dmesg`) and at the disk",
    ),
    (
        "SQLITE_CONSTRAINT",
        "somebody else wrote to it, and it is append-only",
        "End what writes to it; then restart the remediator, which looks at the file anew",
    ),
)


def told(path: Path, error: sqlite3.Error) -> JournalError:
    """Return what *error* means for the journal at *path*."""
    name = getattr(error, "sqlite_errorname", "") or ""
    for start, fact, cure in _TOLD:
        if name.startswith(start):
            damaged = cure is DAMAGED_CURE
            return JournalError(path, f"{fact} ({name}: {error})", cure, damaged=damaged)
    fact = f"SQLite refuses ({name or type(error).__name__}: {error})"
    cure = "Should it last, check the file with `tierwatch remediate history --verify` and look at the disk"
    return JournalError(path, fact, cure)


def broken(path: Path, error: BrokenChainError) -> JournalError:
    """Return what a break of the chain means for the journal at *path*."""
    return JournalError(path, f"it is damaged: {error}", DAMAGED_CURE, damaged=True)
