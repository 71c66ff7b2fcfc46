"""
Every reason not to restart something now, in the order in which people should read them.

Pure. Each guard is a function from the situation to an `Obstacle` or None, listed in a tuple: the
first that speaks decides. A guard that is taken out of its tuple makes a test fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVarTuple

from remediation.model import Mode, Outcome
from remediation.policy import budget
from remediation.policy.ladder import companions
from remediation.policy.situation import Situation
from remediation.state_parts import Incident

About = TypeVarTuple("About")
APPROVAL_S = 3600.0  # an approval that is older speaks of another situation
CALL_AFTER_S = 600.0  # a budget that is spent for longer is for people
RECOVERING_S = 60.0  # how long Docker's own restarts are given beyond the start period


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why nothing is done: what the decision comes to, a reason of the fixed set, and the facts."""

    outcome: Outcome
    reason: str
    detail: str = ""


def first(guards: Iterable[Callable[[*About], Obstacle | None]], *about: *About) -> Obstacle | None:
    """Return what the first of *guards* says that says anything."""
    return next((found for guard in guards if (found := guard(*about)) is not None), None)


def _defer(reason: str, detail: str = "") -> Obstacle:
    return Obstacle(Outcome.DEFER, reason, detail)


def _skip(reason: str, detail: str = "") -> Obstacle:
    return Obstacle(Outcome.SKIP, reason, detail)


# What concerns everything ------------------------------------------------------------------------


def alertmanager_down(here: Situation) -> Obstacle | None:
    """Nothing can be confirmed without Alertmanager."""
    return _defer("alertmanager_down") if here.world.alerts is None else None


def blind(here: Situation) -> Obstacle | None:
    """Without a Watchdog an alert may be a leftover."""
    return _defer("blind") if here.blind else None


def unsettled(here: Situation) -> Obstacle | None:
    """A young Alertmanager without a Watchdog has not been told yet what is active."""
    alerts = here.world.alerts
    missing = alerts is not None and alerts.watchdog_age_s is None
    return _defer("unsettled") if missing and not here.blind else None


def docker_down(here: Situation) -> Obstacle | None:
    """Without Docker there is no second signal, and nothing to restart with."""
    return None if here.world.docker_up else _defer("docker_down")


def grace(here: Situation) -> Obstacle | None:
    """After a start of the host everything is unhealthy for a while."""
    left = here.config.storm.grace_s - here.age_s(here.world.docker_since_wall)
    return _defer("grace", f"{left:.0f} s left") if left > 0 else None


def paused(here: Situation) -> Obstacle | None:
    """A human said so."""
    pause = here.state.pause
    return _defer("paused", f"by {pause.by}: {pause.reason}") if pause else None


def frozen(here: Situation) -> Obstacle | None:
    """A storm."""
    return _defer("frozen", ", ".join(here.state.frozen.roots)) if here.state.frozen else None


CANNOT_TELL: tuple[Callable[[Situation], Obstacle | None], ...] = (
    alertmanager_down,
    blind,
    unsettled,
    docker_down,
    grace,
)
MAY_NOT: tuple[Callable[[Situation], Obstacle | None], ...] = (paused, frozen)


# What concerns one service ----------------------------------------------------------------------


def never_restart(here: Situation, service: str) -> Obstacle | None:
    """Ourselves, our proxy, Prometheus, Alertmanager, and what the catalog names."""
    return _skip("never_restart") if service in here.config.never_restart else None


def oneshot(here: Situation, service: str) -> Obstacle | None:
    """A job that ends by itself is not started anew."""
    return _skip("oneshot") if here.config.services[service].oneshot else None


def absent(here: Situation, service: str) -> Obstacle | None:
    """A restart makes no container."""
    gone = here.world.docker_up and here.sight(service).container.state in ("absent", "removing")
    return _skip("absent") if gone else None


def unseen(here: Situation, service: str) -> Obstacle | None:
    """Docker answers, but not about this one: nothing is known of it."""
    unknown = here.sight(service).container.state == "unknown"
    return _defer("docker_down", "its container cannot be inspected") if unknown else None


def name_drift(here: Situation, service: str) -> Obstacle | None:
    """Somebody else's container has the name."""
    drift = here.sight(service).container.drift
    return _skip("name_drift", drift) if drift else None


def stopped_by_human(here: Situation, service: str) -> Obstacle | None:
    """Who stopped or paused it had a reason."""
    ours = here.sight(service).container
    stopped = ours.stopped or ours.state in ("created", "paused")
    return _skip("stopped_by_human", ours.state) if stopped else None


def maintenance(here: Situation, service: str) -> Obstacle | None:
    """Announced work on the service or its tier."""
    hold = here.hold(service)
    if hold is None:
        return None
    left = hold.until_at - here.now.steady
    return _defer("maintenance", f"{left:.0f} s left, by {hold.by}: {hold.reason}")


def no_evidence(here: Situation, service: str) -> Obstacle | None:
    """One signal alone may lie: Docker or our own probe must agree with the alert."""
    if not here.world.docker_up or here.sight(service).evidence:
        return None
    if here.sight(service).starting and starting(here, service):
        return None  # that guard knows better
    stateful = here.config.services[service].stateful and service not in here.unhealthy
    return _skip("healthy_stateful") if stateful else _defer("no_evidence")


