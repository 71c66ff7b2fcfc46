"""
What the engine did, by its own stream of events, collected from its start: the truth of every test.

A restart through Docker's API ends with an event `restart`; a human's stop and start have none. So
every such event is one restart of ours, and its kill (or start, of what had exited) is where it began.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.exporters.agents.engine import PROJECT, Engine
from tests.live.servers import need

DONE = ("kill", "die", "stop", "start", "restart", "destroy", "create", "pause", "unpause")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one container."""

    wall: float
    action: str
    service: str
    id: str


@dataclass(frozen=True, slots=True)
class Restart:
    """One restart that the engine did, from *began* to *ended* (Unix time)."""

    service: str
    id: str
    began: float
    ended: float


@dataclass(slots=True)
class Truth:
    """All events so far, in order."""

    events: list[Event] = field(default_factory=list)

    def restarts(self, since: float = 0.0) -> list[Restart]:
        """Return the restarts that began at *since* or later, in order."""
        told = [*self.events]
        found = []
        for number, event in enumerate(told):
            if event.action == "restart":
                earlier = [one for one in told[:number] if one.id == event.id]
                found.append(Restart(event.service, event.id, _began(earlier), event.wall))
        return sorted((one for one in found if one.began >= since), key=lambda one: one.began)

    def services(self, since: float) -> list[str]:
        """Return what was restarted since then, in order."""
        return [one.service for one in self.restarts(since)]


def _began(earlier: list[Event]) -> float:
    """Return when the restart began that has just ended, *earlier* being the container's own events."""
    began = earlier[-1].wall
    if len(earlier) < 2 or earlier[-2].action != "stop":
        return began  # it had ended before, by itself
    for event in reversed(earlier[:-1]):
        if event.action not in ("kill", "die", "stop"):
            break
        began = event.wall
    return began


def read(line: bytes | str) -> Event | None:
    """Return the event in *line*; None for what concerns no container of the project."""
    data: dict[str, Any] = json.loads(line)
    about = data["Actor"]["Attributes"]
    if about.get("com.docker.compose.project") != PROJECT:
        return None
    action = str(data["Action"]).partition(":")[0]
    service = str(about["com.docker.compose.service"])
    return Event(data["timeNano"] / 1e9, action, service, str(data["Actor"]["ID"]))


@contextlib.contextmanager
def watching(engine: Engine) -> Iterator[Truth]:
    """Collect events while the block runs, those from before that the engine still knows included."""
    truth = Truth()
    command = [need("docker"), "-H", engine.url, "events", "--since", "1", "--format", "{{json .}}"]
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)

    def collect() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            event = read(line)
            if event is not None and event.action in DONE:
                truth.events.append(event)

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    try:
        yield truth
    finally:
        process.terminate()
        process.wait()
        thread.join(30)
