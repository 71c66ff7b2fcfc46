"""
Anything may happen, in any order: what must never happen does not, and in the end all is well.

Hypothesis plays people, faults and crashes against a real engine in virtual time. After every step
the ground truth (what was really restarted, and how things were then) is held against a small model
of the promises: budgets, spacing, order, signals, pauses. The model knows nothing of the policy.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from remediation import records
from tests.remediation import shop
from tests.remediation.simulation.people import People
from tests.remediation.simulation.sim import Sim

BREAKABLE = st.sampled_from(["db", "cache", "api", "worker", "web", "mail", "remediator"])
HOUR_S, DAY_S = 3600.0, 86400.0
# What fails: an attribute of the sim, and its value while it does and afterwards.
CALAMITIES: dict[str, tuple[str, object, object]] = {
    "docker": ("docker", False, True),
    "alertmanager": ("alertmanager", False, True),
    "prometheus": ("watchdog", False, True),
    "disk": ("broken_journal", True, False),
    "answers are lost": ("answer", "lost", "ok"),
    "restarts are refused": ("answer", "refused", "ok"),
    "clock a day ahead": ("wall_shift", DAY_S, 0.0),
    "clock a day behind": ("wall_shift", -DAY_S, 0.0),
}


class Shop(RuleBasedStateMachine):
    """The shop, its people, and its bad days."""

    def __init__(self) -> None:
        super().__init__()
        self.sim = Sim(shop.config())
        self.sim.people = self.people = People(self.sim)
        self.checked = 0

    @rule(minutes=st.sampled_from([1, 3, 10, 45]))
    def time_passes(self, minutes: int) -> None:
        """Let time pass."""
        self.sim.advance(minutes * 60)

    @rule(
        name=BREAKABLE,
        fault=st.sampled_from(["restart", "restart", "forever"]),
        exits=st.booleans(),
        minutes=st.sampled_from([0, 1, 4, 15, 60]),
    )
    def breaks(self, name: str, fault: str, exits: bool, minutes: int) -> None:
        """Something breaks, and time passes."""
        self.sim.break_(name, fault, exits=exits)
        self.sim.advance(minutes * 60)

    @rule(
        calamity=st.sampled_from(sorted(CALAMITIES)),
        name=BREAKABLE,
        minutes=st.sampled_from([1, 4, 15]),
    )
    def a_calamity(self, calamity: str, name: str, minutes: int) -> None:
        """Something that we need fails while something breaks, and works again after a while."""
        sim = self.sim
        self.sim.break_(name, "restart")
        sim.advance(120)
        attribute, bad, good = CALAMITIES[calamity]
        setattr(sim, attribute, bad)
        sim.advance(minutes * 60)
        setattr(sim, attribute, good)
        if calamity == "alertmanager":
            sim.alertmanager_since = sim.now

    @rule(name=BREAKABLE)
    def a_human_mends(self, name: str) -> None:
        """A human cures the fault and restarts the container."""
        thing = self.sim.things[name]
        thing.fault, thing.state, thing.stopped = "", "running", False
        thing.started = self.sim.now

    @rule(name=BREAKABLE)
    def a_human_stops(self, name: str) -> None:
        """A human stops the container."""
        thing = self.sim.things[name]
        thing.state, thing.stopped = "exited", True

    @rule(name=BREAKABLE, minutes=st.sampled_from([1, 10]))
    def a_human_silences(self, name: str, minutes: int) -> None:
        """A human silences the alert for a while."""
        self.sim.things[name].silenced = True
        self.sim.advance(minutes * 60)
        self.sim.things[name].silenced = False

    @precondition(lambda self: self.sim.engine is not None)
    @rule(minutes=st.sampled_from([1, 10]))
    def a_human_pauses(self, minutes: int) -> None:
        """A human pauses for a while."""
        self._say(records.paused("me", "x"))
        self.sim.advance(minutes * 60)
        self._say(records.resumed("me"))

    @precondition(lambda self: self.sim.engine is not None)
    @rule()
    def a_human_approves(self) -> None:
        """A human approves all that waits."""
        for incident in list(self.sim.view().state.incidents):
            self._say(records.approved(incident, "me"))
        self.sim.advance(120)

    @precondition(lambda self: self.sim.engine is not None)
    @rule(name=st.sampled_from(["cache", "api", "app", "edge"]), minutes=st.sampled_from([1, 10]))
    def a_human_announces_work(self, name: str, minutes: int) -> None:
        """A human announces work on a service or tier, and breaks it meanwhile."""
        self._say(records.held(name, minutes * 60, "me", "x"))
        members = shop.config().members(name) or (name,)
        self.sim.break_(members[-1], "restart")
        before = len(self.sim.done)
        self.sim.advance(minutes * 60 - 10)
        assert not {d.service for d in self.sim.done[before:]} & set(members)

    @precondition(lambda self: self.sim.engine is not None)
    @rule()
    def a_human_releases(self) -> None:
        """A human ends a storm's freeze."""
        self._say(records.released("me", "human"))

    @precondition(lambda self: self.sim.engine is not None)
    @rule(name=BREAKABLE)
    def a_message_comes(self, name: str) -> None:
        """A webhook: an old one, a new one, who knows."""
        old = shop.alert(name, started=self.sim.now - 300)
        self._say(records.received([old], source="x"))

    def _say(self, record: records.Record) -> None:
        """Tell the engine; start it when it has crashed."""
        self.sim.crash_at = ""
        if self.sim.engine is None:
            self.sim.engine = self.sim.start()
        self.sim.engine.accept(record).result()

    @rule(after=st.integers(1, 4), when=st.sampled_from(["before", "after"]))
    def a_crash_is_near(self, after: int, when: str) -> None:
        """SIGKILL around a commit to come."""
        self.sim.crash_at = f"{when} {self.sim.commits + after}"

    @rule()
    def a_crash_with_the_next_restart(self) -> None:
        """SIGKILL right after the effect of the next restart."""
        self.sim.crash_at = "effect"

    @invariant()
    def nothing_wrong_was_restarted(self) -> None:
        """Each restart had a sick service, an alert, healthy dependencies, and nobody against it."""
        for done in self.sim.done[self.checked :]:
            assert done.unhealthy, done
            assert done.needs_healthy, done
            assert not done.stopped, done
            assert done.alerted, done
            assert not done.silenced, done
            assert done.watchdog, done
            assert not done.paused, done
            assert not done.frozen, done
            assert done.service not in ("remediator", "migrate", "lab"), done
        self.checked = len(self.sim.done)

    @invariant()
    def budgets_hold(self) -> None:
        """No more restarts than the limits allow, in any window that ends with a restart."""
        done = self.sim.done
        if not done:
            return
        end = done[-1].at
        hour = [each for each in done if end - each.at < HOUR_S]
        day = [each for each in done if end - each.at < DAY_S]
        for service in {each.service for each in day}:
            assert sum(each.service == service for each in hour) <= 3
            assert sum(each.service == service for each in day) <= 7
        for tier in ("core", "app", "edge"):
            services = shop.config().members(tier)
            assert sum(each.service in services for each in hour) <= 6
        assert len(hour) <= 10

    @invariant()
    def one_at_a_time(self) -> None:
        """A minute lies between two restarts, ten after one that keeps data."""
        if len(self.sim.done) < 2:
            return
        before, last = self.sim.done[-2:]
        stateful = before.service in ("db", "cache", "remediator")
        assert last.at - before.at >= (600 if stateful else 60)

    @invariant()
    def every_restart_was_intended(self) -> None:
        """There is an intent in the journal for each restart, written before it."""
        intents = [
            (entry.body["service"], entry.at)
            for entry in self.sim.entries
            if entry.kind == records.INTENDED
        ]
        assert len(intents) >= len(self.sim.done)
        for done in self.sim.done:
            assert (done.service, done.at) in intents

    @invariant()
    def no_call_ends_that_did_not_begin(self) -> None:
        """People hear of the end of a call only when they were called, and once."""
        called: set[object] = set()
        for entry in self.sim.entries:
            body = entry.body
            if entry.kind == records.CALLED_OFF:
                called.remove(body["service"])
            elif entry.kind == records.DECIDED and body["outcome"] == "escalate":
                called |= set() if body["incident"] else {body["service"]}

    @invariant()
    def no_end_is_told_that_is_none(self) -> None:
        """Whoever hears that something is healthy again finds it so."""
        assert self.people.lies == []

    @rule(name=BREAKABLE)
    def its_alert_is_lost(self, name: str) -> None:
        """Nothing alerts about one service any more, until another one is chosen."""
        self.sim.muted = frozenset({name})

    def teardown(self) -> None:
        """When all works again, everything is answered, healed or handed over."""
        sim = self.sim
        sim.docker = sim.alertmanager = sim.watchdog = True
        sim.broken_journal, sim.answer, sim.crash_at, sim.wall_shift = False, "ok", "", 0.0
        sim.alertmanager_since = min(sim.alertmanager_since, sim.now)
        sim.muted = frozenset()
        for name in shop.config().services:
            if name not in ("lab", "migrate"):
                self.a_human_mends(name)
                sim.things[name].silenced = False
        sim.advance(5400)  # one that was given up ends after the time of the same incident
        known = sim.view().state

        assert known.pending == {}
        assert known.intents == {}
        assert known.incidents == {}
        assert known.calls == {}
        assert known.owed == {}
        assert self.people.open() == set()
        self.nothing_wrong_was_restarted()
        self.budgets_hold()


TestShop = Shop.TestCase
TestShop.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,  # the same stories everywhere; `make chaos` tells others
    suppress_health_check=[HealthCheck.too_slow],
)
