"""What a catalog means where it says nothing; a platform file of one line works with these."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# The oldest versions Debian 12 and the current major lines give (issue, "How the real parts start").
TARGETS: Mapping[str, str] = MappingProxyType(
    {
        "prometheus": "2.42",
        "alertmanager": "0.25",
        "grafana": "11",
        "loki": "3.0",
        "promtail": "3.0",
    }
)
RETENTION: Mapping[str, str] = MappingProxyType(
    {"metrics": "15d", "metrics_size": "2GB", "logs": "15d"}
)
SLO_WINDOW = "14d"
# Addresses on the machine of whoever reads the alert, at the servers' own default ports.
LINKS: Mapping[str, str] = MappingProxyType(
    {
        "grafana": "http://localhost:3000",
        "runbooks": "http://localhost:8000/runbooks",
        "prometheus": "http://localhost:9090",
        "alertmanager": "http://localhost:9093",
    }
)
SIZES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "small": {"memory": "512M", "cpus": 0.5},
        "medium": {"memory": "2G", "cpus": 2},
        "large": {"memory": "4G", "cpus": 4},
    }
)
NO_LIMIT = "unlimited"  # the size of a service that names none
CUSTOM = "custom"  # the name of a size or health class written out in place
HEALTH_CLASSES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "infrastructure": {
            "interval": "10s", "timeout": "5s", "retries": 5, "start_period": "30s",
        },
        "application": {"interval": "60s", "timeout": "30s", "retries": 5, "start_period": "60s"},
        "agent": {"interval": "60s", "timeout": "30s", "retries": 5, "start_period": "120s"},
    }
)  # fmt: skip
# Docker's own defaults, for what a health class leaves out (docs.docker.com, HEALTHCHECK).
HEALTH_TIMING: Mapping[str, Any] = MappingProxyType(
    {"interval": "30s", "timeout": "30s", "retries": 3, "start_period": "0s"}
)
MODEL = "tinyllama"
OWNER = "platform"
MODE = "observe"
TIMEZONE = "UTC"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
REMEDIATOR_TOKEN_FILE = "/etc/alertmanager/secrets/remediator_token"  # noqa: S105 - a path

# Where services are put that the catalog needs but does not list.
WATCH_TIER = "monitoring"
WATCH_TITLE = "Monitoring"
