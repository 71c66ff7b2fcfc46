"""What Grafana reads when it starts: data sources with fixed uids, and where the boards lie."""

from __future__ import annotations

from typing import Any

from generator.artifacts import Artifact
from generator.model import Catalog, Service
from generator.names import (
    DATASOURCE_ALERTMANAGER,
    DATASOURCE_LOKI,
    DATASOURCE_PROMETHEUS,
)
from generator.yaml_write import dump_yaml

FOLDER = "grafana/provisioning"
SOURCE = "catalog/"

# Where the compose file mounts the rendered boards inside Grafana's container.
BOARDS_MOUNT = "/etc/grafana/dashboards"


def provisioning(catalog: Catalog) -> tuple[Artifact, ...]:
    """Return the two provisioning files; a data source only for a server the catalog runs."""
    return (
        Artifact(f"{FOLDER}/datasources/tierwatch.yml", dump_yaml(_datasources(catalog), SOURCE)),
        Artifact(f"{FOLDER}/dashboards/tierwatch.yml", dump_yaml(_providers(catalog), SOURCE)),
    )


def _datasources(catalog: Catalog) -> dict[str, Any]:
    found = []
    for kind, make in (
        ("prometheus", _prometheus),
        ("loki", _loki),
        ("alertmanager", _alertmanager),
    ):
        # One of each: boards name a data source by its uid, and a uid stands for one server.
        found += [
            {**make(), "access": "proxy", "url": _url(service), "editable": False}
            for service in catalog.of_kind(kind)[:1]
        ]
    return {"apiVersion": 1, "prune": True, "datasources": found}


def _url(service: Service) -> str:
    return f"http://{service.name}:{service.port}"


def _prometheus() -> dict[str, Any]:
    return {
        "name": "Prometheus",
        "uid": DATASOURCE_PROMETHEUS,
        "type": "prometheus",
        "isDefault": True,
        # $__rate_interval is at least four of these, so a rate always has samples.
        "jsonData": {"httpMethod": "POST", "timeInterval": "30s", "manageAlerts": False},
    }


def _loki() -> dict[str, Any]:
    return {
        "name": "Loki",
        "uid": DATASOURCE_LOKI,
        "type": "loki",
        "jsonData": {"maxLines": 1000, "manageAlerts": False},
    }


def _alertmanager() -> dict[str, Any]:
    return {
        "name": "Alertmanager",
        "uid": DATASOURCE_ALERTMANAGER,
        "type": "alertmanager",
        "jsonData": {"implementation": "prometheus", "handleGrafanaManagedAlerts": False},
    }


def _providers(catalog: Catalog) -> dict[str, Any]:
    provider = {
        "name": "tierwatch",
        "orgId": 1,
        "type": "file",
        "folder": catalog.platform.name,
        # A change made in the browser would be lost with the next rendering: do not allow it.
        "allowUiUpdates": False,
        "disableDeletion": False,
        "updateIntervalSeconds": 30,
        "options": {"path": BOARDS_MOUNT, "foldersFromFilesStructure": False},
    }
    return {"apiVersion": 1, "providers": [provider]}
