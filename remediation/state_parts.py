"""
What the state consists of: incidents, intents, restarts that count, calls, freezes, wishes of humans.

Plain values with their times; what changes them stands in state_entries, what they come to in state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from remediation.model import Decision, Rung

# Reasons that ask a human.
ASKS = frozenset({"approval", "too_many_healthy"})
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
    worked: bool = False  # something was restarted for it, or was to be: people heard of it
    waits: int = 0  # tries that make the next wait longer
    unknown: int = 0  # outcomes that could not be told
    undone: int = 0  # restarts that were not carried out
    last_service: str = ""
    last_try_at: float = 0.0
    healthy_at: float | None = None
    gave_up: str = ""
    called: bool = False  # a human was called, given up or not
    called_for: dict[str, str] = field(default_factory=dict)  # services of pages, with their tiers
    asked: dict[str, str] = field(
        default_factory=dict
    )  # services of open questions, with their tiers
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


@dataclass(frozen=True, slots=True)
class Owed:
    """
    A message about *subject* that nobody has yet; *over* says that what was told before has ended.

    *topic* (state_owed.Topic) says what *about* holds; *number* is that of the entry that owes it.
    """

    subject: str
    topic: str
    about: dict[str, Any]
    number: int
    at: float
    wall: float
    over: bool = False
    unheard: bool = False  # the end of what had not arrived


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
