"""
Whom the ladder passes over, and why: unhealthy services whose turn it was and that may not be restarted.

Pure. Without this a member in mode observe would be missing from the report of what would have been
done, and people would not learn why a rung went past somebody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from remediation.model import Decision, Outcome, Rung
from remediation.policy import limits
from remediation.policy.ladder import restartable
from remediation.policy.limits import Obstacle
from remediation.policy.situation import Situation
from remediation.state_parts import Incident


def passed_over(here: Situation, names: Iterable[str], incident: Incident) -> Iterator[Decision]:
    """Yield a decision about each of *names* that has a reason, at the present rung of *incident*."""
    for name in names:
        why = _why(here, name)
        if why is not None:
            yield Decision(
                why.outcome,
                why.reason,
                name,
                here.config.services[name].tier,
                Rung(incident.rung),
                incident.id,
                restart=name if why.outcome is Outcome.DEFER else "",
                detail=why.detail,
            )


def _why(here: Situation, service: str) -> Obstacle | None:
    if service in here.silenced:
        return Obstacle(Outcome.SKIP, "silenced", f"the alert of {service}")
    if service in here.handed_over:
        return Obstacle(Outcome.SKIP, "handed_over", service)
    if never := limits.first(limits.NEVER, here, service):
        return never
    if not restartable(here, service):
        return None  # one signal alone: nobody would restart it in any mode
    return Obstacle(Outcome.DEFER, "observe", f"would restart {service}")
