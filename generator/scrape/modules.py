"""Blackbox modules: one per different question, shared by all services that are asked the same."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from generator.artifacts import Artifact
from generator.model import Catalog, Service
from generator.names import BLACKBOX_KIND
from generator.software import Kind, Probe
from generator.yaml_write import dump_yaml

_TIMEOUT = "10s"  # below the probe interval; blackbox caps it at Prometheus' scrape timeout anyway


def probe_target(service: Service, probe: Probe) -> str:
    """Return what the blackbox exporter is asked to probe: a URL for http, host:port otherwise."""
    if probe.type == "http":
        return f"{probe.scheme}://{service.name}:{probe.port}{probe.path}"
    return f"{service.name}:{probe.port}"


def module_name(kind: Kind, probe: Probe) -> str:
    """
    Return the module that *probe* of a service of *kind* needs.

    Plain questions share one; a body to match gives the kind a module of its own, and a
    service that asks differently from its kind gets one named by what it asks.
    """
    if probe.type != "http":
        return f"{probe.type}_connect"
    if not (probe.body or probe.not_body or probe.host_header) and probe.scheme == "http":
        return f"http_{probe.status}"
    if probe in kind.probes:
        return f"http_{kind.name}_{probe.name}"
    return f"http_{kind.name}_{probe.name}_{sha256(repr(probe).encode()).hexdigest()[:6]}"


def render(catalog: Catalog) -> tuple[Artifact, ...]:
    """Return the blackbox exporter's configuration; nothing when the catalog has no such exporter."""
    if not catalog.of_kind(BLACKBOX_KIND):
        return ()
    modules = {
        module_name(catalog.kinds[service.kind], probe): module(probe)
        for service in catalog.services
        if catalog.kinds[service.kind].prober == "blackbox"
        for probe in service.probes
    }
    content = {"modules": dict(sorted(modules.items()))}
    return (Artifact("blackbox/blackbox.yml", dump_yaml(content, "generator/kinds/ and catalog/")),)


def module(probe: Probe) -> dict[str, Any]:
    """Return the blackbox module that asks *probe*. IPv4: Compose networks have no IPv6 by default."""
    if probe.type == "http":
        return {"prober": "http", "timeout": _TIMEOUT, "http": _http(probe)}
    tcp: dict[str, Any] = {"preferred_ip_protocol": "ip4"}
    if probe.type == "tls":
        # Expiry is judged by an alert; an internal certificate authority is no reason to be blind.
        tcp |= {"tls": True, "tls_config": {"insecure_skip_verify": True}}
    return {"prober": "tcp", "timeout": _TIMEOUT, "tcp": tcp}


def _http(probe: Probe) -> dict[str, Any]:
    http: dict[str, Any] = {
        "method": "GET",
        "preferred_ip_protocol": "ip4",
        "valid_status_codes": [probe.status],
        "follow_redirects": False,
    }
    if probe.host_header:
        http["headers"] = {"Host": probe.host_header}
    if probe.body:
        http["fail_if_body_not_matches_regexp"] = [probe.body]
    if probe.not_body:
        http["fail_if_body_matches_regexp"] = [probe.not_body]
    if probe.scheme == "https":
        http["tls_config"] = {"insecure_skip_verify": True}
    return http
