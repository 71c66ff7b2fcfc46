"""Build the `Platform` from the data of platform.yml, with defaults for what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from generator import catalog_defaults as defaults
from generator.errors import Place
from generator.model import HealthClass, Links, Notify, Owner, Platform, Retention, Size
from generator.quantities import read_bytes, read_duration
from generator.yaml_read import Document


def build_platform(document: Document) -> Platform:
    """Return the platform that *document* describes; the schema has accepted what is left of it."""
    data = document.data
    name = data.get("platform", "platform")
    network = data.get("network", {})
    models = data.get("models", {})
    model = models.get("default", defaults.MODEL)
    host = data.get("host", {})
    # The first owner listed is everybody's, unless the file says otherwise.
    owner = data.get("owner", next(iter(data.get("owners", {})), defaults.OWNER))
    return Platform(
        name=name,
        compose_project=data.get("compose_project", name),
        network=network.get("name", f"{name}-network"),
        subnet=network.get("subnet", ""),
        targets=_targets(data.get("targets", {})),
        retention=_retention(data.get("retention", {})),
        slo_window=read_duration(data.get("slo_window", defaults.SLO_WINDOW)),
        links=_links(data.get("links", {})),
        sizes=_sizes(data.get("sizes", {})),
        health_classes=_health_classes(data.get("health_classes", {})),
        default_model=model,
        fallback_model=models.get("fallback", model),
        default_owner=owner,
        owners=_owners(data.get("owners", {}), owner),
        notify=_notify(data.get("notify", {})),
        host_memory_bytes=read_bytes(host["memory"]) if "memory" in host else 0,
        host_cpus=host.get("cpus", 0),
        remediation=MappingProxyType(data.get("remediation", {})),
        disabled_alerts=MappingProxyType(data.get("alerts", {}).get("disabled", {})),
        thresholds=MappingProxyType(data.get("alerts", {}).get("thresholds", {})),
        place=document.place("platform"),
        wish_places=_wish_places(document),
    )


def _wish_places(document: Document) -> Mapping[tuple[str, str], Place]:
    return MappingProxyType(
        {
            (key, name): document.place("alerts", key, name)
            for key, wished in document.data.get("alerts", {}).items()
            for name in wished
        }
    )


def build_size(name: str, data: Mapping[str, Any]) -> Size:
    """Return the size *name* with the memory and CPUs of *data*."""
    # Decimal of the shortest text, so that 0.1 stays 0.1.
    return Size(name, read_bytes(data["memory"]), Decimal(str(data["cpus"])))


def build_health(name: str, data: Mapping[str, Any], base: HealthClass | None) -> HealthClass:
    """Return the health class *name*: *data*, else *base*, else Docker's defaults."""

    def timing(key: str) -> Any:
        if key in data:
            return read_duration(data[key])
        return getattr(base, key) if base else read_duration(defaults.HEALTH_TIMING[key])

    retries = base.retries if base else defaults.HEALTH_TIMING["retries"]
    return HealthClass(
        name=name,
        interval=timing("interval"),
        timeout=timing("timeout"),
        retries=data.get("retries", retries),
        start_period=timing("start_period"),
    )


def _targets(data: Mapping[str, str]) -> Mapping[str, tuple[int, ...]]:
    versions = {**defaults.TARGETS, **data}
    return MappingProxyType(
        {
            program: tuple(int(part) for part in text.split("."))
            for program, text in versions.items()
        }
    )


def _retention(data: Mapping[str, str]) -> Retention:
    merged = {**defaults.RETENTION, **data}
    return Retention(
        metrics=read_duration(merged["metrics"]),
        metrics_size=read_bytes(merged["metrics_size"]),
        logs=read_duration(merged["logs"]),
    )


def _links(data: Mapping[str, str]) -> Links:
    merged = {**defaults.LINKS, **data}
    return Links(**{name: address.rstrip("/") for name, address in merged.items()})


def _sizes(data: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Size]:
    merged = {**defaults.SIZES, **data}
    return MappingProxyType({name: build_size(name, entry) for name, entry in merged.items()})


def _health_classes(data: Mapping[str, Mapping[str, Any]]) -> Mapping[str, HealthClass]:
    built = {
        name: build_health(name, entry, None) for name, entry in defaults.HEALTH_CLASSES.items()
    }
    for name, entry in data.items():
        # A class of ours that the catalog changes in part keeps the rest.
        built[name] = build_health(name, entry, built.get(name))
    return MappingProxyType(built)


def _owners(data: Mapping[str, Mapping[str, str]], default: str) -> Mapping[str, Owner]:
    owners = {
        name: Owner(name, entry.get("slack", ""), entry.get("email", ""))
        for name, entry in data.items()
    }
    if not owners:
        owners[default] = Owner(default, "", "")
    return MappingProxyType(owners)


def _notify(data: Mapping[str, Any]) -> Notify:
    webhook, smtp = data.get("webhook", {}), data.get("smtp", {})
    heartbeat = data.get("heartbeat", {})
    return Notify(
        webhook_url=webhook.get("url", ""),
        webhook_token_file=webhook.get("token_file", ""),
        slack_url_file=data.get("slack_url_file", ""),
        smtp_smarthost=smtp.get("smarthost", ""),
        smtp_from=smtp.get("from", ""),
        smtp_username=smtp.get("username", ""),
        smtp_password_file=smtp.get("password_file", ""),
        heartbeat_url=heartbeat.get("url", ""),
        heartbeat_token_file=heartbeat.get("token_file", ""),
        remediator_token_file=data.get("remediator_token_file", defaults.REMEDIATOR_TOKEN_FILE),
    )
