"""
What the journal adds up to: incidents, intents, budgets, storm, pause, holds, alerts not yet decided.

`State.apply` folds one entry after the other; the same entries always give the same state, before
and after a crash. A checkpoint is the whole state as JSON. Nothing here reads a clock: entries carry
their times. The module is long because what an entry means and what it changes are read together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from remediation import records
from remediation.model import Decision, Entry, Outcome, Rung

CHECKPOINT = "checkpoint"
KEEP_ACTS_S = 31 * 86400.0  # longer than any window that a configuration should have
KEEP_CLOSED_S = 7 * 86400.0  # longer than same_incident
KEEP_FAILURES_S = 86400.0  # longer than anybody is told of one
MAX_STOPS = 4096
HEALING_S = 900.0  # after a restart, longer than any service takes to start
MAX_UNDONE = 3  # restarts that were not carried out and do not count; more of them do
# Reasons that ask a human.
ASKS = frozenset({"approval", "too_many_healthy"})
MAX_ANSWERS = 4096  # alerts whose last answer is remembered; a forgotten one is answered again
# Reasons that leave an accepted alert open: nobody could be asked whether it is still so.
UNCONFIRMED = frozenset({"alertmanager_down", "blind", "unsettled"})


@dataclass(slots=True)
class Incident:
    """One root cause being handled; *tried* are the services restarted at the present rung."""

    id: str
    root: str
    tier: str
    opened_at: float
    episode_wall: float
    rung: str = Rung.SERVICE.value
    tried: list[str] = field(default_factory=list)
    tries: int = 0
    waits: int = 0  # tries that make the next wait longer
    unknown: int = 0  # outcomes that could not be told
    undone: int = 0  # restarts that were not carried out
    last_service: str = ""
    last_try_at: float = 0.0
    healthy_at: float | None = None
    gave_up: str = ""
    called: bool = False  # a human was called, given up or not
    called_for: dict[str, str] = field(default_factory=dict)  # services of pages, with their tiers
    handed: str = ""  # the service that a human has to see to, and its tier
    handed_tier: str = ""
    approved_at: float | None = None
    approved_for: str = ""  # the question that was answered: reason and service
    closed_at: float | None = None
    how: str = ""


@dataclass(slots=True)
class Intent:
    """A restart that was asked for and of which nothing is known yet."""

    action: str
    incident: str
    service: str
    tier: str
    rung: str
    container: str
    id: str
    started_wall: float
    at: float
    wall: float
    why: str = ""
    detail: str = ""


@dataclass(slots=True)
class Act:
    """A restart that counts in the budgets."""

    at: float
    service: str
    tier: str


@dataclass(slots=True)
class Failure:
    """A restart that failed, or whose outcome could not be told, and when that was known."""

    service: str
    tier: str
    rung: str
    wall: float


@dataclass(slots=True)
class Freeze:
    """A storm; *calm_at* is since when it has been calm."""

    at: float
    roots: list[str]
    calm_at: float | None = None


@dataclass(slots=True)
class Pause:
    """Somebody's wish that nothing is done."""

    at: float
    by: str
    reason: str


@dataclass(slots=True)
class Hold:
    """Announced work until *until_at*."""

    name: str
    until_at: float
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Call:
    """
    People were called about *service*, which has no incident of its own; they are to hear of the end.

    *eased_at* is since when what they were called about has been gone.
    """

    service: str
    tier: str
    reason: str
    at: float
    eased_at: float | None = None


@dataclass(slots=True)
class Pending:
    """An accepted alert that no decision has answered yet."""

    at: float
    labels: dict[str, str]


@dataclass(slots=True)
class Last:
    """The last decision about a service, for people and against repetition."""

    at: float
    outcome: str
    reason: str
    rung: str
    incident: str
    restart: str
    detail: str
    lone: bool = False  # about an alert by itself, not about the service as a root

    def says(self, decision: Decision) -> bool:
        """Whether *decision* is the same again."""
        return (self.outcome, self.reason, self.rung, self.incident, self.restart) == (
            decision.outcome.value,
            decision.reason,
            decision.rung.value,
            decision.incident,
            decision.restart,
        )


