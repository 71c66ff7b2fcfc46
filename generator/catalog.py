"""
Load a catalog: a folder with platform.yml, one file per tier, and perhaps a `kinds/` folder.

In goes the folder, out comes a checked `Catalog`, or one CatalogError with every problem found,
sorted by place. Reading, the schema, building and the semantic checks are modules of their own;
this one puts them in order and decides how far to go once something is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from generator.catalog_origin import Origin
from generator.catalog_platform import build_platform
from generator.catalog_services import Builder, build_tier
from generator.catalog_watchers import add_watchers
from generator.checks import Draft, run_checks
from generator.checks.names import watcher_clashes
from generator.errors import CatalogError, Finding, Place
from generator.kinds import LOG_FORMATS, load_kinds
from generator.model import Catalog, Service, Tier
from generator.names import NAME
from generator.schema import CATALOG_SCHEMA
from generator.schema_check import Check, Problem, compile_schema, show
from generator.software import Kind
from generator.yaml_read import Document, collector_paused, read_yaml

PLATFORM_FILE = "platform.yml"
KINDS_FOLDER = "kinds"
_NUMBER_PREFIX = re.compile(r"([0-9]{1,4})-")


def load_catalog(folder: Path, shown: str = "") -> Catalog:
    """
    Return the catalog in *folder*.

    Args:
        folder: Where platform.yml stands.
        shown: How messages call the folder; default: as *folder* is written.

    Raises:
        CatalogError: Something is wrong; carries every finding, sorted by place.
    """
    with collector_paused():
        return _Loader(folder, shown or folder.as_posix()).load()


@dataclass(slots=True)
class _Loader:
    """One run of loading; *complete* turns false once part of the input had to be left out."""

    folder: Path
    shown: str
    findings: list[Finding] = field(default_factory=list)
    complete: bool = True
    all_read: bool = True
    services: dict[str, Document] = field(default_factory=dict)  # every name, sound or not

    def load(self) -> Catalog:
        """Return the catalog or raise with all findings."""
        platform, tiers = self._read()
        kinds, wrong = load_kinds(self.folder / KINDS_FOLDER, f"{self.shown}/{KINDS_FOLDER}")
        self.findings.extend(wrong)
        self.complete = self.complete and not wrong
        draft = self._build(platform, tiers, kinds)
        self.findings.extend(run_checks(draft))
        if self.findings:
            raise CatalogError(self.findings)
        return draft.catalog

    def _read(self) -> tuple[Document, list[Document]]:
        """Return the platform's and the tiers' files, in the order of their names."""
        if not self.folder.is_dir():
            fact = "there is no such folder"
            raise CatalogError([Finding(Place(self.shown), fact, "Check the path.", "files")])
        if not (self.folder / PLATFORM_FILE).exists():
            fact = f"{PLATFORM_FILE} is missing"
            cure = "Add it; its one needed line is 'platform: <name>'."
            self.findings.append(Finding(Place(self.shown), fact, cure, "files"))
        platform = Document({}, f"{self.shown}/{PLATFORM_FILE}", {}, 0)
        tiers = []
        for path in sorted(self.folder.iterdir(), key=_by_number):
            document = self._read_one(path)
            if document is not None and path.name == PLATFORM_FILE:
                platform = document
            elif document is not None:
                tiers.append(document)
        return platform, tiers

    def _read_one(self, path: Path) -> Document | None:
        """Return what fits the schema of the file at *path*; None if it is no file of a catalog or broken."""
        shown = f"{self.shown}/{path.name}"
        if path.suffix == ".yaml":
            cure = f"Rename it to {path.stem}.yml."
            fact = "files of a catalog end in .yml; this one would be passed over"
            self.findings.append(Finding(Place(shown), fact, cure, "files"))
        if path.suffix != ".yml" or path.name.startswith("."):
            return None
        try:
            document = read_yaml(path, shown)
        except CatalogError as error:
            self.findings.extend(error.findings)
            self.complete = self.all_read = False
            return None
        check = _checks()["platformFile" if path.name == PLATFORM_FILE else "tierFile"]
        problems = tuple(check(document.data, ()))
        self.findings.extend(_finding(document, problem) for problem in problems)
        self.complete = self.complete and not problems
        if not isinstance(document.data, dict):
            return None
        self._note_services(document)
        while problems:  # cutting out a key that is required makes a new problem
            _cut_out(document.data, {problem.path for problem in problems})
            problems = tuple(check(document.data, ())) if document.data else ()
        return document

    def _note_services(self, document: Document) -> None:
        """Note where each service of *document* stands; one that is there already is a finding."""
        services = document.data.get("services")
        for name in services if isinstance(services, dict) else ():
            first = self.services.setdefault(name, document)
            if first is not document:
                where = first.place("services", name)
                fact = f"service {show(name)} is there twice, first in {where}"
                place = document.place("services", name)
                self._add(place, fact, "Rename or remove one of them.", "service")

    def _build(
        self, platform: Document, documents: list[Document], kinds: Mapping[str, Kind]
    ) -> Draft:
        """Return the catalog of what is sound, and whether that is all of it."""
        tiers = self._tiers(documents)
        files = {name: document for name, (_, document) in tiers.items()}
        origin = Origin(platform, self.services, files)
        built = build_platform(platform)
        names = frozenset(name for name in self.services if NAME.fullmatch(name))
        broken = self._broken_kinds(kinds)
        builder = Builder(built, kinds, LOG_FORMATS, broken, names, self.all_read, origin)
        services: list[Service] = []
        for _, document in tiers.values():
            for name, entry in document.data.get("services", {}).items():
                if self.services[name] is document:
                    service = builder.service(name, entry, document.data)
                    services.extend([service] if service else [])
        self.findings.extend(builder.findings)
        complete = self.complete and not builder.findings
        levels = tuple(tier for tier, _ in tiers.values())
        catalog = Catalog(built, levels, tuple(services), {})
        if complete:
            clashes = tuple(watcher_clashes(catalog, kinds, origin))
            self.findings.extend(clashes)
            complete = not clashes
        if complete:
            catalog = add_watchers(catalog, kinds)
        return Draft(_with_kinds(catalog, kinds), kinds, origin, complete)

    def _tiers(self, documents: list[Document]) -> dict[str, tuple[Tier, Document]]:
        """Return each tier and its file by name, sorted by order."""
        if not self.services and self.complete:
            cure = "Add a file such as 1-core.yml with 'tier:' and 'services:'."
            self._add(Place(self.shown), "the catalog has no services", cure, "empty")
        tiers: dict[str, tuple[Tier, Document]] = {}
        orders: dict[int, Document] = {}
        for document in documents:
            name = document.data.get("tier")
            if name in tiers:
                fact = f"tier {name!r} is also in {tiers[name][1].file}"
                self._add(document.place("tier"), fact, "Give each tier one file.", "tier")
            elif name is not None:
                order = self._order(document, orders)
                tiers[name] = (build_tier(document.data, order, document), document)
        return dict(sorted(tiers.items(), key=lambda item: item[1][0].order))

    def _order(self, document: Document, orders: dict[int, Document]) -> int:
        """Return the tier's order; none, or that of another tier, is a finding."""
        prefix = _NUMBER_PREFIX.match(document.file.rpartition("/")[2])
        order: int = document.data.get("order", int(prefix[1]) if prefix else 0)
        if order == 0:
            cure = "Add 'order: 1', or start the file's name with a number: 1-core.yml."
            self._add(document.place("tier"), "the tier has no order", cure, "order")
        elif orders.setdefault(order, document) is not document:
            fact = f"order {order} is also that of {orders[order].file}"
            place = document.place("order" if "order" in document.data else "tier")
            self._add(place, fact, "Give each tier an order of its own.", "order")
        return order

    def _add(self, place: Place, fact: str, cure: str, check: str) -> None:
        self.findings.append(Finding(place, fact, cure, check))
        self.complete = False

    def _broken_kinds(self, kinds: Mapping[str, Kind]) -> frozenset[str]:
        """Return the names of the catalog's own kinds that were left out for their faults."""
        own = {path.stem for path in (self.folder / KINDS_FOLDER).glob("*.yml")}
        return frozenset(own - kinds.keys())


