"""
What is remembered between two looks: who was stopped, what we restart, when Docker started.

Puts events and inspects together; safe for threads, unlike the parts it is made of.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from remediation.drivers.engine_start import EngineStart
from remediation.drivers.seen import Seen
from remediation.drivers.stops import Event, Stops
from remediation.model import Container

log = logging.getLogger(__name__)


class Book:
    """Keeps it; *stops* and *ours* as in `Stops`, *wall* tells Unix time."""

    def __init__(
        self, stops: Mapping[str, float], ours: Mapping[str, float], wall: Callable[[], float]
    ) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self._stops = Stops(stops, ours)
        self._engine = EngineStart()

    def hear(self, event: Event) -> None:
        """Take in one event."""
        with self._lock:
            self._stops.hear(event)

    def broke(self, wall: float) -> None:
        """The stream of events broke off at *wall*."""
        with self._lock:
            self._engine.broke(wall)

    def see(self, found: Iterable[Seen]) -> None:
        """Take in all that a look has found."""
        now, seen = self._wall(), [each.container for each in found]
        with self._lock:
            gone_at = self._engine.look(seen, now)
            if gone_at is not None:
                log.warning("Docker has started anew")
                self._stops.engine_ended(gone_at)
            for each in seen:
                self._stops.see(
                    each.id, running=each.state == "running", started_wall=each.started_wall
                )
            self._stops.prune({each.id for each in seen}, now)

    def told(self, seen: Seen, container: Container, drift: str) -> Container:
        """Return *container*, that of *seen*, with what is remembered of it, and with *drift*."""
        with self._lock:
            by_event = self._stops.is_stopped(container.id)
            ours = self._stops.is_ours(container.id)
            since = self._engine.since_wall()
        # What has the policy `always` Docker starts when it starts itself: then it just has not yet.
        early = container.restart_policy == "always" and container.finished_wall < since
        by_rule = seen.left_alone and not ours and not early
        return replace(container, drift=drift, stopped=by_event or by_rule)

    def is_signalled(self, id_: str) -> bool:
        """Whether somebody, not we, has sent it a signal a moment ago."""
        with self._lock:
            return self._stops.is_signalled(id_, self._wall())

    def begin(self, id_: str) -> None:
        """A restart of ours begins."""
        with self._lock:
            self._stops.begin(id_, self._wall())

    def undo(self, id_: str) -> None:
        """It came to nothing: the engine has not touched the container."""
        with self._lock:
            self._stops.undo(id_)

    def stops(self) -> dict[str, float]:
        """Return the stops that are worth keeping."""
        with self._lock:
            return self._stops.settled(self._wall())

    def since_wall(self) -> float:
        """Return when the host or the engine started; 0 if not known."""
        with self._lock:
            return self._engine.since_wall()
