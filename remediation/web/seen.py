"""
What was taken in a moment ago: Alertmanager says everything at least once, and three of them thrice.

Kept in memory only. After a restart of ours one more entry per alert is written, which does nothing:
the journal's sum knows a firing by its name and start.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

MAX_SEEN = 20_000  # some 3 MB; twice the alerts of the largest message


class Seen:
    """
    Things seen within the last *within_s* seconds; belongs to one thread.

    Of each its hash is kept, half the memory of the thing itself. Two of 20,000 share one of 2**64
    too rarely to matter, and Python seeds that of texts anew in each process.
    """

    def __init__(self, within_s: float, most: int = MAX_SEEN) -> None:
        self._within_s = within_s
        self._most = most
        self._at: OrderedDict[int, float] = OrderedDict()  # by hash, oldest first

    def has(self, thing: Hashable, now: float) -> bool:
        """Whether *thing* was added less than the time ago; asking does not make it younger."""
        at = self._at.get(hash(thing))
        return at is not None and now - at < self._within_s

    def add(self, thing: Hashable, now: float) -> None:
        """Remember *thing*; what is too old is forgotten, and the oldest when there are too many."""
        self._at[hash(thing)] = now
        self._at.move_to_end(hash(thing))
        while len(self._at) > self._most or self._is_old(now):
            self._at.popitem(last=False)

    def _is_old(self, now: float) -> bool:
        """Whether the oldest may go."""
        oldest = next(iter(self._at.values()), now)
        return now - oldest > self._within_s
