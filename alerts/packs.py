"""The list of packs, and which of them a catalog switches on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib import import_module

from alerts.kit import Alert, Pack
from alerts.thresholds import is_tunable, with_threshold
from generator.model import Catalog, Platform, Service

# Order is the order of rule files and of the docs: what people ask first comes first.
PACKS = (
    "constants",
    "service",
    "tier",
    "container",
    "probe",
    "observer",
    "host",
    "agents",
    "gpu",
    "workers",
    "ollama",
    "postgres",
    "redis",
    "rabbitmq",
    "kong",
    "consul",
    "qdrant",
    "neo4j",
    "chromadb",
    "faiss",
    "web",
    "slo",
    "absence",
    "stack",
    "remediation",
)


def build(name: str, catalog: Catalog) -> Pack:
    """Return pack *name* for *catalog*; raises ModuleNotFoundError for a name outside PACKS."""
    module = import_module(f"alerts.{name}")
    builder: Callable[[Catalog], Pack] = module.pack
    return builder(catalog)


def active(catalog: Catalog) -> tuple[Pack, ...]:
    """Return the packs that apply to *catalog*, in PACKS order, without disabled alerts."""
    named = {pack for kind in catalog.kinds.values() for pack in kind.packs}
    packs = []
    for name in PACKS:
        pack = build(name, catalog)
        if not (pack.always or name in named):
            continue
        kept = tuple(_wanted(pack.alerts, catalog.platform))
        if kept or pack.records:
            packs.append(replace(pack, alerts=kept))
    return tuple(packs)


def _wanted(alerts: Iterable[Alert], platform: Platform) -> Iterator[Alert]:
    """Yield *alerts* as the catalog wants them: without the disabled, at its own thresholds."""
    for alert in alerts:
        if alert.name in platform.disabled_alerts:
            continue
        threshold = platform.thresholds.get(alert.name)
        yield (
            alert
            if threshold is None or not is_tunable(alert)
            else with_threshold(alert, threshold)
        )


def subjects(pack: Pack, catalog: Catalog) -> tuple[Service, ...]:
    """
    Return the services whose series can reach the alerts of *pack*.

    A pack that an observer's kind names (cAdvisor names `container`) speaks of every service;
    one that a kind of software names speaks of the services of that kind.
    """
    naming = {kind.name: kind for kind in catalog.kinds.values() if pack.name in kind.packs}
    if pack.always or any(kind.observer for kind in naming.values()):
        return catalog.services
    return catalog.of_kind(*naming)
