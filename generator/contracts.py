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

from generator import exporter_configs, guard_config, remediation_compose, remediation_config
from generator.artifacts import Artifact
from generator.errors import Finding, Place
from generator.model import Catalog, Service
from generator.remediation_allows import wrongly_allowed
from generator.remediation_config import UNTOUCHABLE
from generator.schema_check import Check, compile_schema, field_name
from generator.yaml_write import dump_yaml

EXPORTERS_DIR = "exporters"
REMEDIATION_FILE = "remediation/config.yml"
GUARD_FILE = "remediation/guard.yml"
COMPOSE_FILE = "remediation/compose.yml"
_SCHEMAS = {
    REMEDIATION_FILE: ("config", "config"),
    GUARD_FILE: ("guard/guard", "guard"),
}  # file, $defs


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
    found |= {
        REMEDIATION_FILE: remediation_config.config(catalog),
        GUARD_FILE: guard_config.config(catalog),
        COMPOSE_FILE: remediation_compose.definitions(catalog),
    }
    return {path: content for path, content in found.items() if content}


def about(service: Service, catalog: Catalog) -> dict[str, str]:
    """Return what the remediator's files say about *service*, by path; {} without a remediator."""
    found: dict[str, str] = {}
    if not catalog.of_kind(remediation_config.REMEDIATOR):
        return found
    if service.kind == remediation_config.REMEDIATOR:
        found[REMEDIATION_FILE] = "what it sees and may restart"
    if service.name in remediation_compose.definitions(catalog)["services"]:
        found[COMPOSE_FILE] = "its container, locked in"
    if service.kind in UNTOUCHABLE:
        found[GUARD_FILE] = "the guard restarts it, and nothing else does"
    return found


def check(
    catalog: Catalog, rendered: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Finding]:
    """
    Return what is wrong with the files (*rendered*: path to content; None: those of *catalog*).

    Each follows its schema; every target is a service of the catalog, under the container name
    Compose will give it; the restart order has no cycle; what nobody may restart is listed, and
    watched by the guard; the socket proxies let through what the remediator may do, and nothing else.
    """
    files = contents(catalog) if rendered is None else rendered
    facts = {path: _facts(path, content, catalog) for path, content in files.items()}
    if COMPOSE_FILE in files and not facts.get(REMEDIATION_FILE):
        # Held against a plan that is right: one fault, one finding.
        plan = files.get(REMEDIATION_FILE, {})
        facts[COMPOSE_FILE] = [*wrongly_allowed(files[COMPOSE_FILE], plan, catalog)]
    return [
        Finding(Place(path), fact, cure, "contracts")
        for path, found in facts.items()
        for fact, cure in found
    ]


def _facts(path: str, content: Mapping[str, Any], catalog: Catalog) -> list[tuple[str, str]]:
    """Return what is wrong with one file by itself: fact and cure. Its meaning counts once its form is right."""
    if path == COMPOSE_FILE:
        return []
    misfits = [*_misfits(path, content)]
    if misfits:
        return misfits
    if path == GUARD_FILE:
        return [*_guarded(content, catalog)]
    if path == REMEDIATION_FILE:
        return [
            *_strangers(content["services"], catalog),
            *_order(content),
            *_touchable(content, catalog),
        ]
    return [*_strangers(content["targets"], catalog)]


@cache
def _schema(room: str, name: str, start: str) -> Check:
    text = files(room).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    return compile_schema(json.loads(text), start)


def _misfits(path: str, content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    check = _schema(path.partition("/")[0], *_SCHEMAS.get(path, ("config", "config")))
    for problem in check(dict(content), ()):
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


def _guarded(content: Mapping[str, Any], catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield where the guard's list departs from what nothing else restarts: both ways are faults."""
    meant = {service.name: service.container for service in catalog.of_kind(*UNTOUCHABLE)}
    watched = {each["name"]: each["container"] for each in content["watched"]}
    for name, container in watched.items():
        if name not in meant:
            yield f"the guard would restart {name!r}", "Leave that to the remediator: remove it."
        elif container != meant[name]:
            fact = f"the guard looks for {name!r} in {container!r}, Compose makes {meant[name]!r}"
            yield fact, "Take the container from the catalog."
    for name in sorted(meant.keys() - watched.keys()):
        yield f"nothing restarts {name!r}", "Add it to watched."
