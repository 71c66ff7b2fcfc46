"""
The remediator's configuration (remediation/config.schema.json): what it may touch, in which order.

Defaults are those of reference remediation, section 7, overruled by `remediation:` in the
catalog. The ladder and the way Alertmanager is asked are no business of a catalog.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from generator.model import Catalog, QuietHours, Service, Tier
from generator.names import WATCHDOG
from generator.probe_targets import PROXY_KIND, docker_address, question, span
from generator.quantities import read_duration

REMEDIATOR = "remediator"
PORT = 9744
_ALERTMANAGER_PORT = 9093
SECRETS = "/etc/remediation/secrets"

# Kinds that nothing automatic restarts: without them nobody would notice what follows (design 8).
UNTOUCHABLE = (REMEDIATOR, PROXY_KIND, "prometheus", "alertmanager")

# Three restarts an hour and seven a day, of one service as of its tier (keep issue 5038, KCP).
_BUDGETS: Mapping[str, Mapping[str, int]] = {
    "service": {"per_hour": 3, "per_day": 7},
    "tier": {"per_hour": 3, "per_day": 7},
    "platform": {"per_hour": 6, "per_day": 14},
}
_WINDOWS = {"per_hour": "1h", "per_day": "24h"}
_STORM: Mapping[str, object] = {
    "roots": 3,
    "share": 0.5,
    "tiers": 2,
    "window": "5m",
    "cooldown": "30m",
    "grace": "10m",
}
_LADDER: Mapping[str, Any] = {
    "rungs": ["service", "dependants", "tier", "page"],
    "same_incident": "1h",
    "probation": "2m",
    "spacing": "60s",
    "spacing_stateful": "10m",
    "deduplicate": "3m",
    "backoff": {"first": "10s", "factor": 2, "max": "5m", "reset": "10m"},
}


def config(catalog: Catalog) -> dict[str, Any]:
    """Return the content of remediation/config.yml; {} when the catalog has no remediator."""
    services = catalog.of_kind(REMEDIATOR)
    if not services:
        return {}
    modes = {tier.name: tier.mode for tier in catalog.tiers}
    return {
        "version": 1,
        "alertmanager": _alertmanager(catalog),
        "docker": {
            "read": docker_address(catalog, REMEDIATOR, hard=False),
            # Without it nothing can be restarted: this dependency is the hard one.
            "restart": docker_address(catalog, REMEDIATOR, hard=True),
            "project": catalog.platform.compose_project,
        },
        "listen": f"0.0.0.0:{services[0].port or PORT}",
        "auth": _auth(),
        **_notify(catalog),
        "report_after": "14d",
        "tiers": [_tier(tier) for tier in catalog.tiers],
        "services": [_service(service, modes[service.tier]) for service in catalog.services],
        "budgets": _budgets(catalog),
        "storm": _storm(catalog),
        "ladder": _ladder(catalog),
        "never_restart": never_restart(catalog),
    }


def never_restart(catalog: Catalog) -> list[str]:
    """Return the services the catalog and the design except from restarts, sorted."""
    named = cast("list[str]", catalog.platform.remediation.get("never_restart", []))
    return sorted({*named, *(service.name for service in catalog.of_kind(*UNTOUCHABLE))})


def _alertmanager(catalog: Catalog) -> dict[str, Any]:
    servers = catalog.of_kind("alertmanager")
    name = servers[0].name if servers else "alertmanager"
    port = (servers[0].port if servers else None) or _ALERTMANAGER_PORT
    return {
        "url": f"http://{name}:{port}",
        "receiver": REMEDIATOR,
        "poll_interval": "30s",
        "watchdog": WATCHDOG,
        "blind_after": "3m",
    }


def _auth() -> dict[str, Any]:
    # The second of each may be missing: it is there while a token is exchanged.
    return {
        "webhook_token_files": [f"{SECRETS}/webhook_token", f"{SECRETS}/webhook_token_next"],
        "operator_token_files": [f"{SECRETS}/operator_token", f"{SECRETS}/operator_token_next"],
    }


def _notify(catalog: Catalog) -> dict[str, Any]:
    notify = catalog.platform.notify
    entry = {}
    if notify.webhook_url:
        entry["url"] = notify.webhook_url
    # The catalog names paths in Alertmanager's container; here they are secrets of its own.
    if notify.webhook_url and notify.webhook_token_file:
        entry["token_file"] = f"{SECRETS}/notify_token"
    if notify.slack_url_file:
        entry["slack_url_file"] = f"{SECRETS}/slack_url"
    return {"notify": entry} if entry else {}


def _tier(tier: Tier) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": tier.name, "order": tier.order, "mode": tier.mode}
    if tier.quiet_hours:
        entry["quiet_hours"] = _quiet_hours(tier.quiet_hours)
    return entry


def _quiet_hours(hours: QuietHours) -> dict[str, Any]:
    return {
        "start": _clock(hours.start_minute),
        "end": _clock(hours.end_minute),
        "weekdays": list(hours.weekdays),
        "timezone": hours.timezone,
    }


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _service(service: Service, tier_mode: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": service.name,
        "tier": service.tier,
        "container": service.container,
        "stateful": service.stateful,
        "oneshot": service.oneshot,
        "optional": service.optional,
        "requires": list(service.requires),
        "health": {
            **question(service),
            "interval": span(service.health.interval),
            "timeout": span(service.health.timeout),
            "retries": service.health.retries,
        },
        "start_period": span(service.health.start_period),
    }
    if service.mode != tier_mode:
        entry["mode"] = service.mode
    return entry


def _ladder(catalog: Catalog) -> dict[str, Any]:
    """Return the ladder; what takes hours to start has its incident remembered for longer than that."""
    started = [
        each.health.start_period
        + each.health.retries * (each.health.interval + each.health.timeout)
        for each in catalog.services
        if not each.oneshot
    ]
    hours = [math.ceil(each / timedelta(hours=1)) for each in started]
    return {**_LADDER, "same_incident": f"{max([1, *hours])}h"}


def _budgets(catalog: Catalog) -> dict[str, Any]:
    own = cast("Mapping[str, Mapping[str, int]]", catalog.platform.remediation.get("budgets", {}))
    return {
        scope: [
            {"window": window, "limit": own.get(scope, {}).get(key, limits[key])}
            for key, window in _WINDOWS.items()
        ]
        for scope, limits in _BUDGETS.items()
    }


def _storm(catalog: Catalog) -> dict[str, Any]:
    own = cast("Mapping[str, object]", catalog.platform.remediation.get("storm", {}))
    merged = {**_STORM, **own}
    return {
        key: span(read_duration(value)) if isinstance(value, str) else value
        for key, value in merged.items()
    }
