"""
Open incidents as people are shown them: what failed, what was tried, what it waits for and why.

Pure. What an incident waits for is the last decision about its root, in the words of
remediation.reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from remediation.desk import View
from remediation.model import Rung
from remediation.reasons import REASONS
from remediation.state_parts import ASKS, Incident, Last
from remediation.web.states import seen

# Reasons that a human's approval answers (remediation.policy.limits).
_RUNGS = {
    Rung.SERVICE.value: "the service alone",
    Rung.DEPENDANTS.value: "it and its unhealthy dependants, in order",
    Rung.TIER.value: "the unhealthy members of its tier, in order",
    Rung.PAGE.value: "stop and call a human",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One rung of the ladder: *place* is past, now or ahead."""

    rung: str
    meaning: str
    place: str


@dataclass(frozen=True, slots=True)
class IncidentShown:
    """
    One open incident.

    *headline* says in a few words how it stands; *asks* that it waits for an approval of *asks_for*, *stuck* that
    nothing more is tried, and *handed* for which service. *tried* are the services restarted at the present rung; *state* is how the
    root is now, *behind* those that need it and are not healthy either.
    """

    id: str
    root: str
    tier: str
    opened_wall: float
    rung: str
    steps: tuple[Step, ...]
    tried: tuple[str, ...]
    tries: int
    last_try_wall: float
    restarting: tuple[str, ...]
    headline: str
    state: str
    state_detail: str
    behind: tuple[str, ...]
    reason: str
    meaning: str
    detail: str
    asks: bool
    asks_for: str
    stuck: bool
    handed: str
    gave_up: str
    healthy_wall: float
    approved_wall: float


def incidents_shown(view: View, to_wall: Callable[[float], float]) -> tuple[IncidentShown, ...]:
    """Return the open incidents: those that want a human first, then the oldest first."""
    found = [_shown(view, each, to_wall) for each in view.state.incidents.values()]
    return tuple(sorted(found, key=lambda each: (not (each.asks or each.stuck), each.opened_wall)))


def asks_for_approval(view: View, incident: Incident) -> bool:
    """Whether *incident* waits for a human to approve what it would do next."""
    return _question(view, incident) is not None


def _question(view: View, incident: Incident) -> Last | None:
    """Return the decision of *incident* that waits for a human; it may be about a dependant of its root."""
    if incident.gave_up:
        return None
    asked = [last for last in view.state.last.values() if last.incident == incident.id]
    return next((last for last in asked if last.reason in ASKS), None)


def _shown(view: View, incident: Incident, to_wall: Callable[[float], float]) -> IncidentShown:
    restarting = tuple(
        sorted(i.service for i in view.state.intents.values() if i.incident == incident.id)
    )
    question = _question(view, incident)
    last = question or view.state.last.get(incident.root)
    # A decision from before this incident says nothing about it.
    mine = last if last is not None and last.incident in ("", incident.id) else None
    reason, detail = (mine.reason, mine.detail) if mine else ("", "")
    asks = asks_for_approval(view, incident)
    state, state_detail = seen(view.world, incident.root)
    return IncidentShown(
        id=incident.id,
        root=incident.root,
        tier=incident.tier,
        opened_wall=to_wall(incident.opened_at),
        rung=incident.rung,
        steps=_steps(view, incident),
        tried=tuple(incident.tried),
        tries=incident.tries,
        last_try_wall=to_wall(incident.last_try_at) if incident.tries else 0.0,
        restarting=restarting,
        headline=_headline(view, incident, restarting, asks=asks),
        state=state,
        state_detail=state_detail,
        behind=_behind(view, incident.root),
        reason=reason,
        meaning=REASONS.get(reason, ""),
        detail=detail,
        asks=asks,
        asks_for=_asks_for(incident, reason, detail) if asks else "",
        stuck=bool(incident.gave_up),
        handed=(incident.handed or incident.root) if incident.gave_up else "",
        gave_up=REASONS.get(incident.gave_up, incident.gave_up),
        healthy_wall=to_wall(incident.healthy_at) if incident.healthy_at is not None else 0.0,
        approved_wall=to_wall(incident.approved_at) if incident.approved_at is not None else 0.0,
    )


def _asks_for(incident: Incident, reason: str, detail: str) -> str:
    """Return what an approval lets happen; the detail of the decision says it (remediation.policy.limits)."""
    if reason == "approval" and detail:
        return detail.partition(": approve")[0]
    return f"restart {incident.root} all the same"


def _behind(view: View, root: str) -> tuple[str, ...]:
    graph = view.config.graph
    ill = ("unhealthy", "starting", "unknown")
    if root not in view.config.services or seen(view.world, root)[0] == "healthy":
        return ()
    return graph.sort([n for n in graph.needed_by(root) if seen(view.world, n)[0] in ill])


def _headline(view: View, incident: Incident, restarting: tuple[str, ...], *, asks: bool) -> str:
    if incident.gave_up:
        whom = incident.handed if incident.handed not in ("", incident.root) else "it"
        return f"given up: {whom} needs a human"
    if restarting:
        return f"restarting {', '.join(restarting)}"
    if asks:
        return "waits for your approval"
    if incident.healthy_at is not None:
        return f"healthy; must stay so for {view.config.ladder.probation_s:.0f} s"
    return "waits" if incident.tries == 0 else "restarted, not healthy yet"


def _steps(view: View, incident: Incident) -> tuple[Step, ...]:
    rungs = [rung.value for rung in view.config.ladder.rungs]
    here = rungs.index(incident.rung) if incident.rung in rungs else -1
    if incident.gave_up and Rung.PAGE.value in rungs:
        here = rungs.index(Rung.PAGE.value)
    places = ["past" if i < here else "now" if i == here else "ahead" for i in range(len(rungs))]
    return tuple(Step(rung, _RUNGS[rung], place) for rung, place in zip(rungs, places, strict=True))
