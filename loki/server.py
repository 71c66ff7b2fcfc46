"""
Loki's configuration: one process, TSDB schema v13 on a local disk, a ruler that tells Alertmanager.

Every key here is known to Loki 3.0 and to 3.4; limits follow the size of the catalog where a
number has to. Not here: object storage, several replicas, tenants.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from generator.artifacts import Artifact
from generator.model import Catalog
from generator.names import DATASOURCE_LOKI
from generator.quantities import write_duration
from generator.yaml_write import dump_yaml
from loki import rules
from promtail.levels import LEVELS

KIND = "loki"
PATH = "loki/config.yml"
PORT = 3100
ALERTMANAGER_KIND = "alertmanager"
ALERTMANAGER_PORT = 9093

DATA = "/loki"
RULES_FOLDER = "/etc/loki/rules"  # where rendered/loki/rules is mounted

DAY = timedelta(days=1)


def render(catalog: Catalog) -> tuple[Artifact, ...]:
    """Return `loki/config.yml` and the rule files; nothing where the catalog has no Loki."""
    if not catalog.of_kind(KIND):
        return ()
    return (Artifact(PATH, dump_yaml(config(catalog), "catalog/")), *rules.render(catalog))


def config(catalog: Catalog) -> dict[str, Any]:
    """Return the whole configuration of Loki as plain data."""
    return {
        "auth_enabled": False,
        "server": {"http_listen_port": PORT, "grpc_listen_port": 9096, "log_level": "info"},
        **_storage(),
        "ingester": {
            "chunk_idle_period": "30m",
            # Lines may come an hour late (half of this): Promtail catches up after an outage.
            "max_chunk_age": "2h",
            "wal": {"enabled": True, "replay_memory_ceiling": "256MB"},
        },
        "query_range": {
            "results_cache": {"cache": {"embedded_cache": {"enabled": True, "max_size_mb": 64}}}
        },
        "compactor": {
            "working_directory": f"{DATA}/compactor",
            "compaction_interval": "10m",
            "retention_enabled": True,
            "retention_delete_delay": "2h",
            # Since 3.0 retention does not start without it.
            "delete_request_store": "filesystem",
        },
        "limits_config": limits(catalog),
        "ruler": ruler(catalog),
        "analytics": {"reporting_enabled": False},
    }


def _storage() -> dict[str, Any]:
    """Return where and in which form lines are kept: one process, one disk."""
    return {
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": DATA,
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
            "storage": {"filesystem": {"chunks_directory": f"{DATA}/chunks"}},
        },
        "schema_config": {
            "configs": [
                {
                    # Before any line that can arrive; a later schema gets an entry of its own.
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
    }


def retention(catalog: Catalog) -> timedelta:
    """Return how long Loki keeps lines: whole days, at least one, since its tables are days."""
    days = -(-catalog.platform.retention.logs // DAY)
    return max(days, 1) * DAY


def limits(catalog: Catalog) -> dict[str, Any]:
    """Return the limits of the only tenant."""
    kept = retention(catalog)
    services = len(catalog.services)
    return {
        "retention_period": write_duration(kept),
        "reject_old_samples": True,
        "reject_old_samples_max_age": write_duration(kept),
        "ingestion_rate_mb": 8,
        "ingestion_burst_size_mb": 16,
        "per_stream_rate_limit": "4MB",
        "per_stream_rate_limit_burst": "16MB",
        "max_line_size": "256KB",
        "max_line_size_truncate": True,
        # A stream per service and level; the rest is room for services that come and go.
        "max_global_streams_per_user": max(5000, 2 * services * len(LEVELS)),
        "max_label_names_per_series": 10,
        "cardinality_limit": 100000,
        # The retention and a day: a query over everything that is kept must be possible.
        "max_query_length": write_duration(kept + DAY),
        "max_query_lookback": write_duration(kept),
        "max_query_series": max(500, 4 * services * len(LEVELS)),
        "max_entries_limit_per_query": 5000,
        "query_timeout": "1m",
        "volume_enabled": True,
        # Our labels say both already; Loki would guess them again.
        "discover_service_name": [],
        "discover_log_levels": False,
    }


def ruler(catalog: Catalog) -> dict[str, Any]:
    """Return the ruler's part; without an Alertmanager it evaluates and tells nobody."""
    data: dict[str, Any] = {
        "storage": {"type": "local", "local": {"directory": RULES_FOLDER}},
        "rule_path": f"{DATA}/rules-scratch",
        "ring": {"kvstore": {"store": "inmemory"}},
        "evaluation_interval": "1m",
        "enable_api": True,
        "external_url": catalog.platform.links.grafana,
        "datasource_uid": DATASOURCE_LOKI,
    }
    servers = catalog.of_kind(ALERTMANAGER_KIND)
    if servers:
        addresses = (f"http://{s.name}:{s.port or ALERTMANAGER_PORT}" for s in servers)
        data |= {"alertmanager_url": ",".join(addresses), "enable_alertmanager_v2": True}
    return data
