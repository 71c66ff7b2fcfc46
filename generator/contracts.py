"""
The files our other processes read (design 5.4), and the proof that they mean this catalog.

`check` is proof 8: it reads what is rendered, against the shipped schemas and the catalog, and
knows nothing of how the files are made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from typing import Any

from generator import exporter_configs, remediation_config
from generator.artifacts import Artifact
from generator.errors import Finding, Place
from generator.model import Catalog
from generator.remediation_config import UNTOUCHABLE
from generator.schema_check import Check, compile_schema, field_name
from generator.yaml_write import dump_yaml

EXPORTERS_DIR = "exporters"
REMEDIATION_FILE = "remediation/config.yml"


def render(catalog: Catalog) -> tuple[Artifact, ...]:
    """Return the exporters' and the remediator's files; only those the catalog has a reader for."""
    return tuple(
        Artifact(path, dump_yaml(content, "catalog/"))
        for path, content in contents(catalog).items()
    )


def contents(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """Return what each file holds, by its path in the rendered tree."""
    found = {
        f"{EXPORTERS_DIR}/{name}": content
        for name, content in exporter_configs.configs(catalog).items()
    }
    remediation = remediation_config.config(catalog)
    if remediation:
        found[REMEDIATION_FILE] = remediation
    return found


def check(
    catalog: Catalog, rendered: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Finding]:
    """
    Return what is wrong with the files (*rendered*: path to content; None: those of *catalog*).

    Each follows its schema; every target is a service of the catalog, under the container name
    Compose will give it; the restart order has no cycle; what nobody may restart is listed.
    """
    found: list[Finding] = []
    for path, content in (contents(catalog) if rendered is None else rendered).items():
        room = path.partition("/")[0]
        facts = [*_misfits(room, content)]
        if not facts:
            services = content["services" if path == REMEDIATION_FILE else "targets"]
            facts += _strangers(services, catalog)
            if path == REMEDIATION_FILE:
                facts += [*_order(content), *_touchable(content, catalog)]
        found += [Finding(Place(path), fact, cure, "contracts") for fact, cure in facts]
    return found


@cache
def _schema(room: str) -> Check:
    text = files(room).joinpath("config.schema.json").read_text(encoding="utf-8")
    return compile_schema(json.loads(text), "config")


def _misfits(room: str, content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for problem in _schema(room)(dict(content), ()):
        where = field_name(problem.path) or "the file"
        yield f"{where} {problem.fact}", problem.cure


def _strangers(targets: list[Mapping[str, Any]], catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield targets that are no services, or look for a container that will not be there."""
    seen: set[str] = set()
    for target in targets:
        name = target.get("service", target.get("name", ""))
        service = catalog.by_name.get(name)
        if service is None:
            yield f"target {name!r} is no service of the catalog", "Remove it, or add the service."
            continue
        if name in seen:
            yield f"target {name!r} is listed twice", "Remove one of them."
        seen.add(name)
        if (target["tier"], target["container"]) != (service.tier, service.container):
            fact = (
                f"target {name!r} is container {target['container']!r} of tier {target['tier']!r},"
                f" Compose makes {service.container!r} of tier {service.tier!r}"
            )
            yield fact, "Take both from the catalog."
        probe = target.get("health", target)
        if (probe["probe"] == "container") is ("url" in probe):
            count = "a" if "url" in probe else "no"
            fact = f"target {name!r} has probe {probe['probe']!r} and {count} url"
            yield fact, "Give a url with http and tcp, and none with container."


def _order(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what keeps services from being put into one restart order."""
    waits = {service["name"]: service["requires"] for service in content["services"]}
    tiers = {tier["name"] for tier in content["tiers"]}
    for service in content["services"]:
        if service["tier"] not in tiers:
            yield f"service {service['name']!r} is of no tier", "Add its tier."
        for required in service["requires"]:
            if required not in waits:
                fact = f"service {service['name']!r} requires {required!r}, which is not listed"
                yield fact, "Add it."
    if len({tier["order"] for tier in content["tiers"]}) < len(content["tiers"]):
        yield "two tiers have one place in the order", "Number the tiers from 1, each once."
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        cycle = " -> ".join(error.args[1])
        yield f"the restart order has a cycle: {cycle}", "Make one of these dependencies soft."


def _touchable(content: Mapping[str, Any], catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield services that must never be restarted automatically and are not excepted."""
    excepted = set(content["never_restart"])
    for service in catalog.of_kind(*UNTOUCHABLE):
        if service.name not in excepted:
            yield (
                f"service {service.name!r} ({service.kind}) could be restarted automatically",
                "Add it to never_restart.",
            )
    for name in sorted(excepted - catalog.by_name.keys()):
        yield f"never_restart names {name!r}, which is no service", "Remove it."
