"""Two roots below one dependant: all are named, and each of them holds the dependant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediation import records
from remediation.config import Config
from remediation.graph import build_graph
from remediation.notify import words
from remediation.policy.decide import Plan
from remediation.state import State
from tests.remediation import shop
from tests.remediation.policy.test_decide import after_restart
from tests.remediation.shop import (
    NOW,
    SICK,
    alert,
    config,
    entry,
    kinds,
    plan,
    short,
    state,
    world,
)
from tests.remediation.simulation.sim import Sim, restarts_of, until

MANY = [f"disk-{number}" for number in range(12)]


def _details(found: Plan) -> dict[str, str]:
    return {each.service: each.detail for each in found.decisions}


def test_the_other_roots_are_named() -> None:
    """The decision about the root that is worked on names those that its dependants wait for besides."""
    alerts = (alert("cache"), alert("api"), alert("web"))
    found = plan(world(*alerts, sights=dict.fromkeys(("db", "cache", "api", "web"), SICK)))

    assert short(found) == [("cache", "act", "restart", "cache")]
    assert _details(found) == {"cache": "probe failed; its dependants wait for db, too"}


def test_a_lone_root_has_no_others() -> None:
    """Where there is one root nothing is said of others."""
    found = plan(world(alert("cache"), alert("api"), sights={"cache": SICK, "api": SICK}))

    assert _details(found) == {"cache": "probe failed"}


def test_a_page_names_all_roots() -> None:
    """Who is called about the first root reads of the second in the same message."""
    late = world(alert("api", started=NOW - 901), sights={"db": SICK, "cache": SICK, "api": SICK})
    (decision,) = plan(late).decisions
    told = words.gave_up(decision)

    assert (decision.service, decision.reason) == ("db", "root_without_alert")
    assert told.lines[0].endswith(
        "(db is unhealthy as we see it; its dependants wait for cache, too)"
    )


def _with_many() -> Config:
    """Return a shop whose API needs a dozen disks besides."""
    ours = config()
    disk = replace(ours.services["db"], requires=())
    services = {name: replace(disk, name=name) for name in MANY}
    services |= ours.services
    services["api"] = replace(services["api"], requires=(*MANY, "db"))
    graph = build_graph({name: each.requires for name, each in services.items()})
    return replace(ours, services=services, graph=graph)


def test_many_roots_are_counted() -> None:
    """Of a dozen others five are named, the rest is a number."""
    sights = dict.fromkeys(("api", "db", *MANY), SICK)
    found = plan(world(alert("db"), alert("api"), sights=sights), cfg=_with_many())

    assert _details(found)["db"].endswith(
        "its dependants wait for disk-0, disk-1, disk-2, disk-3, disk-4 and 7 more, too"
    )


def _healed(root: str, healthy_at: float, *, rung: str = "service", incident: str = "i1") -> State:
    known = after_restart(root, incident=incident, rung=rung)
    known.apply(entry(records.healthy(incident), healthy_at))
    return known


@pytest.mark.parametrize("rung", ["service", "dependants", "tier"])
@pytest.mark.parametrize("alerted", [True, False])
def test_the_second_root_holds_the_dependant(rung: str, alerted: bool) -> None:
    """The first root is healed long since, the second is down: its dependant is not touched, at no rung."""
    alerts = [alert("api"), *([alert("cache")] if alerted else [])]
    seen = world(*alerts, sights={"cache": SICK, "api": SICK})
    found = plan(seen, _healed("db", NOW - 1000, rung=rung))

    expected = ("act", "restart", "cache") if alerted else ("defer", "root_without_alert", "")
    assert short(found) == [("cache", *expected)]
    # The first root's incident ends by itself; that of the second is its own.
    assert kinds(found) == ["closed", *(["opened"] if alerted else [])]


def _both(first_at: float, second_at: float) -> State:
    """Return the state after db and cache were healed, each in an incident of its own."""
    known = _healed("db", first_at)
    second = _healed("cache", second_at, incident="i2")
    known.incidents |= second.incidents
    return known


@pytest.mark.parametrize("first_at", [NOW - 1000, NOW - 60])
def test_dependants_get_their_time_after_the_last_root(first_at: float) -> None:
    """The dependant has the whole probation time from when the last of its roots became healthy."""
    ill = world(alert("api"), sights={"api": SICK})
    second_at = NOW - 60 if first_at < NOW - 60 else NOW - 1000
    early = plan(ill, _both(first_at, second_at))
    later = plan(ill, _both(first_at - 61, second_at - 61))

    assert short(early) == [("api", "defer", "verifying", "")]
    assert short(later) == [("api", "act", "restart", "api")]
    assert later.act is not None
    assert later.act.incident == ("i2" if first_at < second_at else "i1")


def test_announced_work_on_one_root_hides_no_other() -> None:
    """Work is announced on db, and the cache fails without an alert: people are told of the cache in time."""
    held = state(records.held("db", 7200, "me", "upgrade"))
    silenced = replace(alert("db"), suppressed=True)
    ill = dict.fromkeys(("db", "cache", "api"), SICK)
    found = plan(world(alert("api", started=NOW - 901), sights=ill), held)
    quiet = plan(world(silenced, alert("api", started=NOW - 901), sights=ill))

    assert short(found) == [("cache", "escalate", "root_without_alert", "")]
    assert short(quiet)[-1] == ("cache", "escalate", "root_without_alert", "")


def test_two_dead_roots_are_healed_and_nobody_else() -> None:
    """Both dependencies of the API die at once: each is restarted, in its turn; dependants never."""
    sim = Sim(shop.config())
    for name in ("db", "cache"):
        sim.break_(name, "restart", exits=True)

    assert until(sim, lambda: sim.healthy("web") and sim.healthy("worker"), within_s=2 * 3600)
    sim.advance(1800)
    assert (sorted(restarts_of(sim)), sim.view().state.incidents) == (["cache", "db"], {})
