"""Exporters: each watches something it understands, and everything that needs one has one."""

from __future__ import annotations

from collections.abc import Iterator

from generator.catalog_watchers import exporter_of, tells_one
from generator.checks.draft import Draft
from generator.errors import Finding


def check_observers(draft: Draft) -> Iterator[Finding]:
    """Find exporters that watch nothing, too much, or what they do not understand."""
    kinds = draft.kinds
    watchable = {exporter_of(kind) for kind in kinds.values()} - {""}
    by_name = draft.catalog.by_name
    for service in draft.catalog.services:
        if service.kind in watchable and not service.observes:
            fact = "is an exporter that watches nothing"
            cure = f"Add a service that kind {service.kind!r} can watch, or remove this one."
            yield draft.origin.service_finding(service.name, fact, cure, check="observer")
        for index, name in enumerate(service.observes):
            subject = kinds[by_name[name].kind]
            if exporter_of(subject) != service.kind:
                fact = f"observes {name!r}, but kind {service.kind!r} tells nothing of {subject.name!r}"
                needed = exporter_of(subject)
                cure = f"It needs {needed!r}." if needed else "Remove it here."
                yield draft.origin.service_finding(
                    service.name, fact, cure, "observes", index, check="observer"
                )


def check_shared(draft: Draft) -> Iterator[Finding]:
    """Find exporters with one page that watch several: all would be told what is true of one."""
    kinds, by_name = draft.kinds, draft.catalog.by_name
    for service in draft.catalog.services:
        alone = [
            (index, name)
            for index, name in enumerate(service.observes)
            if exporter_of(kinds[by_name[name].kind]) == service.kind
            and tells_one(kinds[by_name[name].kind], kinds)
        ]
        for index, name in alone[1:]:
            fact = (
                f"observes {alone[0][1]!r} and {name!r}, but an exporter of kind {service.kind!r} tells of one: "
                "the other could be dead unseen"
            )
            cure = "Give each an exporter of its own."
            yield draft.origin.service_finding(
                service.name, fact, cure, "observes", index, check="observer"
            )


def check_observed(draft: Draft) -> Iterator[Finding]:
    """Find services that nobody watches, and those that two exporters claim."""
    watched, by_name = draft.catalog.observers, draft.catalog.by_name
    for service in draft.catalog.services:
        exporter = exporter_of(draft.kinds[service.kind])
        if not exporter:
            continue
        names = [n for n in watched.get(service.name, ()) if by_name[n].kind == exporter]
        if not names:
            fact = f"no exporter of kind {exporter!r} observes it"
            cure = f"Add it to 'observes' of one, or add a service of kind {exporter!r}."
            yield draft.origin.service_finding(service.name, fact, cure, check="observer")
        if len(names) > 1:
            fact = f"is observed by {names[0]} and {names[1]}: everything would be counted twice"
            cure = "Say in 'observes' which exporter watches which service."
            yield draft.origin.service_finding(service.name, fact, cure, check="observer")
