"""
From alerts to services: what each active alert asks for, and which accepted ones ask for nothing any more.

Pure. An alert of a service names it; an alert of a tier stands for the members that are unhealthy.
Names come from the configuration only; what a label says beyond it is refused with a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from remediation.model import Alert, Decision, Outcome
from remediation.policy.situation import RESTART, Situation

Key = tuple[str, float]


@dataclass(slots=True)
class Candidates:
    """Services that alerts ask to restart, each with the alerts that do; and what was decided at once."""

    services: dict[str, list[Key]] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)


def find_candidates(here: Situation) -> Candidates:
    """Return what the active alerts ask for, and answers to the accepted ones that ask for nothing."""
    found = Candidates()
    for alert in here.alerts:
        if alert.labels.get("remedy") != RESTART:
            if alert.key in here.state.pending:
                found.decisions.append(_skip(here, alert, "no_remedy"))
        elif alert.suppressed:
            found.decisions.append(_skip(here, alert, "silenced"))
        else:
            _take(here, alert, found)
    found.decisions += _over(here)
    return found


def _take(here: Situation, alert: Alert, found: Candidates) -> None:
    service, tier = alert.labels.get("service", ""), alert.labels.get("tier", "")
    if service in here.config.services:
        found.services.setdefault(service, []).append(alert.key)
    elif alert.labels.get("scope") == "tier" and tier in here.config.tiers:
        if not here.world.docker_up:
            detail = "Docker does not answer"
            found.decisions.append(
                Decision(
                    Outcome.DEFER,
                    "docker_down",
                    "",
                    tier,
                    alerts=(alert.key,),
                    detail=detail,
                    lone=True,
                )
            )
            return
        members = [name for name in here.config.members(tier) if name in here.named]
        members = [name for name in members if here.sight(name).evidence and here.counts(name)]
        for name in members:
            found.services.setdefault(name, []).append(alert.key)
        if not members:
            found.decisions.append(_skip(here, alert, "tier_healthy"))
    else:
        found.decisions.append(_skip(here, alert, "not_ours"))


def _skip(here: Situation, alert: Alert, reason: str) -> Decision:
    service = alert.labels.get("service", "")
    known = here.config.services.get(service)
    tier = known.tier if known else alert.labels.get("tier", "")
    return Decision(
        Outcome.SKIP,
        reason,
        service if known else "",
        tier if tier in here.config.tiers else "",
        detail=alert.labels.get("alertname", ""),
        alerts=(alert.key,),
        lone=True,
    )


def _over(here: Situation) -> Iterator[Decision]:
    """Yield answers to accepted alerts that are not active: over, or not to be told yet."""
    if here.world.alerts is None:
        return
    active = {alert.key for alert in here.alerts}
    for key, pending in here.state.pending.items():
        if key in active:
            continue
        # Accepted after the list was asked for: it cannot be in it.
        if pending.at >= here.world.alerts.asked_at:
            continue
        if here.blind or not here.settled:
            continue  # it stays accepted, and is looked at again
        service = pending.labels.get("service", "")
        known = service in here.config.services
        yield Decision(
            Outcome.SKIP,
            "resolved",
            service if known else "",
            here.config.services[service].tier if known else "",
            detail=pending.labels.get("alertname", ""),
            alerts=(key,),
            lone=True,
        )
