"""
What the journal adds up to: incidents, intents, budgets, storm, pause, holds, alerts not yet decided.

`State.apply` folds one entry after the other (state_entries says what each changes); the same entries
always give the same state, before and after a crash. A checkpoint is the whole state as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from remediation.model import Entry
from remediation.state_entries import HANDLERS
from remediation.state_parts import (
    Act,
    Call,
    Failure,
    Freeze,
    Hold,
    Incident,
    Intent,
    Last,
    Owed,
    Pause,
    Pending,
)

HEALING_S = 900.0  # after a restart, or healthy again: longer than a start, or a probation, takes
CHECKPOINT = "checkpoint"
_BY_SERVICE = ("called_for", "asked")  # parts of an incident

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    _Part = TypeVar("_Part", bound=DataclassInstance)


@dataclass(slots=True)
class State:
    """The sum of a journal's entries."""

    incidents: dict[str, Incident] = field(default_factory=dict)  # open ones
    closed: list[Incident] = field(default_factory=list)  # oldest first
    intents: dict[str, Intent] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)  # oldest first
    failures: dict[str, Failure] = field(default_factory=dict)  # the last of each service and rung
    calls: dict[str, Call] = field(default_factory=dict)  # by service
    owed: dict[str, Owed] = field(default_factory=dict)  # messages that nobody has yet, by subject
    blind: bool = False  # people were told that the Watchdog is missing
    mute: bool = False  # there is nobody to tell
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
        if entry.kind == CHECKPOINT:
            self._become(State.from_json(entry.body))
        elif handler := HANDLERS.get(entry.kind):
            handler(self, entry.body, entry)

    def _become(self, other: State) -> None:
        at = self.at
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))
        self.at = max(self.at, at)

    def in_progress(self, now_at: float) -> dict[str, str]:
        """
        Return the services being healed, with their tiers: restarted a moment ago, or in probation.

        One that only waits, for a budget or a human, is not being healed.
        """
        found = {intent.service: intent.tier for intent in self.intents.values()}
        for incident in self.incidents.values():
            since = max(incident.last_try_at, incident.healthy_at or 0.0)
            fresh = now_at - since < HEALING_S
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
        data = {name: _plain(getattr(self, name)) for name in self.__slots__}
        for each in (*data["incidents"].values(), *data["closed"]):
            for name in _BY_SERVICE:
                # Pairs: a service called like a secret would have its tier masked.
                each[name] = [list(pair) for pair in each[name].items()]
        data["pending"] = [[*key, _plain(value)] for key, value in self.pending.items()]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> State:
        """Return the state that *data* was made of; unknown keys are passed over."""
        pause, frozen = data.get("pause"), data.get("frozen")
        return cls(
            incidents={k: _made(Incident, v) for k, v in data.get("incidents", {}).items()},
            closed=[_made(Incident, v) for v in data.get("closed", ())],
            intents={k: _made(Intent, v) for k, v in data.get("intents", {}).items()},
            acts=[_made(Act, v) for v in data.get("acts", ())],
            failures={k: _made(Failure, v) for k, v in data.get("failures", {}).items()},
            calls={k: _made(Call, v) for k, v in data.get("calls", {}).items()},
            owed={k: _made(Owed, v) for k, v in data.get("owed", {}).items()},
            blind=data.get("blind", False),
            mute=data.get("mute", False),
            frozen=_made(Freeze, frozen) if frozen else None,
            released_at=data.get("released_at", 0.0),
            pause=_made(Pause, pause) if pause else None,
            holds={k: _made(Hold, v) for k, v in data.get("holds", {}).items()},
            pending={(f, s): _made(Pending, v) for f, s, v in data.get("pending", ())},
            last={k: _made(Last, v) for k, v in data.get("last", {}).items()},
            answers={k: _made(Last, v) for k, v in data.get("answers", {}).items()},
            stops=dict(data.get("stops", {})),
            observed_since=dict(data.get("observed_since", {})),
            reported_at=dict(data.get("reported_at", {})),
            at=data.get("at", 0.0),
            through=data.get("through", 0),
        )


def _plain(value: Any) -> Any:
    """Return *value* as JSON; `asdict` does the same in three times the time, copying every text."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if names := getattr(value, "__dataclass_fields__", None):
        return {name: _plain(getattr(value, name)) for name in names}
    return value


def _made(kind: type[_Part], data: Mapping[str, Any]) -> _Part:
    """Return the part that *data* was made of, maybe by a newer version that knows more of it."""
    known = kind.__dataclass_fields__
    given = {name: value for name, value in data.items() if name in known}
    return kind(**given | {name: dict(given[name]) for name in _BY_SERVICE if name in given})
