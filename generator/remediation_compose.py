"""
The remediator and its socket proxies as Compose services: locked in, as small as they can be.

An override like those of Prometheus and Alertmanager, to be named in COMPOSE_FILE beside the platform's
own compose file. It says what follows from the catalog and from least privilege; networks are the
platform's business. Three variables say where things lie on the host, one more is demanded: the group
that owns Docker's socket, which no catalog knows.
"""

from __future__ import annotations

from typing import Any

from generator.model import Catalog, Service, Size
from generator.probe_targets import span
from generator.remediation_config import PORT, REMEDIATOR, SECRETS
from generator.socket_proxy import IMAGE, Access, accesses

_JOURNAL = "remediation"
_CONFIG = "${TIERWATCH_RENDERED:-./rendered}/remediation:/etc/tierwatch:ro"
_SECRETS = f"${{TIERWATCH_SECRETS:-./secrets}}/remediation:{SECRETS}:ro"
_OUR_IMAGE = "${TIERWATCH_IMAGE:-tierwatch-exporters}"
_SOCKET = "${DOCKER_SOCKET:-/var/run/docker.sock}:/var/run/docker.sock:ro"
_NOBODY = "65534"
_DOCKER_GROUP = "${DOCKER_GID:?set it to the group of the socket: stat -c %g /var/run/docker.sock}"
_MEBIBYTE = 2**20
_MEMORY_MIB = 256  # where the catalog names no size; the remediator takes less than 100


def definitions(catalog: Catalog) -> dict[str, Any]:
    """Return the content of remediation/compose.yml; {} when the catalog has no remediator."""
    remediators = catalog.of_kind(REMEDIATOR)
    if not remediators:
        return {}
    services = {service.name: _remediator(service) for service in remediators}
    services |= {access.proxy.name: _proxy(access) for access in accesses(catalog)}
    return {"services": services, "volumes": {_JOURNAL: {}}}


def _remediator(service: Service) -> dict[str, Any]:
    port = service.port or PORT
    ask = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/-/healthy', timeout=4)"
    return {
        "image": service.image or _OUR_IMAGE,
        "container_name": service.container,
        "entrypoint": ["tierwatch"],
        "command": ["remediate", "serve", "--config", "/etc/tierwatch/config.yml"],
        "user": f"{_NOBODY}:{_NOBODY}",
        **_locked_in(service),
        "tmpfs": ["/tmp:size=16m,mode=1777,noexec,nosuid,nodev"],  # noqa: S108  # where SQLite sorts
        # Folders: a file that is replaced stays the old one inside, and tokens come and go.
        "volumes": [_CONFIG, _SECRETS, f"{_JOURNAL}:/var/lib/tierwatch"],
        "depends_on": {name: {"condition": "service_healthy"} for name in service.requires},
        "healthcheck": _healthcheck(service, "python", "-c", ask),
        "stop_grace_period": "30s",  # a restart under way is written down
    }


def _proxy(access: Access) -> dict[str, Any]:
    proxy = access.proxy
    return {
        "image": proxy.image or IMAGE,
        "container_name": proxy.container,
        "command": access.flags,
        "user": f"{_NOBODY}:{_DOCKER_GROUP}",
        **_locked_in(proxy),
        # Read-only says that the file stays; what may be said through it is the allow-list's business.
        "volumes": [_SOCKET],
        # The name of a client that is stopped is asked of the host's name server, which may be away: then
        # it costs the others two seconds each time, not ten.
        "dns_opt": ["timeout:1", "attempts:2"],
        "healthcheck": _healthcheck(proxy, "/healthcheck"),
    }


def _locked_in(service: Service) -> dict[str, Any]:
    return {
        "restart": "unless-stopped",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": 128,
        "ipc": "none",  # /dev/shm is a place to write to, whatever read_only says
        **_limits(service.size),
        "labels": {"tierwatch.tier": service.tier, "tierwatch.kind": service.kind},
    }


def _limits(size: Size) -> dict[str, Any]:
    memory = max(size.memory_bytes // _MEBIBYTE, 6) if size.memory_bytes else _MEMORY_MIB
    limits: dict[str, Any] = {"mem_limit": f"{memory}m"}  # Docker's least is 6m
    if size.cpus:
        limits["cpus"] = float(size.cpus)
    return limits


def _healthcheck(service: Service, *command: str) -> dict[str, Any]:
    health = service.health
    return {
        "test": ["CMD", *command],
        "interval": span(health.interval),
        "timeout": span(health.timeout),
        "retries": health.retries,
        "start_period": span(health.start_period),
    }
