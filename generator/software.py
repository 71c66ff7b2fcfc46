"""What is true of one kind of software, as values; `generator.kinds` reads them from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from generator.errors import Place

# How a series can say that its subject is healthy: the metric a kind names as its verdict.
VERDICT_UP = "up"
VERDICT_PROBE = "probe_success"
VERDICT_AGENT = "agent_up"
VERDICT_CONTAINER = "agent_container_running"


@dataclass(frozen=True, slots=True)
class Metric:
    """One declared metric. *labels* are those the software sets itself, sorted."""

    name: str
    type: str  # counter | gauge | histogram | summary | untyped
    unit: str
    help: str
    labels: tuple[str, ...]
    absent: bool = False  # may be missing on a healthy target
    versions: str = ""

    @property
    def series_names(self) -> tuple[str, ...]:
        """Names under which samples appear (`_bucket`, `_sum`, `_count` for histograms)."""
        if self.type == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        if self.type == "summary":
            return (self.name, f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)


@dataclass(frozen=True, slots=True)
class BodyDependency:
    """Where a JSON answer says how one dependency is: a pointer (RFC 6901) and its good values."""

    name: str
    pointer: str
    good: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """One question a prober asks. *body* must match, *not_body* must not (RE2); http only."""

    name: str
    type: str  # http | tcp | tls
    port: int
    path: str = "/"
    scheme: str = "http"
    status: int = 200
    body: str = ""
    not_body: str = ""
    host_header: str = ""
    dependencies: tuple[
        BodyDependency, ...
    ] = ()  # told by the body; the agents exporter reads them


@dataclass(frozen=True, slots=True)
class MultiTarget:
    """How an exporter that watches several services is asked about one of them."""

    path: str
    param: str
    value: str  # template with {service} and {port}


@dataclass(frozen=True, slots=True)
class MetricsSource:
    """Where a kind's metrics come from. port and path are those that are scraped."""

    source: str  # native | exporter
    exporter: str  # kind of the observer, empty when native
    port: int
    path: str
    params: Mapping[str, str]
    multi_target: MultiTarget | None
    fallback_scrape_protocol: str
    interval: timedelta | None
    timeout: timedelta | None
    needs: str
    drop: tuple[str, ...]
    series: int
    honor_labels: bool = False  # the target names its subjects itself (our exporters)
    credentials_file: str = ""  # bearer token, a path inside Prometheus' container


@dataclass(frozen=True, slots=True)
class Kind:
    """Facts about one kind of software; *place* is where its file stands."""

    name: str
    title: str
    port: int | None
    metrics: MetricsSource | None
    probes: tuple[Probe, ...]
    prober: str  # blackbox | agents
    verdict: str
    observer: bool
    health: str
    health_note: str
    log: str
    packs: tuple[str, ...]
    board: str
    stateful: bool
    oneshot: bool
    restart_note: str
    sources: tuple[str, ...]
    notes: tuple[str, ...]
    declares: Mapping[str, Metric]
    place: Place
