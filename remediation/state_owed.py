"""
What people are owed: messages that must arrive, kept in the journal's sum until somebody has them.

A page, the question for an approval, a storm, blindness, and the end of each. An entry of the journal
owes them in the same commit that makes them true, so a crash before the sending loses none; a pager
that is away for long gets them later. What is said later about the same subject replaces what was.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from remediation.model import Entry, Outcome
from remediation.state_parts import ASKS, Incident, Owed

if TYPE_CHECKING:
    from remediation.state import State

MAX_OWED = 256  # messages; more subjects than a platform has services, arbitrary
KEEP_ENDS_S = 86400.0  # the end of what nobody had heard of is no news any more

_Body = Mapping[str, Any]
_ABOUT = ("reason", "service", "tier", "rung", "incident", "restart", "detail")


class Topic(StrEnum):
    """What a message is about."""

    PAGE = "page"
    QUESTION = "question"
    WORK = "work"  # an incident with restarts; only its end is owed
    STORM = "storm"
    BLIND = "blind"


def decided(state: State, body: _Body, entry: Entry) -> None:
    """A decision hands something over, or asks for an approval."""
    about = {name: body[name] for name in _ABOUT}
    if body["outcome"] == Outcome.ESCALATE.value:
        subject = _page(body["service"] or f"tier {body['tier']}", body["incident"])
        _owe(state, entry, Topic.PAGE, subject, about)
    elif body["reason"] in ASKS:
        subject = _question(body["service"], body["incident"])
        _owe(state, entry, Topic.QUESTION, subject, about)
        if incident := state.incidents.get(body["incident"]):
            incident.asked = {**incident.asked, body["service"]: body["tier"]}


def answered(state: State, incident: Incident, how: str, entry: Entry) -> None:
    """Whatever *incident* asked is answered, or not asked any more: *how* says by whom or why."""
    for service, tier in incident.asked.items():
        about = {"service": service, "tier": tier, "incident": incident.id, "how": how}
        _owe(state, entry, Topic.QUESTION, _question(service, incident.id), about, over=True)
    incident.asked = {}


def closed(state: State, incident: Incident, entry: Entry) -> None:
    """*incident* is over: everybody who was told of it is told so, each page under its own name."""
    about = {"incident": incident.id, "how": incident.how, "took_s": entry.at - incident.opened_at}
    answered(state, incident, incident.how, entry)
    if incident.called:
        # As older journals have it: one service was handed over, and nothing says who was called.
        called_for = incident.called_for or {
            incident.handed or incident.root: incident.handed_tier or incident.tier
        }
        for service, tier in called_for.items():
            page = {**about, "service": service, "tier": tier}
            _owe(state, entry, Topic.PAGE, _page(service, incident.id), page, over=True)
    if incident.worked or incident.tries:
        work = {**about, "service": incident.root, "tier": incident.tier, "paged": incident.called}
        _owe(state, entry, Topic.WORK, f"{Topic.WORK}/{incident.id}", work, over=True)


def called_off(state: State, body: _Body, entry: Entry) -> None:
    """What people were called about, without an incident, is over."""
    about = {name: body[name] for name in ("service", "tier", "how")} | {"incident": ""}
    _owe(state, entry, Topic.PAGE, _page(body["service"], ""), about, over=True)


def frozen(state: State, body: _Body, entry: Entry) -> None:
    """A storm began."""
    about = {"roots": list(body["roots"]), "tiers": list(body["tiers"])}
    _owe(state, entry, Topic.STORM, Topic.STORM, about)


def released(state: State, body: _Body, entry: Entry) -> None:
    """The storm is over."""
    about = {"by": body["by"], "how": body["how"]}
    _owe(state, entry, Topic.STORM, Topic.STORM, about, over=True)


def blind(state: State, body: _Body, entry: Entry) -> None:
    """The Watchdog went missing, or came back."""
    _owe(state, entry, Topic.BLIND, Topic.BLIND, {}, over=not body["blind"])


def told(state: State, body: _Body, _entry: Entry) -> None:
    """A message has arrived; what was said about the same later is still owed."""
    owed = state.owed.get(body["subject"])
    if owed is not None and owed.number == body["number"]:
        del state.owed[body["subject"]]


def _page(service: str, incident: str) -> str:
    return f"{Topic.PAGE}/{service}/{incident}"


def _question(service: str, incident: str) -> str:
    return f"{Topic.QUESTION}/{service}/{incident}"


def _owe(
    state: State, entry: Entry, topic: Topic, subject: str, about: _Body, *, over: bool = False
) -> None:
    before = state.owed.pop(subject, None)
    if over and state.mute:
        return
    unheard = over and before is not None and (not before.over or before.unheard)
    state.owed[subject] = Owed(
        subject, topic.value, dict(about), entry.number, entry.at, entry.wall, over, unheard
    )
    for old in [each for each in state.owed.values() if each.unheard]:
        if entry.at - old.at > KEEP_ENDS_S:
            del state.owed[old.subject]
    while len(state.owed) > MAX_OWED:
        del state.owed[min(state.owed.values(), key=_worth).subject]


def _worth(owed: Owed) -> tuple[int, int]:
    """Return what is let go last when there is too much: pages, then questions, then ends; the newest."""
    if owed.over:
        return (0 if owed.topic == Topic.WORK else 1, owed.number)
    return (2 if owed.topic == Topic.QUESTION else 3, owed.number)