@cache
def _checks() -> Mapping[str, Check]:
    """Return the compiled schema of either sort of file."""
    schema = json.loads(CATALOG_SCHEMA.read_text(encoding="utf-8"))
    return {start: compile_schema(schema, start) for start in ("platformFile", "tierFile")}


def _by_number(path: Path) -> tuple[int, str]:
    prefix = _NUMBER_PREFIX.match(path.name)
    return (int(prefix[1]) if prefix else 0, path.name)


def _finding(document: Document, problem: Problem) -> Finding:
    """Return *problem* with its place, and the service it is about in front."""
    inside = problem.inside
    of_service = inside[0] == "services" and len(inside) > 1 if inside else False
    subject = f"service {show(inside[1])}: " if of_service else ""
    fact = subject + problem.sentence(2 if of_service else 0)
    return Finding(document.place(*problem.path), fact, problem.cure, "schema")


def _cut_out(data: dict[str, Any], paths: set[tuple[str | int, ...]]) -> None:
    """
    Remove from *data* what the schema refuses, so that the rest can be built and checked.

    A mapping that lacks a required key goes as a whole; the names of services stay noted elsewhere.
    """
    # Deepest and last first, so that the positions in lists stay right.
    for path in sorted(
        paths, key=lambda path: [(isinstance(k, str), k) for k in path], reverse=True
    ):
        if not path:
            data.clear()
            continue
        parent: Any = data
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]


def _with_kinds(catalog: Catalog, kinds: Mapping[str, Kind]) -> Catalog:
    """Return *catalog* with the kinds it uses and those of the exporters they name, sorted."""
    used = {service.kind for service in catalog.services}
    used |= {kinds[name].metrics.exporter for name in used if kinds[name].metrics}  # type: ignore[union-attr]
    held = {name: kinds[name] for name in sorted(used) if name in kinds}
    return Catalog(catalog.platform, catalog.tiers, catalog.services, held)
