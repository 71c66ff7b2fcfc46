"""
How a service is, in one word for people, and what makes it so.

Pure. What counts for decisions is remediation.model.Sight; this only tells it.
"""

from __future__ import annotations

from remediation.model import Container, Sight, World

# In the order of how much they want to be looked at.
STATES = ("unhealthy", "unknown", "starting", "stopped", "absent", "healthy")


def seen(world: World, service: str) -> tuple[str, str]:
    """Return the word and the reason for *service* in *world*."""
    sight = world.services.get(service)
    return state_of(sight) if sight else ("unknown", "Docker has not told")


def state_of(sight: Sight) -> tuple[str, str]:
    """Return which of STATES *sight* is, and what makes it so ("" where that says enough)."""
    ours = sight.container
    if not sight.exists:
        return "absent", ""
    if ours.state == "unknown":
        return "unknown", "Docker cannot inspect its container"
    if ours.stopped or ours.state == "paused":
        return "stopped", f"by a human ({ours.state})"
    if sight.exited and ours.exit_code == 0 and not ours.oom_killed:
        return "stopped", "it ended by itself, exit code 0"
    if sight.healthy:
        return "healthy", ""
    if sight.starting:
        return "starting", sight.probe_detail if sight.probe is False else ""
    return "unhealthy", _unhealthy(sight, ours)


def _unhealthy(sight: Sight, ours: Container) -> str:
    detail = sight.evidence or ours.state
    if sight.exited and ours.exit_code is not None:
        detail += f", exit code {ours.exit_code}"
    if ours.oom_killed:
        detail += ", killed for memory"
    if sight.probe is False and sight.probe_detail:
        detail += f": {sight.probe_detail}"
    return detail[:300]
