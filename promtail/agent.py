"""
Promtail's configuration: which containers it reads, what it calls them, where it sends their lines.

Containers come from Docker through the read-only proxy; everything that names a stream comes
from the catalog, by expressions that list its names, so that nothing a container says about
itself can become a label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from generator.artifacts import Artifact
from generator.model import Catalog, Service
from generator.yaml_write import dump_yaml
from promtail.formats import BY_NAME, FALLBACK, FORMATS
from promtail.kit import Format
from promtail.levels import LEVELS
from promtail.pipeline import CONTAINER_LABEL, FORMAT_LABEL, STREAM_LABEL, stages

PATH = "promtail/config.yml"
JOB = "containers"
PORT = 9080

KIND = "promtail"
LOKI_KIND = "loki"
PROXY_KIND = "docker-socket-proxy"
LOKI_PORT = 3100
PROXY_PORT = 2375

_COMPOSE = "__meta_docker_container_label_com_docker_compose"


def render(catalog: Catalog) -> tuple[Artifact, ...]:
    """Return `promtail/config.yml`; nothing where the catalog has no Promtail or no Loki."""
    if not catalog.of_kind(KIND) or not catalog.of_kind(LOKI_KIND):
        return ()
    return (Artifact(PATH, dump_yaml(config(catalog), "catalog/")),)


def config(catalog: Catalog) -> dict[str, Any]:
    """Return the whole configuration of Promtail as plain data."""
    return {
        "server": {"http_listen_port": PORT, "grpc_listen_port": 0, "log_level": "info"},
        # On a volume of its own: lost positions mean that every container is read again.
        "positions": {"filename": "/promtail/positions.yml", "sync_period": "10s"},
        "clients": [_client(catalog)],
        # As Loki's own limit: a longer line would be refused with its whole batch.
        "limits_config": {"max_line_size": "256KB", "max_line_size_truncate": True},
        "scrape_configs": [scrape_config(catalog)],
    }


def _client(catalog: Catalog) -> dict[str, Any]:
    return {
        "url": f"http://{_address(catalog, LOKI_KIND, LOKI_PORT)}/loki/api/v1/push",
        "batchwait": "1s",
        "batchsize": 1048576,
        "timeout": "10s",
        # 0.5 s doubling up to 5 min: about an hour without Loki before lines are given up.
        "backoff_config": {"min_period": "500ms", "max_period": "5m", "max_retries": 20},
    }


def _address(catalog: Catalog, kind: str, port: int) -> str:
    """Return host and port of the first service of *kind*; the kind's usual name if there is none."""
    services = catalog.of_kind(kind)
    if not services:
        return f"{kind}:{port}"
    return f"{services[0].name}:{services[0].port or port}"


def scrape_config(catalog: Catalog) -> dict[str, Any]:
    """Return the one scrape job: discovery, labels, pipeline."""
    project = f"com.docker.compose.project={catalog.platform.compose_project}"
    return {
        "job_name": JOB,
        "docker_sd_configs": [
            {
                "host": f"tcp://{proxy(catalog)}",
                "refresh_interval": "5s",
                # The daemon filters, because Promtail's Docker target cannot (pipeline.py).
                "filters": [{"name": "label", "values": [project]}],
            }
        ],
        "relabel_configs": relabel_configs(catalog),
        "pipeline_stages": stages(used_formats(catalog)),
    }


def proxy(catalog: Catalog) -> str:
    """Return the address of the proxy that Promtail depends on; else of the first one there is."""
    proxies = {service.name: service for service in catalog.of_kind(PROXY_KIND)}
    needed = [d.service for agent in catalog.of_kind(KIND) for d in agent.depends_on]
    chosen = [proxies[name] for name in needed if name in proxies] or list(proxies.values())
    if not chosen:
        return f"{PROXY_KIND}:{PROXY_PORT}"
    return f"{chosen[0].name}:{chosen[0].port or PROXY_PORT}"


def used_formats(catalog: Catalog) -> tuple[Format, ...]:
    """Return the formats that services of *catalog* are read with, in the order of `FORMATS`."""
    used = {format_of(service).name for service in catalog.services}
    return tuple(log_format for log_format in FORMATS if log_format.name in used)


def format_of(service: Service) -> Format:
    """Return the format of *service*; what nobody has described is read as plain text."""
    return BY_NAME.get(service.log_format, FALLBACK)


def relabel_configs(catalog: Catalog) -> list[dict[str, Any]]:
    """
    Return the rules that turn Docker's words into the catalog's.

    One rule per tier, kind, owner and format that lists its services; a container of another
    project or of no service gets none of the labels.
    """
    names = [service.name for service in catalog.services]
    project = pattern([catalog.platform.compose_project])
    return [
        {
            "source_labels": [f"{_COMPOSE}_project", f"{_COMPOSE}_service"],
            "regex": f"{project};({pattern(names)})",
            "target_label": "service",
        },
        *_assign(catalog, "tier", lambda service: service.tier),
        *_assign(catalog, "kind", lambda service: service.kind),
        *_assign(catalog, "owner", lambda service: service.owner),
        *_assign(catalog, FORMAT_LABEL, lambda service: format_of(service).name),
        {"source_labels": ["__meta_docker_container_name"], "target_label": CONTAINER_LABEL},
        {"source_labels": ["__meta_docker_container_log_stream"], "target_label": STREAM_LABEL},
    ]


def _assign(catalog: Catalog, label: str, value: Callable[[Service], str]) -> list[dict[str, Any]]:
    members: dict[str, list[str]] = {}
    for service in catalog.services:
        members.setdefault(value(service), []).append(service.name)
    return [
        {
            "source_labels": ["service"],
            "regex": pattern(names),
            "target_label": label,
            "replacement": text.replace("$", "$$"),
        }
        for text, names in members.items()
    ]


def pattern(names: list[str]) -> str:
    """Return an expression (RE2, anchored by its user) that matches exactly *names*."""
    # Of the characters a name may hold, the dot alone means something in an expression.
    return "|".join(name.replace(".", r"\.") for name in names)


def streams(catalog: Catalog) -> tuple[Mapping[str, str], ...]:
    """Return the labels, without `level`, of every stream that can exist, in catalog order."""
    return tuple(
        {
            "service": service.name,
            "tier": service.tier,
            "kind": service.kind,
            "owner": service.owner,
        }
        for service in catalog.services
    )


def stream_labels(catalog: Catalog) -> Mapping[str, frozenset[str]]:
    """Return every label that a stream can carry, with all the values it can have."""
    values: dict[str, set[str]] = {"level": set(LEVELS)}
    for stream in streams(catalog):
        for label, value in stream.items():
            values.setdefault(label, set()).add(value)
    return {label: frozenset(found) for label, found in sorted(values.items())}
