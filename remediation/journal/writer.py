"""
The one thread that writes the journal: it commits all that waits in one transaction.

A commit costs a sync of the disk, whatever its size; so those who wait share one. Nobody is told
"written" before the commit is on disk. After an error nothing of the group is written, and the next
group tries anew, on a new connection if need be: the journal works again once the cause has gone.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from remediation.journal.canonical import Encoded
from remediation.journal.chain import Link, digest_of
from remediation.journal.errors import JournalError, told
from remediation.journal.opening import Opened
from remediation.journal.place import Place
from remediation.journal.queue import Job, JobQueue, refuse, settle
from remediation.journal.retention import Retention, Since, row_bytes, trim
from remediation.journal.schema import CHECKPOINT, connect, transaction
from remediation.model import Entry

_LOG = logging.getLogger(__name__)
_INSERT = "INSERT INTO entry (number, at, wall, kind, body, digest) VALUES (?, ?, ?, ?, ?, ?)"
_FOREIGN = "somebody else wrote to it while we did"
_FOREIGN_CURE = "End what writes to it; then restart the remediator, which looks at the file anew"
_TICKS = 10  # how often within the time that a write may take we look for those that took longer


class Writer:
    """
    Writes what is put into *queue*, with one thread, from where *opened* ends on.

    What others read of its figures is never torn: each is replaced as a whole.
    """

    def __init__(
        self, opened: Opened, retention: Retention, *, busy_s: float, wait_s: float
    ) -> None:
        self.queue = JobQueue(opened.path)
        self.since = opened.since
        self.commits = 0
        self.last_commit_wall = opened.wall
        self.problem = ""  # why the last write failed; empty when it did not
        self._path, self._place = opened.path, Place(opened.path)
        self._connection: sqlite3.Connection | None = opened.connection
        self._clock, self._seal = opened.clock, opened.seal
        self._end, self._at = opened.end, opened.at
        self._retention, self._busy_s, self._wait_s = retention, busy_s, wait_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._watch = threading.Thread(target=self._refuse_late, name="journal-watch", daemon=True)
        self._thread.start()
        self._watch.start()

    @property
    def last(self) -> int:
        """The number of the last entry."""
        return self._end.number

    def close(self) -> bool:
        """Write what waits, close the file and return True; False if the disk hangs: then it stays open."""
        self.queue.close()
        self._thread.join(self._wait_s)
        return not self._thread.is_alive()

    def trim(self) -> int:
        """Delete what retention lets go, in the writer's thread; return how many entries went."""
        try:
            return trim(self._connected(), self._retention, self._at)
        except sqlite3.Error as error:
            self._disconnect()
            raise told(self._path, error) from error

    def _run(self) -> None:
        while group := self.queue.take():
            try:
                self._handle(group)
            except JournalError as error:
                self._failed(group, error)
            except sqlite3.Error as error:
                self._failed(group, told(self._path, error))
            except Exception as error:  # noqa: BLE001 - a bug must not leave everybody waiting for ever
                _LOG.exception("journal: the writer went wrong and goes on")
                fact, cure = f"the writer went wrong: {error!r}", "Report this with the log's trace"
                self._failed(group, JournalError(self._path, fact, cure, may_be_written=True))
        self._disconnect()
        self._ended.set()

    def _handle(self, group: Sequence[Job]) -> None:
        answers = self._commit(group)
        self.problem = ""
        for job, entries in zip(group, answers, strict=True):
            if job.then is None:
                settle(job, entries)
        for job in group:
            if job.then is not None:
                settle(job, job.then())

    def _failed(self, group: Sequence[Job], error: JournalError) -> None:
        if str(error) != self.problem:  # once for each problem, not for each alert
            _LOG.error("journal: %s", error)
        self.problem = str(error)
        for job in group:  # those that have their answer keep it
            refuse(job, error.copy())

    def _refuse_late(self) -> None:
        while not self._ended.wait(self._wait_s / _TICKS):
            self.queue.expire(time.monotonic())

    def _commit(self, group: Sequence[Job]) -> list[tuple[Entry, ...]]:
        """Write the records of *group* in one transaction and return the entries of each job."""
        moment = self._clock.now()
        at, wall = float(max(moment.steady, self._at)), float(moment.wall)
        end, answers = self._end, []
        for job in group:
            entries = tuple(_chained(end, at, wall, job.records))
            end = Link(entries[-1].number, entries[-1].digest) if entries else end
            answers.append(entries)
        bodies = [record.body for job in group for record in job.records]
        self._write([entry for entries in answers for entry in entries], bodies, end)
        self._count(answers, bodies, at)
        self._end, self._at, self.last_commit_wall = end, at, wall
        self.commits += 1
        for job, entries in zip(group, answers, strict=True):
            if job.told is not None:
                job.told(entries)  # also when they are refused below: they are written
        self._check_place(may_be_written=True)
        self._seal.write(end)
        return answers

    def _write(self, entries: Sequence[Entry], bodies: Sequence[str], end: Link) -> None:
        self._check_place()
        connection = self._connected()
        try:
            with transaction(connection):
                self._place.see_log()
                # Only from where we left off: somebody else's entries must not be built upon.
                changed = connection.execute(
                    "UPDATE chain SET last = ?, last_digest = ? WHERE last = ? AND last_digest = ?",
                    (end.number, end.digest, self._end.number, self._end.digest),
                ).rowcount
                if changed != 1:
                    raise JournalError(self._path, _FOREIGN, _FOREIGN_CURE)
                connection.executemany(
                    _INSERT,
                    (
                        (each.number, each.at, each.wall, each.kind, body, each.digest)
                        for each, body in zip(entries, bodies, strict=True)
                    ),
                )
        except sqlite3.Error:
            self._disconnect()
            raise

    def _count(self, answers: Sequence[Sequence[Entry]], bodies: Sequence[str], at: float) -> None:
        """Count what was written since the last checkpoint."""
        count, size, begun = self.since.entries, self.since.size_bytes, self.since.at
        flat = (entry for entries in answers for entry in entries)
        for entry, body in zip(flat, bodies, strict=True):
            if entry.kind == CHECKPOINT:
                count, size, begun = 0, 0, at
            else:
                count, size = count + 1, size + row_bytes(body)
        self.since = Since(count, size, begun)

    def _check_place(self, *, may_be_written: bool = False) -> None:
        try:
            self._place.check(may_be_written=may_be_written)
        except JournalError:
            # Brings home what is in the log, wherever that is now; the next write looks anew.
            self._disconnect()
            raise

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect(self._path, self._busy_s)
        return self._connection

    def _disconnect(self) -> None:
        """Give the connection up; the next write makes a new one."""
        connection, self._connection = self._connection, None
        self._place.forget_log()
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _chained(end: Link, at: float, wall: float, records: Sequence[Encoded]) -> Sequence[Entry]:
    entries = []
    for record in records:
        number = end.number + 1
        kind, body = record.kind.encode(), record.body.encode()
        digest = digest_of(end.digest, number, at, wall, kind=kind, body=body)
        end = Link(number, digest)
        # A checkpoint is megabytes, and whoever writes it has the state.
        content = {} if record.kind == CHECKPOINT else json.loads(record.body)
        entries.append(Entry(number, at, wall, record.kind, content, digest))
    return entries
