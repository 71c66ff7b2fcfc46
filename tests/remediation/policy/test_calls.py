"""Who was called about a root without an incident hears of its end: once, in time, and only then."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from remediation import records
from remediation.model import Alert, Decision, Outcome, Record, Sight, World
from remediation.policy.decide import Plan
from remediation.state import State
from remediation.state_parts import Call
from tests.remediation.policy.test_edges import _without
from tests.remediation.shop import (
    NOW,
    SICK,
    alert,
    entry,
    kinds,
    plan,
    running,
    short,
    tier_alert,
    world,
)

PROBATION_S = 120.0
STOPPED = Sight(running(state="exited", stopped=True), probe=False)
API = alert("api", started=NOW - 901)
DOWN = {"db": STOPPED, "api": SICK}
UNSEEN = {"cache": SICK, "api": SICK}


def _called(service: str = "db", reason: str = "stopped_dependency", at: float = NOW - 60) -> State:
    """Return the state after people were called about *service*, as journals have it since the first version."""
    page = Decision(Outcome.ESCALATE, reason, service, "core", detail="x", alerts=(API.key,))
    known = State()
    known.apply(entry(records.decided(page), at))
    return known


def _eased(known: State, at: float) -> State:
    (service,) = known.calls
    known.apply(entry(records.eased(service, eased=True), at))
    return known


def test_a_page_without_an_incident_is_a_call() -> None:
    """Both pages about a root that only its dependants' alerts speak of are remembered as calls."""
    for sights, service, reason in (
        (DOWN, "db", "stopped_dependency"),
        (UNSEEN, "cache", "root_without_alert"),
    ):
        found = plan(world(API, sights=sights))
        known = State()
        for decision in found.decisions:
            known.apply(entry(records.decided(decision), NOW))

        assert known.calls == {service: Call(service, "core", reason, NOW)}


def test_a_page_with_an_incident_is_none() -> None:
    """An incident tells its own end; what is only deferred calls nobody."""
    known = State()
    for outcome, incident in ((Outcome.ESCALATE, "i1"), (Outcome.DEFER, "")):
        told = Decision(outcome, "budget", "db", "core", incident=incident)
        known.apply(entry(records.decided(told), NOW))

    assert known.calls == {}


# What is there while people are needed; the second is about a root that Prometheus does not see.
HOLDS: dict[str, tuple[str, World]] = {
    "it is still down": ("stopped_dependency", world(API, sights=DOWN)),
    "its own alert changes nothing for those who need it": (
        "stopped_dependency", world(API, alert("db"), sights=DOWN),
    ),
    "a dependant of a dependant waits": ("stopped_dependency", world(alert("web"), sights=DOWN)),
    "a tier waits": ("stopped_dependency", world(tier_alert("app"), sights=DOWN)),
    "people have silenced who needs it": (
        "stopped_dependency", world(replace(API, suppressed=True), sights=DOWN),
    ),
    "nobody but us sees it": ("root_without_alert", world(API, sights={**DOWN, "db": SICK})),
    "docker does not say": ("stopped_dependency", world(API, sights={**DOWN, "db": Sight(running(state="unknown"))})),
}  # fmt: skip
OVER: dict[str, tuple[str, str, World]] = {
    "it runs again": ("recovered", "stopped_dependency", world(API, sights={"api": SICK})),
    "who needed it is quiet": ("quiet", "stopped_dependency", world(sights=DOWN)),
    "only its own alert is left": ("quiet", "stopped_dependency", world(alert("db"), sights=DOWN)),
    "only others have alerts": ("quiet", "stopped_dependency", world(alert("mail"), sights=DOWN)),
    "it is healthy": ("recovered", "root_without_alert", world(API, sights={"api": SICK})),
    "it has an alert": ("alerted", "root_without_alert", world(API, alert("db"), sights={"db": SICK, "api": SICK})),
    "its alert is silenced": (
        "alerted", "root_without_alert",
        world(API, replace(alert("db"), suppressed=True), sights={"db": SICK, "api": SICK}),
    ),
}  # fmt: skip
CANNOT_TELL: dict[str, World] = {
    "docker is down": replace(world(), docker_up=False, services={}),
    "alertmanager is down": replace(world(), alerts=None),
    "blind": world(watchdog_age_s=181.0),
    "alertmanager is young": world(uptime_s=60.0),
}


def _of_calls(found: Plan) -> list[Record]:
    return [each for each in found.records if each.kind in (records.EASED, records.CALLED_OFF)]


@pytest.mark.parametrize("case", HOLDS)
def test_while_it_holds_nothing_is_said(case: str) -> None:
    """What people were called about is as it was: nothing is written, however long it lasts."""
    reason, seen = HOLDS[case]

    assert _of_calls(plan(seen, _called(reason=reason, at=NOW - 86400))) == []


