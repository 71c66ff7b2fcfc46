"""What may happen between two looks, and between the end of a restart and the round that learns of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from remediation import records
from remediation.clock import Moment
from remediation.engine.engine import FLOOD, KEEP_MANY_S, MANY, breath
from remediation.engine.restarts import LATE_S, Restarts
from remediation.model import (
    Container,
    Decision,
    Entry,
    Record,
    Restarted,
    Result,
    Rung,
    Sight,
    World,
)
from remediation.state import State
from tests.remediation import shop
from tests.remediation.policy.test_decide import intended
from tests.remediation.simulation.sim import HOLD_S, Silent, Sim, Thing, restarts_of, until


class _Driver:
    """Restarts at once, and says so."""

    def restart(self, *_: object) -> Restarted:
        return Restarted(Result.SUCCEEDED, started_wall=shop.NOW)


def _moment(after_s: float = 0.0) -> Moment:
    return Moment(shop.NOW + after_s, shop.NOW + after_s)


def _known() -> tuple[State, Entry]:
    intent = shop.entry(intended("a1", "i1", "api"), shop.NOW)
    return shop.state(intended("a1", "i1", "api"), at=shop.NOW), intent


def _world(container: Container) -> World:
    return replace(shop.world(), services={"api": Sight(container)})


def test_a_restart_ends_once() -> None:
    """A round that began before the end was written does not read the same end off Docker once more."""
    later: list[Callable[[], None]] = []
    restarts = Restarts(_Driver(), spawn=later.append)  # type: ignore[arg-type]
    known, intent = _known()
    done = _world(shop.running(started_wall=shop.NOW + 1))
    told: list[Record] = []

    restarts.start(intent, lambda *found: told.extend(found))
    assert list(restarts.recover(known, done, _moment(2))) == []
    later.pop()()
    assert [record.kind for record in told] == [records.FINISHED]
    # Written, and not yet taken in by the engine's thread, which looked at Docker meanwhile.
    assert list(restarts.recover(known, done, _moment(3))) == []
    known.apply(shop.entry(told[0], shop.NOW + 3))
    assert list(restarts.recover(known, done, _moment(4))) == []


def test_an_end_that_could_not_be_written_is_read_off_docker() -> None:
    """The disk was full when the restart ended: it is found done by the container's start."""
    restarts = Restarts(_Driver(), spawn=lambda work: work())  # type: ignore[arg-type]
    known, intent = _known()

    def refuse(*_: Record) -> None:
        raise OSError("no space left")

    restarts.start(intent, refuse)
    (found,) = restarts.recover(known, _world(shop.running(started_wall=shop.NOW + 1)), _moment(2))

    assert (found.body["action"], found.body["result"]) == ("a1", "succeeded")


def test_what_docker_does_not_say_yet_is_waited_for() -> None:
    """A container that cannot be inspected now is no container that was made anew: it may still restart."""
    restarts = Restarts(_Driver())  # type: ignore[arg-type]
    known, _ = _known()
    unseen = _world(Container("unknown"))

    assert list(restarts.recover(known, unseen, _moment(5))) == []
    (late,) = restarts.recover(known, unseen, _moment(LATE_S + 11))
    assert late.body["result"] == "unknown"


@dataclass
class _Fickle(Sim):
    """Shows, with every look, another one of two services as ill; for so many *turns*."""

    looks: int = 0
    turns: int = 0

    def alerts(self) -> object:  # type: ignore[override]
        self.looks += 1
        return super().alerts()

    def healthy(self, name: str) -> bool:
        shown = ("mail", "worker")[self.looks % 2]
        if name in ("mail", "worker") and self.looks <= self.turns:
            return name != shown
        return super().healthy(name)

    def _alert(self, thing: Thing) -> None:
        if thing.name in ("mail", "worker"):
            thing.fires_since = thing.fires_since or self.now - 300
        else:
            super()._alert(thing)


def test_what_was_seen_only_once_is_not_restarted() -> None:
    """The second look shows another service ill than the first, and so on: nothing is restarted."""
    sim = _Fickle(shop.config(), turns=1_000_000)
    sim.advance(600)

    assert sim.looks > 100
    assert restarts_of(sim) == []


def test_what_stays_ill_is_restarted_after_all() -> None:
    """Once two looks agree, it is done."""
    sim = _Fickle(shop.config(), turns=50)
    sim.break_("mail", "restart")
    sim.advance(600)

    assert restarts_of(sim) == ["mail"]


