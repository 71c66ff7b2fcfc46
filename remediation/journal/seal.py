"""
The small file beside the journal: it keeps a second process out, and the end of the chain.

`<journal>.lock` is locked (flock) while a process writes the journal, and holds the number and the
digest of the last committed entry. It is written after each commit and not synced: it may lag
behind the journal, never run ahead of it. So a journal that ends before it lost entries that were
acknowledged: an older copy was put back, or somebody cut them off.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
from pathlib import Path

from remediation.journal.chain import Link
from remediation.journal.errors import JournalError

_LOG = logging.getLogger(__name__)
_FORM = re.compile(rb"(\d{20}) ([0-9a-f]{64})\n(?:pid (\d+)\n)?")
_LENGTH = 128  # of what is read; more than the form can have
_READS = 10


def seal_path(path: Path) -> Path:
    """Return where the seal of the journal *path* is."""
    return path.with_name(f"{path.name}.lock")


class Seal:
    """The locked seal of one journal; `take` makes one."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.end = parse_seal(os.pread(descriptor, _LENGTH, 0))

    @classmethod
    def take(cls, journal: Path) -> Seal:
        """
        Return the seal of *journal*, locked until `release` or the end of the process.

        Raises:
            JournalError: Another process has it, or the file cannot be made.
        """
        path = seal_path(journal)
        try:
            # Not inherited by programs that are started; a link in its place is not followed.
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise JournalError(
                path,
                f"it cannot be opened: {error.strerror}",
                "Make its folder writable for the remediator",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _FORM.match(os.pread(descriptor, _LENGTH, 0))
            os.close(descriptor)
            who = f"process {int(holder[3])}" if holder and holder[3] else "another process"
            raise JournalError(
                journal,
                f"{who} uses it",
                "One remediator at a time: stop that one, or give this one another file",
            ) from error
        return cls(path, descriptor)

    def write(self, end: Link) -> None:
        """Note that the journal now ends with *end*; what goes wrong is logged, the journal itself holds."""
        line = f"{end.number:020d} {end.digest}\npid {os.getpid()}\n".encode()
        try:
            os.pwrite(self._descriptor, line, 0)
            if self.end is None:
                os.ftruncate(self._descriptor, len(line))
        except OSError as error:
            _LOG.warning("%s: cannot be written: %s", self.path, error.strerror)
            return
        self.end = end

    def release(self) -> None:
        """Let another process have the journal."""
        os.close(self._descriptor)


def read_seal(journal: Path) -> Link | None:
    """Return the end noted beside *journal*, also while it is written to; None if there is none."""
    seen = b""
    for _ in range(_READS):
        try:
            now = seal_path(journal).read_bytes()[:_LENGTH]
        except OSError:
            return None
        if now == seen:
            break
        seen = now  # what was half written is whole at the next look
    return parse_seal(seen)


def parse_seal(content: bytes) -> Link | None:
    """Return the end that *content* notes; None where a power cut left nothing, zeros or half."""
    match = _FORM.match(content)
    return Link(int(match[1]), match[2].decode()) if match else None
