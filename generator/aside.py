"""
Work that nobody waits for yet, done beside the rest in a process of its own.

Rendering is pure and one thread's worth of it: on a machine with two cores half of them would
stand idle. What is done aside must be a function of what is there already, and its result small
enough to be sent. It never changes what comes out: where no process can be had, or one fails, the
work is done here, and an error shows itself here. Not for servers, whose threads do not survive
a fork.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
Work = Callable[[], Result]
# Takes work and returns what hands over its result, which may begin before it is asked for.
Aside = Callable[[Work[Result]], Work[Result]]


def here(work: Work[Result]) -> Work[Result]:
    """Return *work* as it is: it is done when its result is asked for."""
    return work


def forked(work: Work[Result]) -> Work[Result]:
    """Begin *work* in a process of its own where there is a core for it; return what waits for it."""
    if not hasattr(os, "fork") or (os.cpu_count() or 1) < 2 or threading.active_count() > 1:
        return work
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _send(work, writing)
    os.close(writing)
    return lambda: _received(child, reading, work)


def _send(work: Work[Result], writing: int) -> None:
    """Write the result and end; nothing of the parent's (buffers, handlers) may run twice."""
    status = 1
    try:
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(work(), pipe, pickle.HIGHEST_PROTOCOL)
        status = 0
    finally:
        os._exit(status)


def _received(child: int, reading: int, work: Work[Result]) -> Result:
    with os.fdopen(reading, "rb") as pipe:
        sent = pipe.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        return work()
    result: Result = pickle.loads(sent)  # noqa: S301 - our own child's
    return result
