"""
Counters that the driver does not keep: they only grow, whatever happens to it.

Each remembers what it needs between scrapes, by key, and lives in the exporter's own process, so
that the end of the child or a reset of a GPU takes nothing away.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

_32_BITS = 1 << 32
_LONGEST_SPAN_US = 1_000_000  # of a sample: "between 1 second and 1/6 second", nvml.h
_LONGEST_GAP = 3.0  # times the usual distance of samples; beyond it nobody measured


class BusySeconds:
    """Integrates a GPU's samples of "per cent of the time since the last sample"."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._last: dict[str, int] = {}
        self._usual: dict[str, int] = {}

    def seen(self, key: str) -> int:
        """Return the time stamp of the newest sample had, in microseconds; 0 before the first."""
        return self._last.get(key, 0)

    def add(self, key: str, samples: Iterable[Sequence[int]]) -> float | None:
        """
        Return the busy seconds of *key* after *samples* ([microseconds, per cent], oldest first).

        None until there was a sample: some drivers answer and never have any.

        A sample stands for the time since the one before it. Where the driver's buffer ran over
        between two scrapes, and before the first sample, it stands for the usual distance only:
        what nobody measured is not counted.
        """
        last = self._last.get(key, 0)
        fresh = [(at, percent) for at, percent in samples if at > last and 0 <= percent <= 100]
        if fresh:
            inner = [after - before for (before, _), (after, _) in itertools.pairwise(fresh)]
            if inner:
                self._usual[key] = sorted(inner)[len(inner) // 2]
            usual = self._usual.get(key, 0)
            first = fresh[0][0] - last if last else usual
            longest = _LONGEST_GAP * usual or _LONGEST_SPAN_US
            spans = [min(span, longest) for span in (first, *inner)]
            busy = sum(span * percent for span, (_, percent) in zip(spans, fresh, strict=True))
            self._seconds[key] = self._seconds.get(key, 0.0) + busy / 1e8
            self._last[key] = fresh[-1][0]
        return self._seconds.get(key)


class WrappedCounter:
    """Adds up a counter of the driver's that wraps at 32 bits or starts anew with a reset."""

    def __init__(self) -> None:
        self._total: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def add(self, key: str, value: int, *, wraps: bool) -> int:
        """
        Return the total of *key* when the driver's counter stands at *value*.

        Where the driver keeps it in 32 bits (*wraps*) a smaller value than before is a wrap (of
        several only one shows: a lower bound); else it is a new beginning.
        """
        last = self._last.get(key)
        self._last[key] = value
        if last is None:
            self._total[key] = value
        elif value >= last:
            self._total[key] += value - last
        else:
            self._total[key] += value + (_32_BITS - last if wraps else 0)
        return self._total[key]
