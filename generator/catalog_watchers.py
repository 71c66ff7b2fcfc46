"""
Add what the catalog needs to be watched but does not list, and settle who observes whom.

A catalog of three services says nothing of exporters, yet without them no verdict of theirs would
ever have a value. So the exporters and probers that its kinds name are added, as services called
like their kind, in the tier `monitoring`; a kind that is listed is never added again. Where an
exporter can tell of one service only, each of several gets its own, called `<service>-exporter`.
Prometheus and Alertmanager are always there: without them nothing of this exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from generator import catalog_defaults as defaults
from generator.model import Catalog, Platform, Service, Size, Tier
from generator.software import VERDICT_CONTAINER, Kind

BLACKBOX = "blackbox-exporter"
AGENTS = "agents-exporter"
_ALWAYS = ("prometheus", "alertmanager")


@dataclass(frozen=True, slots=True)
class Watcher:
    """A service that a catalog lacks; without *subjects* it watches all that need its kind."""

    name: str
    kind: str
    subjects: tuple[str, ...] = ()


def missing_watchers(catalog: Catalog, kinds: Mapping[str, Kind]) -> list[Watcher]:
    """Return what *catalog* needs and does not list, by kind; a name may be taken already."""
    present = {service.kind for service in catalog.services}
    return [
        watcher
        for kind in sorted(set(_needed(catalog, kinds)))
        if kind in kinds and kind not in present
        for watcher in _of_kind(kind, catalog, kinds)
    ]


def add_watchers(catalog: Catalog, kinds: Mapping[str, Kind]) -> Catalog:
    """Return *catalog* with the watchers it lacks and with `observes` filled in where it is empty."""
    tiers, services = catalog.tiers, catalog.services
    missing = missing_watchers(catalog, kinds)
    if missing:
        tiers, tier = _watch_tier(catalog)
        added = [
            _service(watcher, kinds[watcher.kind], tier, catalog.platform) for watcher in missing
        ]
        services = _in_tier_order((*services, *added), tiers)
    return Catalog(catalog.platform, tiers, _with_subjects(services, kinds), catalog.kinds)


def exporter_of(kind: Kind) -> str:
    """Return the kind of the exporter that tells *kind*'s metrics; empty if it tells them itself."""
    if kind.metrics is None or kind.metrics.source != "exporter":
        return ""
    return kind.metrics.exporter


def tells_one(kind: Kind, kinds: Mapping[str, Kind]) -> bool:
    """Whether *kind*'s exporter has one page without names: whoever is asked about, it says the same."""
    exporter = kinds.get(exporter_of(kind))
    if kind.metrics is None or exporter is None or exporter.metrics is None:
        return False
    return kind.metrics.multi_target is None and not exporter.metrics.honor_labels


def _of_kind(kind: str, catalog: Catalog, kinds: Mapping[str, Kind]) -> Iterator[Watcher]:
    """Yield the watchers of *kind* to add: one, or one per service that it can only tell alone."""
    needing = [s for s in catalog.services if exporter_of(kinds[s.kind]) == kind]
    alone = [s.name for s in needing if tells_one(kinds[s.kind], kinds)]
    if len(alone) < 2:
        yield Watcher(kind, kind)
        return
    together = tuple(service.name for service in needing if service.name not in alone)
    if together:
        yield Watcher(kind, kind, together)
    for name in alone:
        yield Watcher(f"{name}-exporter", kind, (name,))


def _needed(catalog: Catalog, kinds: Mapping[str, Kind]) -> Iterator[str]:
    """Yield the kinds of the watchers that some service of *catalog* needs, with repetitions."""
    yield from _ALWAYS
    for service in catalog.services:
        kind = kinds[service.kind]
        yield exporter_of(kind)
        if service.probes:
            yield AGENTS if kind.prober == "agents" else BLACKBOX
        # Whether an optional service counts is told by its container.
        if service.optional or kind.verdict == VERDICT_CONTAINER:
            yield AGENTS


def _watch_tier(catalog: Catalog) -> tuple[tuple[Tier, ...], Tier]:
    """Return the tiers and the one that watchers belong to, made last if there is none."""
    for tier in catalog.tiers:
        if tier.name == defaults.WATCH_TIER:
            return catalog.tiers, tier
    order = max((tier.order for tier in catalog.tiers), default=0) + 1
    made = Tier(
        name=defaults.WATCH_TIER,
        title=defaults.WATCH_TITLE,
        order=order,
        mode=defaults.MODE,
        quiet_hours=None,
        place=catalog.platform.place,
    )
    return (*catalog.tiers, made), made


def _service(watcher: Watcher, kind: Kind, tier: Tier, platform: Platform) -> Service:
    """Return *watcher* as a service of *kind*, all defaults."""
    return Service(
        name=watcher.name,
        tier=tier.name,
        kind=kind.name,
        container=f"{platform.name}-{watcher.name}",
        image="",
        ports=(),
        depends_on=(),
        profiles=(),
        size=Size(defaults.NO_LIMIT, 0, Decimal(0)),
        health=platform.health_classes.get(kind.health, platform.health_classes["application"]),
        stateful=kind.stateful,
        oneshot=kind.oneshot,
        owner=platform.default_owner,
        slo=None,
        expects_models=(),
        models=(),
        observes=watcher.subjects,
        ollama_port=None,
        gpu=False,
        mode=tier.mode,
        description=f"{kind.title}, added because the catalog needs one and lists none",
        port=kind.port,
        metrics_port=kind.metrics.port if kind.metrics else None,
        metrics_path=kind.metrics.path if kind.metrics else "/metrics",
        metrics_params=kind.metrics.params if kind.metrics else {},
        probes=kind.probes,
        log_format=kind.log,
        place=platform.place,
    )


def _in_tier_order(services: tuple[Service, ...], tiers: tuple[Tier, ...]) -> tuple[Service, ...]:
    orders = {tier.name: tier.order for tier in tiers}
    return tuple(sorted(services, key=lambda service: orders[service.tier]))


def _with_subjects(services: tuple[Service, ...], kinds: Mapping[str, Kind]) -> tuple[Service, ...]:
    """Return *services*; an exporter that names no subject gets every one that needs its kind."""
    subjects: dict[str, list[str]] = {}
    for service in services:
        subjects.setdefault(exporter_of(kinds[service.kind]), []).append(service.name)
    return tuple(
        service
        if service.observes or service.kind not in subjects
        else replace(service, observes=tuple(subjects[service.kind]))
        for service in services
    )
