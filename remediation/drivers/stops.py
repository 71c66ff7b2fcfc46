"""
Who stopped it? Docker's inspect does not say; its events do, to those who listen all the time.

A container counts as stopped by a human from a `stop`, or a `die` soon after a `kill`, until its next
start, unless that stop belongs to a restart of our own that has not come to its start. A human's
`docker restart`, and Compose when it makes a container anew, stop as well; the start, or the end of
the container, comes right after. When Docker itself ends it stops everything, which is nobody's wish:
`engine_ended` takes those stops back.

Plain bookkeeping over container ids; neither a clock nor Docker in here. Not safe for threads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

SIGNALLED_S = 60.0  # a kill with a mild signal may take that long to end somebody; arbitrary
SETTLED_S = 60.0  # an engine that ends stops its containers within this time before it is gone
FORGET_S = 3600.0  # what is neither seen nor heard of for so long has gone


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one container; *nano* is the engine's time in nanoseconds since 1970."""

    action: str
    id: str
    service: str
    nano: int

    @property
    def wall(self) -> float:
        """The engine's time as Unix time."""
        return self.nano / 1e9


class Stops:
    """
    Keeps who was stopped.

    Args:
        known: Stops found earlier: container id to time (wall).
        ours: Restarts of ours whose end is not known: container id to when each was asked for (wall).
    """

    def __init__(self, known: Mapping[str, float], ours: Mapping[str, float]) -> None:
        self._stopped = dict(known)
        self._ours = dict(ours)
        self._killed: dict[str, float] = {}
        self._started: dict[str, float] = {}

    def is_stopped(self, id_: str) -> bool:
        """Whether a human has stopped this container and nobody has started it since."""
        return id_ in self._stopped

    def is_signalled(self, id_: str, now: float) -> bool:
        """Whether somebody, not we, has sent it a signal a moment ago: it may be about to stop."""
        return now - self._killed.get(id_, float("-inf")) <= SIGNALLED_S

    def is_ours(self, id_: str) -> bool:
        """Whether a restart of ours has not come to its start, as far as is known."""
        return id_ in self._ours

    def settled(self, now: float) -> dict[str, float]:
        """Return the stops that are worth keeping: not those of an engine that may just be ending."""
        return {id_: wall for id_, wall in self._stopped.items() if now - wall >= SETTLED_S}

    def begin(self, id_: str, wall: float) -> None:
        """A restart of ours begins: it will stop this container."""
        self._ours[id_] = wall

    def undo(self, id_: str) -> None:
        """It came to nothing: the engine has not touched the container."""
        self._ours.pop(id_, None)

    def hear(self, event: Event) -> None:
        """Take in what the engine tells; the same event twice does no harm."""
        id_, wall = event.id, event.wall
        if event.action == "start":
            self._start(id_, wall)
        elif event.action == "destroy":
            self._forget(id_)
        elif self._is_moot(event):
            return
        elif event.action == "stop":
            self._stopped[id_] = wall
        elif event.action == "kill":
            self._killed[id_] = wall
        elif event.action == "die" and wall - self._killed.pop(id_, float("-inf")) <= SIGNALLED_S:
            self._stopped[id_] = wall

    def see(self, id_: str, *, running: bool, started_wall: float) -> None:
        """Take in what an inspect shows; it may be older than the last event."""
        if running:
            self._start(id_, started_wall)

    def engine_ended(self, wall: float) -> None:
        """Docker has gone at *wall*, or was found gone: what it stopped before that was no human."""
        self._stopped = {i: w for i, w in self._stopped.items() if not 0 <= wall - w < SETTLED_S}
        self._killed.clear()

    def prune(self, present: Collection[str], now: float) -> None:
        """Forget containers that are not *present* and were not heard of lately."""
        for book in (self._stopped, self._ours, self._killed, self._started):
            for id_ in [i for i, w in book.items() if i not in present and now - w > FORGET_S]:
                del book[id_]

    def _start(self, id_: str, wall: float) -> None:
        self._started[id_] = max(wall, self._started.get(id_, 0.0))
        for book in (self._stopped, self._ours, self._killed):
            if id_ in book and book[id_] < wall:
                del book[id_]

    def _is_moot(self, event: Event) -> bool:
        """Whether it has started since, or a restart of ours explains it."""
        began = self._ours.get(event.id)
        if event.wall <= self._started.get(event.id, 0.0):
            return True
        return began is not None and event.wall >= began

    def _forget(self, id_: str) -> None:
        for book in (self._stopped, self._ours, self._killed, self._started):
            book.pop(id_, None)
