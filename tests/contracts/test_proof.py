"""Proof 8 finds what is planted in the files, and says it exactly."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from generator import contracts
from generator.model import Catalog

Files = dict[str, dict[str, Any]]
Plant = Callable[[Files], object]

REMEDIATION = "remediation/config.yml"
AGENTS = "exporters/agents.yml"


def _service(files: Files, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in files[REMEDIATION]["services"] if s["name"] == name)
    return found


PLANTED: dict[str, tuple[Plant, str]] = {
    "a target the catalog does not know": (
        lambda files: files[REMEDIATION]["services"].append(
            {**_service(files, "frontend"), "name": "intruder"}
        ),
        (
            f"{REMEDIATION}: target 'intruder' is no service of the catalog."
            " Remove it, or add the service."
        ),
    ),
    "a container Compose will not make": (
        lambda files: _service(files, "backend").update(container="shop_backend_1"),
        (
            f"{REMEDIATION}: target 'backend' is container 'shop_backend_1' of tier 'app', Compose makes"
            " 'shop-backend' of tier 'app'. Take both from the catalog."
        ),
    ),
    "the same container in an exporter's file": (
        lambda files: files[AGENTS]["targets"][0].update(container="other"),
        (
            f"{AGENTS}: target 'postgres' is container 'other' of tier 'core', Compose makes"
            " 'shop-postgres' of tier 'core'. Take both from the catalog."
        ),
    ),
    "a target twice": (
        lambda files: files[AGENTS]["targets"].append(files[AGENTS]["targets"][0]),
        f"{AGENTS}: target 'postgres' is listed twice. Remove one of them.",
    ),
    "a restart order with a cycle": (
        lambda files: _service(files, "postgres")["requires"].append("frontend"),
        (
            f"{REMEDIATION}: the restart order has a cycle:"
            " postgres -> backend -> frontend -> postgres. Make one of these dependencies soft."
        ),
    ),
    "a requirement that is not listed": (
        lambda files: _service(files, "backend")["requires"].append("mysql"),
        f"{REMEDIATION}: service 'backend' requires 'mysql', which is not listed. Add it.",
    ),
    "a service without its tier": (
        lambda files: files[REMEDIATION]["tiers"].pop(0),
        f"{REMEDIATION}: service 'postgres' is of no tier. Add its tier.",
    ),
    "two tiers in one place": (
        lambda files: files[REMEDIATION]["tiers"][1].update(order=1),
        (
            f"{REMEDIATION}: two tiers have one place in the order."
            " Number the tiers from 1, each once."
        ),
    ),
    "a healer that may restart itself": (
        lambda files: files[REMEDIATION]["never_restart"].remove("remediator"),
        (
            f"{REMEDIATION}: service 'remediator' (remediator) could be restarted automatically."
            " Add it to never_restart."
        ),
    ),
    "an exception for nobody": (
        lambda files: files[REMEDIATION]["never_restart"].append("ghost"),
        f"{REMEDIATION}: never_restart names 'ghost', which is no service. Remove it.",
    ),
    "a probe without an address": (
        lambda files: files[AGENTS]["targets"][0].update(probe="http"),
        (
            f"{AGENTS}: target 'postgres' has probe 'http' and no url."
            " Give a url with http and tcp, and none with container."
        ),
    ),
    "an unknown key": (
        lambda files: files[REMEDIATION]["storm"].update(root=3),
        f"{REMEDIATION}: storm.root unknown key 'root'. Did you mean 'roots'?",
    ),
    "a quoted boolean": (
        lambda files: _service(files, "postgres").update(stateful="false"),
        (
            f"{REMEDIATION}: services[0].stateful must be true or false, not 'false'."
            " Write true or false."
        ),
    ),
}


def test_the_files_of_the_shop_and_the_platform_are_proven(
    catalog: Catalog, platform: Catalog
) -> None:
    """Nothing is found in what the generator writes."""
    assert [] == contracts.check(catalog)
    assert [] == contracts.check(platform)


@pytest.mark.parametrize(("plant", "expected"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(catalog: Catalog, plant: Plant, expected: str) -> None:
    """Each fault gives exactly one finding, at its file."""
    files = deepcopy(contracts.contents(catalog))
    plant(files)

    assert [expected] == [str(finding) for finding in contracts.check(catalog, files)]
