"""
One collection at a time: who asks while one is under way gets its result.

Two Prometheus servers that scrape at the same moment must not probe everything twice. Waiting
is bounded by each asker's own deadline and by how many may wait. Who has clearly more time than the
collection under way was given does not take its result, in which much may have been cut off.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from exporters.deadline import Deadline
from exporters.worker import GRACE_S

T = TypeVar("T")

ENOUGH = 0.8  # a collection given this part of the asker's own time is as good; arbitrary
MAX_WAITING = 40  # as node_exporter's --web.max-requests


class FullError(Exception):
    """More are waiting than may, or the collection did not end within the asker's deadline."""


class _Flight(Generic[T]):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds  # how long it may take
        self.done = threading.Event()
        self.result: list[T] = []  # empty when the collection broke


class Gate(Generic[T]):
    """Shares the results of *collect* between those who call `get` at the same time."""

    def __init__(self, collect: Callable[[Deadline], T], *, waiting: int = MAX_WAITING) -> None:
        self._collect = collect
        self._most = waiting
        self._lock = threading.Lock()
        self._flight: _Flight[T] | None = None
        self._inside = 0

    def get(self, deadline: Deadline) -> T:
        """
        Return the result of a collection that was under way, or of one begun now.

        Raises:
            FullError: See there.
        """
        with self._lock:
            if self._inside >= self._most:
                raise FullError(f"{self._most} scrapes are waiting already")
            self._inside += 1
            flight, leads = self._board(deadline)
        wanted_s = deadline.remaining() * ENOUGH
        try:
            while not leads:
                result = _follow(flight, deadline)
                # After waiting less is left, and a new collection can be given no more than that.
                if flight.seconds >= min(wanted_s, deadline.remaining()):
                    return result
                with self._lock:
                    flight, leads = self._board(deadline)
            return self._lead(flight, deadline)
        finally:
            with self._lock:
                self._inside -= 1

    def _board(self, deadline: Deadline) -> tuple[_Flight[T], bool]:
        """Return the collection under way, or a new one, and whether it is new. Call it locked."""
        if self._flight is not None:
            return self._flight, False
        self._flight = _Flight(deadline.remaining())
        return self._flight, True

    def _lead(self, flight: _Flight[T], deadline: Deadline) -> T:
        try:
            result = self._collect(deadline)
            flight.result.append(result)
            return result
        finally:
            with self._lock:
                self._flight = None
            flight.done.set()


def _follow(flight: _Flight[T], deadline: Deadline) -> T:
    # The grace is the leader's as well: with equal deadlines the follower must not give up first.
    if not flight.done.wait(deadline.remaining() + GRACE_S) or not flight.result:
        raise FullError("the collection under way did not end in time")
    return flight.result[0]
