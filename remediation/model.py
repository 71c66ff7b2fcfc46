"""
The words of the remediator as types: what is seen, what is decided, what is done.

Plain values without behaviour of their own; nothing here reads a clock, a file or a socket. Times
named `*_wall` are Unix times as Docker and Alertmanager tell them; `*_at` are steady times
(remediation.clock).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Mode(StrEnum):
    """What may be done about a service without asking."""

    OBSERVE = "observe"
    APPROVE = "approve"
    ACT = "act"


class Rung(StrEnum):
    """A step of the ladder (design 8)."""

    SERVICE = "service"
    DEPENDANTS = "dependants"
    TIER = "tier"
    PAGE = "page"


class Outcome(StrEnum):
    """What a decision comes to; label `outcome` of remediation_decisions_total."""

    ACT = "act"
    ESCALATE = "escalate"
    DEFER = "defer"  # decided again when the reason has gone
    SKIP = "skip"  # nothing more will be done about these alerts


class Result(StrEnum):
    """What became of a restart; label `outcome` of remediation_actions_total."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Alert:
    """
    One alert as Alertmanager tells it, by webhook or by its API.

    *labels* holds those that the remediator reads (alertname, service, tier, scope, severity,
    remedy) and no others; texts are bounded. *suppressed* means silenced or muted by time: inhibition
    is no obstacle (design 8).
    """

    fingerprint: str
    starts_wall: float
    labels: Mapping[str, str]
    firing: bool = True
    suppressed: bool = False
    inhibited: bool = False

    @property
    def key(self) -> tuple[str, float]:
        """What tells one firing of one alert from all others."""
        return (self.fingerprint, self.starts_wall)


@dataclass(frozen=True, slots=True)
class Alerts:
    """What Alertmanager's API said at *asked_at*; the Watchdog is told apart from *active*."""

    active: tuple[Alert, ...]
    asked_at: float
    uptime_s: float  # of Alertmanager: a young one has not heard of all alerts yet
    watchdog_age_s: float | None  # since Prometheus last sent it; None: it is not there


@dataclass(frozen=True, slots=True)
class Container:
    """
    What Docker says of the container of one service, now.

    *state* is Docker's word (created, running, paused, restarting, removing, exited, dead),
    `absent` where there is none, or `unknown` where Docker did not say in time: neither healthy nor
    evidence of anything. *health* is healthy, unhealthy, starting or none. *stopped* says
    that a human stopped it. *drift* says why it must not be restarted by name ("" when it may):
    the name leads to another project's or service's container.
    """

    state: str
    health: str = "none"
    id: str = ""
    started_wall: float = 0.0  # 0: never
    finished_wall: float = 0.0
    created_wall: float = 0.0
    exit_code: int | None = None
    oom_killed: bool = False
    restart_policy: str = "no"
    stopped: bool = False
    drift: str = ""
    stop_timeout_s: float = 10.0
    patience_s: float = 0.0  # how long its own health check may take to say healthy after a start
    network_of: str = ""  # service whose network it shares (`network_mode: service:x`)
    restarts: int = 0  # by Docker itself, since it was last started by hand


@dataclass(frozen=True, slots=True)
class Sight:
    """All that is seen of one service now. *probe* None: it has no probe, or could not be asked."""

    container: Container
    probe: bool | None = None
    probe_detail: str = ""

    @property
    def exists(self) -> bool:
        """Whether its container exists; an optional service counts only then."""
        return self.container.state != "absent"

    @property
    def exited(self) -> bool:
        """Whether it does not run and nobody starts it."""
        return self.container.state in ("exited", "dead")

    @property
    def starting(self) -> bool:
        """Whether its health check has not spoken since the start."""
        return self.container.state == "running" and self.container.health == "starting"

    @property
    def healthy(self) -> bool:
        """Whether it runs, Docker does not say otherwise and our own probe succeeds (if it has one)."""
        ours = self.container
        return (
            ours.state == "running"
            and ours.health in ("healthy", "none")
            and self.probe is not False
        )

    @property
    def evidence(self) -> str:
        """Why we hold it unhealthy, besides what Alertmanager says; "" when nothing says so."""
        if self.exited:
            return f"container {self.container.state}"
        if self.container.state == "restarting":
            return "container restarting"
        if self.container.health == "unhealthy":
            return "health check unhealthy"
        return "probe failed" if self.probe is False else ""


@dataclass(frozen=True, slots=True)
class World:
    """What is outside, at one moment. *alerts* None: Alertmanager did not answer."""

    alerts: Alerts | None
    services: Mapping[str, Sight]  # {} while Docker does not answer
    docker_up: bool
    docker_since_wall: float = 0.0  # when the host or the engine started, as far as is known


@dataclass(frozen=True, slots=True)
class Decision:
    """
    One decision about one root.

    *reason* is one of remediation.reasons, *detail* is for people. *restart* names the service to be
    restarted when the outcome is act; *alerts* are the (fingerprint, start) it answers. *lone* says
    that it answers one alert by itself, whatever is decided about the root at the same time.
    """

    outcome: Outcome
    reason: str
    service: str  # the root; "" where there is none
    tier: str = ""
    rung: Rung = Rung.SERVICE
    incident: str = ""
    restart: str = ""
    detail: str = ""
    alerts: tuple[tuple[str, float], ...] = ()
    lone: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to be written into the journal: *body* is JSON (texts, numbers, lists, mappings)."""

    kind: str
    body: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as it stands in the journal: number, time, content, and its link of the chain."""

    number: int
    at: float  # steady
    wall: float
    kind: str
    body: Mapping[str, object]
    digest: str


@dataclass(frozen=True, slots=True)
class Fence:
    """What must still be so at the moment of a restart: the container seen when it was decided."""

    container: str
    id: str
    started_wall: float


@dataclass(frozen=True, slots=True)
class Restarted:
    """
    What came of a restart; *started_wall* is the container's start afterwards, 0 if unknown.

    Not *attempted*: it is certain that the container was not touched.
    """

    result: Result
    detail: str = ""
    started_wall: float = 0.0
    attempted: bool = True


class DriverError(Exception):
    """The engine could not be asked; nothing is known and nothing was done."""


class Driver(Protocol):
    """What restarts containers and says how they are. Safe to call from several threads."""

    def look(self) -> Mapping[str, Container]:
        """
        Return the container of every configured service, by service; `absent` where there is none.

        Raises:
            DriverError: The engine did not answer within the driver's deadline.
        """

    def restart(self, service: str, fence: Fence) -> Restarted:
        """
        Restart the container of *service*, once, if it is still the one that *fence* describes.

        Returns FAILED when nothing was done (fence broken, refused, name drifted), UNKNOWN when it
        cannot be told. Never raises for what the engine does.
        """

    def since_wall(self) -> float:
        """Return when the engine or its host started, as far as is known; 0 if not."""


class Prober(Protocol):
    """Asks services themselves."""

    def ask(self, services: Collection[str]) -> Mapping[str, tuple[bool | None, str]]:
        """Return (answered well, detail) for each of *services*; None where there is nothing to ask."""


class AlertSource(Protocol):
    """Where alerts are confirmed."""

    def ask(self) -> Alerts:
        """Return what is active now; AlertSourceError when it does not answer."""


class AlertSourceError(Exception):
    """Alertmanager did not answer, or not as it should."""
