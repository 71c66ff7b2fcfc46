"""
What our three exporters watch, as their configuration files (exporters/config.schema.json).

The agents exporter is told of every container of the catalog, because Docker's verdict covers
them all; it asks over the network only those whose kind says that it, and not blackbox, probes.
A file is left out when the catalog has no such exporter, or nothing for it to watch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from generator.model import Catalog, Service
from generator.names import tagged
from generator.probe_targets import docker_address, question, told_dependencies

OLLAMA_EXPORTER = "ollama-exporter"
AGENTS_EXPORTER = "agents-exporter"
HARDWARE_EXPORTER = "hardware-exporter"
_OLLAMA = "ollama"
_PROBER_AGENTS = "agents"
_PORTS = {OLLAMA_EXPORTER: 9741, AGENTS_EXPORTER: 9742, HARDWARE_EXPORTER: 9743}

# Seldom enough to cost nothing, often enough for an alert within a quarter of an hour.
_INFERENCE_INTERVAL = "5m"

_Callers = list[tuple[Service, list[Service]]]


def configs(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """Return the content of each exporter's file by file name; only of exporters that exist."""
    found = {
        "ollama.yml": _config(catalog, OLLAMA_EXPORTER, _ollama_targets(catalog), docker=False),
        "agents.yml": _config(
            catalog, AGENTS_EXPORTER, [_agent(service, catalog) for service in catalog.services]
        ),
        "hardware.yml": _config(
            catalog, HARDWARE_EXPORTER, [_container(service) for service in catalog.services]
        ),
    }
    return {name: config for name, config in found.items() if config["targets"]}


def _config(
    catalog: Catalog, kind: str, targets: Iterable[Mapping[str, Any]], *, docker: bool = True
) -> dict[str, Any]:
    exporters = catalog.of_kind(kind)
    port = exporters[0].port if exporters else None
    config: dict[str, Any] = {
        "version": 1,
        "exporter": kind.removesuffix("-exporter"),
        "listen": f"0.0.0.0:{port or _PORTS[kind]}",
    }
    if docker:
        address = docker_address(catalog, kind)
        config["docker"] = {"url": address, "project": catalog.platform.compose_project}
    config["targets"] = [dict(target) for target in targets] if exporters else []
    return config


def _subject(service: Service) -> dict[str, Any]:
    return {
        "service": service.name,
        "tier": service.tier,
        "kind": service.kind,
        "profile": service.profile,
        "container": service.container,
    }


def _container(service: Service) -> dict[str, Any]:
    return {**_subject(service), "probe": "container"}


def _agent(service: Service, catalog: Catalog) -> dict[str, Any]:
    if catalog.kinds[service.kind].prober != _PROBER_AGENTS:
        return _container(service)
    target = {**_subject(service), **question(service)}
    told = told_dependencies(service)
    if told:
        target["expect"] = {**target["expect"], "dependencies": told}
    if service.probes:
        target["port"] = service.probes[0].port
    return target


def _ollama_targets(catalog: Catalog) -> Iterable[dict[str, Any]]:
    servers = catalog.of_kind(_OLLAMA)
    callers = _callers(catalog, servers)
    for server in servers:
        if server.port is None:
            continue
        models = list(dict.fromkeys((*server.models, *_expected(server, callers))))
        target = {
            **_subject(server),
            "probe": "http",
            "url": f"http://{server.name}:{server.port}",
            "port": server.port,
        }
        others = _other_ports(server, [c for c, called in callers if server in called])
        if others:
            target["other_ports"] = others
        if models:
            target["expected_models"] = models
            if server.test_generations:
                target["inference"] = _inference(server, models[0])
        if server.auth:
            target["auth"] = dict(server.auth)
        yield target


def _inference(server: Service, model: str) -> dict[str, Any]:
    inference: dict[str, Any] = {"model": model, "interval": _INFERENCE_INTERVAL}
    if server.load_options:
        inference["load_options"] = dict(server.load_options)
    return inference


def _callers(catalog: Catalog, servers: Sequence[Service]) -> _Callers:
    """
    Return who uses Ollama, each with the servers that it may mean.

    Those are what it depends on; else those that listen on the port it names; else all.
    """
    found: _Callers = []
    for service in catalog.services:
        needed = {dependency.service for dependency in service.depends_on}
        called = [server for server in servers if server.name in needed]
        if not called and (service.expects_models or service.ollama_port is not None):
            called = [s for s in servers if s.port == service.ollama_port] or list(servers)
        if called:
            found.append((service, called))
    return found


def _expected(server: Service, callers: _Callers) -> Iterable[str]:
    """Yield what callers want of *server* and it does not list, unless another of theirs offers it."""
    for caller, called in callers:
        if server not in called:
            continue
        offered = {tagged(model) for other in called for model in other.models}
        yield from (model for model in caller.expects_models if tagged(model) not in offered)


def _other_ports(server: Service, callers: Iterable[Service]) -> list[int]:
    """Return where else the server may be looked for: its host ports, and what callers believe."""
    known = {port.host for port in server.ports if port.host and port.container == server.port}
    known |= {caller.ollama_port for caller in callers if caller.ollama_port}
    return sorted(known - {server.port})
