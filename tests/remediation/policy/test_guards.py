"""
Every guard, one by one: it holds back what would be done, and without it the restart would happen.

A guard of remediation.policy.limits that has no case here fails the last test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from remediation import records
from remediation.config import Config
from remediation.model import Decision, Mode, Outcome, Sight
from remediation.policy import limits
from remediation.policy.decide import Plan
from remediation.state import State
from tests.remediation.policy.test_decide import after_restart
from tests.remediation.shop import (
    EXITED,
    NOW,
    SICK,
    WELL,
    alert,
    config,
    entry,
    plan,
    running,
    short,
    state,
    world,
)

TUPLES = ("CANNOT_TELL", "MAY_NOT", "NEVER", "NOT_NOW", "ELSEWHERE", "ONE_RESTART")


@dataclass(frozen=True, slots=True)
class Case:
    """A situation that one guard decides: what is expected with it; *without* it something is restarted."""

    guard: str
    expected: tuple[str, str, str]  # service, outcome, reason
    made: Callable[[], Plan]


def _with(config_of: Callable[[Config], Config], known: State | None = None) -> Plan:
    return plan(world(alert("api"), sights={"api": SICK}), known, cfg=config_of(config()))


def _mode(name: str, mode: Mode) -> Config:
    ours = config()
    changed = {name: replace(ours.services[name], mode=mode)}
    return replace(ours, services={**ours.services, **changed})


def _seen(service: str, sight: Sight, known: State | None = None) -> Plan:
    return plan(world(alert(service), sights={service: sight}), known)


def _companions() -> Plan:
    """Two healthy services live in the network of the one that is to be restarted."""
    shares = Sight(running(network_of="api"), probe=True)
    return plan(world(alert("api"), sights={"api": SICK, "worker": shares, "web": shares}))


def _spent() -> Plan:
    known = State()
    for hours in (0.7, 0.8, 0.9):
        known.acts += after_restart("api", at=NOW - hours * 3600).acts
    return _seen("api", SICK, known)


def _retry() -> Plan:
    """A second rung tries the same service again, sooner than the wait between tries allows."""
    known = after_restart("api", "api", "api", "api", "api", "api", at=NOW - 250)
    known.incidents["i1"].tried = []
    known.acts = []
    return _seen("api", SICK, known)


def _alertmanager_down() -> Plan:
    """An accepted alert, and nobody to ask about it."""
    known = state(records.received([alert("api")], source="test"))
    return plan(replace(world(sights={"api": SICK}), alerts=None), known)


CASES = (
    Case("alertmanager_down", ("api", "defer", "alertmanager_down"), _alertmanager_down),
    Case("blind", ("api", "defer", "blind"), lambda: plan(world(alert("api"), sights={"api": SICK}, watchdog_age_s=181.0))),
    Case("unsettled", ("api", "defer", "unsettled"), lambda: plan(world(alert("api"), sights={"api": SICK}, watchdog_age_s=None, uptime_s=60.0))),
    Case("docker_down", ("api", "defer", "docker_down"), lambda: plan(replace(world(alert("api")), docker_up=False, services={}))),
    Case("grace", ("api", "defer", "grace"), lambda: plan(replace(world(alert("api"), sights={"api": SICK}), docker_since_wall=NOW - 599))),
    Case("paused", ("api", "defer", "paused"), lambda: _seen("api", SICK, state(records.paused("me", "x")))),
    Case("frozen", ("api", "defer", "frozen"), lambda: _seen("api", SICK, state(records.frozen(["a", "b", "c"], ["x", "y"], 0.5)))),
    Case("never_restart", ("remediator", "skip", "never_restart"), lambda: plan(world(alert("remediator"), sights={"remediator": EXITED}), cfg=_mode("remediator", Mode.ACT))),
    Case("oneshot", ("migrate", "skip", "oneshot"), lambda: _seen("migrate", EXITED)),
    Case("absent", ("api", "skip", "absent"), lambda: _seen("api", Sight(running(state="removing"), probe=False))),
    Case("name_drift", ("api", "skip", "name_drift"), lambda: _seen("api", Sight(running(drift="project other"), probe=False))),
    Case("stopped_by_human", ("api", "skip", "stopped_by_human"), lambda: _seen("api", Sight(running(state="exited", stopped=True), probe=False))),
    Case("unseen", ("api", "defer", "docker_down"), lambda: _seen("api", Sight(running(state="unknown"), probe=False))),
    Case("maintenance", ("api", "defer", "maintenance"), lambda: _seen("api", SICK, state(records.held("app", 1800, "me", "x")))),
    Case("no_evidence", ("api", "defer", "no_evidence"), lambda: _seen("api", WELL)),
    Case("recreated", ("api", "defer", "recreated"), lambda: _seen("api", replace(EXITED, container=replace(EXITED.container, created_wall=NOW - 19)))),
    Case("starting", ("api", "defer", "starting"), lambda: _seen("api", Sight(running(started_wall=NOW - 19), probe=False))),
    Case("recovering", ("api", "defer", "recovering"), lambda: _seen("api", Sight(running(state="restarting"), probe=False))),
    Case("mode", ("db", "defer", "approval"), lambda: _seen("db", SICK)),
    Case("too_many_healthy", ("api", "defer", "too_many_healthy"), _companions),
    Case("spacing", ("api", "defer", "spacing"), lambda: _seen("api", SICK, _other_act())),
    Case("backoff", ("api", "defer", "backoff"), _retry),
    Case("spent_budget", ("api", "defer", "budget"), _spent),
)  # fmt: skip


def _other_act() -> State:
    known = after_restart("worker", at=NOW - 59)
    known.incidents.clear()
    return known


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.guard)
def test_the_guard_holds(case: Case) -> None:
    """In its case each guard decides, and nothing is restarted."""
    found = case.made()

    assert [each[:3] for each in short(found)] == [case.expected]
    assert found.act is None


# Guards behind which another one would hold the restart back, too: for each, what is left to see.
_BACKED = {"alertmanager_down", "docker_down", "absent", "unseen", "name_drift", "stopped_by_human", "never_restart", "oneshot", "no_evidence"}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.guard)
def test_without_the_guard_it_would_happen(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that is switched off is missed: another decision follows, mostly the restart itself."""
    guard = getattr(limits, case.guard)
    for name in TUPLES:
        rest = tuple(each for each in getattr(limits, name) if each is not guard)
        monkeypatch.setattr(limits, name, rest)

    found = case.made()

    assert [each[:3] for each in short(found)] != [case.expected]
    assert (found.act is None) == (case.guard in _BACKED)


