"""
Look names up on threads of our own: few while names are found at once, more while some are not.

getaddrinfo cannot be cancelled, and a name whose server does not answer takes many seconds. So
every name has one lookup under way at most, whoever waits for it, and the pool grows when lookups
wait for a thread: sixty names that hang leave the sixty-first a thread. No answer is kept: a
container that was made anew has another address.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Sequence

FIRST_THREADS = 4
MAX_THREADS = 256  # more names than this hanging at once delay the rest; arbitrary
IDLE_S = 30.0  # a thread that long without work ends

# (family, socket address) in the order they are to be tried; a text instead says what went wrong.
Addresses = Sequence[tuple[int, tuple[object, ...]]] | str
Answer = Callable[[str, int, Addresses], None]
_Name = tuple[str, int]


class Resolver:
    """Looks up hosts and ports; one serves all scrapes of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[_Name, list[Answer]] = {}
        self._jobs: queue.SimpleQueue[_Name] = queue.SimpleQueue()
        self._threads = 0

    def look_up(self, host: str, port: int, answer: Answer) -> None:
        """Call *answer*, on another thread, once *host* is found or is not."""
        name = (host, port)
        with self._lock:
            if name in self._waiting:
                self._waiting[name].append(answer)
                return
            self._waiting[name] = [answer]
            self._jobs.put(name)
            if self._threads < FIRST_THREADS:
                self._start()

    def forget(self, answer: Answer) -> None:
        """Call *answer* no more; lookups under way go on without it."""
        with self._lock:
            for answers in self._waiting.values():
                while answer in answers:
                    answers.remove(answer)

    def backlog(self) -> int:
        """Return how many lookups wait for a thread."""
        return self._jobs.qsize()

    def grow(self) -> None:
        """Double the threads, as far as there is work for them: those at hand are stuck."""
        with self._lock:
            for _ in range(min(self._threads, self.backlog(), MAX_THREADS - self._threads)):
                self._start()

    def _start(self) -> None:
        self._threads += 1
        threading.Thread(target=self._work, name="resolver", daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                name = self._jobs.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    # Looked at again under the lock: work may have come, counting on this thread.
                    if self._jobs.empty():
                        self._threads -= 1
                        return
                continue
            found = _find(*name)
            with self._lock:
                answers = self._waiting.pop(name)
            for answer in answers:
                answer(*name, found)


def literal(host: str, port: int) -> Addresses | None:
    """Return the address when *host* is one already; None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return [(family, (host, port))]
    return None


def _find(host: str, port: int) -> Addresses:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return str(error)
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))
