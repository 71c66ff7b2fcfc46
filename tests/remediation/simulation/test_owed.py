"""Pages and their ends reach people whatever crashes, and only their own end takes them back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediation.config import Config
from remediation.model import Mode
from tests.remediation import shop
from tests.remediation.simulation.people import People
from tests.remediation.simulation.sim import Sim

HOUR_S = 3600.0


def _people(sim: Sim) -> People:
    sim.people = People(sim)
    return sim.people


def _impatient() -> Config:
    """Return a configuration by which a fault is another one after five minutes."""
    return replace(shop.config(), ladder=replace(shop.config().ladder, same_incident_s=300.0))


def _story(crash_at: str) -> tuple[Sim, People]:
    """Play an incurable mail that a human mends; return the sim and what people got."""
    sim = Sim(_impatient(), crash_at=crash_at)
    people = _people(sim)
    sim.break_("mail", "forever")
    sim.advance(600)
    sim.break_("mail", "")
    sim.advance(600)
    return sim, people


COMMITS = range(1, 1 + _story("")[0].commits)


def test_a_page_and_its_end() -> None:
    """The story without a crash: one page, one end of it, and the end of the work for machines."""
    sim, people = _story("")

    assert [(each.alert, each.resolved) for each in people.got] == [
        ("RemediationGaveUp", False), ("RemediationGaveUp", True), ("RemediationRestarted", True),
    ]  # fmt: skip
    assert sim.view().state.owed == {}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("commit", COMMITS)
def test_a_crash_loses_no_message(commit: int, when: str) -> None:
    """Killed around any commit, the one after a decision and before its page too: all of it arrives."""
    sim, people = _story(f"{when} {commit}")

    assert {(each.alert, each.resolved) for each in people.got} == {
        ("RemediationGaveUp", False), ("RemediationGaveUp", True), ("RemediationRestarted", True),
    }  # fmt: skip
    assert people.open() == set()
    assert sim.view().state.owed == {}


def test_a_page_that_nobody_got_is_still_owed_by_the_next_process() -> None:
    """The pager is away while the remediator dies and comes again: the page comes when the pager does."""
    sim = Sim(shop.config())
    people = _people(sim)
    people.deaf = True
    sim.break_("mail", "forever")
    sim.advance(3 * HOUR_S)
    sim.engine = None
    sim.advance(HOUR_S)
    assert people.got == []
    people.deaf = False
    sim.advance(60)

    assert [(each.alert, each.service) for each in people.got] == [("RemediationGaveUp", "mail")]


def test_blindness_ends_in_another_process_than_it_began_in() -> None:
    """Blind, killed, seeing again: people hear of both, and of the end only once the Watchdog is there."""
    sim = Sim(shop.config())
    people = _people(sim)
    sim.watchdog = False
    sim.advance(600)
    assert people.open() == {("RemediationBlind", "none")}
    sim.engine, sim.alertmanager = None, False
    sim.advance(60)
    sim.alertmanager, sim.alertmanager_since = True, sim.now
    sim.advance(60)
    assert people.open() == {("RemediationBlind", "none")}
    assert len(people.got) == 1
    sim.watchdog = True
    sim.advance(60)

    assert people.open() == set()
    assert [each.resolved for each in people.got] == [False, True]


def test_a_fault_much_later_begins_at_the_first_rung() -> None:
    """An incident that stays open for a question about a dependant carries no old ladder into the next fault."""
    services = dict(shop.config().services)
    services["worker"] = replace(services["worker"], mode=Mode.APPROVE)
    sim = Sim(replace(_impatient(), services=services))
    people = _people(sim)
    sim.break_("cache", "restart")
    sim.break_("worker", "restart")
    sim.advance(HOUR_S)
    for _ in range(5):
        before = len(sim.done)
        sim.break_("cache", "restart")
        sim.advance(HOUR_S)
        assert [each.service for each in sim.done[before:]] == ["cache"]
        assert sim.healthy("cache")
    assert [each.gave_up for each in sim.view().state.incidents.values()] == [""]
    assert people.open() == {("RemediationApprovalNeeded", "worker")}