def test_every_guard_has_a_case() -> None:
    """No guard is without a case, and no case without its guard."""
    guards = {each.__name__ for name in TUPLES for each in getattr(limits, name)}

    assert {case.guard for case in CASES} == guards


def test_an_exited_container_needs_no_approval() -> None:
    """Mode approve: what has exited is started, what runs and is unhealthy waits."""
    assert short(_seen("db", EXITED)) == [("db", "act", "restart", "db")]


def test_an_approval_lets_it_act() -> None:
    """With the approval of a human the restart is done, and the decision says so."""
    assert short(_seen("db", SICK, _approved(NOW - 60))) == [("db", "act", "approved", "db")]


def _approved(at: float, reason: str = "approval") -> State:
    """Return the state after a human was asked about db, for this *reason*, and said yes."""
    asked = Decision(Outcome.DEFER, reason, "db", "core", incident="i1", restart="db")
    return state(
        records.opened("i1", "db", "core", at - 300),
        records.decided(asked),
        records.approved("i1", "me"),
        at=at,
    )


def test_an_approval_answers_one_question() -> None:
    """A yes to another question, or before a recovery, is no yes to this one."""
    recovered = _approved(NOW - 60)
    recovered.apply(entry(records.healthy("i1"), NOW - 50))
    recovered.apply(entry(records.relapsed("i1"), NOW - 40))

    assert short(_seen("db", SICK, _approved(NOW - 60, "too_many_healthy"))) == [
        ("db", "defer", "approval", "db")
    ]
    assert short(_seen("db", SICK, recovered)) == [("db", "defer", "approval", "db")]


