"""
Build tiers and services from the data of the tier files.

Every name a service mentions is resolved here; one that resolves to nothing becomes a finding
and the field falls back to its default, so that building goes on and later checks see the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from generator import catalog_defaults as defaults
from generator.catalog_origin import Origin
from generator.catalog_platform import build_health, build_size
from generator.errors import Finding
from generator.kinds.build import build_probe
from generator.model import (
    Dependency,
    HealthClass,
    Platform,
    Port,
    QuietHours,
    Service,
    Size,
    Tier,
)
from generator.quantities import read_minute, read_percent
from generator.schema_check import suggest
from generator.software import Kind, Probe
from generator.yaml_read import Document

OLLAMA = "ollama"  # the kind that offers models
_HIGHEST_PORT = 65535
_MOST_SUGGESTIONS = (
    50  # one takes 10 ms among 10,000 names; who has 50 mistakes has another problem
)
_NO_SIZE = build_size(defaults.NO_LIMIT, {"memory": "0B", "cpus": 0})


@dataclass(slots=True)
class Builder:
    """What building one service needs to know of the others; *findings* grows."""

    platform: Platform
    kinds: Mapping[str, Kind]
    log_formats: Iterable[str]
    broken_kinds: frozenset[str]  # the catalog's own, with findings of their own
    names: frozenset[str]
    all_named: bool  # False: some file could not be read, so *names* may lack services
    origin: Origin
    findings: list[Finding] = field(default_factory=list)

    def report(self, name: str, fact: str, cure: str, *keys: str | int, check: str) -> None:
        """Add a finding about service *name*."""
        found = self.origin.service_finding(name, fact, cure, *keys, check=check)
        self.findings.append(found)

    def service(
        self, name: str, data: Mapping[str, Any], tier: Mapping[str, Any]
    ) -> Service | None:
        """Return the service *name*, or None if its kind is unknown."""
        kind = self.kinds.get(data["kind"])
        if kind is None and data["kind"] in self.broken_kinds:
            return None
        if kind is None:
            cure = suggest(data["kind"], list(self.kinds))
            self.report(name, f"unknown kind {data['kind']!r}", cure, "kind", check="kind")
            return None
        ports = self._ports(name, data.get("ports", ()))
        port = _listens_on(data, kind, ports)
        metrics = data.get("metrics", {})
        own_models = (self.platform.default_model, self.platform.fallback_model)
        models = data.get("models", own_models if kind.name == OLLAMA else ())
        return Service(
            name=name,
            tier=tier["tier"],
            kind=kind.name,
            container=data.get("container_name", f"{self.platform.name}-{name}"),
            image=data.get("image", ""),
            ports=ports,
            depends_on=self._depends_on(name, data.get("depends_on", {})),
            profiles=tuple(data.get("profiles", ())),
            size=self._size(name, data.get("size")),
            health=self._health(name, data.get("health"), kind),
            stateful=data.get("stateful", kind.stateful),
            oneshot=data.get("oneshot", kind.oneshot),
            owner=data.get("owner", tier.get("owner", self.platform.default_owner)),
            slo=read_percent(data["slo"]) if "slo" in data else None,
            expects_models=tuple(data.get("expects_models", ())),
            models=tuple(dict.fromkeys(models)),
            observes=self._observes(name, data.get("observes", ())),
            ollama_port=data.get("ollama_port"),
            gpu=data.get("gpu", False),
            mode=data.get("mode", tier.get("mode", defaults.MODE)),
            description=data.get("description", ""),
            port=port,
            metrics_port=_metrics_port(metrics, kind, port),
            metrics_path=metrics.get("path", kind.metrics.path if kind.metrics else "/metrics"),
            metrics_params=metrics.get("params", kind.metrics.params if kind.metrics else {}),
            probes=self._probes(name, data, kind, port),
            log_format=self._log(name, data, kind),
            place=self.origin.of_service(name),
            test_generations=data.get("test_generations", False),
            load_options=data.get("load_options", {}),
            auth=data.get("auth", {}),
        )

    def _ports(self, name: str, texts: Iterable[str]) -> tuple[Port, ...]:
        ports = []
        for index, text in enumerate(texts):
            host, _, container = text.rpartition(":")
            port = Port(int(container), int(host or 0))
            if max(port.container, port.host) > _HIGHEST_PORT:
                fact = f"the port in {text!r} is above {_HIGHEST_PORT}"
                self.report(name, fact, "Use a lower one.", "ports", index, check="port")
            else:
                ports.append(port)
        return tuple(ports)

    def _depends_on(self, name: str, entries: Mapping[str, str]) -> tuple[Dependency, ...]:
        known = []
        for required, strength in entries.items():
            if required in self.names:
                known.append(Dependency(required, strength == "hard"))
            elif self.all_named:
                fact = f"depends on {required!r}, which is no service of this catalog"
                cure = self._similar(required)
                self.report(name, fact, cure, "depends_on", required, check="dependency")
        return tuple(known)

    def _observes(self, name: str, subjects: Iterable[str]) -> tuple[str, ...]:
        known = []
        for index, subject in enumerate(subjects):
            if subject in self.names:
                known.append(subject)
            elif self.all_named:
                fact = f"observes {subject!r}, which is no service of this catalog"
                cure = self._similar(subject)
                self.report(name, fact, cure, "observes", index, check="observer")
        return tuple(known)

    def _similar(self, name: str) -> str:
        """Return which service may be meant by *name*, or what to do without one."""
        close = ""
        if len(self.findings) < _MOST_SUGGESTIONS:
            close = suggest(name, list(self.names))
        return close or "Add it, or remove the name here."

    def _size(self, name: str, data: Any) -> Size:
        if data is None:
            return _NO_SIZE
        if isinstance(data, dict):
            return build_size(defaults.CUSTOM, data)
        size = self.platform.sizes.get(data)
        if size is None:
            cure = suggest(data, list(self.platform.sizes))
            self.report(name, f"unknown size {data!r}", cure, "size", check="size")
            return _NO_SIZE
        return size

    def _health(self, name: str, data: Any, kind: Kind) -> HealthClass:
        classes = self.platform.health_classes
        base = classes.get(kind.health)
        if base is None:
            fact = f"its kind {kind.name!r} has the unknown health class {kind.health!r}"
            cure = suggest(kind.health, list(classes))
            self.report(name, fact, cure, "kind", check="health")
            base = classes["application"]
        if data is None:
            return base
        if isinstance(data, dict):
            return build_health(defaults.CUSTOM, data, base)
        if data not in classes:
            cure = suggest(data, list(classes))
            self.report(name, f"unknown health class {data!r}", cure, "health", check="health")
            return base
        return classes[data]

    def _probes(
        self, name: str, data: Mapping[str, Any], kind: Kind, port: int | None
    ) -> tuple[Probe, ...]:
        if "probes" not in data:
            return tuple(_moved(probe, kind.port, port) for probe in kind.probes)
        probes = []
        for index, entry in enumerate(data["probes"]):
            probe = {"name": entry["type"], "port": port, **entry}
            if probe["port"] is None:
                fact = f"probe {index + 1} has no port, and neither has its kind {kind.name!r}"
                self.report(name, fact, "Add 'port:'.", "probes", index, check="port")
            else:
                probes.append(build_probe(probe))
        return tuple(probes)

    def _log(self, name: str, data: Mapping[str, Any], kind: Kind) -> str:
        log: str = data.get("log", kind.log)
        if log not in self.log_formats:
            cure = suggest(log, list(self.log_formats))
            self.report(name, f"unknown log format {log!r}", cure, "log", check="log")
            return "plain"
        return log


def build_tier(data: Mapping[str, Any], order: int, document: Document) -> Tier:
    """Return the tier that *data* describes."""
    hours = data.get("quiet_hours")
    return Tier(
        name=data["tier"],
        title=data.get("title", data["tier"]),
        order=order,
        mode=data.get("mode", defaults.MODE),
        quiet_hours=_quiet_hours(hours) if hours else None,
        place=document.place("tier"),
    )


def _quiet_hours(data: Mapping[str, Any]) -> QuietHours:
    return QuietHours(
        start_minute=read_minute(data["start"]),
        end_minute=read_minute(data["end"]),
        weekdays=tuple(data.get("weekdays", defaults.WEEKDAYS)),
        timezone=data.get("timezone", defaults.TIMEZONE),
    )


def _listens_on(data: Mapping[str, Any], kind: Kind, ports: tuple[Port, ...]) -> int | None:
    """Return the service's main port: its own word, its kind's, or the only one it lists."""
    if "port" in data:
        return int(data["port"])
    if kind.port is not None:
        return kind.port
    return ports[0].container if len(ports) == 1 else None


def _metrics_port(metrics: Mapping[str, Any], kind: Kind, port: int | None) -> int | None:
    """Return the port that is scraped; it follows the service's port where the kind has one for both."""
    if "port" in metrics:
        return int(metrics["port"])
    if kind.metrics is None:
        return None
    if kind.metrics.source == "native" and kind.metrics.port == kind.port:
        return port
    return kind.metrics.port


def _moved(probe: Probe, usual: int | None, port: int | None) -> Probe:
    """Return *probe* at the service's *port* where it asks the kind's *usual* one."""
    if port is None or port == usual or probe.port != usual:
        return probe
    return replace(probe, port=port)
