"""
Many conversations on one thread, all of which end by one deadline.

A task is a generator: it yields what it waits for (a socket, a name) and is woken when that is
there. When time runs out `Expired` is raised inside it, where it stands. Not asyncio, because
phases are to be measured one by one, lookups must not starve each other, and a task that is cut
off must still say how far it came.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import resource
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable
from typing import Any, NamedTuple

from exporters.agents_resolve import Addresses, Resolver
from exporters.deadline import Deadline

log = logging.getLogger(__name__)

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
MAX_OPEN = (
    512  # conversations at once; arbitrary, and never above half of what the process may open
)
_GROW_S = 0.02  # a lookup that found no thread for so long gets a new one


class Expired(Exception):  # noqa: N818 - not an error of anybody's
    """Time is up."""


class Io(NamedTuple):
    """Wait until *sock* is ready for *events*; give up at *until* (monotonic), the task goes on."""

    sock: socket.socket
    events: int
    until: float | None = None


class Lookup(NamedTuple):
    """Wait for the addresses of *host*."""

    host: str
    port: int


class Pause(NamedTuple):
    """Wait until *until* (monotonic)."""

    until: float


# Sent in: for Io whether the socket is ready (False: *until* has come), for Lookup the addresses.
Task = Generator[Io | Lookup | Pause, Any, None]


def run_all(tasks: Iterable[Task], deadline: Deadline, resolver: Resolver) -> None:
    """Run *tasks* side by side until each has ended; those left at *deadline* get Expired."""
    _Loop(tasks, deadline, resolver).run()


class _Loop:
    def __init__(self, tasks: Iterable[Task], deadline: Deadline, resolver: Resolver) -> None:
        self._fresh = deque(tasks)
        self._deadline = deadline
        self._resolver = resolver
        self._selector = selectors.DefaultSelector()
        self._heard, self._speak = socket.socketpair()
        self._heard.settimeout(0)
        self._speak.settimeout(0)
        self._found: deque[tuple[str, int, Addresses]] = deque()
        self._lookups: dict[tuple[str, int], list[Task]] = {}
        self._sockets: dict[socket.socket, Task] = {}
        self._timers: list[tuple[float, int, socket.socket | None, Task]] = []  # None: a pause
        self._ticks = itertools.count()
        self._running = 0
        self._grow_at = time.monotonic() + _GROW_S
        self._most = min(MAX_OPEN, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._lock = threading.Lock()
        self._closed = False

    def run(self) -> None:
        self._selector.register(self._heard, READ)
        try:
            while self._fresh or self._running:
                self._admit()
                if self._deadline.expired():
                    break
                if self._running:
                    self._turn()
        finally:
            self._end()

    def _admit(self) -> None:
        while self._fresh and self._running < self._most and not self._deadline.expired():
            self._running += 1
            self._step(self._fresh.popleft(), None)

    def _turn(self) -> None:
        wait = self._deadline.remaining()
        if self._timers:
            wait = min(wait, max(0.0, self._timers[0][0] - time.monotonic()))
        if self._lookups and self._resolver.backlog():
            wait = min(wait, _GROW_S)
        ready = self._selector.select(wait)
        self._help_lookups()
        for key, _ in ready:
            if self._deadline.expired():
                return  # with hundreds ready at the last moment, each of them would make us later
            if key.fileobj is self._heard:
                self._take_found()
            else:
                self._wake(key.data, ready=True)
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, _, sock, task = heapq.heappop(self._timers)
            if sock is None:
                self._step(task, None)
            elif self._sockets.get(sock) is task:
                self._wake(sock, ready=False)

    def _help_lookups(self) -> None:
        """Give lookups more threads when some have waited for one; by the clock, for others may be busy."""
        now = time.monotonic()
        if not self._lookups or not self._resolver.backlog():
            self._grow_at = now + _GROW_S
        elif now >= self._grow_at:
            self._resolver.grow()
            self._grow_at = now + _GROW_S

    def _wake(self, sock: socket.socket, *, ready: bool) -> None:
        self._selector.unregister(sock)
        self._step(self._sockets.pop(sock), ready)

    def _take_found(self) -> None:
        try:
            self._heard.recv(4096)
        except BlockingIOError:
            return
        while self._found:
            host, port, addresses = self._found.popleft()
            for task in self._lookups.pop((host, port), ()):
                self._step(task, addresses)

    def _step(self, task: Task, value: object) -> None:
        """Run *task* up to its next wait, or its end."""
        try:
            wait = task.send(value)
        except Exception as error:
            self._running -= 1
            # A mistake of ours in one conversation must not end the others.
            if not isinstance(error, StopIteration):
                log.exception("a probe broke")
            return
        if isinstance(wait, Lookup):
            self._look_up(wait, task)
        elif isinstance(wait, Pause):
            heapq.heappush(self._timers, (wait.until, next(self._ticks), None, task))
        else:
            self._selector.register(wait.sock, wait.events, wait.sock)
            self._sockets[wait.sock] = task
            if wait.until is not None:
                heapq.heappush(self._timers, (wait.until, next(self._ticks), wait.sock, task))

    def _look_up(self, name: Lookup, task: Task) -> None:
        tasks = self._lookups.setdefault((name.host, name.port), [])
        tasks.append(task)
        if len(tasks) == 1:
            self._resolver.look_up(name.host, name.port, self._answer)

    def _answer(self, host: str, port: int, addresses: Addresses) -> None:
        """Called on a resolver's thread, maybe after the loop has ended."""
        with self._lock:
            if self._closed:
                return
            self._found.append((host, port, addresses))
            with contextlib.suppress(BlockingIOError):  # then enough bytes wait to wake the loop
                self._speak.send(b"\0")

    def _end(self) -> None:
        left = [*self._sockets.values(), *self._fresh]
        left += [task for tasks in self._lookups.values() for task in tasks]
        left += [task for _, _, sock, task in self._timers if sock is None]
        for task in left:
            _expire(task)
        self._resolver.forget(self._answer)
        with self._lock:
            self._closed = True
        self._selector.close()
        self._heard.close()
        self._speak.close()


def _expire(task: Task) -> None:
    try:
        task.throw(Expired())
    except (StopIteration, Expired):
        return
    except Exception:
        log.exception("a probe broke at its end")
