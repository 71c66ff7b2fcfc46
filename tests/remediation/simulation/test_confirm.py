"""Between the decision and the restart the world goes on: what changes in that moment counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from remediation import records
from remediation.model import Record
from tests.remediation import shop
from tests.remediation.simulation.sim import Sim, restarts_of, until


def _resolve(sim: Sim) -> None:
    thing = sim.things["api"]
    thing.fault, thing.fires_since, thing.unhealthy_since = "", None, None


def _silence(sim: Sim) -> None:
    sim.things["api"].silenced = True


def _stop(sim: Sim) -> None:
    sim.things["api"].state, sim.things["api"].stopped = "exited", True


def _break_dependency(sim: Sim) -> None:
    sim.break_("cache", "forever")


def _pause(sim: Sim) -> None:
    assert sim.engine is not None
    sim.engine.accept(records.paused("me", "wait")).result()


def _restart_by_hand(sim: Sim) -> None:
    sim.things["api"].started = sim.now


def _docker_goes(sim: Sim) -> None:
    sim.docker = False


def _alertmanager_goes(sim: Sim) -> None:
    sim.alertmanager = False


@pytest.mark.parametrize(
    "change",
    [
        _resolve, _silence, _stop, _break_dependency, _pause, _restart_by_hand, _docker_goes,
        _alertmanager_goes,
    ],
    ids=lambda change: change.__name__.strip("_"),
)  # fmt: skip
def test_what_changes_at_the_last_moment_counts(change: Callable[[Sim], None]) -> None:
    """Decided, and then this happens while the evidence is collected: nothing is restarted for now."""
    sim = Sim(shop.config())
    happened: list[float] = []

    def meanwhile() -> None:
        if not happened:
            happened.append(sim.now)
            change(sim)

    sim.meanwhile = meanwhile
    sim.break_("api", "restart")
    until(sim, lambda: bool(happened), within_s=600)

    assert len(happened) == 1
    assert restarts_of(sim) == []
    assert [entry.kind for entry in sim.entries if entry.kind == records.INTENDED] == []


def test_what_was_seen_too_long_ago_is_no_reason() -> None:
    """The disk takes its time over the intent: it is abandoned, and done after another look."""
    sim = Sim(shop.config())
    slow: list[float] = []

    def committed(found: tuple[Record, ...]) -> None:
        if found[0].kind == records.INTENDED and not slow:
            slow.append(sim.now)
            sim.now += 6.0

    sim.committed = committed
    sim.break_("api", "restart")
    until(sim, lambda: bool(slow), within_s=600)
    then = restarts_of(sim)
    ended = [entry.body["detail"] for entry in sim.entries if entry.kind == records.FINISHED]
    healed = until(sim, lambda: sim.healthy("api"), within_s=1200)

    assert (then, ended) == ([], ["not done: too long since the look"])
    assert (healed, restarts_of(sim)) == (True, ["api"])
