"""
What waits to be written: a bounded queue between many threads and the one that writes.

Whoever waits gets an answer in bounded time, whatever the disk does: a full queue refuses at once,
and what has waited too long is refused by `expire`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remediation.journal.canonical import Encoded
from remediation.journal.errors import JournalError
from remediation.model import Entry

MOST_JOBS = 4096  # 8 s of the 500 webhooks a second that the design asks for
MOST_BYTES = 16 * 1024 * 1024  # the process has 100 MB
GROUP_JOBS = 256  # written in one transaction; larger ones gain nothing, measured
GROUP_BYTES = 4 * 1024 * 1024

Told = Callable[[tuple[Entry, ...]], None]

_SLOW_CURE = "Look at the disk; what is refused now is delivered again by Alertmanager"


@dataclass(eq=False, slots=True)
class Job:
    """
    Records to be written together; *then* is done after their commit and gives the answer, if there.

    *told* gets the entries before anybody has an answer, job after job in the order of their numbers,
    also when the answer was refused meanwhile because the disk took too long. Must not block or raise.
    """

    records: tuple[Encoded, ...]
    deadline: float  # monotonic
    then: Callable[[], Any] | None = None
    told: Told | None = None
    answer: Future[Any] = field(default_factory=Future)
    size: int = 0  # characters

    def __post_init__(self) -> None:
        self.size = sum(len(record.body) for record in self.records)


class JobQueue:
    """Jobs in order, for any number of threads that put and one that takes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: deque[Job] = deque()
        self._size = 0
        self._taken: list[Job] = []
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job) -> None:
        """Add *job*; JournalError when the queue is full or closed."""
        with self._changed:
            if self._closed:
                raise JournalError(self._path, "it is closed", "Restart the remediator")
            if len(self._jobs) >= MOST_JOBS or self._size + job.size > MOST_BYTES:
                raise JournalError(
                    self._path, f"{len(self._jobs)} writes wait already, no more fit", _SLOW_CURE
                )
            self._jobs.append(job)
            self._size += job.size
            self._changed.notify()

    def take(self) -> list[Job]:
        """Wait for jobs and return a group of them; empty when the queue is closed and done."""
        with self._changed:
            self._taken = []
            while not self._taken:
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if not self._jobs:
                    return []
                self._take_group()
            return list(self._taken)

    def _take_group(self) -> None:
        size = 0
        while self._jobs and len(self._taken) < GROUP_JOBS:
            size += self._jobs[0].size
            if self._taken and size > GROUP_BYTES:
                return
            job = self._jobs.popleft()
            self._size -= job.size
            if job.answer.set_running_or_notify_cancel():
                self._taken.append(job)

    def expire(self, now: float) -> None:
        """Refuse what has waited beyond its deadline at monotonic time *now*."""
        with self._changed:
            late = [job for job in self._jobs if job.deadline <= now]
            if late:
                self._jobs = deque(job for job in self._jobs if job.deadline > now)
                self._size -= sum(job.size for job in late)
            stuck = [job for job in self._taken if job.deadline <= now]
        fact = "the disk has not answered in time"
        for job in late:
            refuse(job, JournalError(self._path, fact, _SLOW_CURE))
        for job in stuck:
            refuse(job, JournalError(self._path, fact, _SLOW_CURE, may_be_written=True))

    def close(self) -> None:
        """Take no more jobs; those that wait are still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def settle(job: Job, result: Any) -> None:
    """Answer *job*, unless it was refused or cancelled meanwhile."""
    with suppress(InvalidStateError):
        job.answer.set_result(result)


def refuse(job: Job, error: JournalError) -> None:
    """Answer *job* with *error*, unless it has its answer already."""
    with suppress(InvalidStateError):
        job.answer.set_exception(error)
