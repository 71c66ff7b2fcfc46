"""
How many names of models may become label values, and how many facts about one of them.

Names come from outside. Those that are expected always have series; of the others a server has a
number of places, and a place that has been given is free again only when its model has not been
seen for a day. So a server whose list changes with every answer makes no more than so many new
series a day; what has no place is counted all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable

KEPT_S = 86400.0
MOST_FACTS = 20  # that are told apart of one model; a pull a day would be one each
OTHER = "other"
Facts = tuple[str, ...]


class Places:
    """The places of one list of one server; safe to be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen_at: dict[str, float] = {}
        self._facts: dict[str, set[Facts]] = {}

    def admitted(
        self, keys: Iterable[str], expected: Collection[str], cap: int, now: float
    ) -> frozenset[str]:
        """
        Return which of *keys*, the more important ones first, have a place at *now* (monotonic).

        At most *cap*, of which as many are kept for the *expected* ones as there are of them. Asking
        again gives the same answer.
        """
        wanted = list(dict.fromkeys(keys))
        first = [key for key in wanted if key in expected][:cap]
        others = [key for key in wanted if key not in expected]
        with self._lock:
            self._free(now)
            for key in others:
                if key in self._seen_at or len(self._seen_at) < cap - min(cap, len(expected)):
                    self._seen_at[key] = now
            # After a reload more may be expected than before: then the last ones have to wait.
            held = [key for key in others if key in self._seen_at][: cap - len(first)]
        return frozenset((*first, *held))

    def _free(self, now: float) -> None:
        for key in [k for k, seen in self._seen_at.items() if now - seen >= KEPT_S]:
            del self._seen_at[key]
            self._facts.pop(key, None)

    def bounded(self, key: str, facts: Facts) -> Facts:
        """Return *facts* about the model *key*; OTHER for each once there have been too many."""
        with self._lock:
            told = self._facts.setdefault(key, set())
            if len(told) < MOST_FACTS:
                told.add(facts)
            return facts if facts in told else (OTHER,) * len(facts)
