"""
How our own processes ask a service whether it is well: one probe, an address, a good answer.

The exporters' and the remediator's files say it in the same words (design 5.4), so it is
worked out once, here. Blackbox's own modules are the scrape room's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from generator.model import Catalog, Service
from generator.software import Probe

PROXY_KIND = "docker-socket-proxy"
SOCKET = "unix:///var/run/docker.sock"
PROXY_PORT = 2375

# One unit each, largest first, so that a duration reads as people write it.
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def question(service: Service) -> dict[str, Any]:
    """
    Return the keys `probe`, `url` and `expect` for *service*'s first probe.

    Only `probe: container` for a service without one: Docker's word must do.
    """
    if not service.probes:
        return {"probe": "container"}
    probe = service.probes[0]
    if probe.type != "http":
        # A TLS handshake is blackbox's business; that somebody listens is enough here.
        return {"probe": "tcp", "url": f"tcp://{service.name}:{probe.port}"}
    return {
        "probe": "http",
        "url": f"{probe.scheme}://{service.name}:{probe.port}{probe.path}",
        "expect": _good_answer(probe),
    }


def _good_answer(probe: Probe) -> dict[str, Any]:
    optional = {"body": probe.body, "not_body": probe.not_body, "host": probe.host_header}
    answer: dict[str, Any] = {"status": probe.status}
    return answer | {key: text for key, text in optional.items() if text}


def told_dependencies(service: Service) -> list[dict[str, Any]]:
    """Return where the answer to *service*'s first probe tells of dependencies; empty if nowhere."""
    probe = service.probes[0] if service.probes else None
    return [
        {"name": each.name, "pointer": each.pointer, "good": list(each.good)}
        for each in (probe.dependencies if probe else ())
    ]


def docker_address(catalog: Catalog, kind: str, *, hard: bool | None = None) -> str:
    """
    Return where services of *kind* reach Docker's API.

    That is the socket proxy the first of them depends on (with *hard* given: in that manner),
    else any socket proxy, else the socket itself.
    """
    proxies = {service.name: service for service in catalog.of_kind(PROXY_KIND)}
    for service in catalog.of_kind(kind):
        for dependency in service.depends_on:
            if dependency.service in proxies and hard in (None, dependency.hard):
                return proxy_address(proxies[dependency.service])
    if hard is not None:
        return docker_address(catalog, kind)
    return proxy_address(next(iter(proxies.values()))) if proxies else SOCKET


def proxy_address(proxy: Service) -> str:
    """Return where a client reaches Docker through *proxy*."""
    return f"tcp://{proxy.name}:{proxy.port or PROXY_PORT}"


def span(value: timedelta) -> str:
    """Return *value* in one unit, the largest that divides it: `90s`, `5m`, `0s`."""
    amount = round(value / timedelta(milliseconds=1))
    if not amount:
        return "0s"
    unit, size = next((unit, size) for unit, size in _UNITS if amount % size == 0)
    return f"{amount // size}{unit}"
