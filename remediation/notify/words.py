"""
The words of the remediator to people: one function per thing that is told, each with what to do.

Pure: decisions, records and numbers in, a Message out. Forms are made in remediation.notify.message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from remediation.model import Decision, Rung
from remediation.notify.message import Message, Severity
from remediation.reasons import REASONS

_DAY_S = 86400.0


def restarted(
    asked: Mapping[str, object],
    came: Mapping[str, object],
    excerpt: str,
) -> Message:
    """
    A restart has ended; *asked* and *came* as in the journal (intended, finished); what was seen before.

    It is about the incident, whose root *asked* names besides: that one's end is its end (`healed`).
    Without a root the incident has ended already.
    """
    service, tier, rung = (str(asked.get(key, "")) for key in ("service", "tier", "rung"))
    result = str(came.get("result", "unknown"))
    what = {
        "succeeded": f"Restarted {service}",
        "failed": f"Restarting {service} failed",
    }.get(result, f"What became of the restart of {service} is unknown")
    if rung != Rung.SERVICE.value:
        what += f" (step {rung})"
    root = str(asked.get("root", ""))
    return Message(
        alert="RemediationRestarted",
        severity=Severity.INFO if result == "succeeded" else Severity.WARNING,
        title=what,
        lines=(
            f"Why: {REASONS.get(str(asked.get('why')), REASONS['restart'])}{_also(asked.get('detail'))}",
            f"Step: {rung}, tier {tier}, incident {asked.get('incident', '')}",
            f"Result: {result} after {_number(came.get('took_s')):.1f} s{_also(came.get('detail'))}",
        ),
        service=root or service,
        tier=str(asked.get("root_tier", "")) if root else tier,
        about=str(asked.get("incident", "")),
        excerpt=excerpt,
        resolved=not root,
    )


def gave_up(decision: Decision) -> Message:
    """A problem is handed over: a page."""
    return Message(
        alert="RemediationGaveUp",
        severity=Severity.CRITICAL,
        title=f"{_name(decision)} is not healed: a human has to",
        lines=(
            f"Why: {REASONS.get(decision.reason, decision.reason)}{_also(decision.detail)}",
            f"Incident: {decision.incident or 'none'}",
            "Nothing more is restarted for it. It still fires.",
        ),
        service=decision.service or "none",
        tier=decision.tier or "none",
        about=decision.incident,
    )


_ENDS = {
    "cancelled": "is not worked on any more: its container was stopped or removed by somebody",
    "unknown": "is not worked on any more: it left the configuration",
}


def recovered(service: str, tier: str, incident: str, took_s: float, how: str) -> Message:
    """An incident that people were called about is over: the end of the page about *service*."""
    return Message(
        alert="RemediationGaveUp",
        severity=Severity.CRITICAL,
        title=f"{service} {_ENDS.get(how, 'is healthy again')}",
        lines=(f"The incident is over after {_span(took_s)}.",),
        service=service,
        tier=tier,
        about=incident,
        resolved=True,
    )


def healed(
    root: str, tier: str, incident: str, took_s: float, how: str, *, paged: bool = False
) -> Message:
    """An incident with restarts is over; where people were *paged* they hear of it by the page's end."""
    return replace(
        recovered(root, tier, incident, took_s, how),
        alert="RemediationRestarted",
        severity=Severity.INFO,
        for_machines=paged,
    )


_OVER = {
    "recovered": "holds nobody up any more",
    "quiet": "is not missed any more: the alerts of those who need it are over",
    "alerted": "has an alert of its own now: it is decided on as any other",
    "unknown": _ENDS["unknown"],
}


def called_off(service: str, tier: str, how: str) -> Message:
    """What people were paged about without an incident is over; see records.called_off for *how*."""
    return Message(
        alert="RemediationGaveUp",
        severity=Severity.CRITICAL,
        title=f"{service} {_OVER.get(how, _OVER['recovered'])}",
        lines=("What you were called for is over; there was no incident.",),
        service=service,
        tier=tier or "none",
        resolved=True,
    )


