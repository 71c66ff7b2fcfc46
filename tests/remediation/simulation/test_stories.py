"""Whole stories in virtual time: a fault, the restarts that follow, and the end."""

from __future__ import annotations

import pytest

from remediation import records
from tests.remediation import shop
from tests.remediation.simulation.sim import Sim, restarts_of, until


@pytest.fixture
def sim() -> Sim:
    """Return a shop in which all is well."""
    return Sim(shop.config())


def _kinds(sim: Sim) -> list[str]:
    return [entry.kind for entry in sim.entries]


def _closed(sim: Sim) -> list[str]:
    return [str(entry.body["how"]) for entry in sim.entries if entry.kind == records.CLOSED]


def test_a_hung_service_is_healed(sim: Sim) -> None:
    """One restart, probation, and the incident is closed as healed."""
    sim.break_("api", "restart")

    assert until(sim, lambda: _closed(sim) == ["healed"], within_s=1200)
    assert restarts_of(sim) == ["api"]


def test_a_dead_dependency_is_healed_first_and_alone(sim: Sim) -> None:
    """The cache dies; who needs it recovers by itself and is not restarted."""
    sim.break_("cache", "restart", exits=True)

    assert until(sim, lambda: _closed(sim) == ["healed"], within_s=1800)
    assert restarts_of(sim) == ["cache"]


def test_dependants_that_stay_ill_come_second(sim: Sim) -> None:
    """The cache is healed, the worker hangs on its old connection: it is restarted after it, in order."""
    sim.break_("cache", "restart")
    sim.break_("worker", "restart")

    assert until(sim, lambda: bool(_closed(sim)), within_s=3600)
    assert restarts_of(sim) == ["cache", "worker"]


def test_an_incurable_service_ends_at_a_human(sim: Sim) -> None:
    """Each rung restarts it once; then people are called, and nothing is restarted any more."""
    sim.break_("mail", "forever")
    sim.advance(6 * 3600)

    assert restarts_of(sim) == ["mail"] * 3
    assert _kinds(sim).count(records.GAVE_UP) == 1


def test_only_a_joint_restart_cures(sim: Sim) -> None:
    """What needs its dependant to be restarted with it is cured by the second rung."""
    sim.break_("worker", "restart")
    sim.things["worker"].joint = frozenset({"api"})
    sim.break_("api", "restart")

    assert until(sim, lambda: sim.healthy("worker"), within_s=2 * 3600)
    assert set(restarts_of(sim)) == {"worker", "api"}


def test_a_storm_freezes_and_a_human_releases(sim: Sim) -> None:
    """Three roots at once: nothing happens until a human says so; then they are healed one by one."""
    for name in ("cache", "mail", "db"):
        sim.break_(name, "restart", exits=True)
    sim.advance(1200)
    before = restarts_of(sim)
    assert sim.engine is not None
    sim.engine.accept(records.released("me", "human")).result()
    healed = until(sim, lambda: all(map(sim.healthy, ("db", "cache", "mail"))), within_s=6 * 3600)

    assert before == []
    assert (healed, sorted(restarts_of(sim))) == (True, ["cache", "db", "mail"])


def test_a_lost_answer_is_not_asked_again(sim: Sim) -> None:
    """The restart was done and the answer lost: it is not repeated, and the incident heals."""
    sim.answer = "lost"
    sim.break_("api", "restart")

    assert until(sim, lambda: _closed(sim) == ["healed"], within_s=1800)
    assert restarts_of(sim) == ["api"]


def test_a_vanished_alert_of_a_blind_alertmanager_heals_nothing(sim: Sim) -> None:
    """Prometheus dies amid an incident: alerts vanish, the incident stays open until it is back."""
    sim.break_("mail", "forever")
    until(sim, lambda: bool(sim.done), within_s=1200)
    sim.watchdog = False
    sim.things["mail"].fault = ""
    sim.advance(3600)
    blind = _closed(sim)
    sim.watchdog = True
    sim.advance(600)

    assert (blind, _closed(sim)) == ([], ["healed"])


def test_a_lost_webhook_costs_nothing(sim: Sim) -> None:
    """No message was ever delivered: what Alertmanager's API tells is enough."""
    sim.break_("api", "restart")
    until(sim, lambda: bool(sim.done), within_s=600)

    assert records.RECEIVED not in _kinds(sim)
    assert restarts_of(sim) == ["api"]


def test_a_message_that_comes_late_repeats_nothing(sim: Sim) -> None:
    """The message of an alert that was healed meanwhile is answered with: resolved."""
    sim.break_("api", "restart")
    until(sim, lambda: _closed(sim) == ["healed"], within_s=1200)
    assert sim.engine is not None
    late = shop.alert("api", started=sim.now - 900)
    for _ in range(1000):
        sim.engine.accept(records.received([late], source="late")).result()
    sim.advance(300)

    assert restarts_of(sim) == ["api"]
    assert sim.view().state.pending == {}
    assert sim.view().state.answers[late.fingerprint].reason == "resolved"


def test_what_is_stopped_by_a_human_stays_so(sim: Sim) -> None:
    """A human stops the service in the middle of the probation: it is left alone, the incident ends."""
    sim.break_("api", "restart")
    until(sim, lambda: bool(sim.done), within_s=600)
    sim.things["api"].state, sim.things["api"].stopped = "exited", True
    sim.advance(3600)

    assert restarts_of(sim) == ["api"]
    assert _closed(sim) == ["cancelled"]


def test_a_flapping_alert_is_restarted_within_its_budget(sim: Sim) -> None:
    """It breaks again after every restart, for a day: the budget holds, and a human is called."""
    for _ in range(24 * 12):
        sim.break_("mail", "restart")
        sim.advance(300)

    assert len(sim.done) <= 7
    assert records.GAVE_UP in _kinds(sim)


def test_a_full_disk_means_no_action(sim: Sim) -> None:
    """What cannot be written is not done; when there is space again, it is."""
    sim.broken_journal = True
    sim.break_("api", "restart")
    sim.advance(1200)
    full = restarts_of(sim)
    sim.broken_journal = False
    healed = until(sim, lambda: _closed(sim) == ["healed"], within_s=1200)

    assert (full, healed, restarts_of(sim)) == ([], True, ["api"])


def test_a_wall_clock_that_is_set_opens_no_budget(sim: Sim) -> None:
    """The clock is set forward a day, and back again: the windows do not move."""
    sim.break_("mail", "forever")
    until(sim, lambda: len(sim.done) == 3, within_s=7200)
    for shift in (86400.0, -86400.0, 0.0):
        sim.wall_shift = shift
        sim.advance(900)

    assert restarts_of(sim) == ["mail"] * 3
