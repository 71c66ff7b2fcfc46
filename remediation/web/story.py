"""
The journal's last entries as sentences: what was done lately, and by whom.

Pure. Kinds that say nothing to people (received, checkpoints, evidence) are passed over; so are
decisions, which the page shows by service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from remediation import records
from remediation.model import Entry
from remediation.reasons import REASONS
from remediation.state import State

MOST = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence about something that happened; *tone* is good, bad or plain."""

    wall: float
    text: str
    tone: str = "plain"


def tell(entries: Iterable[Entry], state: State, most: int = MOST) -> tuple[Line, ...]:
    """Return what *entries* (oldest first) tell people, newest first; *state* knows earlier incidents."""
    known = {each.id: each.root for each in (*state.closed, *state.incidents.values())}
    known |= {each.action: each.service for each in state.intents.values()}
    lines = []
    for entry in entries:
        body: Mapping[str, Any] = entry.body
        if entry.kind == records.OPENED:
            known[body["incident"]] = body["root"]
        elif entry.kind == records.INTENDED:
            known[body["action"]] = body["service"]
        teller = _TELLERS.get(entry.kind)
        if teller is not None:
            name = known.get(body.get("action", body.get("incident", "")), "an earlier incident")
            text, tone = teller(body, name)
            lines.append(Line(entry.wall, text[:400], tone))
    return tuple(reversed(lines[-most:]))


_Told = tuple[str, str]


def _finished(body: Mapping[str, Any], name: str) -> _Told:
    if body["result"] == "succeeded":
        return f"restarted {name} in {body['took_s']:.1f} s", "good"
    if body["result"] == "unknown":
        return f"what became of the restart of {name} is unknown: {body['detail']}", "bad"
    return f"restarting {name} failed: {body['detail']}", "bad"


def _closed(body: Mapping[str, Any], name: str) -> _Told:
    if body["how"] == "healed":
        return f"{name} is healed", "good"
    return f"{name} recovered without us", "good"


def _frozen(body: Mapping[str, Any], _: str) -> _Told:
    return f"frozen by a storm: {', '.join(body['roots'][:10])}", "bad"


def _held(body: Mapping[str, Any], _: str) -> _Told:
    minutes = body["for_s"] / 60
    return (
        f"{body['by']} announced work on {body['name']} for {minutes:.0f} min: {body['reason']}",
        "plain",
    )


_TELLERS: Mapping[str, Callable[[Mapping[str, Any], str], _Told]] = {
    records.OPENED: lambda body, _: (f"{body['root']} failed", "bad"),
    records.CLIMBED: lambda body, name: (f"{name}: on to the rung {body['rung']}", "plain"),
    records.FINISHED: _finished,
    records.HEALTHY: lambda _, name: (f"{name} is healthy; on probation", "good"),
    records.RELAPSED: lambda _, name: (f"{name} did not stay healthy", "bad"),
    records.GAVE_UP: lambda body, name: (
        f"gave up on {name}: {REASONS.get(body['reason'], body['reason'])}",
        "bad",
    ),
    records.CLOSED: _closed,
    records.CALLED_OFF: lambda body, _: (f"{body['service']} holds nobody up any more", "good"),
    records.FROZEN: _frozen,
    records.RELEASED: lambda body, _: (f"released by {body['by']} ({body['how']})", "plain"),
    records.PAUSED: lambda body, _: (f"paused by {body['by']}: {body['reason']}", "plain"),
    records.RESUMED: lambda body, _: (f"resumed by {body['by']}", "plain"),
    records.APPROVED: lambda body, name: (
        f"{body['by']} approved the next step for {name}",
        "plain",
    ),
    records.HELD: _held,
    records.UNHELD: lambda body, _: (f"{body['by']} ended the work on {body['name']}", "plain"),
    records.DEAD_LETTER: lambda body, _: (f"a message was put aside: {body['why']}", "bad"),
    records.STARTED: lambda body, _: (f"the remediator {body['version']} started", "plain"),
}
