"""
A shop that lives in virtual time: services break, recover, are stopped; alerts follow; restarts cure.

It plays Docker, Alertmanager and the services' own answers to a real engine, and keeps the ground
truth: what was really restarted, when, and how everything was at that moment. Crashes come where a
test puts them: before or after any commit of the journal, before or after the effect of a restart.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remediation.clock import Moment
from remediation.config import Config
from remediation.desk import View
from remediation.engine.engine import Engine, Parts
from remediation.engine.look import Looker
from remediation.engine.restarts import Restarts
from remediation.journal.errors import JournalError
from remediation.model import (
    Alert,
    Alerts,
    AlertSourceError,
    Container,
    Decision,
    DriverError,
    Entry,
    Fence,
    Record,
    Restarted,
    Result,
)
from remediation.state import State
from remediation.state_parts import Incident, Owed
from tests.remediation import shop

HOLD_S = 120.0  # of ServiceDown
STEP_S = 10.0
FORGET_S = 240.0  # after Prometheus's last word Alertmanager takes its alerts for resolved
RESEND_S = 60.0  # Prometheus tells a new Alertmanager everything within so long


class Crash(BaseException):
    """SIGKILL."""


@dataclass(slots=True)
class Thing:
    """One service: *fault* is what a restart cures (`restart`), what only time cures, or nothing does."""

    name: str
    state: str = "running"
    fault: str = ""
    joint: frozenset[str] = frozenset()  # cured only when these were restarted a moment ago, too
    boot_s: float = 5.0
    started: float = shop.LONG_AGO
    stopped: bool = False
    unhealthy_since: float | None = None
    fires_since: float | None = None
    silenced: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """A restart that really happened, and how things were at that moment."""

    at: float
    service: str
    unhealthy: bool
    needs_healthy: bool
    stopped: bool
    alerted: bool
    silenced: bool
    watchdog: bool
    paused: bool
    frozen: bool


@dataclass
class Sim:
    """The world outside; *now* moves only by `advance`."""

    config: Config
    now: float = shop.NOW
    wall_shift: float = 0.0  # the wall clock may be set, by anybody
    docker: bool = True
    alertmanager: bool = True
    watchdog: bool = True
    watchdog_seen: float = shop.NOW
    alertmanager_since: float = shop.LONG_AGO
    answer: str = "ok"  # of the next restarts: ok, lost, refused
    crash_at: str = ""  # "before 3": before the third commit; "effect": after a restart's effect
    things: dict[str, Thing] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    muted: frozenset[str] = frozenset()  # services that nothing alerts about
    degraded: dict[str, float] = field(default_factory=dict)  # tiers, and since when
    commits: int = 0
    kept: list[float] = field(default_factory=list)  # when a checkpoint was written
    broken_journal: bool = False
    slow_disk: bool = False  # commits are refused for their time, and written when it is fast again
    meanwhile: Callable[[], None] = lambda: None  # happens between the first look and the second
    committed: Callable[[tuple[Record, ...]], None] = lambda _: None  # happens with every commit
    engine: Engine | None = None
    people: Silent | None = None  # who is told what happens; nobody where not given

    def __post_init__(self) -> None:
        self.things = {name: Thing(name) for name in self.config.services}
        self.things["lab"].state = "absent"
        self.things["migrate"].state = "exited"

    # The truth ---------------------------------------------------------------------------------------

    def healthy(self, name: str) -> bool:
        """Whether *name* really does its work: it runs, is not broken, and has all it needs."""
        thing = self.things[name]
        if self.config.services[name].oneshot:
            return True
        return (
            thing.state == "running"
            and not thing.fault
            and self.now - thing.started >= thing.boot_s
            and all(self.healthy(each) for each in self.config.services[name].requires)
        )

    def break_(self, name: str, fault: str, *, exits: bool = False) -> None:
        """Break *name*: `restart` is cured by one, `forever` by nothing we have."""
        thing = self.things[name]
        thing.fault = fault
        if exits:
            thing.state = "exited"

    def advance(self, seconds: float) -> None:
        """Let time pass, in small steps; alerts begin and end, the engine has a round in each."""
        end = self.now + seconds
        while self.now < end:
            self.now += STEP_S
            if self.watchdog:
                for thing in self.things.values():
                    self._alert(thing)
                self._alert_tiers()
            if self.watchdog and self.alertmanager:
                self.watchdog_seen = self.now
            self.round()

    def _alert(self, thing: Thing) -> None:
        counted = thing.state != "absent" and not self.config.services[thing.name].oneshot
        counted = counted and thing.name not in self.muted
        if not counted or self.healthy(thing.name):
            thing.unhealthy_since = thing.fires_since = None
            return
        if thing.unhealthy_since is None:
            thing.unhealthy_since = self.now
        if thing.fires_since is None and self.now - thing.unhealthy_since >= HOLD_S:
            thing.fires_since = self.now

    def _alert_tiers(self) -> None:
        """A tier is degraded while two of its services or more fire."""
        firing = [self.config.services[t.name].tier for t in self.things.values() if t.fires_since]
        for tier in self.config.tiers:
            if firing.count(tier) < 2:
                self.degraded.pop(tier, None)
            else:
                self.degraded.setdefault(tier, self.now)

    def round(self) -> None:
        """Let the engine work once; start it when it is not there, or has crashed."""
        if self.engine is None:
            self.engine = self.start()
        try:
            self.engine.round()
        except Crash:
            self.engine = None
        except (JournalBroken, JournalError):
            pass  # the engine's thread would try again in the next round

    def start(self) -> Engine:
        """Return a new process's engine: all it knows is in the journal."""
        known = State()
        for entry in self.entries:
            known.apply(entry)
        looker = Looker(self.config, self, self, self, everywhere=True)
        numbers = itertools.count(len(self.entries))
        restarts = Restarts(
            self, self._collect, new_id=lambda: f"a{next(numbers)}", spawn=lambda work: work()
        )
        parts = Parts(
            journal=_Journal(self), clock=_Clock(self), looker=looker, restarts=restarts,
            observer=self.people or Silent(), stops=self.stops, new_id=lambda: f"i{next(numbers)}",
        )  # fmt: skip
        return Engine(self.config, parts, known)

    def _collect(self, _: str) -> Mapping[str, object]:
        self.meanwhile()
        return {}

    # Clock, Docker, Alertmanager, probes -----------------------------------------------------------

    def clock(self) -> Moment:
        """Return this moment, for those who ask the clock."""
        return Moment(self.now, self.now + self.wall_shift)

    def stops(self) -> dict[str, float]:
        """Return the containers that humans have stopped."""
        return {f"id-{t.name}": 1.0 for t in self.things.values() if t.stopped}

    def look(self) -> Mapping[str, Container]:
        """Play Docker."""
        if not self.docker:
            raise DriverError("no daemon")
        return {name: self._container(thing) for name, thing in self.things.items()}

    def _container(self, thing: Thing) -> Container:
        return Container(
            state=thing.state,
            id=f"id-{thing.name}",
            started_wall=thing.started + self.wall_shift,
            created_wall=shop.LONG_AGO,
            exit_code=0 if thing.name == "migrate" else 1,
            stopped=thing.stopped,
            stop_timeout_s=1.0,
        )

    def restart(self, service: str, fence: Fence) -> Restarted:
        """Play the restart: as the fence allows, with the effect and the answer that were ordered."""
        thing = self.things[service]
        if not self.docker or self.answer == "refused":
            return Restarted(Result.FAILED, "refused")
        if abs(fence.started_wall - thing.started - self.wall_shift) > 1e-6:
            return Restarted(Result.FAILED, "it was started by somebody else")
        self.done.append(self._moment(thing))
        joint = all(self.now - self.things[each].started < 900 for each in thing.joint)
        if thing.fault == "restart" and joint:
            thing.fault = ""
        thing.state, thing.started, thing.stopped = "running", self.now, False
        if self.crash_at == "effect":
            self.crash_at = ""
            raise Crash
        if self.answer == "lost":
            return Restarted(Result.UNKNOWN, "no answer")
        return Restarted(Result.SUCCEEDED, started_wall=thing.started + self.wall_shift)

    def _moment(self, thing: Thing) -> Done:
        known = State()
        for entry in self.entries:
            known.apply(entry)
        needs = self.config.graph.needs(thing.name)
        roots = {thing.name, *needs, *self.config.members(self.config.services[thing.name].tier)}
        firing = [self.things[name] for name in roots if self.things[name].fires_since]
        return Done(
            at=self.now,
            service=thing.name,
            unhealthy=not self.healthy(thing.name),
            needs_healthy=all(self.healthy(name) for name in needs),
            stopped=thing.stopped,
            alerted=bool(firing),
            silenced=bool(firing) and all(each.silenced for each in firing),
            watchdog=self.now - self.watchdog_seen <= self.config.alertmanager.blind_after_s,
            paused=known.pause is not None,
            frozen=known.frozen is not None,
        )

    def since_wall(self) -> float:
        """Return when the host started: long ago."""
        return shop.LONG_AGO

    def ask_services(self, services: Collection[str]) -> Mapping[str, tuple[bool | None, str]]:
        """Play the services' own answers."""
        return {
            name: (None if self.config.services[name].oneshot else self.healthy(name), "")
            for name in services
            if self.things[name].state != "absent"
        }

    def alerts(self) -> Alerts:
        """Play Alertmanager's API."""
        if not self.alertmanager:
            raise AlertSourceError("no answer")
        uptime_s = self.now - self.alertmanager_since
        active = [
            Alert(f"{thing.name:>016}", thing.fires_since, _labels(self.config, thing.name), suppressed=thing.silenced)
            for thing in self.things.values()
            if thing.fires_since is not None and uptime_s >= RESEND_S and self.now - self.watchdog_seen < FORGET_S
        ]  # fmt: skip
        if uptime_s >= RESEND_S and self.now - self.watchdog_seen < FORGET_S:
            active += [
                Alert(f"{tier:>016}", since, {"alertname": "TierDegraded", "service": "none", "tier": tier, "scope": "tier", "severity": "warning", "remedy": "restart"})
                for tier, since in self.degraded.items()
            ]  # fmt: skip
        known = self.watchdog_seen >= self.alertmanager_since
        age = self.now - self.watchdog_seen if known else None
        return Alerts(tuple(active), self.now, uptime_s, age)

    def ask(self, services: Collection[str] | None = None) -> object:
        """Answer as Alertmanager (nothing given) or as the services."""
        return self.alerts() if services is None else self.ask_services(services)

    def view(self) -> View:
        """Return the engine's picture."""
        assert self.engine is not None
        return self.engine.view()


