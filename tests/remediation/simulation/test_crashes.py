"""SIGKILL at every step of an incident: nothing is lost, nothing is restarted twice."""

from __future__ import annotations

import pytest

from remediation import records
from tests.remediation import shop
from tests.remediation.simulation.sim import Sim, restarts_of, until


def _story(crash_at: str, *, lost: bool = False) -> Sim:
    """Play a dead cache and its dependants with a crash at *crash_at*; return the sim at the end."""
    sim = Sim(shop.config(), crash_at=crash_at)
    if lost:
        sim.answer = "lost"
    sim.break_("cache", "restart")
    sim.break_("worker", "restart")
    until(sim, lambda: _healed(sim), within_s=4 * 3600)
    return sim


def _healed(sim: Sim) -> bool:
    return bool(sim.entries) and any(entry.kind == records.CLOSED for entry in sim.entries)


def _commits() -> int:
    """Return how many commits the story takes without a crash."""
    return _story("").commits


COMMITS = range(1, 1 + _commits())


def test_there_are_steps_to_crash_at() -> None:
    """The story without a crash heals with two restarts, in order, and commits at every transition."""
    sim = _story("")

    assert restarts_of(sim) == ["cache", "worker"]
    assert len(COMMITS) >= 8


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("commit", COMMITS)
def test_a_crash_around_any_commit(commit: int, when: str) -> None:
    """Killed before or after any commit it heals all the same, with the same restarts, each once."""
    sim = _story(f"{when} {commit}")

    assert restarts_of(sim) == ["cache", "worker"]
    assert _open_intents(sim) == set()


def test_a_crash_after_the_effect() -> None:
    """Killed between the restart and its record: the container's start tells, it is not repeated."""
    sim = _story("effect")

    assert restarts_of(sim) == ["cache", "worker"]
    assert "found done" in _details(sim)


def test_a_crash_after_an_effect_whose_answer_was_lost() -> None:
    """The same with an engine that never answers."""
    assert restarts_of(_story("effect", lost=True)) == ["cache", "worker"]


def test_a_crash_before_the_effect() -> None:
    """Killed between intent and restart: after its deadline it is found not done, and done once."""
    first = next(n for n in COMMITS if _intent_at(n))
    sim = _story(f"after {first}")

    assert restarts_of(sim) == ["cache", "worker"]
    assert "found not done" in _details(sim)


def _intent_at(commit: int) -> bool:
    """Whether the story's commit number *commit* writes an intent."""
    sim = Sim(shop.config(), crash_at=f"after {commit}")
    sim.break_("cache", "restart")
    sim.break_("worker", "restart")
    until(sim, lambda: sim.engine is None and sim.commits >= commit, within_s=3600)
    return bool(sim.entries) and sim.entries[-1].kind == records.INTENDED


def _details(sim: Sim) -> set[str]:
    return {str(e.body["detail"]) for e in sim.entries if e.kind == records.FINISHED}


def _open_intents(sim: Sim) -> set[str]:
    intended = {str(e.body["action"]) for e in sim.entries if e.kind == records.INTENDED}
    return intended - {str(e.body["action"]) for e in sim.entries if e.kind == records.FINISHED}


def test_budgets_count_across_crashes() -> None:
    """Killed after each of its restarts, it still restarts an incurable service no more than it may."""
    sim = Sim(shop.config())
    sim.break_("mail", "forever")
    for _ in range(400):
        sim.crash_at = "effect"
        sim.advance(60)

    assert restarts_of(sim) == ["mail"] * 3
