"""
What `tierwatch guard` watches on the host (remediation/guard/guard.schema.json): who heals the healer.

Only what the remediator never touches because it cannot work without it: itself, the socket proxies,
Prometheus and Alertmanager. A server whose port is published is asked from the host; of the others, as of
the proxies, which answer their clients alone, Docker's word must do.
"""

from __future__ import annotations

from typing import Any

from generator.model import Catalog, Service
from generator.names import ALERTMANAGER_KIND, PROMETHEUS_KIND
from generator.probe_targets import PROXY_KIND, SOCKET, span
from generator.remediation_config import REMEDIATOR, UNTOUCHABLE

# In the order in which they are restarted: each needs those before it.
_ORDER = (PROXY_KIND, PROMETHEUS_KIND, ALERTMANAGER_KIND, REMEDIATOR)
_ASKED = {
    PROMETHEUS_KIND: "/-/ready",
    ALERTMANAGER_KIND: "/-/ready",
    # Ready it is only while Docker and Alertmanager are well, which a restart of it would not change.
    REMEDIATOR: "/-/healthy",
}
_TOKEN = "/etc/tierwatch/secrets/notify_token"  # noqa: S105  # a path


def config(catalog: Catalog) -> dict[str, Any]:
    """Return the content of remediation/guard.yml; {} when the catalog has no remediator."""
    if not catalog.of_kind(REMEDIATOR):
        return {}
    watched = sorted(catalog.of_kind(*UNTOUCHABLE), key=lambda service: _ORDER.index(service.kind))
    return {
        "version": 1,
        "docker": SOCKET,
        "project": catalog.platform.compose_project,
        "hold": "/run/tierwatch/guard.hold",
        # Checked once a minute: three in a row are beyond any restart by hand.
        "failures": 3,
        "limit": {"window": "1h", "restarts": 3},
        "ready_within": "15m",  # Prometheus reads a gigabyte of log in a few minutes
        "page_after": "10m",
        **_notify(catalog),
        "watched": [_watched(service) for service in watched],
    }


def _notify(catalog: Catalog) -> dict[str, Any]:
    notify = catalog.platform.notify
    if not notify.webhook_url:
        return {}
    token = {"token_file": _TOKEN} if notify.webhook_token_file else {}
    return {"notify": {"url": notify.webhook_url, **token}}


def _watched(service: Service) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": service.name, "container": service.container}
    published = [
        port.host for port in service.ports if port.host and port.container == service.port
    ]
    if published and service.kind in _ASKED:
        entry["url"] = f"http://127.0.0.1:{published[0]}{_ASKED[service.kind]}"
    return {
        **entry,
        "start_period": span(service.health.start_period),
        "optional": service.optional,
    }