class _Clock:
    """The sim's time as the engine asks for it."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim

    def now(self) -> Moment:
        return self._sim.clock()


class JournalBroken(Exception):  # noqa: N818 - plays JournalError
    """The disk is full."""


class _Journal:
    """Keeps entries in the sim; crashes before or after the commit that was named."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self._shadow = State()
        self._late: list[tuple[tuple[Record, ...], Callable[[tuple[Entry, ...]], None]]] = []
        self.last_commit_wall = 0.0

    def append(self, *found: Record) -> tuple[Entry, ...]:
        sim = self._sim
        if sim.broken_journal:
            raise JournalBroken("no space left")
        sim.commits += 1
        if sim.crash_at == f"before {sim.commits}":
            raise Crash
        moment = sim.clock()
        made = tuple(
            Entry(len(sim.entries) + n, moment.steady, moment.wall, r.kind, r.body, "")
            for n, r in enumerate(found, start=1)
        )
        sim.entries += made
        sim.committed(found)
        if sim.crash_at == f"after {sim.commits}":
            raise Crash
        return made

    def submit(
        self, *found: Record, told: Callable[[tuple[Entry, ...]], None]
    ) -> Future[tuple[Entry, ...]]:
        future: Future[tuple[Entry, ...]] = Future()
        if self._sim.slow_disk:
            self._late.append((found, told))
            future.set_exception(_no_answer())
            return future
        self._catch_up()
        try:
            made = self.append(*found)
            told(made)
            future.set_result(made)
        except JournalBroken as error:
            future.set_exception(error)
        return future

    def settle(self) -> None:
        if self._sim.slow_disk:
            raise _no_answer()
        self._catch_up()

    def _catch_up(self) -> None:
        while self._late:
            found, told = self._late.pop(0)
            told(self.append(*found))

    def due(self) -> bool:
        return not self._sim.broken_journal and not self._sim.slow_disk

    def compact(self, state: dict[str, Any]) -> None:
        """Judge the checkpoint: it is what the entries through its last come to, none missing, none twice."""
        for entry in self._sim.entries[self._shadow.through : state["through"]]:
            self._shadow.apply(entry)
        assert state == self._shadow.to_json()
        self._sim.kept.append(self._sim.now)


