"""
Tell the time twice: as the wall clock says, and on a line that only goes forward.

Budgets, windows and waits are measured on the steady line: a clock that is set, by hand or by NTP,
must neither open a budget nor end a wait. Within one boot of the host the line follows
CLOCK_BOOTTIME, which also counts while the host sleeps; across boots it goes on from the wall clock,
never from before the last entry of the journal. What Docker and Alertmanager say is wall time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment: *steady* in seconds on the line that only goes forward, *wall* as Unix time."""

    steady: float
    wall: float


class Clock(Protocol):
    """Something that tells the time; tests have one that stands until it is moved."""

    def now(self) -> Moment:
        """Return this moment; *steady* is never below that of an earlier call."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the steady line is fixed: at *boot_s* (CLOCK_BOOTTIME) of boot *boot_id* it was *steady*."""

    boot_id: str
    boot_s: float
    steady: float


class HostClock:
    """
    The host's clock, going on from where a journal stopped.

    Args:
        anchor: The last one that the journal knows; None for a new journal.
        last_steady: The steady time of the journal's last entry; 0 for a new one.
    """

    def __init__(self, anchor: Anchor | None = None, last_steady: float = 0.0) -> None:
        boot_id, boot_s = read_boot_id(), _boot_s()
        if anchor is not None and boot_id and anchor.boot_id == boot_id:
            self.anchor = anchor
        else:
            self.anchor = Anchor(boot_id, boot_s, max(time.time(), last_steady))

    def now(self) -> Moment:
        """Return this moment."""
        return Moment(self.anchor.steady + _boot_s() - self.anchor.boot_s, time.time())


def read_boot_id() -> str:
    """Return what names this boot of the host; "" where the kernel does not tell."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _boot_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
