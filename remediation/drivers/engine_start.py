"""
When did Docker start? It does not say; the host does, and a connection that broke may tell.

After a break the engine was there all the time (and only a proxy was away) if one container still
has the start that it had before. Plain bookkeeping; not safe for threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from remediation.model import Container

_STAT = Path("/proc/stat")


class EngineStart:
    """Keeps when the host (read from *stat*) or its engine started."""

    def __init__(self, stat: Path = _STAT) -> None:
        self._stat = stat
        self._came_back = 0.0
        self._broke_at: float | None = None
        self._running: frozenset[tuple[str, float]] = frozenset()

    def since_wall(self) -> float:
        """Return the later of both; 0 if neither is known."""
        return max(host_start(self._stat), self._came_back)

    def broke(self, wall: float) -> None:
        """A connection that was open has ended at *wall*."""
        self._broke_at = wall

    def look(self, containers: Sequence[Container], now: float) -> float | None:
        """Take in what runs now; return when the engine was found gone if it has started anew since."""
        running = frozenset((c.id, c.started_wall) for c in containers if c.state == "running")
        gone_at, self._broke_at = self._broke_at, None
        is_anew = gone_at is not None and not running & self._running
        if is_anew:
            self._came_back = now
        self._running = running
        return gone_at if is_anew else None


def host_start(stat: Path = _STAT) -> float:
    """Return when the host started (Unix time), from /proc/stat; 0 where that does not say."""
    try:
        text = stat.read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "btime" and value.strip().isdecimal():
            return float(value)
    return 0.0
