"""
The engine: look at the world, decide, write it down, act; round after round, on a thread of its own.

A round comes with every poll period, and at once when an alert was accepted, Docker told of an event,
a human spoke, or a restart ended. Only this thread changes the state, and only by entries that the
journal has committed: what it could not write it does not do. Restarts run on threads of their own
(remediation.engine.restarts), so that one that hangs costs nobody else's observation. The module is
long because the order of one round is its whole point.
"""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Protocol

from remediation import records
from remediation.clock import Clock, Moment
from remediation.config import Config
from remediation.desk import View
from remediation.engine.look import Looker
from remediation.engine.restarts import Restarts
from remediation.journal.errors import JournalError
from remediation.model import Decision, Entry, Mode, Outcome, Record, World
from remediation.policy import observing
from remediation.policy.decide import Plan, decide
from remediation.policy.situation import Situation
from remediation.state import State
from remediation.state_parts import UNCONFIRMED, Incident, Owed

log = logging.getLogger(__name__)

FRESH_S = 5.0  # what was seen longer ago is no reason to act; a look takes well below a second
KEEP_S = 5.0  # between two checkpoints in a flood: each takes some hundredths of a second
MANY, KEEP_MANY_S = 1000, 60.0  # accepted alerts that no round has decided yet
AT_ONCE = 500  # records of one commit; that takes well below the journal's patience
MAX_LOOKS = 3  # for something to be seen twice that is to be restarted; arbitrary
BREATH_S = 1.0  # between two rounds at most, however long the last one took
FLOOD = 25  # accepted between two rounds: one that comes a moment later is decided on with the rest
HUNG_S = 300.0  # all that a round does has deadlines, a minute for the longest
TROUBLE = 3  # rounds that break one after the other; a full disk for a moment is no news
MAX_BROKEN = 300  # characters
FAILED_WAIT_S = 1.0  # after a round that broke
SPENT_WORLD = World(alerts=None, services={}, docker_up=False)


class JournalLike(Protocol):
    """What the engine needs of a journal (remediation.journal.journal)."""

    def submit(
        self, *records: Record, told: Callable[[tuple[Entry, ...]], None]
    ) -> Future[tuple[Entry, ...]]:
        """Commit soon; *told* gets the entries first, in the order of their numbers."""

    def settle(self) -> None:
        """Return once all that was submitted before is written, and told, or will never be."""

    def due(self) -> bool:
        """Whether a checkpoint should be written."""

    def compact(self, state: dict[str, object]) -> object:
        """Write a checkpoint and forget what is too old."""

    @property
    def last_commit_wall(self) -> float:
        """When something was last committed."""


class Observer(Protocol):
    """Whom the engine tells what happens: metrics and messages. Must not raise or block."""

    def decided(self, decision: Decision) -> None:
        """A decision was written down."""

    def restarted(self, intent: Record, finished: Record) -> None:
        """A restart has ended."""

    def closed(self, incident: Incident, how: str, took_s: float) -> None:
        """An incident is over, after so long."""

    def owes(self, owed: Mapping[str, Owed]) -> None:
        """These messages nobody has yet, by subject; called often."""

    def changed(self, what: Record) -> None:
        """Anything else that was written down."""

    def trouble(self, why: str) -> None:
        """Rounds break one after the other (*why*), or do not any more ("")."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the engine works with."""

    journal: JournalLike
    clock: Clock
    looker: Looker
    restarts: Restarts
    observer: Observer
    stops: Callable[[], dict[str, float]] = dict  # containers that humans stopped, as Docker tells
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex[:12]