def test_a_restart_that_ends_during_a_look_is_looked_at_again() -> None:
    """Docker showed the container down, then its restart ended: nobody is called for what was seen before."""
    two = replace(shop.config().ladder, rungs=(Rung.SERVICE, Rung.PAGE))
    sim = Sim(replace(shop.config(), ladder=two))
    later: list[Callable[[], None]] = []
    stops: dict[str, float] = {}
    sim.engine = engine = sim.start()
    engine._parts.restarts._spawn = later.append
    engine._parts = replace(engine._parts, stops=lambda: stops)
    sim.break_("mail", "restart")
    while not later:
        sim.advance(10)
    sim.things["mail"].state = "exited"
    seen = sim.look

    def look() -> object:
        found = seen()
        if later:
            later.pop()()
            stops["id-web"] = 1.0  # a human's stop of something else is noted in the same look
        return found

    sim.look = look  # type: ignore[method-assign]
    sim.advance(600)

    assert restarts_of(sim) == ["mail"]
    assert [e.kind for e in sim.entries if e.kind in ("climbed", "gave_up", "closed")] == ["closed"]


def test_a_flood_is_answered_in_few_commits() -> None:
    """Thousands of accepted alerts are decided without a commit for each: others wait behind them."""
    sim = Sim(shop.config())
    sim.advance(10)
    assert sim.engine is not None
    flood = [
        replace(shop.alert("api"), fingerprint=f"{number:016x}", starts_wall=sim.now - number)
        for number in range(3000)
    ]
    sim.engine.accept(records.received(flood, source="flood")).result()
    before = sim.commits
    sim.advance(10)

    assert sim.view().state.pending == {}
    assert sim.commits - before <= 10


def test_a_checkpoint_waits_while_thousands_are_undecided() -> None:
    """While nobody can be asked the accepted alerts stay in the state: it is kept once a minute then."""
    sim = Sim(shop.config())
    sim.advance(10)
    assert sim.engine is not None
    sim.alertmanager = False
    flood = [
        replace(shop.alert("api"), fingerprint=f"{number:016x}", starts_wall=sim.now - number)
        for number in range(MANY + 1)
    ]
    sim.engine.accept(records.received(flood, source="flood")).result()
    began = sim.now
    sim.advance(KEEP_MANY_S + 60)
    undecided, kept = len(sim.view().state.pending), [at - began for at in sim.kept if at > began]
    sim.alertmanager = True
    sim.advance(60)

    assert undecided == MANY + 1
    assert kept == [KEEP_MANY_S, 2 * KEEP_MANY_S]
    assert sim.view().state.pending == {}
    assert sim.kept[-1] == sim.now


@pytest.mark.parametrize(
    ("took_s", "waiting", "rests_s"),
    [(0.03, 0, 0.03), (0.03, FLOOD, 0.03), (0.03, FLOOD + 1, 1.0), (60.0, 0, 1.0)],
)
def test_a_flood_is_not_slowed_down_by_looks(took_s: float, waiting: int, rests_s: float) -> None:
    """A round gives intake as much time as it took, at most a second; a whole second in a flood."""
    assert breath(took_s, waiting) == rests_s


@dataclass
class _Heard(Silent):
    """Notes the decisions that it is told of."""

    decisions: list[Decision] = field(default_factory=list)

    def decided(self, decision: Decision) -> None:
        """Note it."""
        self.decisions.append(decision)


def test_what_a_slow_disk_wrote_after_all_is_decided_once() -> None:
    """
    An incident whose commit was refused for its time and written late is the root's only one.

    What is decided while nobody knows whether it was written would open a second one. What was
    decided then is told as well: each decision in the journal once.
    """
    heard = _Heard()
    sim = Sim(shop.config(), people=heard)
    sim.advance(10)
    sim.break_("cache", "restart")
    sim.advance(HOLD_S - 30)
    sim.slow_disk = True
    sim.advance(60)
    while_slow = [entry.kind for entry in sim.entries]
    sim.slow_disk = False
    healed = until(sim, lambda: sim.healthy("cache"), within_s=300)
    until(sim, lambda: not sim.view().state.incidents, within_s=600)
    decided = [records.decision_of(e.body) for e in sim.entries if e.kind == records.DECIDED]

    assert records.OPENED not in while_slow
    assert healed
    assert [e.body["root"] for e in sim.entries if e.kind == records.OPENED] == ["cache"]
    assert [e.kind for e in sim.entries if e.kind == records.CLOSED] == [records.CLOSED]
    assert restarts_of(sim) == ["cache"]
    assert heard.decisions == decided != []


def test_an_end_that_a_slow_disk_wrote_after_all_is_the_only_one() -> None:
    """The end of a restart was refused for its time: it is not read off Docker while it may be written yet."""
    sim = Sim(shop.config())
    sim.advance(10)
    sim.break_("cache", "restart")

    def slow(found: tuple[Record, ...]) -> None:
        sim.slow_disk |= any(record.kind == records.INTENDED for record in found)

    sim.committed = slow
    began = until(sim, lambda: sim.slow_disk, within_s=HOLD_S + 120)
    sim.committed = lambda _: None
    sim.advance(30)
    while_slow = [entry.kind for entry in sim.entries]
    sim.slow_disk = False
    sim.advance(900)
    ends = [e.body for e in sim.entries if e.kind == records.FINISHED]

    assert began
    assert records.FINISHED not in while_slow
    assert restarts_of(sim) == ["cache"]
    assert [(end["result"], end["detail"]) for end in ends] == [("succeeded", "")]
