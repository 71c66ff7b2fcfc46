"""Promises that cannot be kept: of memory, of availability, of time."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal

from generator.checks.draft import Draft
from generator.errors import Finding
from generator.model import Catalog, HealthClass, Service
from generator.quantities import say_bytes, say_percent

_SHOWN_DIGITS = Decimal("0.00001")  # a ceiling is shown to a thousandth of a percent, rounded down
_LARGEST_NAMED = 3


def check_memory(draft: Draft) -> Iterator[Finding]:
    """Find more memory promised to the services that always run than the host has."""
    host_bytes = draft.catalog.platform.host_memory_bytes
    running = [service for service in draft.catalog.services if not service.optional]
    promised_bytes = sum(service.size.memory_bytes for service in running)
    if not host_bytes or promised_bytes <= host_bytes:
        return
    largest = sorted(running, key=lambda service: (-service.size.memory_bytes, service.name))
    names = ", ".join(
        f"{service.name} {say_bytes(service.size.memory_bytes)}"
        for service in largest[:_LARGEST_NAMED]
        if service.size.memory_bytes
    )
    fact = (
        f"the default profile promises {say_bytes(promised_bytes)} of memory, "
        f"and the host has {say_bytes(host_bytes)}"
    )
    cure = f"Give services smaller sizes or profiles; the largest: {names}."
    yield Finding(draft.origin.platform.place("host", "memory"), fact, cure, "memory")


def check_slo_ceiling(draft: Draft) -> Iterator[Finding]:
    """Find objectives above what the hard dependencies' objectives allow together."""
    for service in draft.catalog.services:
        if service.slo is None or not service.requires:
            continue
        ceiling, parts = _ceiling(service, draft.catalog)
        if service.slo <= ceiling:
            continue
        product = " x ".join(f"{name} {say_percent(slo)}" for name, slo in parts)
        most = say_percent(ceiling.quantize(_SHOWN_DIGITS, ROUND_DOWN))
        fact = f"slo {say_percent(service.slo)} is above the {most} its hard dependencies allow"
        cure = f"Promise {most} at most ({product})."
        yield draft.origin.service_finding(service.name, fact, cure, "slo", check="slo")


def check_slo_window(draft: Draft) -> Iterator[Finding]:
    """Find an SLO window for which Prometheus does not keep the samples."""
    platform = draft.catalog.platform
    if platform.slo_window > platform.retention.metrics:
        fact = "slo_window is longer than retention.metrics"
        cure = "Shorten the window or keep metrics longer."
        said = "slo_window" in draft.origin.platform.data
        place = draft.origin.platform.place(
            *(("slo_window",) if said else ("retention", "metrics"))
        )
        yield Finding(place, fact, cure, "slo-window")


def check_health_timing(draft: Draft) -> Iterator[Finding]:
    """Find health checks that may take longer than the time between two of them."""
    for name, health in draft.catalog.platform.health_classes.items():
        if health.timeout > health.interval:
            place = draft.origin.platform.place("health_classes", name, "timeout")
            yield Finding(place, f"health class {name!r}: {_too_long(health)}", _CURE, "health")
    for service in draft.catalog.services:
        written_out = service.health.name == "custom"
        if written_out and service.health.timeout > service.health.interval:
            yield draft.origin.service_finding(
                service.name,
                f"health: {_too_long(service.health)}",
                _CURE,
                "health",
                check="health",
            )


_CURE = "Make the timeout at most the interval."


def _too_long(health: HealthClass) -> str:
    timeout, interval = health.timeout.total_seconds(), health.interval.total_seconds()
    return f"a check may take {timeout:g} s, but the next starts after {interval:g} s"


def _ceiling(service: Service, catalog: Catalog) -> tuple[Decimal, list[tuple[str, Decimal]]]:
    """Return the product of the objectives of all transitive hard dependencies, and its factors."""
    seen: set[str] = {service.name}
    waiting = list(service.requires)
    parts: list[tuple[str, Decimal]] = []
    product = Decimal(1)
    while waiting:
        name = waiting.pop()
        if name in seen or name not in catalog.by_name:
            continue
        seen.add(name)
        needed = catalog.by_name[name]
        waiting.extend(needed.requires)
        if needed.slo is not None:
            parts.append((name, needed.slo))
            product *= needed.slo
    return product, sorted(parts)