class Engine:
    """
    Works on *state*, which is what the journal adds up to.

    Args:
        config: What may be touched; exchanged by `configure`.
        parts: Journal, clock, eyes, hands.
        state: Made by replaying the journal.
        dry_run: Decide everything, restart nothing: every service is only observed.
    """

    def __init__(
        self, config: Config, parts: Parts, state: State, *, dry_run: bool = False
    ) -> None:
        self._parts = parts
        self._state = state
        self._dry_run = dry_run
        self._config = self._as_allowed(config)
        self._inbox: queue.SimpleQueue[tuple[Entry, ...]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._reconciled_wall = 0.0
        self._looked_at = 0.0
        self._kept_at = parts.clock.now().steady
        self._unsettled = False  # what was refused for its time may have been written since
        self._outdated = False  # a restart of ours ended after the last look
        self._round_began: float | None = None  # of the one that is under way
        self._ill_since: dict[str, float] = {}
        self._broken = ""  # why rounds break, and how many in a row
        self._breaks = 0
        self._troubled = False
        self._began_wall = parts.clock.now().wall
        self._lock = threading.Lock()  # one round at a time, also for callers of `round`
        self._copy = state  # the state as others may see it; made anew when it has changed
        self._changed = True
        self._view = self._picture(SPENT_WORLD)

    # What others may call, from any thread -----------------------------------------------------------

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def stop(self, wait_s: float = 5.0) -> None:
        """End after the present round; restarts that are under way are found again at the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(wait_s)

    def alive(self) -> bool:
        """Whether the engine's thread still works."""
        return self._thread is not None and self._thread.is_alive()

    def hung(self) -> str:
        """Return why only a restart of this process helps: a round never ends; "" while they do."""
        began, now = self._round_began, self._parts.clock.now().steady
        if began is None or now - began < HUNG_S:
            return ""
        return f"a round began {now - began:.0f} s ago and has not ended"

    def trouble(self) -> str:
        """Return why nothing is healed although the engine lives; "" while its rounds end well."""
        if hung := self.hung():
            return hung
        if self._breaks < TROUBLE:
            return ""
        return f"{self._breaks} rounds in a row broke: {self._broken}"

    def wake(self) -> None:
        """Make the next round begin now."""
        self._wake.set()

    def view(self) -> View:
        """Return the newest picture."""
        return self._view

    def accept(self, *found: Record) -> Future[tuple[Entry, ...]]:
        """Write *found* into the journal; take it in and wake up once it is committed."""
        return self._parts.journal.submit(*found, told=self._committed)

    def configure(self, config: Config) -> None:
        """Work by *config* from the next round on."""
        with self._lock:
            self._config = self._as_allowed(config)
            self._parts.looker.configure(self._config)
        self._wake.set()

    def _committed(self, entries: tuple[Entry, ...]) -> None:
        self._inbox.put(entries)
        self._wake.set()

    def _as_allowed(self, config: Config) -> Config:
        if not self._dry_run:
            return config
        watched = {n: replace(s, mode=Mode.OBSERVE) for n, s in config.services.items()}
        return replace(config, services=watched)

    # The rounds --------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            began = self._round_began = self._parts.clock.now().steady
            try:
                self.round()
            except Exception as error:
                # The engine outlives every round; what broke is tried again.
                log.exception("a round broke")
                self._breaks += 1
                self._broken = f"{type(error).__name__}: {error}"[:MAX_BROKEN]
                self._tell_trouble()
                self._stop.wait(FAILED_WAIT_S)
            else:
                self._breaks, self._broken = 0, ""
                self._tell_trouble()
            self._round_began = None
            ended = self._parts.clock.now().steady
            self._wake.wait(self._config.alertmanager.poll_s)
            rested = self._parts.clock.now().steady - ended
            rest = breath(ended - began, self._inbox.qsize()) - rested
            if rest > 0:
                self._stop.wait(rest)
            self._wake.clear()

    def _tell_trouble(self) -> None:
        """Tell, once each, that rounds break and that they do not any more."""
        why = self.trouble()
        if bool(why) != self._troubled:
            self._troubled = bool(why)
            self._parts.observer.trouble(why)

    def round(self) -> None:
        """Look, decide, write, and restart at most one container."""
        with self._lock:
            self._settle()
            self._take_in()
            plan = self._seen_twice(self._decide(self._look()))
            if plan.act is not None and self._is_stale():
                log.warning("looked too long ago to restart %s; looking again", plan.act.restart)
                self._wake.set()
                plan = Plan(plan.records, tuple(d for d in plan.decisions if d is not plan.act))
            self._write(plan)
            self._view = self._picture(self._world)
            if plan.act is not None:
                self._act(plan.act)
            self._view = self._picture(self._world)
            self._report()
            self._checkpoint()

    def _settle(self) -> None:
        """Decide nothing twice: what a slow disk left in doubt is known before the next decision."""
        if self._unsettled:
            self._unsettled = False  # first: another thread may set it meanwhile
            try:
                self._parts.journal.settle()
            except JournalError:
                self._unsettled = True
                raise

    def _checkpoint(self) -> None:
        """Keep the state, so that a start reads little; in a flood not with every round."""
        now = self._parts.clock.now().steady
        if not self._parts.journal.due() or now - self._kept_at < self._keep_s():
            return
        # The inbox has entries in the order of their numbers: the state holds all up to the last one
        # that it took in, and none after it.
        self._parts.journal.compact(self._state.to_json())
        self._kept_at = now

    def _keep_s(self) -> float:
        """Return how long to wait from one checkpoint to the next."""
        if len(self._state.pending) > MANY:
            return KEEP_MANY_S  # the state is megabytes now, and small again once these are decided
        return 0.0 if self._inbox.empty() else KEEP_S

    def _report(self) -> None:
        """Note that people are told of tiers that have only been observed; the observer tells them."""
        tiers = observing.due(self._config, self._state, self._parts.clock.now())
        if tiers:
            self._append([records.reported(tiers)])

    def _take_in(self, own: tuple[Entry, ...] = ()) -> None:
        """Fold what was written: *own* by this thread, or by others (alerts, wishes, ends of restarts)."""
        ours = {entry.number for entry in own}
        while True:
            try:
                entries = self._inbox.get_nowait()
            except queue.Empty:
                self._parts.observer.owes(self._state.owed)
                return
            for entry in entries:
                self._apply(entry)
                self._outdated |= entry.kind == records.FINISHED and entry.number not in ours

    def _look(self) -> World:
        """Return the world as it is now, having noted what it tells of restarts and of human stops."""
        for _ in range(MAX_LOOKS):
            self._outdated = False
            self._look_once()
            # A restart that ended meanwhile is not over in what was seen before.
            if not self._outdated:
                break
        return self._world

    def _look_once(self) -> None:
        self._world = self._parts.looker.look(self._state)
        now = self._parts.clock.now()
        self._looked_at = now.steady
        if self._world.alerts is not None:
            self._reconciled_wall = now.wall
        found = list(self._parts.restarts.recover(self._state, self._world, now))
        if self._unsettled:
            found = []  # an end that was refused a moment ago may be written after all
        stops = self._parts.stops()
        if self._world.docker_up and stops != self._state.stops:
            found.append(records.stopped(stops))
        self._append(found)
        self._tell_blind(now)

    def _decide(self, world: World) -> Plan:
        here = Situation(self._config, self._state, world, self._parts.clock.now())
        if world.docker_up:
            now = here.now.steady
            self._ill_since = {name: self._ill_since.get(name, now) for name in here.unhealthy}
        return decide(replace(here, ill_since=self._ill_since), self._parts.new_id)

    def _seen_twice(self, plan: Plan) -> Plan:
        """Return a plan that restarts nothing but what two looks in a row decided on."""
        for _ in range(MAX_LOOKS):
            act = plan.act
            if act is None:
                return plan
            plan = self._confirm(act)
            if plan.act is not None and plan.act.restart == act.restart:
                return plan
        if plan.act is not None:
            self._wake.set()  # another one with every look: this is no time to act
            return Plan((), ())
        return plan

    def _confirm(self, act: Decision) -> Plan:
        """Collect the evidence, look again, and decide again: what stands in the plan then is done."""
        self._parts.restarts.collect(act)
        self._take_in()  # a human may have spoken meanwhile
        return self._decide(self._look())

    def _write(self, plan: Plan) -> None:
        """Write what was decided, in few commits: after a flood there are thousands of decisions."""
        news = [each for each in plan.decisions if self._is_news(each)]
        first = len(plan.records)
        for start in range(0, first + len(news), AT_ONCE):
            end = start + AT_ONCE
            part = news[max(0, start - first) : max(0, end - first)]
            self._append([*plan.records[start:end], *map(records.decided, part)])

    def _is_news(self, decision: Decision) -> bool:
        """Whether *decision* acts, answers an accepted alert, or differs from the last one about the same."""
        if decision.outcome is Outcome.ACT:
            return True
        lasts = (
            [self._state.answers.get(fingerprint) for fingerprint, _ in decision.alerts]
            if decision.lone
            else [self._state.last.get(decision.service)]
        )
        again = all(last is not None and last.says(decision) for last in lasts)
        accepted = any(key in self._state.pending for key in decision.alerts)
        return not again or (accepted and decision.reason not in UNCONFIRMED)

    def _act(self, decision: Decision) -> None:
        """Write the intent, then restart, unless time has passed since the look."""
        intent = self._parts.restarts.intent(decision, self._config, self._world)
        entries = self._append([intent])
        if self._is_stale():
            self._append([self._parts.restarts.abandoned(intent)])
            self._wake.set()
            return
        self._parts.restarts.start(entries[0], self._end)

    def _end(self, *found: Record) -> None:
        """Write what became of a restart, on its own thread; JournalError as the journal raises it."""
        try:
            self.accept(*found).result()
        except JournalError as error:
            # Before anybody may look for the end in Docker: it would be written twice.
            self._unsettled |= error.may_be_written
            raise

    def _is_stale(self) -> bool:
        return self._parts.clock.now().steady - self._looked_at > FRESH_S

    # State, written and told -------------------------------------------------------------------------

    def _append(self, found: list[Record] | tuple[Record, ...]) -> tuple[Entry, ...]:
        if not found:
            return ()
        try:
            entries = self._parts.journal.submit(*found, told=self._inbox.put).result()
        except JournalError as error:
            self._unsettled |= error.may_be_written
            raise
        self._take_in(entries)  # ours, after what others wrote before
        return entries

    def _apply(self, entry: Entry) -> None:
        before = self._state.incidents.get(str(entry.body.get("incident", "")))
        intent = self._state.intents.get(str(entry.body.get("action", "")))
        self._state.apply(entry)
        self._changed = True
        record = Record(entry.kind, entry.body)
        if entry.kind == records.CLOSED and before is not None:
            took_s = entry.at - before.opened_at
            self._parts.observer.closed(before, str(entry.body["how"]), took_s)
        elif entry.kind == records.FINISHED and intent is not None:
            asked = {"service": intent.service, "tier": intent.tier, "rung": intent.rung}
            asked |= {"action": intent.action, "incident": intent.incident}
            asked |= {"why": intent.why, "detail": intent.detail}
            if incident := self._state.incidents.get(intent.incident):
                asked |= {"root": incident.root, "root_tier": incident.tier}
            self._parts.observer.restarted(Record(records.INTENDED, asked), record)
        elif entry.kind == records.DECIDED:
            self._parts.observer.decided(records.decision_of(entry.body))
        else:
            self._parts.observer.changed(record)

    def _tell_blind(self, now: Moment) -> None:
        blind = self._is_blind(now)
        if blind != self._state.blind:
            self._append([records.blind(blind=blind)])

    def _is_blind(self, now: Moment) -> bool:
        """Whether people are to be told so; that it is over only once the Watchdog has arrived."""
        if self._world.alerts is not None:
            missing = self._state.blind and self._world.alerts.watchdog_age_s is None
            return missing or Situation(self._config, self._state, self._world, now).blind
        if self._state.blind:
            return True
        heard_wall = max(self._reconciled_wall, self._began_wall)
        return now.wall - heard_wall > self._config.alertmanager.blind_after_s

    def _picture(self, world: World) -> View:
        now = self._parts.clock.now()
        if self._changed:
            self._copy, self._changed = self._state.copy(), False
        return View(
            config=self._config,
            state=self._copy,
            world=world,
            moment=now,
            blind=self._state.blind,
            alertmanager_up=world.alerts is not None,
            docker_up=world.docker_up,
            reconciled_wall=self._reconciled_wall,
            committed_wall=self._parts.journal.last_commit_wall,
            dry_run=self._dry_run,
        )


def breath(took_s: float, waiting: int) -> float:
    """
    Return how long the engine rests after a round that *took_s*, with *waiting* commits to take in.

    Those who take alerts in get as much time as the engine takes; in a flood, a second, so that it is
    not slowed down by one look at the world after the other.
    """
    return BREATH_S if waiting > FLOOD else min(took_s, BREATH_S)
