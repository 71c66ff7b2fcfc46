"""
Open incidents: which one a service belongs to, and when one is healthy, relapsed, or over.

Pure. Recovery is noticed in every state, also while nothing may be done.
"""

from __future__ import annotations

from collections.abc import Iterator

from remediation import records
from remediation.model import Mode, Record, Rung
from remediation.policy.situation import Situation
from remediation.state_parts import Incident


def incident_of(here: Situation, root: str) -> Incident | None:
    """Return the open incident that *root* belongs to: its own, or that of a root healed below it."""
    for incident in here.state.incidents.values():
        # One that was handed over for a dependant has nothing more to do for its own root.
        if incident.root == root and incident.handed in ("", root):
            return incident
    below = here.config.graph.needs(root)
    observes = here.config.services[root].mode is Mode.OBSERVE
    healed = [
        incident
        for incident in here.state.incidents.values()
        # One that was handed over stays that of the dependant it was handed over for.
        if incident.root in below and incident.tries
        and (not incident.gave_up or incident.handed == root)
        # One that is observed only says what it would do, and holds nothing up.
        and not (observes and has_waited(here, incident))
    ]  # fmt: skip
    # The one that was handed over for it; else, of several roots, the last one to become healthy:
    # dependants have their time from then on.
    return max(healed, key=lambda each: (each.handed == root, _healthy_since(each)), default=None)


def has_waited(here: Situation, incident: Incident) -> bool:
    """Whether dependants had the probation time since the root of *incident* became healthy."""
    since = incident.healthy_at
    return since is not None and here.now.steady - since >= here.config.ladder.probation_s


def observed(here: Situation, incident: Incident, *, busy: bool) -> Iterator[Record]:
    """Yield what is to be written about *incident*, if it has changed; *busy*: alerts still ask for its work."""
    if incident.root not in here.config.services:
        yield records.closed(incident.id, "unknown")
        return
    sight = here.sight(incident.root)
    if sight.container.stopped or sight.container.state == "absent":
        yield records.closed(incident.id, "cancelled")
    elif not sight.healthy:
        if incident.healthy_at is not None:
            well_s = here.now.steady - incident.healthy_at
            # What people were called about stays theirs.
            anew = well_s >= here.config.ladder.same_incident_s and not incident.gave_up
            yield records.relapsed(incident.id, anew=anew)
            first = here.config.ladder.rungs[0]
            if anew and first is not Rung.SERVICE:
                yield records.climbed(incident.id, first)
    elif incident.healthy_at is None:
        yield records.healthy(incident.id)
    elif not busy and _stayed_well(here, incident):
        yield from _closed(here, incident)


def _stayed_well(here: Situation, incident: Incident) -> bool:
    if here.blind or not here.settled or incident.healthy_at is None:
        return False
    ladder = here.config.ladder
    # A fault soon after a give-up is the same one: it calls nobody a second time.
    enough_s = ladder.same_incident_s if incident.gave_up else ladder.probation_s
    return here.now.steady - incident.healthy_at >= enough_s


def _closed(here: Situation, incident: Incident) -> Iterator[Record]:
    """Yield the end of *incident*, unless one of those that people were called for is still unhealthy."""
    called = [n for n in (incident.handed, *incident.called_for) if n in here.config.services]
    if any(here.sight(name).container.stopped for name in called):
        yield records.closed(incident.id, "cancelled")
    elif not here.unhealthy.intersection(called):
        ours = incident.tries and not incident.gave_up
        yield records.closed(incident.id, "healed" if ours else "recovered")


def _healthy_since(incident: Incident) -> float:
    """Return since when the root of *incident* is healthy; one that is not comes after all others."""
    return float("inf") if incident.healthy_at is None else incident.healthy_at
