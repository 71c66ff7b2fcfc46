"""
Notice that the journal was moved or deleted while it is open.

SQLite would go on writing to the file without a name, and all of it would be gone at the next
start. So the inode behind the name is looked at around every commit, that of the write-ahead log
as well: new entries live there first.
"""

from __future__ import annotations

from pathlib import Path

from remediation.journal.errors import JournalError


class Place:
    """Where the journal *path* is now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log_path = path.with_name(f"{path.name}-wal")
        self._file = _inode(path)
        self._log = 0

    def see_log(self) -> None:
        """Note the log that SQLite has just opened; inside its first transaction it is there."""
        self._log = self._log or _inode(self._log_path)

    def forget_log(self) -> None:
        """Expect another log: SQLite deletes it when it closes the file."""
        self._log = 0

    def check(self, *, may_be_written: bool = False) -> None:
        """Raise JournalError when the name leads elsewhere."""
        cure = "Put it back, or restart the remediator"
        for path, inode in ((self._path, self._file), (self._log_path, self._log)):
            if inode and _inode(path) != inode:
                fact = "it was moved, deleted or replaced while in use"
                raise JournalError(path, fact, cure, may_be_written=may_be_written)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
