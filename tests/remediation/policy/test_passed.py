"""Whom the ladder passes over: said once for each rung, with the reason, and nothing waits for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediation import records
from remediation.config import Config
from remediation.model import Decision, Mode, Outcome, Rung, Sight
from remediation.policy.decide import Plan
from remediation.policy.observing import would_have_done
from tests.remediation.policy.test_decide import after_restart
from tests.remediation.shop import (
    EXITED,
    NOW,
    SICK,
    alert,
    config,
    entry,
    kinds,
    plan,
    running,
    short,
    world,
)
from tests.remediation.simulation.sim import Sim


def _observing(*names: str) -> Config:
    ours = config()
    changed = {name: replace(ours.services[name], mode=Mode.OBSERVE) for name in names}
    return replace(ours, services=ours.services | changed)


def _about(found: Plan, service: str) -> list[tuple[str, str, str]]:
    return [
        (each.outcome.value, each.reason, each.detail)
        for each in found.decisions
        if each.service == service
    ]


def test_an_observed_member_is_named() -> None:
    """The tier's rung goes past an unhealthy member in mode observe, and says that it would restart it."""
    known = after_restart("worker", "worker", rung="tier")
    found = plan(world(alert("worker"), sights={"worker": EXITED, "lab": EXITED}), known)

    assert found.decisions == (
        Decision(
            Outcome.DEFER, "observe", "lab", "app", Rung.TIER, "i1", "lab", "would restart lab"
        ),
        Decision(
            Outcome.ESCALATE, "ladder_exhausted", "worker", "app", Rung.TIER, "i1",
            alerts=(alert("worker").key,),
        ),
    )  # fmt: skip


def test_an_observed_dependant_is_named_at_its_rung() -> None:
    """So does the rung of the dependants, once the turn is that one's: all it needs is healthy."""
    known = after_restart("cache", "cache", rung="dependants")
    known.apply(entry(records.healthy("i1"), NOW - 1000))
    seen = world(alert("worker"), sights={"worker": SICK, "api": EXITED})
    found = plan(seen, known, cfg=_observing("api"))

    assert short(found) == [
        ("api", "defer", "observe", "api"),
        ("worker", "act", "restart", "worker"),
    ]


def test_what_is_not_its_turn_is_not_said() -> None:
    """While its root is unhealthy nobody would restart the dependant, observed or not."""
    known = after_restart("cache", rung="dependants")
    seen = world(alert("cache"), sights={"worker": EXITED, "cache": SICK})
    found = plan(seen, known, cfg=_observing("worker"))

    assert short(found) == [("cache", "act", "restart", "cache")]


PASSED = {
    "stopped_by_human": Sight(running(state="exited", stopped=True), probe=False),
    "name_drift": Sight(running(state="exited", drift="project other"), probe=False),
}


@pytest.mark.parametrize("reason", PASSED)
def test_what_nothing_may_restart_is_named_with_its_reason(reason: str) -> None:
    """A member that a human stopped, or whose name leads elsewhere, is passed over with that reason."""
    known = after_restart("api", "api", rung="tier")
    found = plan(world(alert("api"), sights={"api": SICK, "worker": PASSED[reason]}), known)

    detail = {"stopped_by_human": "exited", "name_drift": "project other"}[reason]
    assert _about(found, "worker") == [("skip", reason, detail)]


def test_a_silenced_member_is_named() -> None:
    """One whose alert people have silenced is passed over at the rung, and its alert is answered as ever."""
    silenced = replace(alert("worker"), suppressed=True)
    known = after_restart("api", "api", rung="tier")
    found = plan(world(alert("api"), silenced, sights={"api": SICK, "worker": EXITED}), known)

    assert [(each.reason, each.lone) for each in found.decisions if each.service == "worker"] == [
        ("silenced", True),
        ("silenced", False),
    ]


def test_the_healthy_are_not_named() -> None:
    """A healthy member, and a job that ended well, are nothing to speak of."""
    known = after_restart("api", "api", rung="tier")
    found = plan(world(alert("api"), sights={"api": SICK}), known, cfg=_observing("worker"))

    assert short(found) == [("api", "escalate", "ladder_exhausted", "")]


def test_an_observed_dependant_with_an_alert_is_observed_by_itself() -> None:
    """Its root is healed and it stays ill: that is what would be restarted, and no reason to call people."""
    known = after_restart("cache", "cache", rung="tier")
    known.apply(entry(records.healthy("i1"), NOW - 1000))
    seen = world(alert("worker"), sights={"worker": EXITED})
    found = plan(seen, known, cfg=_observing("worker"))

    assert short(found) == [("worker", "defer", "observe", "worker")]
    assert kinds(found) == [
        "closed",
        "opened",
    ]  # cache is healed; what is observed holds nothing up


def test_it_has_its_time_to_recover_first() -> None:
    """For the probation time an observed dependant of a healed root is not spoken of either."""
    known = after_restart("cache")
    known.apply(entry(records.healthy("i1"), NOW - 60))
    seen = world(alert("worker"), sights={"worker": EXITED})

    assert short(plan(seen, known, cfg=_observing("worker"))) == [
        ("worker", "defer", "verifying", "")
    ]


def test_two_incidents_speak_of_it_once() -> None:
    """Two roots of one tier both reach the tier's rung: the observed member is named by the first."""
    known = after_restart("worker", "api", rung="tier")
    second = after_restart("api", "worker", incident="i2", rung="tier")
    known.incidents |= second.incidents
    ill = {"worker": EXITED, "api": SICK, "lab": EXITED}
    found = plan(world(alert("worker"), alert("api"), sights=ill), known)

    assert short(found) == [
        ("lab", "defer", "observe", "lab"),
        ("api", "escalate", "ladder_exhausted", ""),
        ("worker", "escalate", "ladder_exhausted", ""),
    ]


def test_it_is_written_once_for_each_rung_and_counted() -> None:
    """Hours of rounds leave one entry; the report of the observing tier counts it as one restart."""
    sim = Sim(config(), muted=frozenset({"lab"}))
    sim.break_("lab", "forever", exits=True)
    sim.break_("worker", "forever")
    sim.advance(6 * 3600)
    told = [
        entry.body["rung"]
        for entry in sim.entries
        if entry.kind == records.DECIDED and entry.body["service"] == "lab"
    ]

    assert told == ["tier"]
    assert would_have_done(sim.entries, config().tiers, 0.0)["app"] == {"lab": 1}


def test_one_signal_alone_is_nothing_to_speak_of() -> None:
    """An observed member whose probe failed a moment ago, and of which nobody else says a word, is not named."""
    known = after_restart("worker", "worker", rung="tier")
    found = plan(world(alert("worker"), sights={"worker": EXITED, "lab": SICK}), known)

    assert short(found) == [("worker", "escalate", "ladder_exhausted", "")]
