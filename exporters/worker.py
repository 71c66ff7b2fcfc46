"""
Run one collector on one thread that stays, so that a collector that hangs costs only itself.

A thread cannot be killed: when a collector does not come back, its worker stays busy, later scrapes
learn at once that it is, and the thread is used again if the collector ever returns. The thread is
a daemon, so a hung one never keeps the process from ending. What hangs for good belongs into a
child process; that is the collector's business.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterable
from typing import Protocol

from prometheus_client.core import Metric

from exporters.deadline import Deadline

log = logging.getLogger(__name__)

TIMEOUT = "timeout"  # did not come back in time
BUSY = "busy"  # has not come back from an earlier scrape
INTERNAL = "internal"  # a mistake of ours
FRAME_REASONS = (BUSY, INTERNAL, TIMEOUT)

# Collectors are given a little less than the scrape has, so that one that ends on its deadline, or
# late on a busy machine, can still hand over what it has: they have MARGIN_S and GRACE_S for that.
# One that never comes back must not make a scrape later than 0.1 s, page and all.
MARGIN_S = 0.1
GRACE_S = 0.05


class ScrapeError(Exception):
    """A collector could not do its work; *reason* is one of the exporter's fixed reasons."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class Collector(Protocol):
    """
    Something that asks the world at scrape time.

    Two methods more are called where a collector has them: `adopt(previous)` with the collector of
    the same name after a reload, to carry counters on, and `close()`, on the thread of
    `collect`, when it is not used any more.
    """

    name: str  # the label `collector`

    def collect(self, deadline: Deadline) -> Iterable[Metric]:
        """
        Yield this scrape's metrics, made anew; end by *deadline*.

        Called by one thread at a time, always the same one. What was yielded before a
        ScrapeError is kept.

        Raises:
            ScrapeError: Nothing, or not everything, could be had.
        """
        ...


class Run:
    """One call of a collector: what it gave, and why it ended (None: well)."""

    __slots__ = ("deadline", "done", "metrics", "reason", "seconds", "started")

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.started = time.monotonic()
        self.done = threading.Event()
        self.metrics: list[Metric] = []
        self.reason: str | None = None
        self.seconds = 0.0


class Worker:
    """The thread of one *collector*; *reasons* are those that it may give."""

    def __init__(self, collector: Collector, reasons: frozenset[str]) -> None:
        self.collector = collector
        self._reasons = reasons
        self._jobs: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._current: Run | None = None

    def start(self, deadline: Deadline) -> Run | None:
        """Begin a run; None while the one before has not come back."""
        if self._current is not None and not self._current.done.is_set():
            return None
        if self._thread is None:
            name = f"collector-{self.collector.name}"
            self._thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._thread.start()
        self._current = Run(deadline)
        self._jobs.put(self._current)
        return self._current

    def close(self) -> None:
        """Let the collector put down what it holds, and the thread end, once it is back."""
        if self._thread is None:
            self._close()
        self._jobs.put(None)

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _work(self) -> None:
        while (run := self._jobs.get()) is not None:
            self._run(run)
            run.seconds = time.monotonic() - run.started
            run.done.set()
        self._close()

    def _close(self) -> None:
        close = getattr(self.collector, "close", None)
        if close is not None:
            close()

    def _run(self, run: Run) -> None:
        name = self.collector.name
        try:
            for metric in self.collector.collect(run.deadline):
                run.metrics.append(metric)
        except ScrapeError as error:
            known = error.reason in self._reasons
            run.reason = error.reason if known else INTERNAL
            log.warning("collector %s: %s", name, error)
        except Exception:
            # The frame outlives every collector: say it once per scrape, count it, go on.
            run.reason = INTERNAL
            log.exception("collector %s broke", name)