def approval(decision: Decision) -> Message:
    """Something waits for a human."""
    what = f"restart {decision.restart}" if decision.restart else f"heal {_name(decision)}"
    step = "" if decision.rung is Rung.SERVICE else f" (step {decision.rung.value})"
    return Message(
        alert="RemediationApprovalNeeded",
        severity=Severity.WARNING,
        title=f"May I {what}?{step}",
        lines=(
            f"Why: {REASONS.get(decision.reason, decision.reason)}{_also(decision.detail)}",
            f"Step: {decision.rung.value}",
            f"Yes: tierwatch remediate approve {decision.incident}",
            f"No, and leave it alone: tierwatch maintenance {decision.service} --for 1h",
        ),
        service=decision.service or "none",
        tier=decision.tier or "none",
        about=decision.incident,
    )


def answered(service: str, tier: str, incident: str, how: str) -> Message:
    """The question of `approval` is answered, "by" somebody, or is not asked any more."""
    said, lines = "no approval is needed any more", [_MOOT.get(how, _MOOT["recovered"])]
    if how.startswith("by "):
        said, lines = f"{how.removeprefix('by ')} approved it", []
    return Message(
        alert="RemediationApprovalNeeded",
        severity=Severity.WARNING,
        title=f"{service}: {said}",
        lines=tuple(lines),
        service=service,
        tier=tier,
        about=incident,
        resolved=True,
    )


_MOOT = {
    "gave_up": "It was handed over to a human.",
    "recovered": "The incident is over.",
}


def blind(*, blind: bool) -> Message:
    """The Watchdog is missing, or back."""
    why = (
        "The Watchdog does not arrive: Prometheus, Alertmanager or the way between them is broken."
    )
    return Message(
        alert="RemediationBlind",
        severity=Severity.CRITICAL,
        title="Remediation is blind" if blind else "Remediation sees again",
        lines=(why, "Nothing is restarted meanwhile.") if blind else ("The Watchdog is back.",),
        resolved=not blind,
    )


def trouble(why: str) -> Message:
    """The engine's rounds break one after the other (*why*), or end well again ("")."""
    broken = (
        f"Why: {why}",
        "Nothing is healed meanwhile; it goes on trying.",
        "Look at its log and its /-/ready; mostly it is the disk of the journal.",
    )
    return Message(
        alert="RemediationBroken",
        severity=Severity.CRITICAL,
        title="Remediation is broken" if why else "Remediation works again",
        lines=broken if why else ("What happened meanwhile is decided on now.",),
        resolved=not why,
    )


def frozen(roots: Sequence[str], tiers: Sequence[str]) -> Message:
    """A storm."""
    return Message(
        alert="RemediationFrozen",
        severity=Severity.CRITICAL,
        title=f"Remediation is frozen: {len(roots)} unrelated faults at once",
        lines=(
            f"Roots: {', '.join(roots)}",
            f"Tiers: {', '.join(tiers)}",
            "Look for what they share: the host, a network, a disk, Docker.",
            "Then: tierwatch remediate release",
        ),
    )


def released(by: str, how: str) -> Message:
    """The storm is over."""
    who = "it had been calm for long enough" if how == "cooldown" else f"{by} released it"
    return Message(
        alert="RemediationFrozen",
        severity=Severity.CRITICAL,
        title="Remediation acts again",
        lines=(f"Not frozen any more: {who}.",),
        resolved=True,
    )


def observed(tier: str, for_s: float, restarts: Mapping[str, int]) -> Message:
    """Tell what would have been done in *tier*, observed for so long: restarts by service."""
    total = sum(restarts.values())
    often = sorted(restarts.items(), key=lambda item: (-item[1], item[0]))
    return Message(
        alert="RemediationObserved",
        severity=Severity.INFO,
        title=f"Tier {tier}: {total} restarts would have been done in {_span(for_s)}",
        lines=(
            *(f"{service}: {count}" for service, count in often if count),
            f"It is only watched. To let it be healed: mode approve or act for tier {tier}.",
        ),
        tier=tier,
        about=f"{total}",
    )


def observed_over(told: Message) -> Message:
    """What `observed` said was news for a moment: whoever keeps it open may close it."""
    return replace(told, resolved=True, for_machines=True)


def _name(decision: Decision) -> str:
    return decision.service or (f"tier {decision.tier}" if decision.tier else "A problem")


def _also(detail: object) -> str:
    return f" ({detail})" if detail else ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _span(seconds: float) -> str:
    if seconds >= 2 * _DAY_S:
        return f"{seconds / _DAY_S:.0f} days"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
