"""
Whole stories on a real engine with a real Alertmanager: what breaks, what is restarted, how it ends.

What was restarted is told by the engine's events. Stories that take minutes in all are in
test_chaos.py; here are those that every change must pass.
"""

from __future__ import annotations

import pytest

from tests.remediation.live.rig import Ground

pytestmark = pytest.mark.live


def test_a_hung_service_is_healed(ground: Ground) -> None:
    """The mailer hangs: one restart, of it alone, and the incident closes once it stayed well."""
    with ground.remediator() as story:
        ground.yard.put("mail", "hang")
        story.until_closed("healed")

        assert story.restarted == ["mail"]
        story.judge(only=["mail"])


def test_a_dead_dependency_comes_first(ground: Ground) -> None:
    """The database dies, the API clings to its fall: the database first, then the API, nobody else."""
    with ground.remediator() as story:
        ground.yard.put("api", "clings")
        ground.yard.kill("db")
        story.until(ground.voice.healthy, "all are well again")
        story.until_closed("healed")

        assert story.restarted == ["db", "api"]
        story.judge(only=["db", "api"])


@pytest.mark.chaos
def test_a_storm_freezes(ground: Ground) -> None:
    """Three roots in two tiers: nothing is restarted until a human releases it, then one by one."""
    with ground.remediator() as story:
        for service in ("db", "cache", "mail"):
            ground.yard.put(service, "hang")
        story.until(lambda: bool(story.remediator.entries("frozen")), "it is a storm")
        story.until(
            lambda: story.remediator.decided("mail", "frozen"), "a decision says so", seconds=60
        )
        before = story.restarted
        story.remediator.call("/v1/release", {"by": "me"})
        story.until_closed("healed", "healed", "healed")

        assert len(before) <= 2
        story.judge(only=["db", "cache", "mail"])