def starting(here: Situation, service: str) -> Obstacle | None:
    """It was started a moment ago, by whomever: it may still become healthy."""
    ours, sight = here.config.services[service], here.sight(service)
    if sight.container.state != "running":
        return None
    left = here.start_s(ours) - here.age_s(sight.container.started_wall)
    return _defer("starting", f"{left:.0f} s left") if left > 0 else None


def recreated(here: Situation, service: str) -> Obstacle | None:
    """Compose, or a human, is at work on it."""
    ours, sight = here.config.services[service], here.sight(service)
    left = here.start_s(ours) - here.age_s(sight.container.created_wall)
    return _defer("recreated", f"{left:.0f} s left") if sight.exists and left > 0 else None


NEVER: tuple[Callable[[Situation, str], Obstacle | None], ...] = (
    never_restart,
    oneshot,
    absent,
    name_drift,
    stopped_by_human,
)
NOT_NOW: tuple[Callable[[Situation, str], Obstacle | None], ...] = (
    unseen,
    maintenance,
    no_evidence,
    recreated,
    starting,
)

# The same for a service that is restarted in the incident of another root.
ELSEWHERE: tuple[Callable[[Situation, str], Obstacle | None], ...] = (
    maintenance,
    recreated,
    starting,
)


# What concerns one restart in an incident ---------------------------------------------------------


def recovering(here: Situation, service: str, incident: Incident) -> Obstacle | None:
    """Docker starts it again and again by itself; it gets its time before we join in."""
    if here.sight(service).container.state != "restarting":
        return None
    ours = here.config.services[service]
    left = incident.opened_at + here.start_s(ours) + RECOVERING_S - here.now.steady
    return _defer("recovering", f"{left:.0f} s left") if left > 0 else None


def mode(here: Situation, service: str, incident: Incident) -> Obstacle | None:
    """Observe: say what would be done. Approve: only what has exited is started without asking."""
    wanted = here.config.services[service].mode
    if wanted is Mode.OBSERVE:
        return _defer("observe", f"would restart {service}")
    if wanted is Mode.ACT or here.sight(service).exited:
        return None
    if _approved(here, incident, f"approval {service}"):
        return None
    return _defer("approval", f"restart {service}: approve {incident.id}")


def spacing(here: Situation, _service: str, _incident: Incident) -> Obstacle | None:
    """One at a time, and not in a hurry; longer after one that keeps data."""
    if here.state.intents:
        return _defer("spacing", "another restart is under way")
    if not here.state.acts:
        return None
    last = here.state.acts[-1]
    known = here.config.services.get(last.service)
    ladder = here.config.ladder
    wait_s = ladder.spacing_stateful_s if known and known.stateful else ladder.spacing_s
    left = last.at + wait_s - here.now.steady
    return _defer("spacing", f"{left:.0f} s since {last.service}") if left > 0 else None


def backoff(here: Situation, service: str, incident: Incident) -> Obstacle | None:
    """Each try waits longer, and not at all once a dependency has become healthy since."""
    if incident.waits <= 0 or incident.last_service != service:
        return None
    ladder = here.config.ladder
    wait_s = min(
        ladder.backoff_first_s * ladder.backoff_factor ** min(incident.waits - 1, 32),
        ladder.backoff_max_s,
    )
    left = incident.last_try_at + wait_s - here.now.steady
    if left <= 0 or _dependency_healed(here, service, incident):
        return None
    return _defer("backoff", f"{left:.0f} s left")


def _dependency_healed(here: Situation, service: str, incident: Incident) -> bool:
    healed = {
        each.root for each in here.state.closed if (each.closed_at or 0.0) > incident.last_try_at
    }
    healed |= {
        each.root
        for each in here.state.incidents.values()
        if each.healthy_at is not None and each.healthy_at > incident.last_try_at
    }
    return bool(here.config.graph.needs(service) & healed)


def spent_budget(here: Situation, service: str, _incident: Incident) -> Obstacle | None:
    """No restarts are left in one of the windows."""
    left = budget.spent(here.config, here.state, service, here.now.steady)
    if left is None:
        return None
    wait_s = left.free_at - here.now.steady
    # A human is called where nobody would come for long; when there is one again, it goes on.
    outcome = Outcome.ESCALATE if wait_s > CALL_AFTER_S else Outcome.DEFER
    return Obstacle(outcome, "budget", f"{left.scope} {left.name}: none left in {left.window}")


def too_many_healthy(here: Situation, service: str, incident: Incident) -> Obstacle | None:
    """Healthy ones that share its network must be restarted after it: not more of them than unhealthy ones."""
    lives = [name for name in companions(here, service) if here.sight(name).healthy]
    if len(lives) <= 1 or _approved(here, incident, f"too_many_healthy {service}"):
        return None
    return _defer(
        "too_many_healthy", f"{', '.join(lives)} share its network: approve {incident.id}"
    )


def _approved(here: Situation, incident: Incident, question: str) -> bool:
    """Whether a human said yes to this very *question*, not to another one of the same incident."""
    if incident.approved_at is None or here.now.steady - incident.approved_at >= APPROVAL_S:
        return False
    return incident.approved_for == question


ONE_RESTART: tuple[Callable[[Situation, str, Incident], Obstacle | None], ...] = (
    recovering,
    mode,
    too_many_healthy,
    spacing,
    backoff,
    spent_budget,
)
