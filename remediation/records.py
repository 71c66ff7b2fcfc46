"""
What stands in the journal, by kind: constructors that give each record its exact form.

The state of the remediator is what these records add up to (remediation.state); nothing else is
kept. Bodies are plain JSON, small, and hold no labels but those the remediator reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from remediation.model import Alert, Container, Decision, Outcome, Record, Restarted, Rung

RECEIVED = "received"
DEAD_LETTER = "dead_letter"
DECIDED = "decided"
OPENED = "opened"
CLIMBED = "climbed"
INTENDED = "intended"
FINISHED = "finished"
HEALTHY = "healthy"
RELAPSED = "relapsed"
GAVE_UP = "gave_up"
CLOSED = "closed"
EASED = "eased"
CALLED_OFF = "called_off"
FROZEN = "frozen"
CALM = "calm"
RELEASED = "released"
PAUSED = "paused"
RESUMED = "resumed"
APPROVED = "approved"
HELD = "held"
UNHELD = "unheld"
STOPPED = "stopped"
REPORTED = "reported"
EVIDENCE = "evidence"
STARTED = "started"
BLIND = "blind"
TOLD = "told"


def received(alerts: Iterable[Alert], *, source: str, truncated: int = 0) -> Record:
    """Alerts that were accepted from *source* (its groupKey); *truncated* were cut off by it."""
    told = [
        {
            "fingerprint": alert.fingerprint,
            "starts_wall": alert.starts_wall,
            "firing": alert.firing,
            "labels": dict(alert.labels),
        }
        for alert in alerts
    ]
    return Record(RECEIVED, {"alerts": told, "source": source, "truncated": truncated})


def dead_letter(why: str, *, size: int, digest: str, sample: str) -> Record:
    """A message that can never be processed; *sample* is a bounded, masked beginning of it."""
    return Record(DEAD_LETTER, {"why": why, "size": size, "digest": digest, "sample": sample})


def decided(decision: Decision) -> Record:
    """A decision, whatever it came to."""
    return Record(
        DECIDED,
        {
            "outcome": decision.outcome.value,
            "reason": decision.reason,
            "service": decision.service,
            "tier": decision.tier,
            "rung": decision.rung.value,
            "incident": decision.incident,
            "restart": decision.restart,
            "detail": decision.detail,
            "alerts": [list(key) for key in decision.alerts],
            "lone": decision.lone,
        },
    )


def decision_of(body: Mapping[str, Any]) -> Decision:
    """Return the decision that an entry DECIDED holds."""
    keys = tuple((str(fingerprint), float(starts)) for fingerprint, starts in body["alerts"])
    outcome, rung = Outcome(body["outcome"]), Rung(body["rung"])
    return Decision(**{**body, "outcome": outcome, "rung": rung, "alerts": keys})


def opened(
    incident: str,
    root: str,
    tier: str,
    episode_wall: float,
    follows: str = "",
    *,
    rested: bool = False,
) -> Record:
    """
    A new incident; *episode_wall* is when the root's alert began.

    *follows* is the incident of the same root that ended a moment ago: this one goes on where that
    one stopped. *rested* says that it was well for long enough for the waits to begin anew.
    """
    return Record(
        OPENED,
        {
            "incident": incident,
            "root": root,
            "tier": tier,
            "episode_wall": episode_wall,
            "follows": follows,
            "rested": rested,
        },
    )


def climbed(incident: str, rung: Rung) -> Record:
    """The incident goes on with the next *rung*."""
    return Record(CLIMBED, {"incident": incident, "rung": rung.value})


def intended(action: str, decision: Decision, tier: str, container: Container, name: str) -> Record:
    """A restart is about to be asked for: of the container *name*, as it is seen now."""
    return Record(
        INTENDED,
        {
            "action": action,
            "incident": decision.incident,
            "service": decision.restart,
            "tier": tier,
            "rung": decision.rung.value,
            "container": name,
            "id": container.id,
            "started_wall": container.started_wall,
            "why": decision.reason,
            "detail": decision.detail,
        },
    )


def finished(action: str, came: Restarted, took_s: float) -> Record:
    """What became of a restart."""
    return Record(
        FINISHED,
        {
            "action": action,
            "result": came.result.value,
            "detail": came.detail,
            "attempted": came.attempted,
            "started_wall": came.started_wall,
            "took_s": round(took_s, 6),
        },
    )


def healthy(incident: str) -> Record:
    """All that the incident is about is healthy: probation begins."""
    return Record(HEALTHY, {"incident": incident})


def relapsed(incident: str, *, anew: bool = False) -> Record:
    """It did not stay healthy; *anew*: it did for so long that this is another fault, from the first rung on."""
    return Record(RELAPSED, {"incident": incident, "anew": anew})


def gave_up(incident: str, reason: str, service: str, tier: str) -> Record:
    """Nothing more is tried: a human has to see to *service* of *tier*."""
    body = {"incident": incident, "reason": reason, "service": service, "tier": tier}
    return Record(GAVE_UP, body)


def closed(incident: str, how: str) -> Record:
    """The incident is over: `healed` by us, or `recovered` without."""
    return Record(CLOSED, {"incident": incident, "how": how})


def eased(service: str, *, eased: bool) -> Record:
    """What people were called about without an incident seems to be over, or is there again."""
    return Record(EASED, {"service": service, "eased": eased})


def called_off(service: str, tier: str, reason: str, how: str) -> Record:
    """
    It is over: people were called about *service* for *reason*, without an incident, and need not come.

    *how*: `recovered`, `quiet` (no alert of those who need it is left), `alerted` (it has an alert of
    its own now), `unknown` (it left the configuration).
    """
    return Record(CALLED_OFF, {"service": service, "tier": tier, "reason": reason, "how": how})


def frozen(roots: Collection[str], tiers: Collection[str], share: float) -> Record:
    """A storm: too many unrelated *roots* at once."""
    body = {"roots": sorted(roots), "tiers": sorted(tiers), "share": round(share, 4)}
    return Record(FROZEN, body)


def calm(*, calm: bool) -> Record:
    """While frozen: it has become calm, or is not any more."""
    return Record(CALM, {"calm": calm})


def released(by: str, how: str) -> Record:
    """Frozen no more, by a `human` or the `cooldown`."""
    return Record(RELEASED, {"by": by, "how": how})


def paused(by: str, reason: str) -> Record:
    """A human wants no action."""
    return Record(PAUSED, {"by": by, "reason": reason})


def resumed(by: str) -> Record:
    """A human lets it go on."""
    return Record(RESUMED, {"by": by})


def approved(incident: str, by: str) -> Record:
    """A human approves what the incident asked for."""
    return Record(APPROVED, {"incident": incident, "by": by})


def held(name: str, for_s: float, by: str, reason: str) -> Record:
    """Announced work on the service or tier *name*: nothing is restarted for so long."""
    return Record(HELD, {"name": name, "for_s": for_s, "by": by, "reason": reason})


def unheld(name: str, by: str) -> Record:
    """The announced work is over."""
    return Record(UNHELD, {"name": name, "by": by})


def stopped(stops: Mapping[str, float]) -> Record:
    """Containers (by id) that humans have stopped, and when (wall); all that are known."""
    return Record(STOPPED, {"stops": dict(sorted(stops.items()))})


def reported(tiers: Collection[str]) -> Record:
    """People were told what would have been done in these observing *tiers*."""
    return Record(REPORTED, {"tiers": sorted(tiers)})


def blind(*, blind: bool) -> Record:
    """The Watchdog is missing, so alerts may be lost; or it is back."""
    return Record(BLIND, {"blind": blind})


def told(subject: str, number: int) -> Record:
    """The message about *subject* that entry *number* owed has arrived (state_owed)."""
    return Record(TOLD, {"subject": subject, "number": number})


def evidence(action: str, found: Mapping[str, object]) -> Record:
    """What was seen before an action; secrets are masked already."""
    return Record(EVIDENCE, {"action": action, "found": dict(found)})


def started(version: str, modes: Mapping[str, str], *, notify: bool = True) -> Record:
    """The process began to work, with these *modes* by tier; *notify*: there is somebody to tell."""
    return Record(STARTED, {"version": version, "modes": dict(modes), "notify": notify})
