"""
What Prometheus and Alertmanager read from their command line alone, as compose overrides.

Retention and the address under which people reach a server are no part of its configuration
file; without the address, the links in notifications lead to a container's name.
"""

from __future__ import annotations

from generator.artifacts import Artifact
from generator.model import Catalog
from generator.names import (
    ALERTMANAGER_DIR,
    ALERTMANAGER_KIND,
    PROMETHEUS_DIR,
    PROMETHEUS_KIND,
)
from generator.quantities import write_duration
from generator.yaml_write import dump_yaml


def render(catalog: Catalog) -> tuple[Artifact, ...]:
    """Return one compose override per server that the catalog has."""
    found = []
    for kind, folder, flags in (
        (PROMETHEUS_KIND, PROMETHEUS_DIR, prometheus_flags(catalog)),
        (ALERTMANAGER_KIND, ALERTMANAGER_DIR, alertmanager_flags(catalog)),
    ):
        servers = catalog.of_kind(kind)
        if servers:
            content = {"services": {server.name: {"command": flags} for server in servers}}
            found.append(Artifact(f"{folder}/compose.yml", dump_yaml(content, "catalog/")))
    return tuple(found)


def prometheus_flags(catalog: Catalog) -> list[str]:
    """Return Prometheus' command line: paths, retention, reload, public address."""
    retention = catalog.platform.retention
    size = retention.metrics_size
    return [
        "--config.file=/etc/prometheus/prometheus.yml",
        "--storage.tsdb.path=/prometheus",
        f"--storage.tsdb.retention.time={write_duration(retention.metrics)}",
        *([f"--storage.tsdb.retention.size={size}B"] if size else []),
        "--web.enable-lifecycle",
        *_reached_at(catalog.platform.links.prometheus),
    ]


def alertmanager_flags(catalog: Catalog) -> list[str]:
    """Return Alertmanager's command line: paths and public address."""
    return [
        "--config.file=/etc/alertmanager/alertmanager.yml",
        "--storage.path=/alertmanager",
        *_reached_at(catalog.platform.links.alertmanager),
    ]


def _reached_at(link: str) -> list[str]:
    # A path in the public address is a proxy's: inside the network the server stays at the root.
    return [f"--web.external-url={link}", "--web.route-prefix=/"] if link else []
