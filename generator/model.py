"""
The catalog as values: what runs, where, on what it depends, how it is judged.

Plain frozen dataclasses without I/O. `generator.catalog` builds them from YAML and has
checked every reference by then: names resolve, sizes and health classes are objects,
durations are timedeltas, sizes in memory are bytes, ratios are exact Decimals (0 to 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import cached_property

from generator.errors import Place
from generator.names import DEFAULT_PROFILE
from generator.software import Kind, Probe

# How long the alerts of a tier keep firing after it recovered, so that they do not flap.
TIER_KEEP = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Size:
    """Promised resources of a container. memory_bytes 0 and cpus 0 mean no limit."""

    name: str
    memory_bytes: int
    cpus: Decimal


@dataclass(frozen=True, slots=True)
class HealthClass:
    """How often and how patiently Docker checks a container's health."""

    name: str
    interval: timedelta
    timeout: timedelta
    retries: int
    start_period: timedelta


@dataclass(frozen=True, slots=True)
class Port:
    """A published port; host 0 when it is reachable inside the network only."""

    container: int
    host: int = 0


@dataclass(frozen=True, slots=True)
class Dependency:
    """One `depends_on` entry; only hard ones inhibit alerts and order restarts."""

    service: str
    hard: bool


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When people are not notified about a tier (never mutes remediation). Minutes from midnight."""

    start_minute: int
    end_minute: int
    weekdays: tuple[str, ...]
    timezone: str


@dataclass(frozen=True, slots=True)
class Tier:
    """A layer of the platform. *order* 1 starts first; *mode* is observe, approve or act."""

    name: str
    title: str
    order: int
    mode: str
    quiet_hours: QuietHours | None
    place: Place


@dataclass(frozen=True, slots=True)
class Service:
    """One deployable thing. Everything here has been resolved and checked against the catalog."""

    name: str
    tier: str
    kind: str
    container: str
    image: str
    ports: tuple[Port, ...]
    depends_on: tuple[Dependency, ...]
    profiles: tuple[str, ...]
    size: Size
    health: HealthClass
    stateful: bool
    oneshot: bool
    owner: str
    slo: Decimal | None
    expects_models: tuple[str, ...]
    models: tuple[str, ...]
    observes: tuple[str, ...]
    ollama_port: int | None
    gpu: bool
    mode: str
    description: str
    # Resolved from the kind, with the service's own overrides applied.
    port: int | None
    metrics_port: int | None
    metrics_path: str
    metrics_params: Mapping[str, str]
    probes: tuple[Probe, ...]
    log_format: str
    place: Place
    # Of an Ollama server: whether test generations may be made, for which its callers' loading
    # options must be stated; and where the credentials for a proxy in front of it are.
    test_generations: bool = False
    load_options: Mapping[str, int | bool] = field(default_factory=dict)
    auth: Mapping[str, str] = field(default_factory=dict)

    @property
    def profile(self) -> str:
        """The label `profile`: the first profile listed, or `default`."""
        return self.profiles[0] if self.profiles else DEFAULT_PROFILE

    @property
    def optional(self) -> bool:
        """Whether the service may be absent: it counts only while its container exists."""
        return bool(self.profiles) or self.oneshot

    @property
    def requires(self) -> tuple[str, ...]:
        """Names of the hard dependencies, in catalog order."""
        return tuple(dependency.service for dependency in self.depends_on if dependency.hard)

    @property
    def down_hold(self) -> timedelta:
        """How long the verdict must be bad before ServiceDown: max(2 min, start period + 60 s)."""
        return max(timedelta(minutes=2), self.health.start_period + timedelta(seconds=60))

    @property
    def recovery(self) -> timedelta:
        """How long after its dependencies healed it may take to be seen healthy: start period + 60 s."""
        return self.health.start_period + timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how much the servers keep. metrics_size in bytes."""

    metrics: timedelta
    metrics_size: int
    logs: timedelta


@dataclass(frozen=True, slots=True)
class Owner:
    """Who is told about a service's alerts. Empty strings: not told that way."""

    name: str
    slack: str
    email: str


@dataclass(frozen=True, slots=True)
class Notify:
    """Where notifications leave the platform. Secrets are paths of files inside Alertmanager's container."""

    webhook_url: str
    webhook_token_file: str
    slack_url_file: str
    smtp_smarthost: str
    smtp_from: str
    smtp_username: str
    smtp_password_file: str
    heartbeat_url: str
    heartbeat_token_file: str
    remediator_token_file: str


