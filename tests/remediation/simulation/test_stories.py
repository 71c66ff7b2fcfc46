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


def _calls(sim: Sim) -> list[tuple[str, str]]:
    """Return whom people were called about without an incident, and of whom they heard the end."""
    found = []
    for entry in sim.entries:
        body = entry.body
        if entry.kind == records.DECIDED and body["outcome"] == "escalate" and not body["incident"]:
            found.append((str(body["reason"]), str(body["service"])))
        elif entry.kind == records.CALLED_OFF:
            found.append((str(body["how"]), str(body["service"])))
    return found


def _a_dependency_stops_and_starts(sim: Sim) -> None:
    sim.things["db"].state, sim.things["db"].stopped = "exited", True
    sim.advance(3600)
    sim.things["db"].state, sim.things["db"].stopped = "running", False
    sim.advance(3600)


def test_who_was_called_about_a_dependency_hears_of_the_end(sim: Sim) -> None:
    """A human stops the database that nothing alerts about, and starts it: a page and its end, each time."""
    sim.muted = frozenset({"db"})
    for _ in range(2):
        _a_dependency_stops_and_starts(sim)

    assert _calls(sim) == [("stopped_dependency", "db"), ("recovered", "db")] * 2
    assert (restarts_of(sim), sim.view().state.calls) == ([], {})


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_end_of_a_call_survives_crashes(sim: Sim, when: str) -> None:
    """SIGKILL before or after any commit of such a day: one page and one end all the same."""
    sim.muted = frozenset({"db"})
    _a_dependency_stops_and_starts(sim)
    for number in range(1, sim.commits + 1):
        crashing = Sim(shop.config(), muted=frozenset({"db"}), crash_at=f"{when} {number}")
        _a_dependency_stops_and_starts(crashing)

        assert _calls(crashing) == [("stopped_dependency", "db"), ("recovered", "db")]
    assert sim.commits > 3


def test_a_dependency_that_flaps_is_called_off_once(sim: Sim) -> None:
    """It comes for a minute and goes again, for hours: people were called once, and hear of one end."""
    sim.muted = frozenset({"db"})
    sim.break_("api", "forever")
    sim.advance(10)
    assert sim.engine is not None
    sim.engine.accept(records.paused("me", "it flaps")).result()
    for _ in range(30):
        sim.things["db"].state, sim.things["db"].stopped = "exited", True
        sim.advance(300)
        sim.things["db"].state, sim.things["db"].stopped = "running", False
        sim.advance(60)
    sim.advance(600)

    assert _calls(sim) == [("stopped_dependency", "db"), ("recovered", "db")]


def _handed_over(sim: Sim) -> None:
    """Let the cache heal and its dependant, the worker, not: people are called for the worker."""
    sim.break_("cache", "restart")
    sim.break_("worker", "forever")
    sim.advance(4 * 3600)


def test_a_root_is_healed_again_after_its_dependant_was_handed_over(sim: Sim) -> None:
    """The worker waits for its human; when the cache dies a day later, that is healed as any other fault."""
    _handed_over(sim)
    before = restarts_of(sim)
    sim.break_("cache", "restart", exits=True)
    sim.advance(1800)

    assert restarts_of(sim) == [*before, "cache"]
    assert (sim.healthy("cache"), sim.healthy("worker")) == (True, False)
    assert [each.handed for each in sim.view().state.incidents.values()] == ["worker"]


def test_it_is_over_only_when_who_people_were_called_for_is_healthy(sim: Sim) -> None:
    """Silencing the alert of what was handed over, or a gap in it, ends nothing; its cure does."""
    _handed_over(sim)
    sim.things["worker"].silenced = True
    sim.advance(4 * 3600)
    closed = _closed(sim)
    sim.things["worker"].fault = ""
    sim.advance(2 * 3600)

    assert (closed, _closed(sim)) == ([], ["recovered"])


def test_a_moment_of_its_root_is_no_page_without_end(sim: Sim) -> None:
    """The cache stutters while the worker is handed over: nobody is called for the cache."""
    _handed_over(sim)
    sim.break_("cache", "restart")
    sim.advance(10)
    sim.things["cache"].fault = ""
    sim.advance(600)
    escalated = [
        (entry.body["service"], entry.body["reason"])
        for entry in sim.entries
        if entry.kind == records.DECIDED and entry.body["outcome"] == "escalate"
    ]

    assert escalated == [("worker", "ladder_exhausted")]


def test_what_was_handed_over_is_not_restarted_for_another(sim: Sim) -> None:
    """A human is at work on the mailer; the tier rung of its neighbour passes it over."""
    sim.break_("mail", "forever")
    sim.advance(2 * 3600)
    before = restarts_of(sim)
    sim.break_("web", "forever")
    sim.advance(2 * 3600)

    assert set(before) == {"mail"}
    assert set(restarts_of(sim)[len(before) :]) == {"web"}


def test_one_that_was_given_up_and_flaps_calls_once(sim: Sim) -> None:
    """Well for five minutes, ill for four, again and again: one call, and one end, an hour after the last."""
    sim.break_("mail", "forever")
    sim.advance(2 * 3600)
    for _ in range(20):
        sim.things["mail"].fault = ""
        sim.advance(300)
        sim.break_("mail", "forever")
        sim.advance(240)
    sim.things["mail"].fault = ""
    sim.advance(3500)
    during = _closed(sim)
    sim.advance(300)

    assert [entry.body["service"] for entry in sim.entries if entry.kind == records.GAVE_UP] == [
        "mail"
    ]
    assert (during, _closed(sim)) == ([], ["recovered"])
