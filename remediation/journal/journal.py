"""
The journal: all that was accepted, decided and done, and the only memory that survives a crash.

Records go in and are on disk when `append` returns; entries come out in order. SQLite with a
write-ahead log, synced at every commit; append-only, chained by digests (remediation.journal.chain), kept
small (remediation.journal.retention), secrets masked (remediation.masking). One process writes, any number
read. What records mean, and what state follows from them, is not known here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from remediation.clock import Anchor, Clock, HostClock
from remediation.journal.canonical import RecordError, encode
from remediation.journal.chain import BrokenChainError
from remediation.journal.errors import JournalError, broken
from remediation.journal.opening import Opened, open_file
from remediation.journal.queue import Job, Told
from remediation.journal.reading import (
    THROUGH,
    ends,
    entry_of,
    reading,
    rows,
    state_entries,
    whole_entries,
)
from remediation.journal.retention import Retention, is_due
from remediation.journal.schema import CHECKPOINT
from remediation.journal.verify import VerifyReport, verify
from remediation.journal.writer import Writer
from remediation.model import Entry, Record

__all__ = [
    "CHECKPOINT", "DEFAULT_JOURNAL", "Journal", "JournalError", "Retention", "VerifyReport", "verify",
]  # fmt: skip

DEFAULT_JOURNAL = Path("/var/lib/tierwatch/remediation.db")
WAIT_S = 5.0  # Alertmanager gives up after 10 s or more; intake must have answered by then
BUSY_S = 2.0  # for a lock of somebody else; less than WAIT_S, so that the true cause is told
_MISTAKE_CURE = "This is a mistake of the program: report it"
_COMPACT_WAITS = 12  # a compaction may take so many times as long as a write


class Journal:
    """
    An open journal; `Journal.open` makes one. Safe to use from several threads.

    Attributes:
        clock: Tells the time, going on from where the journal stopped.
        path: The file.
    """

    def __init__(self, opened: Opened, writer: Writer, retention: Retention, wait_s: float) -> None:
        self.path, self.clock, self._seal = opened.path, opened.clock, opened.seal
        self._writer, self._retention, self._wait_s = writer, retention, wait_s

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        clock: Callable[[Anchor | None, float], Clock] = HostClock,
        retention: Retention | None = None,
        wait_s: float = WAIT_S,
        busy_s: float = BUSY_S,
    ) -> Self:
        """
        Open the journal *path* for this process alone; a new one is made where none ever was.

        Args:
            path: The file; its folder is made if missing, `<path>.lock` and SQLite's files lie beside it.
            clock: Makes the clock from the anchor in the journal and the steady time of its last entry.
            retention: What is kept.
            wait_s: How long a write may take; a compaction may take twelve times as long.
            busy_s: How long a lock of somebody else is waited for; less than *wait_s*.

        Raises:
            JournalError: It is in use, damaged, gone, of a newer version, or cannot be written.
        """
        opened = open_file(path, clock, busy_s)
        bounds = retention or Retention()
        return cls(opened, Writer(opened, bounds, busy_s=busy_s, wait_s=wait_s), bounds, wait_s)

    def append(self, *records: Record) -> tuple[Entry, ...]:
        """
        Write *records*, all or none, and return them as entries once they are on disk.

        Raises:
            JournalError: They are not written; where `may_be_written` is set, that cannot be told.
        """
        entries: tuple[Entry, ...] = self.submit(*records).result()
        return entries

    def submit(self, *records: Record, told: Told | None = None) -> Future[tuple[Entry, ...]]:
        """
        Queue *records* and return at once; the future has what `append` returns or raises.

        It is answered within *wait_s* and a tenth, whatever the disk does. For asyncio:
        `await asyncio.wrap_future(journal.submit(record))`. *told* gets the entries as soon as they are
        on disk, before the future has them, in the order of their numbers whoever wrote them; also
        when they come to be there after the future was refused. It must not block or raise.

        Raises:
            JournalError: The queue is full, or a record cannot be written as JSON; nothing is queued.
        """
        return self._queue(records, self._wait_s, told=told)

    def settle(self) -> None:
        """
        Return once all that was submitted before is written, and told, or will never be.

        Whoever was refused what `may_be_written` knows afterwards: it was told, or is not there.

        Raises:
            JournalError: That cannot be told yet.
        """
        self._queue((), self._wait_s, then=lambda: None).result()

    def compact(self, state: Mapping[str, object]) -> int:
        """
        Write a checkpoint with *state*, then delete old entries (remediation.journal.retention).

        Args:
            state: What the entries come to; its `through` is the number of the last one in it. All up
                to that one must be in it, and none after it: those are replayed on top.

        Returns:
            How many entries were deleted.

        Raises:
            JournalError: The checkpoint is not written, or old entries could not be deleted.
        """
        through = state.get(THROUGH)
        if not isinstance(through, int) or not 0 <= through <= self._writer.last:
            fact = f"a state through entry {through!r} was to be kept, and the last is {self._writer.last}"
            raise JournalError(self.path, fact, _MISTAKE_CURE)
        wait_s = self._wait_s * _COMPACT_WAITS
        then = self._writer.trim
        done: int = self._queue((Record(CHECKPOINT, state),), wait_s, then).result()
        return done

    def due(self) -> bool:
        """Return whether a checkpoint is due: by entries, size or time since the last, or by the file's size."""
        now = self.clock.now().steady
        return is_due(self._retention, self._writer.since, now, _size(self.path))

    def replay(self, *, whole: bool = False) -> Iterator[Entry]:
        """
        Yield what makes the state: the last checkpoint, then the entries that are not in it, in order.

        Among the latter may be some with lower numbers than the checkpoint's: they were committed
        while it was made. Without a checkpoint these are all entries. The *whole* are all that are
        kept, in order of their numbers, for people: old checkpoints among them.

        Raises:
            JournalError: The chain breaks, or the file cannot be read.
        """
        with reading(self.path) as connection:
            try:
                yield from whole_entries(connection) if whole else state_entries(connection)
            except BrokenChainError as error:
                raise broken(self.path, error) from error

    def tail(self, count: int) -> tuple[Entry, ...]:
        """Return the last *count* entries, oldest first; JournalError when the file cannot be read."""
        with reading(self.path) as connection:
            last = ends(connection)[1].number
            return tuple(entry_of(row) for row in rows(connection, last - count))

    @property
    def last_commit_wall(self) -> float:
        """When something was last written, as Unix time; 0 for a new journal."""
        return self._writer.last_commit_wall

    @property
    def size_bytes(self) -> int:
        """How much room the file and its log take on disk."""
        return _size(self.path) + _size(self.path.with_name(f"{self.path.name}-wal"))

    @property
    def waiting(self) -> int:
        """How many writes wait."""
        return len(self._writer.queue)

    @property
    def commits(self) -> int:
        """How many transactions were written since the journal was opened."""
        return self._writer.commits

    @property
    def problem(self) -> str:
        """Why the last write failed; empty when it did not."""
        return self._writer.problem

    def close(self) -> None:
        """Write what waits, then let another process have the file."""
        if self._writer.close():
            self._seal.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _queue(
        self,
        records: tuple[Record, ...],
        wait_s: float,
        then: Callable[[], Any] | None = None,
        told: Told | None = None,
    ) -> Future[Any]:
        try:
            encoded = tuple(map(encode, records))
        except RecordError as error:
            raise JournalError(self.path, str(error), _MISTAKE_CURE) from error
        job = Job(encoded, time.monotonic() + wait_s, then, told)
        if encoded or then is not None:
            self._writer.queue.put(job)
        else:
            job.answer.set_result(())
        return job.answer


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
