"""
Restarts: an intent first, then the restart on a thread of its own, then what became of it.

An intent without an outcome is a restart that nobody has heard of since: we crashed, or it hangs. It
is never asked for again; what became of it is read off the container's start (`State.StartedAt` after
the intent means done), as soon as Docker can be asked.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping

from remediation import records
from remediation.clock import Moment
from remediation.config import Config
from remediation.model import (
    Decision,
    Driver,
    Entry,
    Fence,
    Record,
    Restarted,
    Result,
    World,
)
from remediation.state import State
from remediation.state_parts import Intent

log = logging.getLogger(__name__)

Write = Callable[..., object]  # takes records; returns once they are on disk, else raises
Collect = Callable[[str], Mapping[str, object]]
# The engine goes on stopping and starting without us; after its stop timeout, two more waits of its
# own and a start, nothing will come of it any more (reference remediation, D1 and D3).
LATE_S = 30.0
SLACK_S = 1.0  # Docker's StartedAt and our wall clock are the same host's, but not the same reading


def _spawn(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="restart", daemon=True).start()


class Restarts:
    """
    Restarts containers through *driver*.

    Args:
        driver: Docker, or what only says what it would do.
        collect: Returns the evidence about a service; may take seconds, must not raise.
        new_id: Names an action.
        spawn: Runs what it is given, by default on a thread of its own.
    """

    def __init__(
        self,
        driver: Driver,
        collect: Collect = lambda _: {},
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex[:12],
        spawn: Callable[[Callable[[], None]], None] = _spawn,
    ) -> None:
        self._driver = driver
        self._collect = collect
        self._new_id = new_id
        self._spawn = spawn
        self._running: set[str] = set()
        self._evidence: dict[str, Mapping[str, object]] = {}  # by service, of the action to come

    def collect(self, decision: Decision) -> None:
        """Collect what can be seen of the service that is about to be restarted."""
        self._evidence[decision.restart] = self._collect(decision.restart)

    def intent(self, decision: Decision, config: Config, world: World) -> Record:
        """Return the record of what is about to be done."""
        service = config.services[decision.restart]
        container = world.services[decision.restart].container
        return records.intended(
            self._new_id(), decision, service.tier, container, service.container
        )

    def abandoned(self, intent: Record) -> Record:
        """Return the end of an *intent* that was not carried out."""
        came = Restarted(Result.FAILED, "not done: too long since the look", attempted=False)
        return records.finished(str(intent.body["action"]), came, 0.0)

    def start(self, intent: Entry, write: Write) -> None:
        """Carry out *intent*; *write* takes the records of what became of it."""
        action = str(intent.body["action"])
        self._running.add(action)
        self._spawn(lambda: self._carry_out(intent, write))

    def _carry_out(self, intent: Entry, write: Write) -> None:
        body = intent.body
        action, service = str(body["action"]), str(body["service"])
        fence = Fence(str(body["container"]), str(body["id"]), float(str(body["started_wall"])))
        began = time.monotonic()
        try:
            came = self._driver.restart(service, fence)
        except Exception as error:
            # A mistake of ours must not leave the action open as if it still ran.
            log.exception("restarting %s broke", service)
            came = Restarted(Result.UNKNOWN, f"{type(error).__name__}")
        log.info("restarted %s: %s %s", service, came.result.value, came.detail)
        done = [records.finished(action, came, time.monotonic() - began)]
        if found := self._evidence.pop(service, None):
            # First: whoever is told of the end is told what was seen before.
            done.insert(0, records.evidence(action, found))
        try:
            write(*done)
        except Exception:
            log.exception(
                "what became of %s could not be written; it will be read off Docker", action
            )
            self._running.discard(action)

    def recover(self, state: State, world: World, now: Moment) -> Iterator[Record]:
        """Yield what became of intents that nobody works on any more."""
        # One whose end is written stays ours until *state* has taken that in: it would end twice.
        self._running &= state.intents.keys()
        if not world.docker_up:
            return
        for intent in state.intents.values():
            if intent.action in self._running:
                continue
            came = self._judge(intent, world, now)
            if came is not None:
                log.warning("action %s on %s: %s", intent.action, intent.service, came.detail)
                yield records.finished(intent.action, came, max(0.0, now.steady - intent.at))

    def _judge(self, intent: Intent, world: World, now: Moment) -> Restarted | None:
        """Return what became of *intent*; None while it may still be under way."""
        sight = world.services.get(intent.service)
        if sight is None or sight.container.state == "absent":
            return Restarted(Result.UNKNOWN, "its container is gone")
        ours = sight.container
        late = now.steady - intent.at >= ours.stop_timeout_s + LATE_S
        if ours.state == "unknown":
            return Restarted(Result.UNKNOWN, "Docker does not say") if late else None
        if ours.id != intent.id:
            return Restarted(Result.UNKNOWN, "its container was made anew")
        if ours.started_wall > max(intent.started_wall, intent.wall - SLACK_S):
            return Restarted(Result.SUCCEEDED, "found done", ours.started_wall)
        return Restarted(Result.FAILED, "found not done", attempted=False) if late else None
