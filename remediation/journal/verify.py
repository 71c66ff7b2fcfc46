"""
Check that the journal holds what was written: the chain of digests and its ends.

Reads the file only, also while the remediator writes. What cannot be seen is said in the report.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from remediation.journal.chain import BrokenChainError, Link, compare_ends, follow, walk
from remediation.journal.errors import told
from remediation.journal.reading import ends, link_at, reading, rows
from remediation.journal.seal import read_seal

TAIL = 256  # entries checked at every start: what the last minutes wrote; arbitrary

_NO_KEY = (
    "The chain has no key: whoever may write this file and its .lock can compute all digests anew from some"
    " entry on. To see that, compare the last digest with one that was kept elsewhere"
)
_NO_SEAL = "There is no .lock file beside it: entries cut off at the end together with the note of the end are not seen"


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """
    What `verify` found.

    *first* to *end.number* are the entries whose chain holds (none when *first* is greater). *broken* is
    the number of the first entry that is not as written; None when all are, and *fact* is empty then.
    *unseen* says, a sentence each, what such a check cannot see.
    """

    path: Path
    first: int
    end: Link
    broken: int | None
    fact: str
    unseen: tuple[str, ...]

    @property
    def intact(self) -> bool:
        """Whether everything is as it was written, as far as can be seen."""
        return self.broken is None


def verify(path: Path) -> VerifyReport:
    """
    Return whether the chain of the journal *path* holds, from its first kept entry to its last.

    Raises:
        JournalError: There is no journal that could be read.
    """
    seal = read_seal(path)  # before the file: it never runs ahead
    unseen = (_NO_KEY,) if seal else (_NO_KEY, _NO_SEAL)
    with reading(path) as connection:
        end, broken, fact = Link(0, ""), None, ""
        dropped = Link(0, "")
        try:
            dropped, last = ends(connection)
            end = dropped
            for row in rows(connection, 0):  # also those before the mark: they should be gone
                end = follow(end, row)
            check_ends(connection, end, last, seal)
        except BrokenChainError as error:
            broken, fact = error.number, str(error)
        except sqlite3.Error as error:
            broken, fact = end.number + 1, f"it cannot be read on: {told(path, error)}"
        return VerifyReport(path, dropped.number + 1, end, broken, fact, unseen)


def check_tail(connection: sqlite3.Connection, seal: Link | None) -> Link:
    """
    Return the end of the chain after a look at its last TAIL entries.

    Raises:
        BrokenChainError: They are not as written, or the end is not the one noted.
    """
    dropped, last = ends(connection)
    after = link_at(connection, max(dropped.number, last.number - TAIL))
    end = walk(after, rows(connection, after.number))
    check_ends(connection, end, last, seal)
    return end


def check_ends(connection: sqlite3.Connection, end: Link, last: Link, seal: Link | None) -> None:
    """Raise BrokenChainError unless the chain ends as the file itself and the *seal* beside it say."""
    if end.number > last.number:
        raise BrokenChainError(
            last.number + 1, f"entry {last.number + 1} was put in after the end, {last.number}"
        )
    compare_ends(end, last, "its own note of the end")
    if seal is None:
        return
    dropped, _ = ends(connection)
    if dropped.number <= seal.number < end.number:
        compare_ends(link_at(connection, seal.number), seal, "the .lock file")
    elif seal.number >= end.number:
        compare_ends(end, seal, "the .lock file")
