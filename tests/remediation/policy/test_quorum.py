"""One signal alone restarts nothing, and what is down by our own doing is no news."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediation import records
from remediation.model import Sight
from tests.remediation.policy.test_decide import after_restart, intended
from tests.remediation.shop import (
    EXITED,
    NOW,
    SICK,
    alert,
    config,
    entry,
    plan,
    running,
    short,
    tier_alert,
    world,
)

SILENT = Sight(running(), probe=None, probe_detail="silent for 3 s")
UNHEALTHY = Sight(running(health="unhealthy"), probe=True)


def test_who_needs_a_silent_one_is_no_root() -> None:
    """The cache has not answered yet (it may hang): the API that needs it is not restarted meanwhile."""
    found = plan(world(alert("api"), sights={"api": SICK, "cache": SILENT}))

    assert short(found) == [("cache", "defer", "root_without_alert", "")]


def test_a_silent_one_that_docker_calls_healthy_is_healthy() -> None:
    """What Docker's own health check says counts while our probe has no answer."""
    vouched = replace(SILENT, container=running(health="healthy"))
    found = plan(world(alert("api"), sights={"api": SICK, "cache": vouched}))

    assert short(found) == [("api", "act", "restart", "api")]


def test_one_without_a_probe_is_never_silent() -> None:
    """Who has no probe of its own is judged by Docker alone, and holds nobody up."""
    quiet = Sight(running(), probe=None)
    found = plan(world(alert("mail"), sights={"mail": EXITED, "worker": quiet}))

    assert short(found) == [("mail", "act", "restart", "mail")]


@pytest.mark.parametrize(("seen", "acts"), [(SICK, False), (EXITED, True), (UNHEALTHY, True)])
def test_a_member_without_an_alert_needs_dockers_word(seen: Sight, acts: bool) -> None:
    """In the incident of another, a failed probe alone restarts nobody; what Docker says does."""
    known = after_restart("api", rung="tier")
    found = plan(world(alert("api"), sights={"api": SICK, "worker": seen}), known)

    expected = (
        ("api", "act", "restart", "worker") if acts else ("api", "escalate", "ladder_exhausted", "")
    )
    assert short(found) == [expected]


def test_a_silenced_member_is_left_alone_at_every_rung() -> None:
    """Whose own alert a human has silenced is not restarted for the sake of its root or its tier."""
    silenced = replace(alert("worker"), suppressed=True)
    seen = {"api": SICK, "worker": EXITED}
    ladder = plan(world(alert("api"), silenced, sights=seen), after_restart("api", rung="tier"))
    tier = plan(world(tier_alert("app"), silenced, sights={"worker": EXITED}))
    both = plan(world(alert("worker", "WorkerSlow"), silenced, sights={"worker": EXITED}))

    assert short(ladder)[-1] == ("api", "escalate", "ladder_exhausted", "")
    assert [each for each in short(tier) if each[1] == "act"] == []
    assert [each for each in short(both) if each[1] == "act"] == [
        ("worker", "act", "restart", "worker")
    ]


def test_a_healed_root_does_not_speak_for_silenced_dependants() -> None:
    """The root is well again; of its two sick dependants only the one that is not silenced is restarted."""
    known = after_restart("cache")
    known.apply(entry(records.healthy("i1"), NOW - 1000))
    silenced = replace(alert("worker"), suppressed=True)
    found = plan(world(alert("api"), silenced, sights={"api": SICK, "worker": SICK}), known)

    assert [each[3] for each in short(found) if each[1] == "act"] == ["api"]
    assert config().graph.needed_by("cache") >= {"api", "worker"}


@pytest.mark.parametrize("rung", ["service", "tier"])
def test_a_restart_that_is_under_way_is_waited_for(rung: str) -> None:
    """In the middle of our own restart the container has exited: no reason to climb, nor to give up."""
    known = after_restart("api", rung=rung)
    known.apply(entry(intended("a9", "i1", "api", rung), NOW - 3))
    found = plan(world(alert("api"), sights={"api": EXITED}), known)

    assert (found.records, short(found)) == ((), [("api", "defer", "verifying", "")])


def test_a_silent_one_that_keeps_data_is_not_called_healthy() -> None:
    """While its probe has not answered nothing is done, and the alert is looked at again."""
    found = plan(world(alert("cache"), sights={"cache": SILENT}))

    assert short(found) == [("cache", "defer", "no_evidence", "")]
