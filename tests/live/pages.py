"""
The pages that the platform's services would show to a scraper, as text in Prometheus' format.

A page is made for who is asked: a service tells of itself, an exporter of the services it
observes, cAdvisor of every container of the host, strangers' among them. `World` holds what is
broken; everything else is in good health.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from generator.model import Catalog, Service
from generator.software import Kind, Metric
from tests.live.healthy import Series, Value, series

SUBJECT = ("service", "tier", "kind", "profile")
_COMPOSE = "container_label_com_docker_compose_"
_ZERO = Value(0.0)
# What must never reach Prometheus: the runtime's own metrics, and containers that are not ours.
NOISE = ("go_goroutines", "python_gc_objects_collected_total")
STRANGERS: tuple[Mapping[str, str], ...] = (
    {"id": "/"},
    {"id": "/system.slice/docker.service"},
    {"id": "/docker/aaa", "name": "shop-postgres-1", "image": "postgres:16",
     f"{_COMPOSE}project": "shop", f"{_COMPOSE}service": "postgres"},
    {"id": "/docker/bbb", "name": "quirky_turing", "image": "busybox:1"},
)  # fmt: skip


@dataclass(slots=True)
class World:
    """
    What is wrong now, by service.

    down: runs, and is not healthy. gone: its container does not exist. broken: answers every
    scrape with 500. hanging: accepts, and never answers.
    """

    down: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)

    def sick(self, service: str) -> bool:
        """Whether whoever asks *service* itself gets no good answer."""
        return service in self.down or service in self.gone


def subject(service: Service) -> dict[str, str]:
    """Return the labels by which our own exporters name *service*."""
    values = (service.name, service.tier, service.kind, service.profile)
    return dict(zip(SUBJECT, values, strict=True))


def page(service: Service, catalog: Catalog, world: World) -> Iterator[Series]:
    """Yield what *service* shows at its metrics endpoint."""
    kind = catalog.kinds[service.kind]
    for name in NOISE:
        if kind.metrics and re.fullmatch("|".join(kind.metrics.drop), name):
            yield Series(name, {}, Value(7.0))
    if kind.name == "cadvisor":
        yield from _containers(service, catalog, world)
    elif kind.name == "agents-exporter":
        yield from _agents(kind, catalog, world)
    else:
        yield from _own(kind, catalog)
        for name in service.observes:
            yield from _observed(catalog.by_name[name], kind, catalog, world)
    if kind.name == "ollama-exporter":
        for server in catalog.of_kind("ollama"):
            yield from _observed(server, kind, catalog, world)


def _own(kind: Kind, catalog: Catalog) -> Iterator[Series]:
    """Yield a kind's own metrics; those that name a subject once per service, tier or GPU user."""
    honor = bool(kind.metrics and kind.metrics.honor_labels)
    for metric in kind.declares.values():
        if not metric.name.startswith("probe_"):  # the prober shows these at /probe only
            for extra in _subjects(metric, catalog) if honor else ({},):
                yield from series(metric, honor=honor, extra=extra)


def _subjects(metric: Metric, catalog: Catalog) -> Iterator[dict[str, str]]:
    """Yield the labels of each subject that *metric* of our own software speaks of."""
    if metric.name.startswith("hw_container_"):
        for service in catalog.services:
            if service.gpu or "gpu" not in metric.name:
                yield {**subject(service), "container": service.container}
    elif "service" in metric.labels:
        for service in catalog.services:
            labels = {**subject(service), "owner": service.owner}
            yield {name: labels[name] for name in metric.labels if name in labels}
    elif "tier" in metric.labels:
        for tier in catalog.tiers:
            yield {"tier": tier.name} | ({"mode": tier.mode} if "mode" in metric.labels else {})
    else:
        yield {}


