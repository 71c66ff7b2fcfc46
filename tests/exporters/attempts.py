"""
Bars for speed on a machine that others use, too: whether something can be held, not whether it always is.

One result within the bar shows that our own work fits into it; a machine that gives us no processor
for a while shows nothing. What depends on no clock is asserted on whatever attempt is returned.
Bars of a few milliseconds are given room for how slow the machine is just now, which a piece of
work of known length tells (`slowness`); the plain figures are those of `python -m bench.exporters`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

LEAST = 3  # attempts, however long they take
SECONDS = 60.0
_WORK_S = 0.009  # what _work takes on the two idle cores that the bars were set on


def first_good(attempt: Callable[[], T], good: Callable[[T], bool]) -> T:
    """Return the first result that is *good*; after many attempts, and a minute, the last one."""
    until, made = time.monotonic() + SECONDS, 0
    while True:
        result = attempt()
        made += 1
        if good(result) or (made >= LEAST and time.monotonic() > until):
            return result


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took, in seconds, as if the machine were idle."""

    wall: float
    cpu: float


def cost(work: Callable[[], object], *, of_process: bool = False) -> Cost:
    """Return what *work* costs on this thread, or with all threads *of_process*."""
    clock = time.process_time if of_process else time.thread_time
    before = slowness()
    wall, cpu = time.monotonic(), clock()
    work()
    wall, cpu = time.monotonic() - wall, clock() - cpu
    after = slowness()
    return Cost(wall * 2 / (before.wall + after.wall), cpu * 2 / (before.cpu + after.cpu))


def slowness() -> Cost:
    """Return how many times as long as on an idle machine something takes just now; at least 1."""
    wall, cpu = time.monotonic(), time.thread_time()
    _work()
    wall, cpu = time.monotonic() - wall, time.thread_time() - cpu
    return Cost(max(1.0, wall / _WORK_S), max(1.0, cpu / _WORK_S))


def _work() -> None:
    found: dict[int, str] = {}
    for number in range(50_000):
        found[number & 1023] = f"{number}"