@dataclass(slots=True)
class State:
    """The sum of a journal's entries."""

    incidents: dict[str, Incident] = field(default_factory=dict)  # open ones
    closed: list[Incident] = field(default_factory=list)  # oldest first
    intents: dict[str, Intent] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)  # oldest first
    failures: dict[str, Failure] = field(default_factory=dict)  # the last of each service and rung
    calls: dict[str, Call] = field(default_factory=dict)  # by service
    frozen: Freeze | None = None
    released_at: float = 0.0
    pause: Pause | None = None
    holds: dict[str, Hold] = field(default_factory=dict)
    pending: dict[tuple[str, float], Pending] = field(default_factory=dict)
    last: dict[str, Last] = field(default_factory=dict)
    answers: dict[str, Last] = field(
        default_factory=dict
    )  # of alerts by themselves, by fingerprint
    stops: dict[str, float] = field(default_factory=dict)
    observed_since: dict[str, float] = field(default_factory=dict)  # tier: since when it observes
    reported_at: dict[str, float] = field(default_factory=dict)
    at: float = 0.0
    through: int = 0  # number of the newest entry taken in; a journal replays what comes after it

    def apply(self, entry: Entry) -> None:
        """Take *entry* in; kinds that mean nothing here change only the time."""
        self.at = max(self.at, entry.at)
        self.through = max(self.through, entry.number)
        handler = _HANDLERS.get(entry.kind)
        if handler is not None:
            handler(self, entry.body, entry)

    def in_progress(self, now_at: float) -> dict[str, str]:
        """
        Return the services being healed, with their tiers: restarted a moment ago, or in probation.

        One that only waits, for a budget or a human, is not being healed.
        """
        found = {intent.service: intent.tier for intent in self.intents.values()}
        for incident in self.incidents.values():
            fresh = now_at - incident.last_try_at < HEALING_S or incident.healthy_at is not None
            if incident.tries and not incident.gave_up and fresh:
                found[incident.root] = incident.tier
        return found

    def copy(self) -> State:
        """
        Return a state that changes of this one do not touch, nor the other way round.

        What is never changed in place is shared: after a flood there are tens of thousands of alerts.
        """
        made = replace(self)
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, dict | list):
                setattr(made, name, value.copy())
        made.incidents = {
            name: replace(each, tried=each.tried.copy()) for name, each in self.incidents.items()
        }
        made.frozen = replace(self.frozen) if self.frozen else None
        return made

    def to_json(self) -> dict[str, object]:
        """Return the state as JSON; `from_json` makes the same state of it."""
        data = asdict(self)
        data["pending"] = [[*key, asdict(value)] for key, value in self.pending.items()]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> State:
        """Return the state that *data* was made of; unknown keys are passed over."""
        pause, frozen = data.get("pause"), data.get("frozen")
        return cls(
            incidents={k: Incident(**v) for k, v in data.get("incidents", {}).items()},
            closed=[Incident(**v) for v in data.get("closed", ())],
            intents={k: Intent(**v) for k, v in data.get("intents", {}).items()},
            acts=[Act(**v) for v in data.get("acts", ())],
            failures={k: Failure(**v) for k, v in data.get("failures", {}).items()},
            calls={k: Call(**v) for k, v in data.get("calls", {}).items()},
            frozen=Freeze(**frozen) if frozen else None,
            released_at=data.get("released_at", 0.0),
            pause=Pause(**pause) if pause else None,
            holds={k: Hold(**v) for k, v in data.get("holds", {}).items()},
            pending={(f, s): Pending(**v) for f, s, v in data.get("pending", ())},
            last={k: Last(**v) for k, v in data.get("last", {}).items()},
            answers={k: Last(**v) for k, v in data.get("answers", {}).items()},
            stops=dict(data.get("stops", {})),
            observed_since=dict(data.get("observed_since", {})),
            reported_at=dict(data.get("reported_at", {})),
            at=data.get("at", 0.0),
            through=data.get("through", 0),
        )


_Body = Mapping[str, Any]


def _checkpoint(state: State, body: _Body, entry: Entry) -> None:
    loaded = State.from_json(body)
    for name in State.__slots__:
        setattr(state, name, getattr(loaded, name))
    state.at = max(state.at, entry.at)


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


def _called_off(state: State, body: _Body, _entry: Entry) -> None:
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


def _relapsed(state: State, body: _Body, _entry: Entry) -> None:
    if incident := state.incidents.get(body["incident"]):
        incident.healthy_at = None


def _gave_up(state: State, body: _Body, _entry: Entry) -> None:
    if incident := state.incidents.get(body["incident"]):
        incident.gave_up = body["reason"]
        incident.handed = body.get("service", incident.root)
        incident.handed_tier = body.get("tier", incident.tier)


def _closed(state: State, body: _Body, entry: Entry) -> None:
    incident = state.incidents.pop(body["incident"], None)
    if incident is None:
        return
    incident.closed_at, incident.how = entry.at, body["how"]
    state.closed = [each for each in state.closed if _closed_at(each) > entry.at - KEEP_CLOSED_S]
    state.closed.append(incident)


def _closed_at(incident: Incident) -> float:
    return incident.closed_at or 0.0


def _frozen(state: State, body: _Body, entry: Entry) -> None:
    state.frozen = Freeze(entry.at, list(body["roots"]))


def _calm(state: State, body: _Body, entry: Entry) -> None:
    if state.frozen:
        state.frozen.calm_at = entry.at if body["calm"] else None


def _released(state: State, _body: _Body, entry: Entry) -> None:
    state.frozen, state.released_at = None, entry.at


def _paused(state: State, body: _Body, entry: Entry) -> None:
    state.pause = Pause(entry.at, body["by"], body["reason"])


def _resumed(state: State, _body: _Body, _entry: Entry) -> None:
    state.pause = None


def _approved(state: State, body: _Body, entry: Entry) -> None:
    if incident := state.incidents.get(body["incident"]):
        incident.approved_at = entry.at
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
    observing = {tier for tier, mode in body["modes"].items() if mode == "observe"}
    state.observed_since = {
        tier: state.observed_since.get(tier, entry.at) for tier in sorted(observing)
    }


_HANDLERS: Mapping[str, Callable[[State, _Body, Entry], None]] = {
    CHECKPOINT: _checkpoint,
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
    records.PAUSED: _paused,
    records.RESUMED: _resumed,
    records.APPROVED: _approved,
    records.HELD: _held,
    records.UNHELD: _unheld,
    records.STOPPED: _stopped,
    records.REPORTED: _reported,
    records.STARTED: _started,
}
