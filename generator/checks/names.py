"""Names that mean something else already: `none`, and those of the watchers that are added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from generator.catalog_origin import Origin
from generator.catalog_watchers import Watcher, missing_watchers
from generator.checks.draft import Draft
from generator.errors import Finding
from generator.model import Catalog
from generator.names import NAME, NONE
from generator.software import Kind

_TAKEN = f"the name {NONE!r} is reserved: alerts that are about no service or tier carry it"


def check_reserved(draft: Draft) -> Iterator[Finding]:
    """Find a service or tier called like the value of a label that says nothing."""
    for service in draft.catalog.services:
        if service.name == NONE:
            yield draft.origin.service_finding(
                service.name, _TAKEN, "Choose another.", check="name"
            )
    for tier in draft.catalog.tiers:
        if tier.name == NONE:
            yield Finding(tier.place, f"tier {NONE!r}: {_TAKEN}", "Choose another.", "name")


def watcher_clashes(
    catalog: Catalog, kinds: Mapping[str, Kind], origin: Origin
) -> Iterator[Finding]:
    """Find watchers that cannot be added to *catalog*, as it is written, under their names."""
    missing = missing_watchers(catalog, kinds)
    for watcher in missing:
        taken = catalog.by_name.get(watcher.name)
        if taken is not None:
            fact = (
                f"a service of kind {watcher.kind!r} is added under this name, "
                f"but here it is of kind {taken.kind!r}"
            )
            cure = f"Rename it, or add a service of kind {watcher.kind!r} under another name."
            yield origin.service_finding(taken.name, fact, cure, check="name")
        elif _unusable(watcher, missing):
            fact = f"its exporter would be called {watcher.name!r}, which is taken or too long"
            cure = f"Add a service of kind {watcher.kind!r} that observes it."
            yield origin.service_finding(watcher.subjects[0], fact, cure, check="name")


def _unusable(watcher: Watcher, missing: Iterable[Watcher]) -> bool:
    """Whether the name of *watcher*, made from its subject's, is too long or that of another."""
    if watcher.name == watcher.kind:
        return False
    return NAME.fullmatch(watcher.name) is None or any(
        other.name == watcher.name and other != watcher for other in missing
    )