def test_an_old_approval_is_none() -> None:
    """An approval is for an hour: after that it speaks of another situation."""
    assert short(_seen("db", SICK, _approved(NOW - 3601))) == [("db", "defer", "approval", "db")]


def test_observing_says_what_it_would_do() -> None:
    """Mode observe: the decision names the restart that would have been done."""
    found = _seen("lab", EXITED)

    assert short(found) == [("lab", "defer", "observe", "lab")]
    assert found.decisions[0].detail == "would restart lab"


def test_a_healthy_stateful_service_is_never_restarted() -> None:
    """An alert about a database that is well by Docker and by its probe asks for nothing."""
    assert short(_seen("cache", WELL)) == [("cache", "skip", "healthy_stateful", "")]


def test_after_a_stateful_service_the_wait_is_longer() -> None:
    """Ten minutes pass after the restart of what keeps data, one after any other."""
    known = after_restart("cache", at=NOW - 599)
    known.incidents.clear()

    assert short(_seen("api", SICK, known)) == [("api", "defer", "spacing", "api")]


def test_a_healed_dependency_ends_the_wait() -> None:
    """The wait between tries ends early when what it needs has become healthy since."""
    known = after_restart("api", "api", "api", "api", "api", "api", at=NOW - 250)
    known.incidents["i1"].tried, known.acts = [], []
    known.apply(entry(records.opened("i2", "cache", "core", NOW - 300), NOW - 260))
    known.apply(entry(records.healthy("i2"), NOW - 20))

    assert short(_seen("api", SICK, known)) == [("api", "act", "restart", "api")]


def test_an_intent_of_unknown_outcome_blocks_others() -> None:
    """While a restart is under way no other begins."""
    known = after_restart("worker", incident="w1", at=NOW - 3000)
    known.apply(entry(records.Record(records.INTENDED, {
        "action": "b", "incident": "w1", "service": "worker", "tier": "app", "rung": "service",
        "container": "shop-worker", "id": "c0", "started_wall": 1.0,
    }), NOW - 2000))  # fmt: skip

    assert short(_seen("web", SICK, known)) == [("web", "defer", "spacing", "web")]


def test_a_dependant_that_starts_is_left_alone() -> None:
    """Announced work and a start of its own hold a dependant back in its root's incident, too."""
    known = after_restart("api", rung="dependants")
    known.apply(entry(records.healthy("i1"), NOW - 1000))
    young = Sight(running(started_wall=NOW - 9), probe=False)
    at_work = state(records.held("web", 1800, "me", "x"))
    known.holds = at_work.holds

    assert short(plan(world(alert("web"), sights={"web": SICK}), known)) == [
        ("web", "defer", "maintenance", "")
    ]
    known.holds = {}
    assert short(plan(world(alert("web"), sights={"web": young}), known)) == [
        ("web", "defer", "starting", "")
    ]


def test_one_that_is_observed_holds_nothing_up() -> None:
    """An unhealthy member of the tier in mode observe is passed over, the ladder goes on without it."""
    known = after_restart("worker", "worker", rung="tier")
    found = plan(world(alert("worker"), sights={"worker": EXITED, "lab": EXITED}), known)

    assert short(found) == [
        ("lab", "defer", "observe", "lab"),
        ("worker", "escalate", "ladder_exhausted", ""),
    ]


def test_those_who_share_its_network_are_restarted_after_it() -> None:
    """A container in the network of one that was restarted holds on to a network that is no more."""
    known = after_restart("api", at=NOW - 100)
    seen = world(
        alert("api"),
        sights={
            "api": Sight(running(started_wall=NOW - 99), probe=False),
            "worker": Sight(running(network_of="api"), probe=True),
        },
    )

    assert short(plan(seen, known)) == [("api", "act", "restart", "worker")]