def _observed(service: Service, observer: Kind, catalog: Catalog, world: World) -> Iterator[Series]:
    """Yield what an exporter tells of *service*; of a sick one its verdict and nothing that needs it."""
    kind = catalog.kinds[service.kind]
    if kind.metrics is None or kind.metrics.exporter != observer.name:
        return
    honor = bool(observer.metrics and observer.metrics.honor_labels)
    extra = subject(service) if honor else {}
    for metric in kind.declares.values():
        for one in series(metric, honor=honor, extra=extra):
            if not world.sick(service.name):
                yield one
            elif metric.name == kind.verdict:
                yield replace(one, value=_ZERO)
            elif "exporter" in metric.name:
                yield one


def _agents(kind: Kind, catalog: Catalog, world: World) -> Iterator[Series]:
    """Yield the agents exporter's page: every container, and the answers of those it asks itself."""
    for metric in kind.declares.values():
        if not metric.name.startswith("agent_") or _of_itself(metric):
            yield from series(metric, honor=True)
            continue
        for service in catalog.services:
            asked = catalog.kinds[service.kind].prober == "agents" and bool(service.probes)
            if metric.name.startswith("agent_container_") or metric.name == "agent_info" or asked:
                extra = subject(service) | (
                    {"container": service.container} if "container" in metric.labels else {}
                )
                for one in series(metric, honor=True, extra=extra):
                    yield from _seen(one, service.name, world)


def _of_itself(metric: Metric) -> bool:
    return metric.name.startswith(("agent_collector_", "agent_exporter_", "agent_docker_"))


_BAD = ("agent_up", "agent_container_running", "agent_http_status_code")
_UNKNOWN_WHEN_GONE = ("state", "health", "exit_code", "oom_killed", "restarts", "started")


def _seen(one: Series, service: str, world: World) -> Iterator[Series]:
    """Yield *one* series of the agents exporter as it looks with *service* down or gone."""
    if not world.sick(service):
        yield one
    elif service in world.gone and any(
        one.name.startswith(f"agent_container_{word}") for word in _UNKNOWN_WHEN_GONE
    ):
        return
    elif one.name in _BAD or (one.name == "agent_container_present" and service in world.gone):
        yield replace(one, value=_ZERO)
    elif one.name == "agent_consecutive_failures":
        yield replace(one, value=Value(9.0))
    elif one.name == "agent_container_health":
        bad = one.labels["health"] == "unhealthy"
        yield replace(one, value=Value(float(bad)))
    else:
        yield one


def _containers(service: Service, catalog: Catalog, world: World) -> Iterator[Series]:
    """Yield cAdvisor's page: the host's machine, our containers, roll-ups and strangers."""
    found = [_compose(each, catalog) for each in catalog.services if each.name not in world.gone]
    for metric in catalog.kinds[service.kind].declares.values():
        if not metric.name.startswith("container_") or "id" not in metric.labels:
            yield from series(metric)
            continue
        for container in (*found, *STRANGERS):
            for one in series(metric):
                own = {
                    name: value
                    for name, value in one.labels.items()
                    if value != "plain" or name == "device"
                }
                yield replace(one, labels={**own, **container})


def _compose(service: Service, catalog: Catalog) -> dict[str, str]:
    return {
        "id": f"/docker/{service.name}",
        "name": service.container,
        "image": service.image,
        f"{_COMPOSE}project": catalog.platform.compose_project,
        f"{_COMPOSE}service": service.name,
    }


def probe(asked: str, prober: str, sick: bool, catalog: Catalog) -> Iterator[Series]:
    """Yield the blackbox exporter's answer for a *prober* (http, tcp) of a service of that health."""
    declared = catalog.kinds[asked].declares.values()
    for metric in declared:
        if not metric.name.startswith("probe_") or "ssl" in metric.name or "tls" in metric.name:
            continue
        if metric.name.startswith("probe_http_") and prober != "http":
            continue
        for one in series(metric):
            bad = sick and metric.name in ("probe_success", "probe_http_status_code")
            yield replace(one, value=_ZERO) if bad else one


def write(found: Iterable[Series], start: float, now: float) -> str:
    """Return *found* as a page. Samples of one name need not stand together: Prometheus does not ask."""
    return "".join(
        f"{one.name}{_braces(one.labels)} {one.value.at(start, now)!r}\n" for one in found
    )


def _braces(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
