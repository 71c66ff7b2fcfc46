"""
How long something may still take.

One `Deadline` is made when a scrape arrives and handed down to everything that waits, so that no
two waits add up. Not here: what happens when it runs out.
"""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of `time.monotonic()`, in seconds, after which nobody waits any more."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline *seconds* from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left; never below 0."""
        return max(0.0, self.at - time.monotonic())

    def expired(self) -> bool:
        """Whether nothing is left."""
        return time.monotonic() >= self.at

    def less(self, seconds: float) -> Deadline:
        """Return an earlier one: by *seconds*, or by a fifth of what is left if that is less."""
        return Deadline(self.at - min(seconds, self.remaining() / 5))

    def sooner(self, seconds: float) -> Deadline:
        """Return the earlier of this one and *seconds* from now."""
        return Deadline(min(self.at, time.monotonic() + seconds))
