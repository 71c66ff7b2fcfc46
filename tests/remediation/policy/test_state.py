"""The state as a value: a copy is the same, and what happens to one is nothing to the other."""

from __future__ import annotations

import copy

import pytest

from remediation import records
from remediation.model import Container, Decision, Entry, Outcome, Restarted, Result
from remediation.state import State
from remediation.state_entries import KEEP_FAILURES_S
from remediation.state_parts import Failure
from tests.remediation import shop
from tests.remediation.simulation.sim import Sim


def _lived_through() -> Sim:
    """Return a shop after a storm, a release, human wishes, restarts and a give-up."""
    sim = Sim(shop.config())
    for name in ("cache", "mail", "db"):
        sim.break_(name, "restart", exits=True)
    sim.advance(900)
    assert sim.engine is not None
    for record in (
        records.released("me", "human"), records.held("web", 60, "me", "x"), records.paused("me", "x"),
        records.received([shop.alert("api")], source="x"), records.stopped({"id-web": 1.0}),
        records.resumed("me"), records.started("1", {"core": "observe"}),
    ):  # fmt: skip
        sim.engine.accept(record).result()
    sim.break_("worker", "forever")
    sim.advance(4 * 3600)
    return sim


@pytest.fixture(scope="module")
def sim() -> Sim:
    """Return a long story."""
    return _lived_through()


def test_a_copy_is_the_same_and_stays_so(sim: Sim) -> None:
    """At every entry: the copy equals the original, and keeps so while the original goes on."""
    state = State()
    for entry in sim.entries:
        before, made = copy.deepcopy(state), state.copy()
        assert made == before
        state.apply(entry)
        assert made == before
        made.apply(entry)
        assert made == state
    kinds = {entry.kind for entry in sim.entries}
    assert kinds >= {
        "frozen",
        "released",
        "intended",
        "finished",
        "climbed",
        "gave_up",
        "closed",
        "held",
    }


def test_what_happens_to_a_copy_is_nothing_to_the_original(sim: Sim) -> None:
    """At every entry: the copy goes on, the original does not change."""
    state = State()
    for entry in sim.entries:
        before = copy.deepcopy(state)
        state.copy().apply(entry)
        assert state == before
        state.apply(entry)


def test_old_failures_are_forgotten() -> None:
    """Of each service and rung the last failure is kept, for a day; what worked is none."""
    state, number = State(), 0

    def restart(service: str, result: Result, wall: float) -> None:
        nonlocal number
        decision = Decision(Outcome.ACT, "restart", service, restart=service)
        for record in (
            records.intended(service, decision, "app", Container("running"), "c"),
            records.finished(service, Restarted(result), 1.0),
        ):
            number += 1
            state.apply(Entry(number, wall, wall, record.kind, record.body, ""))

    restart("api", Result.FAILED, 0.0)
    restart("web", Result.UNKNOWN, 10.0)
    restart("web", Result.FAILED, 20.0)
    restart("mail", Result.SUCCEEDED, 30.0)
    before = dict(state.failures)
    restart("cache", Result.FAILED, KEEP_FAILURES_S)

    assert before == {
        "api/service": Failure("api", "app", "service", 0.0),
        "web/service": Failure("web", "app", "service", 20.0),
    }
    assert list(state.failures) == ["web/service", "cache/service"]
