"""
What each entry of the journal changes in the state: one function for each kind of entry.

Entries carry their times; no clock is read here, so the same entries always come to the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from remediation import records
from remediation import state_owed as owed
from remediation.model import Entry, Outcome, Rung
from remediation.state_parts import (
    ASKS,
    UNCONFIRMED,
    Act,
    Call,
    Failure,
    Freeze,
    Hold,
    Incident,
    Intent,
    Last,
    Pause,
    Pending,
)

if TYPE_CHECKING:
    from remediation.state import State

KEEP_ACTS_S = 31 * 86400.0  # longer than any window that a configuration should have
KEEP_CLOSED_S = 7 * 86400.0  # longer than same_incident
KEEP_FAILURES_S = 86400.0  # longer than anybody is told of one
MAX_STOPS = 4096
MAX_UNDONE = 3  # restarts that were not carried out and do not count; more of them do
MAX_ANSWERS = 2048  # alerts whose last answer is remembered; a forgotten one is answered again

_Body = Mapping[str, Any]


def _received(state: State, body: _Body, entry: Entry) -> None:
    for alert in body["alerts"]:
        key = (alert["fingerprint"], alert["starts_wall"])
        if alert["firing"]:
            state.pending.setdefault(key, Pending(entry.at, dict(alert["labels"])))


def _decided(state: State, body: _Body, entry: Entry) -> None:
    if body["reason"] not in UNCONFIRMED:
        for fingerprint, starts_wall in body["alerts"]:
            state.pending.pop((fingerprint, starts_wall), None)
    names = ("outcome", "reason", "rung", "incident", "restart", "detail", "lone")
    last = Last(entry.at, **{name: body[name] for name in names})
    if last.lone:
        for fingerprint, _ in body["alerts"]:
            state.answers.pop(fingerprint, None)  # the newest stand last
            state.answers[fingerprint] = last
        while len(state.answers) > MAX_ANSWERS:
            del state.answers[next(iter(state.answers))]
    if last.outcome == Outcome.ESCALATE.value:
        _called(state, body, entry)
    owed.decided(state, body, entry)
    before = state.last.get(body["service"])
    if body["service"] and (before is None or before.lone or not last.lone):
        state.last[body["service"]] = last


def _called(state: State, body: _Body, entry: Entry) -> None:
    """Note that people were called: an incident tells its own end, a service without one is kept."""
    service = body["service"]
    if incident := state.incidents.get(body["incident"]):
        incident.called = True
        incident.called_for = {**incident.called_for, service: body["tier"]}
    elif service and not body["incident"]:
        since = state.calls[service].at if service in state.calls else entry.at
        state.calls[service] = Call(service, body["tier"], body["reason"], since)


def _eased(state: State, body: _Body, entry: Entry) -> None:
    if call := state.calls.get(body["service"]):
        state.calls[call.service] = replace(call, eased_at=entry.at if body["eased"] else None)


def _called_off(state: State, body: _Body, entry: Entry) -> None:
    owed.called_off(state, body, entry)
    state.calls.pop(body["service"], None)
    last = state.last.get(body["service"])
    if last and last.outcome == Outcome.ESCALATE.value and not last.incident:
        del state.last[body["service"]]  # the same again is news, and calls people again


def _opened(state: State, body: _Body, entry: Entry) -> None:
    incident = Incident(
        body["incident"], body["root"], body["tier"], entry.at, body["episode_wall"]
    )
    before = body.get("follows")
    earlier = next((each for each in state.closed if each.id == before), None) if before else None
    if earlier is not None:
        incident.rung, incident.tried = earlier.rung, list(earlier.tried)
        incident.tries, incident.unknown = earlier.tries, earlier.unknown
        incident.waits = 0 if body.get("rested") else earlier.waits
        incident.last_service, incident.last_try_at = earlier.last_service, earlier.last_try_at
    state.incidents[incident.id] = incident


def _climbed(state: State, body: _Body, _entry: Entry) -> None:
    if incident := state.incidents.get(body["incident"]):
        incident.rung, incident.tried = body["rung"], []
        incident.approved_at = None  # what was approved was the rung below


def _intended(state: State, body: _Body, entry: Entry) -> None:
    names = ("action", "incident", "service", "tier", "rung", "container", "id", "started_wall")
    why, detail = body.get("why", ""), body.get("detail", "")
    plain = {name: body[name] for name in names}
    intent = Intent(**plain, at=entry.at, wall=entry.wall, why=why, detail=detail)
    state.intents[intent.action] = intent
    state.acts = [act for act in state.acts if act.at > entry.at - KEEP_ACTS_S]
    state.acts.append(Act(entry.at, intent.service, intent.tier))
    if incident := state.incidents.get(intent.incident):
        incident.tried.append(intent.service)
        incident.tries += 1
        incident.worked = True
        incident.waits += 1
        incident.last_service, incident.last_try_at = intent.service, entry.at
        incident.healthy_at = None


def _finished(state: State, body: _Body, entry: Entry) -> None:
    intent = state.intents.pop(body["action"], None)
    if intent is not None and body["result"] != "succeeded":
        state.failures = {
            name: each
            for name, each in state.failures.items()
            if each.wall > entry.wall - KEEP_FAILURES_S
        }
        failed = Failure(intent.service, intent.tier, intent.rung, entry.wall)
        state.failures[f"{failed.service}/{failed.rung}"] = failed
    found = state.incidents.get(intent.incident) if intent else None
    if intent is None or found is None:
        return
    if body["result"] == "unknown":
        found.unknown += 1
    if not body.get("attempted", True) and intent.service in found.tried:
        found.undone += 1
        if found.undone <= MAX_UNDONE:
            _untry(state, found, intent)


def _untry(state: State, incident: Incident, intent: Intent) -> None:
    """Count a restart that was not carried out neither as a try nor in the budgets."""
    incident.tried.remove(intent.service)
    incident.tries -= 1
    incident.waits -= 1
    done = Act(intent.at, intent.service, intent.tier)
    if done in state.acts:
        state.acts.remove(done)


def _healthy(state: State, body: _Body, entry: Entry) -> None:
    if incident := state.incidents.get(body["incident"]):
        incident.healthy_at = entry.at
        incident.approved_at = None  # what was approved was about an illness that is over


def _relapsed(state: State, body: _Body, entry: Entry) -> None:
    if incident := state.incidents.get(body["incident"]):
        incident.healthy_at = None
        if body.get("anew"):
            incident.rung, incident.tried = Rung.SERVICE.value, []
            incident.tries = incident.waits = incident.unknown = incident.undone = 0
            incident.opened_at = entry.at


def _gave_up(state: State, body: _Body, entry: Entry) -> None:
    if incident := state.incidents.get(body["incident"]):
        owed.answered(state, incident, "gave_up", entry)
        incident.gave_up = body["reason"]
        incident.handed = body.get("service", incident.root)
        incident.handed_tier = body.get("tier", incident.tier)


def _closed(state: State, body: _Body, entry: Entry) -> None:
    incident = state.incidents.pop(body["incident"], None)
    if incident is None:
        return
    incident.closed_at, incident.how = entry.at, body["how"]
    owed.closed(state, incident, entry)
    state.closed = [each for each in state.closed if _closed_at(each) > entry.at - KEEP_CLOSED_S]
    state.closed.append(incident)


def _closed_at(incident: Incident) -> float:
    return incident.closed_at or 0.0


def _frozen(state: State, body: _Body, entry: Entry) -> None:
    state.frozen = Freeze(entry.at, list(body["roots"]))
    owed.frozen(state, body, entry)


def _calm(state: State, body: _Body, entry: Entry) -> None:
    if state.frozen:
        state.frozen.calm_at = entry.at if body["calm"] else None


def _released(state: State, body: _Body, entry: Entry) -> None:
    state.frozen, state.released_at = None, entry.at
    owed.released(state, body, entry)


def _blind(state: State, body: _Body, entry: Entry) -> None:
    state.blind = body["blind"]
    owed.blind(state, body, entry)


def _paused(state: State, body: _Body, entry: Entry) -> None:
    state.pause = Pause(entry.at, body["by"], body["reason"])


def _resumed(state: State, _body: _Body, _entry: Entry) -> None:
    state.pause = None


def _approved(state: State, body: _Body, entry: Entry) -> None:
    if incident := state.incidents.get(body["incident"]):
        incident.approved_at = entry.at
        owed.answered(state, incident, f"by {body['by']}", entry)
        asked = [last for last in state.last.values() if last.incident == incident.id]
        asked = [last for last in asked if last.reason in ASKS]
        incident.approved_for = f"{asked[0].reason} {asked[0].restart}" if asked else ""


def _held(state: State, body: _Body, entry: Entry) -> None:
    state.holds = {name: hold for name, hold in state.holds.items() if hold.until_at > entry.at}
    hold = Hold(body["name"], entry.at + body["for_s"], body["by"], body["reason"])
    state.holds[hold.name] = hold


def _unheld(state: State, body: _Body, _entry: Entry) -> None:
    state.holds.pop(body["name"], None)


def _stopped(state: State, body: _Body, _entry: Entry) -> None:
    newest = sorted(body["stops"].items(), key=lambda each: each[1])[-MAX_STOPS:]
    state.stops = dict(newest)


def _reported(state: State, body: _Body, entry: Entry) -> None:
    state.reported_at |= dict.fromkeys(body["tiers"], entry.at)


def _started(state: State, body: _Body, entry: Entry) -> None:
    state.mute = not body.get("notify", True)
    observing = {tier for tier, mode in body["modes"].items() if mode == "observe"}
    state.observed_since = {
        tier: state.observed_since.get(tier, entry.at) for tier in sorted(observing)
    }


HANDLERS: Mapping[str, Callable[[State, _Body, Entry], None]] = {
    records.RECEIVED: _received,
    records.DECIDED: _decided,
    records.OPENED: _opened,
    records.CLIMBED: _climbed,
    records.INTENDED: _intended,
    records.FINISHED: _finished,
    records.HEALTHY: _healthy,
    records.RELAPSED: _relapsed,
    records.GAVE_UP: _gave_up,
    records.CLOSED: _closed,
    records.EASED: _eased,
    records.CALLED_OFF: _called_off,
    records.FROZEN: _frozen,
    records.CALM: _calm,
    records.RELEASED: _released,
    records.BLIND: _blind,
    records.TOLD: owed.told,
    records.PAUSED: _paused,
    records.RESUMED: _resumed,
    records.APPROVED: _approved,
    records.HELD: _held,
    records.UNHELD: _unheld,
    records.STOPPED: _stopped,
    records.REPORTED: _reported,
    records.STARTED: _started,
}
