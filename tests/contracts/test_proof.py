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
GUARD = "remediation/guard.yml"
COMPOSE = "remediation/compose.yml"


def _service(files: Files, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in files[REMEDIATION]["services"] if s["name"] == name)
    return found


def _flag(files: Files, proxy: str, name: str, old: str, new: str) -> None:
    """Replace *old* by *new* in the flag *name* of *proxy*; it must be there."""
    command = files[COMPOSE]["services"][proxy]["command"]
    index = next(i for i, flag in enumerate(command) if flag.startswith(f"-{name}="))
    assert old in command[index]
    command[index] = command[index].replace(old, new)


def _watched(files: Files, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in files[GUARD]["watched"] if s["name"] == name)
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
    "a container that the proxy has not heard of": (
        lambda files: _flag(files, "restart-proxy", "allowPOST", "shop-backend|", ""),
        (
            f"{COMPOSE}: restart-proxy refuses restarts that config.yml plans: shop-backend."
            " Add them to -allowPOST."
        ),
    ),
    "an exception that the proxy has not heard of": (
        lambda files: files[REMEDIATION]["never_restart"].append("postgres"),
        (
            f"{COMPOSE}: restart-proxy lets restarts through that config.yml excepts: shop-postgres."
            " Take them out of -allowPOST."
        ),
    ),
    "a one-shot that may be restarted": (
        lambda files: _flag(
            files, "restart-proxy", "allowPOST", "shop-ollama|", "shop-ollama|shop-report|"
        ),
        (
            f"{COMPOSE}: restart-proxy lets restarts through that config.yml excepts: shop-report."
            " Take them out of -allowPOST."
        ),
    ),
    "more than a restart": (
        lambda files: _flag(files, "restart-proxy", "allowPOST", "/restart", "/(restart|exec)"),
        (
            f"{COMPOSE}: restart-proxy lets POST /v1.43/containers/shop-postgres/exec through."
            " Narrow its flags to what is needed."
        ),
    ),
    "a list without its group": (
        lambda files: _flag(files, "restart-proxy", "allowPOST", ")/restart", ")/restart|/x"),
        (
            f"{COMPOSE}: restart-proxy lets POST /v1.43/containers/shop-postgres/restart/ through."
            " Narrow its flags to what is needed."
        ),
    ),
    "a reading proxy that reads files": (
        lambda files: _flag(
            files, "docker-proxy", "allowGET", "(json|logs|stats)", "(json|export)"
        ),
        (
            f"{COMPOSE}: docker-proxy lets GET /v1.43/containers/shop-postgres/export through."
            " Narrow its flags to what is needed."
        ),
    ),
    "a reading proxy that restarts": (
        lambda files: files[COMPOSE]["services"]["docker-proxy"]["command"].append(
            r"-allowPOST=/v1\.[0-9]{1,2}/containers/(shop-prometheus)/restart"
        ),
        (
            f"{COMPOSE}: docker-proxy lets restarts through that config.yml excepts: shop-prometheus."
            " Take them out of -allowPOST."
        ),
    ),
    "a proxy open to a network": (
        lambda files: _flag(files, "restart-proxy", "allowfrom", "remediator", "0.0.0.0/0"),
        (
            f"{COMPOSE}: restart-proxy serves '0.0.0.0/0', which is no service."
            " Name services: addresses belong to whoever gets them."
        ),
    ),
    "a list of a client's own": (
        lambda files: files[COMPOSE]["services"]["docker-proxy"]["command"].append(
            "-proxycontainername=shop-docker-proxy"
        ),
        (
            f"{COMPOSE}: docker-proxy has the flag -proxycontainername."
            " Remove it: nothing here needs it."
        ),
    ),
    "a guard that does the remediator's work": (
        lambda files: files[GUARD]["watched"].append(
            {**_watched(files, "prometheus"), "name": "postgres", "container": "shop-postgres"}
        ),
        (f"{GUARD}: the guard would restart 'postgres'. Leave that to the remediator: remove it."),
    ),
    "a healer that nobody heals": (
        lambda files: files[GUARD]["watched"].remove(_watched(files, "remediator")),
        f"{GUARD}: nothing restarts 'remediator'. Add it to watched.",
    ),
    "a guard that looks for another container": (
        lambda files: _watched(files, "prometheus").update(container="prometheus"),
        (
            f"{GUARD}: the guard looks for 'prometheus' in 'prometheus', Compose makes"
            " 'shop-prometheus'. Take the container from the catalog."
        ),
    ),
    "a guard without a limit": (
        lambda files: files[GUARD].pop("limit"),
        f"{GUARD}: the file the key 'limit' is missing. Add 'limit:'.",
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
