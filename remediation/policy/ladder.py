"""
The ladder: which service is restarted next in an incident, or that it is time to climb, or to stop.

Pure. Only unhealthy services are ever chosen, dependencies first, each once per rung; a dependant
only while all it needs is healthy. Whether it may be done now is remediation.policy.limits' business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from remediation.model import Mode, Rung
from remediation.policy.situation import Situation
from remediation.state_parts import Incident


@dataclass(frozen=True, slots=True)
class Step:
    """
    What comes next: restart *service*, or wait for *reason*, or climb, or (none of these) nothing to do.

    *detail* is for people. *passed* are the unhealthy ones whose turn it would have been before, and
    that may not be restarted.
    """

    service: str = ""
    reason: str = ""
    detail: str = ""
    climb: bool = False
    passed: tuple[str, ...] = ()


def next_step(here: Situation, incident: Incident) -> Step:
    """Return what comes next in *incident* at its present rung; its root has no unhealthy dependency."""
    if incident.rung == Rung.PAGE.value:
        return Step(climb=True)
    waiting = _under_way(here, incident) or _verifying(here, incident)
    if waiting is not None:
        return waiting
    for name in _cut_off(here, incident):
        return Step(service=name, detail="it shares the network of what was restarted")
    return _walk(here, incident)


def _walk(here: Situation, incident: Incident) -> Step:
    blocked = ""
    passed: list[str] = []
    for name in _wanted(here, incident):
        if name in incident.tried or not here.sight(name).evidence:
            continue
        fit = restartable(here, name) and (name == incident.root or _is_touched(here, name))
        below = here.config.graph.needs(name) & here.suspect
        if fit and not below:
            return Step(service=name, passed=tuple(passed))
        if fit:
            blocked = blocked or f"{name} waits for {', '.join(here.config.graph.sort(below))}"
        elif not below and name in here.unhealthy and name != incident.root:
            passed.append(name)
    # All were tried, or wait for one that did not become healthy: more of the same cures nothing.
    return Step(climb=True, detail=blocked, passed=tuple(passed))


def _wanted(here: Situation, incident: Incident) -> tuple[str, ...]:
    """Return the services that the present rung of *incident* is about, dependencies first."""
    root = incident.root
    if incident.rung == Rung.SERVICE.value:
        wanted = {root}
    elif incident.rung == Rung.DEPENDANTS.value:
        wanted = {root, *here.config.graph.needed_by(root)}
    else:
        wanted = {*here.config.members(here.config.services[root].tier)}
    return here.config.graph.sort(wanted)


def _is_touched(here: Situation, service: str) -> bool:
    """Whether *service* may be restarted at all for the sake of another; one that is observed holds nothing up."""
    return here.config.services[service].mode is not Mode.OBSERVE


def restartable(here: Situation, service: str) -> bool:
    """Whether *service* is unhealthy by what we see, and nothing forbids to restart it ever."""
    ours = here.config.services[service]
    sight = here.sight(service)
    return (
        bool(sight.evidence)
        # One probe that failed a moment ago proves nothing: an alert or Docker must say so, too.
        and (service in here.named or bool(replace(sight, probe=None).evidence))
        and service not in here.silenced
        and service not in here.handed_over
        and not ours.oneshot
        and service not in here.config.never_restart
        and not sight.container.stopped
        and not sight.container.drift
        and sight.container.state not in ("created", "paused", "removing", "absent", "unknown")
    )


def companions(here: Situation, service: str) -> tuple[str, ...]:
    """Return the running services that live in the network of *service* (`network_mode: service:`)."""
    return tuple(
        name
        for name, sight in here.world.services.items()
        if sight.container.network_of == service and sight.container.state == "running"
    )


def _cut_off(here: Situation, incident: Incident) -> tuple[str, ...]:
    """Return those whose network went away with a restart of ours: they hold on to one that is no more."""
    return tuple(
        name
        for restarted in incident.tried
        for name in companions(here, restarted)
        if name not in incident.tried
        and here.sight(name).container.started_wall < here.sight(restarted).container.started_wall
        and name not in here.config.never_restart
        and not here.config.services[name].stateful
    )


def _under_way(here: Situation, incident: Incident) -> Step | None:
    """Return the wait for a restart of *incident* that has not ended: its container is down by our own doing."""
    names = [each.service for each in here.state.intents.values() if each.incident == incident.id]
    if not names:
        return None
    return Step(reason="verifying", detail=f"the restart of {', '.join(names)} is under way")


def _verifying(here: Situation, incident: Incident) -> Step | None:
    """Return the wait for what was restarted last; None when it is healthy, or its time is over."""
    name = incident.last_service
    if name not in incident.tried or name not in here.config.services:
        return None
    sight = here.sight(name)
    if sight.healthy and not sight.starting:
        return None
    if sight.exited or sight.container.stopped:
        return None  # it ended again: waiting changes nothing
    ours = here.config.services[name]
    # Its own health check may take so long to speak; our own looks come with every poll.
    patience_s = sight.container.stop_timeout_s + here.start_s(ours)
    until = incident.last_try_at + patience_s + here.config.alertmanager.poll_s
    left = until - here.now.steady
    if left <= 0:
        return None
    return Step(reason="verifying", detail=f"{name} has {left:.0f} s left to become healthy")