def _no_answer() -> JournalError:
    return JournalError(Path("journal"), "no answer in time", "Wait", may_be_written=True)


class Silent:
    """An observer that notes nothing."""

    def decided(self, decision: Decision) -> None:
        """Ignore it."""

    def restarted(self, intent: Record, finished: Record) -> None:
        """Ignore it."""

    def closed(self, incident: Incident, how: str, took_s: float) -> None:
        """Ignore it."""

    def changed(self, what: Record) -> None:
        """Ignore it."""

    def owes(self, owed: Mapping[str, Owed]) -> None:
        """Ignore it."""

    def trouble(self, why: str) -> None:
        """Ignore it."""


def _labels(config: Config, service: str) -> dict[str, str]:
    tier = config.services[service].tier
    return {
        "alertname": "ServiceDown", "service": service, "tier": tier, "scope": "service",
        "severity": "critical", "remedy": "restart",
    }  # fmt: skip


def restarts_of(sim: Sim) -> list[str]:
    """Return what was really restarted, in order."""
    return [each.service for each in sim.done]


def until(sim: Sim, condition: Callable[[], bool], *, within_s: float) -> bool:
    """Let time pass until *condition* holds; whether it did."""
    end = sim.now + within_s
    while sim.now < end and not condition():
        sim.advance(STEP_S)
    return condition()
