"""Two things in one place: host ports, container names, networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from generator.checks.draft import Draft
from generator.errors import Finding
from generator.model import Service

# Docker's own bridge takes it unless told otherwise (docs.docker.com, "bridge network driver").
_DOCKER_BRIDGE = ipaddress.IPv4Network("172.17.0.0/16")
_RESERVED_ADDRESSES = 3  # network, broadcast, gateway


def check_host_ports(draft: Draft) -> Iterator[Finding]:
    """Find host ports that two services publish."""
    first: dict[int, Service] = {}
    for service in draft.catalog.services:
        for index, port in enumerate(service.ports):
            if not port.host:
                continue
            owner = first.setdefault(port.host, service)
            if owner is not service or any(p.host == port.host for p in service.ports[:index]):
                fact = f"host port {port.host} is already taken by {owner.name!r}"
                yield draft.origin.service_finding(
                    service.name, fact, "Choose another.", "ports", index, check="host-port"
                )


def check_containers(draft: Draft) -> Iterator[Finding]:
    """Find container names that two services have, or that Compose gives to another's replica."""
    first: dict[str, Service] = {}
    project = draft.catalog.platform.compose_project
    names = draft.catalog.by_name
    for service in draft.catalog.services:
        owner = first.setdefault(service.container, service)
        keys = ("container_name",)
        if owner is not service:
            fact = f"container {service.container!r} is already that of {owner.name!r}"
            cure = "Give one of them another container_name."
            yield draft.origin.service_finding(service.name, fact, cure, *keys, check="container")
        stem, _, number = service.container.removeprefix(f"{project}-").rpartition("-")
        replicated = names.get(stem)
        if replicated is None or not number.isascii() or not number.isdigit():
            continue
        if replicated is service or service.name == f"{stem}-{number}":
            continue
        fact = f"container {service.container!r} is what Compose calls replica {number} of {stem!r}"
        cure = "Choose another container_name."
        yield draft.origin.service_finding(service.name, fact, cure, *keys, check="container")


def check_subnet(draft: Draft) -> Iterator[Finding]:
    """Find a network that is none, that others use, or that is too small for the services."""
    platform = draft.catalog.platform
    if not platform.subnet:
        return
    problem = _subnet_problem(platform.subnet, len(draft.catalog.services))
    if problem:
        place = draft.origin.platform.place("network", "subnet")
        cure = "Choose a private network that is free, such as 172.20.0.0/16."
        yield Finding(place, f"network.subnet {platform.subnet!r} {problem}", cure, "subnet")


def _subnet_problem(text: str, services: int) -> str:
    """Return what is wrong with the network *text* for so many *services*; empty if nothing."""
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        if "host bits" in str(error):
            network = ipaddress.IPv4Network(text, strict=False)
            return f"is an address inside the network {network}, not the network"
        return "is not an IPv4 network"
    if network.overlaps(_DOCKER_BRIDGE):
        return f"overlaps Docker's default network {_DOCKER_BRIDGE}"
    if not network.is_private or network.is_loopback or network.is_link_local:
        return "is not a private network: addresses of others would become unreachable"
    room = network.num_addresses - _RESERVED_ADDRESSES
    if room < services:
        return f"has room for {max(room, 0)} of the {services} services"
    return ""
