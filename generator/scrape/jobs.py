"""
Which jobs scrape which targets with which labels (design 5.1).

One job per kind that can be scraped, one job for all blackbox probes. What differs from target
to target (interval, timeout, path, parameters) is a label of the target, so that a service more
is one more entry and never one more job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from generator.model import Catalog, Service
from generator.names import BLACKBOX_JOB, BLACKBOX_KIND, EXPORTER_LABEL
from generator.scrape.modules import module_name, probe_target
from generator.software import Kind, MetricsSource

# Two missed scrapes still lie within every hold; four fit into the shortest rate window (2 m).
DEFAULT_INTERVAL = timedelta(seconds=15)
PROBE_INTERVAL = timedelta(seconds=30)
_TIMEOUT_SHARE = 0.8  # a scrape that hangs must end before the next is due


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to scrape: address and the labels that its series carry."""

    address: str
    service: str
    labels: Mapping[str, str]  # label -> value, `__...` labels steer the scrape
    series: int


@dataclass(frozen=True, slots=True)
class Job:
    """One scrape job; targets in catalog order, never empty."""

    name: str
    kind: Kind
    targets: tuple[Target, ...]
    honor_labels: bool
    credentials_file: str
    drop: tuple[str, ...]
    fallback_scrape_protocol: str
    interval: timedelta

    @property
    def observer(self) -> bool:
        """Whether `up` of this job speaks of an exporter rather than of the subject."""
        return any(EXPORTER_LABEL in target.labels for target in self.targets)


def jobs(catalog: Catalog) -> tuple[Job, ...]:
    """Return every job of *catalog*: kinds by name, blackbox last."""
    found = [_kind_job(kind, catalog) for _, kind in sorted(catalog.kinds.items())]
    return tuple(job for job in (*found, _blackbox_job(catalog)) if job is not None)


def _kind_job(kind: Kind, catalog: Catalog) -> Job | None:
    source = kind.metrics
    if source is None:
        return None
    targets = tuple(
        target
        for service in catalog.of_kind(kind.name)
        for target in _targets(service, source, kind, catalog)
    )
    if not targets:
        return None
    return Job(
        name=kind.name,
        kind=kind,
        targets=targets,
        honor_labels=source.honor_labels,
        credentials_file=source.credentials_file,
        drop=source.drop,
        fallback_scrape_protocol=source.fallback_scrape_protocol,
        interval=source.interval or DEFAULT_INTERVAL,
    )


def _targets(
    service: Service, source: MetricsSource, kind: Kind, catalog: Catalog
) -> Iterator[Target]:
    if source.source == "native":
        if not _scraped_for_its_subject(service, kind, catalog):
            yield _native(service, source, kind)
        return
    exporter = catalog.kinds.get(source.exporter)
    if exporter is None or (exporter.metrics and exporter.metrics.honor_labels):
        return  # our exporters name their subjects themselves, in a job of their own
    for name in catalog.observers.get(service.name, ()):
        observer = catalog.by_name[name]
        if observer.kind == source.exporter:
            yield _observed(service, source, observer)


def _scraped_for_its_subject(service: Service, kind: Kind, catalog: Catalog) -> bool:
    """Whether an exporter's only page is already scraped by the job of the one service it watches."""
    if not kind.observer or len(service.observes) != 1:
        return False
    subject = catalog.kinds[catalog.by_name[service.observes[0]].kind]
    return (
        subject.metrics is not None
        and subject.metrics.exporter == kind.name
        and not (kind.metrics and kind.metrics.honor_labels)
    )


def _native(service: Service, source: MetricsSource, kind: Kind) -> Target:
    port = service.metrics_port or source.port
    steering = _steering(source, service.metrics_path or source.path, service.metrics_params)
    labels = {**subject_labels(service), **steering}
    if kind.observer:
        labels[EXPORTER_LABEL] = service.name
    return Target(f"{service.name}:{port}", service.name, labels, source.series)


def _observed(service: Service, source: MetricsSource, observer: Service) -> Target:
    path, params = source.path, dict(source.params)
    if source.multi_target and len(observer.observes) > 1:
        path = source.multi_target.path
        params[source.multi_target.param] = source.multi_target.value.format(
            service=service.name, port=service.port or source.port
        )
    labels = {
        **subject_labels(service),
        EXPORTER_LABEL: observer.name,
        **_steering(source, path, params),
    }
    address = f"{observer.name}:{observer.metrics_port or source.port}"
    return Target(address, service.name, labels, source.series)


def subject_labels(service: Service) -> dict[str, str]:
    """Return the labels that name *service* as the subject of a series."""
    return {
        "service": service.name,
        "tier": service.tier,
        "kind": service.kind,
        "profile": service.profile,
    }


def _steering(source: MetricsSource, path: str, params: Mapping[str, str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    interval = source.interval or DEFAULT_INTERVAL
    if path != "/metrics":
        labels["__metrics_path__"] = path
    if source.interval is not None or source.timeout is not None:
        labels["__scrape_interval__"] = _seconds(interval)
        labels["__scrape_timeout__"] = _seconds(source.timeout or interval * _TIMEOUT_SHARE)
    labels |= {f"__param_{name}": value for name, value in sorted(params.items())}
    return labels


def _seconds(value: timedelta) -> str:
    return f"{max(1, int(value.total_seconds()))}s"


def _blackbox_job(catalog: Catalog) -> Job | None:
    probers = catalog.of_kind(BLACKBOX_KIND)
    if not probers:
        return None
    prober = probers[0]
    targets = tuple(
        Target(
            probe_target(service, probe),
            service.name,
            {
                **subject_labels(service),
                EXPORTER_LABEL: prober.name,
                "probe": probe.name,
                "__param_module": module_name(catalog.kinds[service.kind], probe),
            },
            _PROBE_SERIES,
        )
        for service in catalog.services
        if catalog.kinds[service.kind].prober == "blackbox"
        for probe in service.probes
    )
    if not targets:
        return None
    return Job(
        name=BLACKBOX_JOB,
        kind=catalog.kinds[BLACKBOX_KIND],
        targets=targets,
        honor_labels=False,
        credentials_file="",
        drop=(),
        fallback_scrape_protocol="",
        interval=PROBE_INTERVAL,
    )


_PROBE_SERIES = 20  # an HTTP probe of blackbox_exporter 0.23 exposes 19
