"""Where in the catalog's files each platform setting, tier and service stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from generator.errors import Finding, Place
from generator.yaml_read import Document


@dataclass(frozen=True, slots=True)
class Origin:
    """The files behind a catalog. *services* and *tiers* map names to the file that holds them."""

    platform: Document
    services: dict[str, Document]
    tiers: dict[str, Document]

    @property
    def documents(self) -> Iterator[Document]:
        """All files once, the platform's first."""
        seen: set[str] = set()
        for document in (self.platform, *self.tiers.values(), *self.services.values()):
            if document.file not in seen:
                seen.add(document.file)
                yield document

    def of_service(self, name: str, *keys: str | int) -> Place:
        """Return where *keys* of service *name* stand; the platform file for one that was added."""
        document = self.services.get(name)
        if document is None:
            return self.platform.place()
        return document.place("services", name, *keys)

    def service_finding(
        self, name: str, fact: str, cure: str, *keys: str | int, check: str
    ) -> Finding:
        """Return a finding about service *name*, placed at *keys*."""
        return Finding(self.of_service(name, *keys), f"service {name!r}: {fact}", cure, check)
