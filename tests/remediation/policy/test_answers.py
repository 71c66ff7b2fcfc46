"""Each alert of a message is told with the root that it is decided under, and with why that is the root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from remediation import records
from remediation.clock import Moment
from remediation.graph import build_graph
from remediation.model import Alert, Container, Sight, World
from remediation.policy.answers import answers, below, undecided
from remediation.policy.decide import decide
from remediation.policy.situation import Situation
from remediation.state import State
from tests.remediation.shop import (
    EXITED,
    NOW,
    SICK,
    WELL,
    alert,
    config,
    running,
    state,
    tier_alert,
    world,
)

ABSENT = Sight(Container("absent"))
STARTING = Sight(running(health="starting", started_wall=NOW - 5))
SILENT = Sight(running(), probe=None)


def _here(seen: World, known: State | None = None) -> Situation:
    return Situation(config(), known or State(), seen, Moment(NOW, NOW))


def _told(*alerts: Alert, known: State | None = None, **sights: Sight) -> list[str]:
    """Return what is told of *alerts*, which are active, where *sights* says who is not well."""
    return [each.told for each in answers(_here(world(*alerts, sights=sights), known), alerts)]


WHY: Mapping[str, tuple[Sight, tuple[Alert, ...], str]] = {
    "seen": (EXITED, (), "container exited"),
    "answers badly": (SICK, (), "probe failed"),
    "gone": (ABSENT, (), "container absent"),
    "starting": (STARTING, (), "it has just been started"),
    "silent": (SILENT, (), "it has not answered yet"),
    "alerted only": (WELL, (alert("cache"),), "an alert asks to restart it"),
}


@pytest.mark.parametrize(("sight", "more", "why"), WHY.values(), ids=list(WHY))
def test_why_it_is_the_root(sight: Sight, more: tuple[Alert, ...], why: str) -> None:
    """What is wrong with the cache is said with the alert of the worker, which needs it."""
    told = _told(alert("worker"), *more, worker=EXITED, cache=sight)

    assert told[0] == f"it is the root of worker (ServiceDown), which waits for it: {why}"


def test_who_is_between_is_named() -> None:
    """The page needs the interface and that the database: both steps are told, also where the middle is well."""
    for api in (SICK, WELL):
        assert _told(alert("web"), web=SICK, db=EXITED, api=api) == [
            "it is the root of web (ServiceDown), which waits for it by way of api: container exited"
        ]


def test_the_way_leads_to_the_root() -> None:
    """Of two that the page needs only the one that needs the database stands between them."""
    needs = {**config().graph.requires, "web": ("mail", "api")}
    seen = world(alert("web"), sights={"web": SICK, "db": EXITED})
    here = replace(_here(seen), config=replace(config(), graph=build_graph(needs)))

    assert [each.way for each in answers(here, [alert("web")])] == [("api",)]


def test_what_is_not_decided_is_told() -> None:
    """A young Alertmanager does not list them: one that fires stays accepted, one that does not is over."""
    alerts = (alert("web"), replace(alert("mail"), firing=False))
    known = state(records.received(alerts, source="x"))
    plan = decide(_here(world(uptime_s=5.0), known), lambda: "i")

    assert list(undecided(plan.decisions, alerts)) == [
        "web (ServiceDown): nothing is decided: nobody says whether it is active; it stays accepted",
        "mail (ServiceDown): nothing is decided: over",
    ]


def test_an_alert_of_a_tier_stands_for_several() -> None:
    """One of a tier is told once per member that is unhealthy: for its own sake, or for its root's."""
    told = _told(tier_alert("app"), api=EXITED, worker=SICK, db=SICK)

    assert sorted(told) == [
        "it answers tier app (TierDegraded) for worker",
        "it is the root of tier app (TierDegraded) for api, which waits for it: probe failed",
    ]


def test_who_stands_for_nobody_has_no_root() -> None:
    """What is silenced, not ours or over has a decision of its own."""
    silenced = replace(alert("mail"), suppressed=True)
    over = alert("web", "Over", started=NOW - 900)
    seen = world(silenced, alert("ghost"))
    found = answers(_here(seen), [silenced, alert("ghost"), over])

    assert [(each.service, each.root) for each in found] == [("", "")] * 3


@pytest.mark.parametrize("docker_up", [True, False], ids=["all answer", "Docker does not answer"])
@pytest.mark.parametrize("asked", [True, False], ids=["", "Alertmanager does not answer"])
@pytest.mark.parametrize("watchdog_age_s", [10.0, 900.0], ids=["", "blind"])
def test_every_alert_stands_below_a_decision(
    *, docker_up: bool, asked: bool, watchdog_age_s: float
) -> None:
    """Whatever can be told: each alert that a decision answers is found below one, and below no other root's."""
    alerts = (alert("web"), alert("worker"), alert("cache"), alert("cache", "CacheFull"), alert("ghost"),
              replace(alert("mail"), suppressed=True), tier_alert("app"))  # fmt: skip
    sick = dict.fromkeys(("web", "api", "worker", "cache", "db"), EXITED)
    seen = replace(world(*alerts, sights=sick, watchdog_age_s=watchdog_age_s), docker_up=docker_up)
    seen = seen if asked else replace(seen, alerts=None)
    here = _here(seen, state(records.received(alerts, source="x")))
    plan = decide(here, lambda: "i")
    found = answers(here, alerts)

    placed = [each for decision in plan.decisions for each in below(decision, found)]
    answered = {key for decision in plan.decisions for key in decision.alerts}
    assert {each.alert.key for each in placed} == answered == {each.key for each in alerts}
    # Blind, one that asks for nothing is answered so, and once more because nobody confirms it.
    assert len([each for each in placed if each.root]) == len([each for each in found if each.root])
