"""
Where the time of one cold `tierwatch generate` goes: milliseconds of processor time per room.

Run as a process of its own (`python -m bench.rooms CATALOG OUT`), since whatever imports first
pays for imports; prints JSON, rooms in the order they work.
"""

from __future__ import annotations

import time

_STARTED = time.process_time()  # before anything of ours is imported

import gc  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

# What `render` calls, by the name it knows it under, and the room whose work that is.
_ROOMS = (
    ("alert_packs", "active", "packs"),
    ("prometheus", "render", "scrape"),
    ("modules", "render", "scrape"),
    ("rules", "render", "rules"),
    ("ruletests", "render", "rule tests"),
    ("routing", "config", "routing"),
    ("routing", "render", "routing"),
    ("board_files", "boards", "boards"),
    ("board_files", "render", "boards"),
    ("server", "render", "loki"),
    ("agent", "render", "promtail"),
    ("contracts", "render", "contracts"),
)


class Clock:
    """Adds up processor time by room."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = {}

    def time(self, room: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return *work*, counted for *room* whenever it is called."""

        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.process_time()
            try:
                return work(*arguments, **named)
            finally:
                self.add(room, time.process_time() - started)

        return timed

    def add(self, room: str, seconds: float) -> None:
        """Count *seconds* for *room*."""
        self.spent_s[room] = self.spent_s.get(room, 0.0) + seconds


def rooms(catalog: Path, out: Path) -> dict[str, float]:
    """Return seconds of processor time per room; everything that is no room's own is `rest`."""
    clock = Clock()
    gc.disable()  # as the command does
    from generator import proofs, render, write
    from generator.catalog import load_catalog

    clock.add("start", _STARTED)
    clock.add("imports", time.process_time() - _STARTED)
    for module, function, room in _ROOMS:
        owner = getattr(render, module)
        setattr(owner, function, clock.time(room, getattr(owner, function)))
    loaded = clock.time("load", load_catalog)(catalog)
    rendered = render.render(loaded)
    clock.time("proofs", proofs.prove)(rendered)
    clock.time("write", write.write_tree)(rendered.artifacts, out)
    clock.add("rest", time.process_time() - sum(clock.spent_s.values()))
    return clock.spent_s


if __name__ == "__main__":
    spent = rooms(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write(json.dumps({room: round(seconds, 4) for room, seconds in spent.items()}))