@dataclass(frozen=True, slots=True)
class Links:
    """Public addresses put into annotations and boards, without a trailing slash."""

    grafana: str
    runbooks: str
    prometheus: str
    alertmanager: str


@dataclass(frozen=True, slots=True)
class Platform:
    """Settings of the whole platform."""

    name: str
    compose_project: str
    network: str
    subnet: str
    targets: Mapping[str, tuple[int, ...]]
    retention: Retention
    slo_window: timedelta
    links: Links
    sizes: Mapping[str, Size]
    health_classes: Mapping[str, HealthClass]
    default_model: str
    fallback_model: str
    default_owner: str
    owners: Mapping[str, Owner]
    notify: Notify
    host_memory_bytes: int
    host_cpus: int
    remediation: Mapping[str, object]
    disabled_alerts: Mapping[str, str]
    thresholds: Mapping[str, float]  # alert name -> the threshold that replaces ours
    place: Place
    # Where a wish about an alert stands, by its key (disabled, thresholds) and the alert's name.
    wish_places: Mapping[tuple[str, str], Place] = field(default_factory=dict)

    def place_of_wish(self, key: str, alert: str) -> Place:
        """Return where *alert* is named under `alerts` and *key*; the platform's own place if nowhere."""
        return self.wish_places.get((key, alert), self.place)


@dataclass(frozen=True)
class Catalog:
    """
    The whole input, checked.

    tiers are sorted by order; services by tier order, then as written. kinds holds every
    kind a service uses, ours and the catalog's own, sorted by name.
    """

    platform: Platform
    tiers: tuple[Tier, ...]
    services: tuple[Service, ...]
    kinds: Mapping[str, Kind]

    @cached_property
    def by_name(self) -> Mapping[str, Service]:
        """Services by name."""
        return {service.name: service for service in self.services}

    @cached_property
    def observers(self) -> Mapping[str, tuple[str, ...]]:
        """For each observed service, the names of the exporters that watch it, in catalog order."""
        watched: dict[str, list[str]] = {}
        for service in self.services:
            for subject in service.observes:
                watched.setdefault(subject, []).append(service.name)
        return {subject: tuple(names) for subject, names in watched.items()}

    def of_kind(self, *kinds: str) -> tuple[Service, ...]:
        """Services whose kind is one of *kinds*, in catalog order; empty if none."""
        return tuple(service for service in self.services if service.kind in kinds)

    def in_tier(self, tier: str) -> tuple[Service, ...]:
        """Services of *tier*, in catalog order."""
        return tuple(service for service in self.services if service.tier == tier)

    @cached_property
    def hard_dependants(self) -> Mapping[str, tuple[str, ...]]:
        """For each service, the names of all its transitive hard dependants, sorted; empty if none."""
        direct: dict[str, set[str]] = {service.name: set() for service in self.services}
        for service in self.services:
            for required in service.requires:
                direct[required].add(service.name)
        closed: dict[str, tuple[str, ...]] = {}
        for name, dependants in direct.items():
            seen: set[str] = set()
            waiting = list(dependants)
            while waiting:
                dependant = waiting.pop()
                if dependant not in seen:
                    seen.add(dependant)
                    waiting.extend(direct[dependant])
            closed[name] = tuple(sorted(seen))
        return closed

    @cached_property
    def down_keep(self) -> Mapping[str, timedelta]:
        """
        For each service, how long its ServiceDown keeps firing after it healed (`keep_firing_for`).

        Zero without hard dependants; else long enough for each of them to recover and for its own
        ServiceDown and the alerts of its tier to end, so that nothing outlives the root that
        inhibits it.
        """
        keeps: dict[str, timedelta] = {}
        # Fewest dependants first: a dependant's dependants are a true subset of its root's.
        for name in sorted(self.hard_dependants, key=lambda name: len(self.hard_dependants[name])):
            dependants = self.hard_dependants[name]
            waits = (
                max(keeps[dependant], TIER_KEEP) + self.by_name[dependant].recovery
                for dependant in dependants
            )
            keeps[name] = max(waits, default=timedelta(0))
        return keeps
