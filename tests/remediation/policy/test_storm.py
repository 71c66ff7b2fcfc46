"""Storms: what is one, what only looks like one, and how it ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from remediation import records
from remediation.model import Sight
from remediation.policy.decide import Plan
from remediation.state import State
from tests.remediation.policy.test_decide import after_restart
from tests.remediation.shop import (
    NOW,
    SICK,
    alert,
    entry,
    kinds,
    plan,
    running,
    short,
    state,
    world,
)

STORM = ("db", "worker", "mail")  # three tiers, nobody needs another that is unhealthy


def _at_once(services: Iterable[str], known: State | None = None, *, now: float = NOW) -> Plan:
    names = tuple(services)
    seen = world(*map(alert, names), sights=dict.fromkeys(names, SICK), asked_at=now)
    return plan(seen, known, now=now)


def test_three_unrelated_roots_freeze() -> None:
    """Three roots in three tiers, three of seven services: nothing is restarted."""
    found = _at_once(STORM)

    assert records.frozen(STORM, ("core", "app", "edge"), 3 / 7) in found.records
    assert {each[1:3] for each in short(found)} == {("defer", "frozen")}


def test_a_cascade_is_no_storm() -> None:
    """One dead cache takes four services down: one root, no storm."""
    found = _at_once(("cache", "api", "worker", "web"))

    assert short(found) == [("cache", "act", "restart", "cache")]


@pytest.mark.parametrize("services", [("db", "mail"), ("worker", "mail")], ids=" ".join)
def test_below_the_floor_is_no_storm(services: tuple[str, ...]) -> None:
    """Two roots are below the floor, whatever their share."""
    assert "frozen" not in kinds(_at_once(services))


def test_one_tier_is_no_storm() -> None:
    """Roots of one tier only are no storm: it takes two."""
    seen = world(
        *map(alert, ("api", "worker", "lab")),
        sights={"api": SICK, "worker": SICK, "lab": Sight(running(), probe=False)},
    )

    assert "frozen" not in kinds(plan(seen))


def test_a_small_share_is_no_storm() -> None:
    """Three roots of a large platform are no storm: the share is not reached."""
    from tests.remediation.shop import config

    large = replace(config(), storm=replace(config().storm, share=0.43))
    seen = world(*map(alert, STORM), sights=dict.fromkeys(STORM, SICK))

    assert "frozen" not in kinds(plan(seen, cfg=large))


def test_old_troubles_are_no_storm() -> None:
    """Roots that have been down for longer than the window did not fail at once."""
    known = state(records.opened("i1", "db", "core", NOW - 9000), at=NOW - 301)

    assert "frozen" not in kinds(_at_once(STORM, known))


def test_what_is_being_healed_counts_as_unhealthy() -> None:
    """A service that was restarted and looks well already still counts in the share."""
    known = after_restart("api", at=NOW - 3600)
    seen = world(*map(alert, STORM), sights=dict.fromkeys(STORM, SICK))

    assert records.frozen(STORM, ("core", "app", "edge"), 4 / 7) in plan(seen, known).records


def _frozen(at: float = NOW - 3600) -> State:
    return state(records.frozen(STORM, ("core", "app", "edge"), 0.5), at=at)


def test_calm_is_noticed_and_ends_the_freeze() -> None:
    """Below the floor it is calm; after the cool-down action is allowed again, without a human."""
    known = _frozen()
    first = _at_once(("web",), known)
    known.apply(entry(records.calm(calm=True), NOW))
    before = _at_once(("web",), known, now=NOW + 1799)
    after = _at_once(("web",), known, now=NOW + 1800)

    assert records.calm(calm=True) in first.records
    assert (short(before), "released" in kinds(before)) == ([("web", "defer", "frozen", "")], False)
    assert records.released("remediator", "cooldown") in after.records
    assert short(after) == [("web", "act", "restart", "web")]


def test_a_second_gust_begins_the_cooldown_anew() -> None:
    """Three roots again amid the cool-down: it is not calm any more."""
    known = _frozen()
    known.apply(entry(records.calm(calm=True), NOW - 600))

    assert records.calm(calm=False) in _at_once(STORM, known).records


def test_a_human_releases_it_at_once() -> None:
    """Released by a human, it acts on what is down now and does not freeze again for the same roots."""
    known = _frozen(NOW - 60)
    for name in STORM:
        tier = {"db": "core", "worker": "app", "mail": "edge"}[name]
        known.apply(entry(records.opened(name, name, tier, NOW - 300), NOW - 60))
    known.apply(entry(records.released("me", "human"), NOW - 1))
    found = _at_once(STORM, known)

    assert "frozen" not in kinds(found)
    assert [each[1] for each in short(found)] == ["defer", "act", "defer"]


def test_a_storm_survives_a_crash() -> None:
    """The freeze is part of the state: a state rebuilt from a checkpoint is still frozen."""
    known = State.from_json(_frozen(NOW - 60).to_json())

    assert short(_at_once(("web",), known)) == [("web", "defer", "frozen", "")]


def test_no_storm_is_called_while_nothing_can_be_told() -> None:
    """After a start of the host all is down for a while: grace, not storm."""
    seen = world(*map(alert, STORM), sights=dict.fromkeys(STORM, SICK))
    found = plan(replace(seen, docker_since_wall=NOW - 10))

    assert "frozen" not in kinds(found)
    assert {each[2] for each in short(found)} == {"grace"}