@pytest.mark.parametrize("case", OVER)
def test_its_end_is_told_after_the_probation(case: str) -> None:
    """What people were called about is gone: that is noted, and told when it has stayed so."""
    how, reason, seen = OVER[case]
    first = plan(seen, _called(reason=reason))
    amid = plan(seen, _eased(_called(reason=reason), NOW - PROBATION_S + 1))
    end = plan(seen, _eased(_called(reason=reason), NOW - PROBATION_S))

    assert _of_calls(first) == [records.eased("db", eased=True)]
    assert _of_calls(amid) == []
    assert _of_calls(end) == [records.called_off("db", "core", reason, how)]


@pytest.mark.parametrize("case", HOLDS)
def test_what_comes_back_is_not_over(case: str) -> None:
    """Gone for a moment and there again: nobody is told of an end, and the time begins anew."""
    reason, seen = HOLDS[case]
    known = _eased(_called(reason=reason), NOW - PROBATION_S)

    assert _of_calls(plan(seen, known)) == [records.eased("db", eased=False)]


@pytest.mark.parametrize("case", CANNOT_TELL)
def test_what_cannot_be_told_ends_nothing(case: str) -> None:
    """Without Docker, Alertmanager, a Watchdog, nothing is taken for over, nor for there again."""
    for known in (_called(), _eased(_called(), NOW - 3600)):
        assert _of_calls(plan(CANNOT_TELL[case], known)) == []


def test_a_service_that_left_the_configuration_is_called_off() -> None:
    """A reload takes the service away: that is an end, and told at once."""
    known = _called("mail")

    assert _of_calls(plan(world(), known, cfg=_without("mail"))) == [  # type: ignore[arg-type]
        records.called_off("mail", "core", "stopped_dependency", "unknown")
    ]


def test_nobody_was_called_nothing_is_told() -> None:
    """A dependency that was down and called nobody ends without a word."""
    early = plan(world(alert("api"), sights=UNSEEN))

    assert short(early) == [("cache", "defer", "root_without_alert", "")]
    assert _of_calls(plan(world(API, sights={"api": SICK}))) == []


def test_after_the_end_the_same_is_news_again() -> None:
    """Called off, the root's last decision is forgotten: the same fault another day calls people again."""
    known = _eased(_called(), NOW - PROBATION_S)
    for record in plan(world(), known).records:
        known.apply(entry(record, NOW))
    page = plan(world(API, sights=DOWN), known).decisions[0]

    assert (known.calls, known.last) == ({}, {})
    assert (page.outcome, page.reason) == (Outcome.ESCALATE, "stopped_dependency")


def test_a_later_decision_is_kept() -> None:
    """What was decided about the root after the call stays the last word on it."""
    known = _called()
    later = Decision(Outcome.SKIP, "stopped_by_human", "db", "core")
    known.apply(entry(records.decided(later), NOW - 30))
    known.apply(entry(records.called_off("db", "core", "stopped_dependency", "quiet"), NOW))

    assert [last.reason for last in known.last.values()] == ["stopped_by_human"]


def test_a_second_page_is_the_same_call() -> None:
    """Called once more about the same root, for another reason: one call, one end to come."""
    known = _eased(_called(reason="root_without_alert", at=NOW - 600), NOW - 90)
    page = Decision(Outcome.ESCALATE, "stopped_dependency", "db", "core")
    known.apply(entry(records.decided(page), NOW - 30))

    assert known.calls == {"db": Call("db", "core", "stopped_dependency", NOW - 600)}


def test_calls_outlive_a_checkpoint_and_old_ones_are_read() -> None:
    """The state as JSON keeps them; a checkpoint of an older version has none."""
    known = _eased(_called(), NOW)
    data = json.loads(json.dumps(known.to_json()))
    old = {key: value for key, value in data.items() if key != "calls"}

    assert State.from_json(data) == known
    assert State.from_json(old) == replace(known, calls={})


def test_a_copy_does_not_share_its_calls() -> None:
    """What happens to a copy is nothing to the original."""
    known = _called()
    copy = known.copy()
    _eased(copy, NOW)

    assert (known.calls["db"].eased_at, copy.calls["db"].eased_at) == (None, NOW)


def test_each_call_ends_by_itself() -> None:
    """Two roots people were called about: the one that is over is told, the other is not."""
    alerts: tuple[Alert, ...] = (API,)
    known = _called("cache", "root_without_alert")
    known.calls |= _called("db").calls
    for name in known.calls:
        known.apply(entry(records.eased(name, eased=True), NOW - PROBATION_S))
    found = plan(world(*alerts, sights={"db": STOPPED, "api": SICK}), known)

    assert _of_calls(found) == [
        records.called_off("cache", "core", "root_without_alert", "recovered"),
        records.eased("db", eased=False),
    ]
    assert kinds(found) == ["called_off", "eased"]
