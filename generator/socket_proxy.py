r"""
What each filtering socket proxy lets through: the command line of wollomatic/socket-proxy.

Docker's socket is root on the host, so every client gets the paths it asks for and no others. In goes
the catalog: who reaches Docker through which proxy, and which containers may be restarted; out come
flags. A proxy of another make is left alone: its flags are other ones.

How the proxy reads its flags (its README, "Setting up the allowlist for requests"): one Go regular
expression per HTTP method, matched against the decoded path without the query; what has none is refused.
It puts `^` and `$` around the text as it stands, so `a|b` would be open at both ends: everything here
stands in a group. `/containers/.*` is never allowed: `archive` and `export` read files, `attach/ws` types.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from generator.model import Catalog, Service
from generator.names import AGENTS_KIND, BLACKBOX_KIND
from generator.probe_targets import PROXY_KIND, PROXY_PORT, docker_address, proxy_address
from generator.remediation_config import REMEDIATOR, never_restart
from promtail import agent as promtail

IMAGE = "wollomatic/socket-proxy:1"  # where the catalog names none
_MAKE = re.compile(r"([^@]+/)?wollomatic/socket-proxy(:[^/@]+)?(@.+)?")
_HARDWARE = "hardware-exporter"
_BLACKBOX_PROBER = "blackbox"

# Clients ask with the version they agreed on, or, reading, without one.
_VERSION = r"/v1\.[0-9]{1,2}"
_ANY_CONTAINER = "[A-Za-z0-9][A-Za-z0-9_.-]*"  # Promtail and the exporters inspect by ID
_PING = "_ping"

# What each kind of client reads: Docker's paths below the version. Seen in their sources: Prometheus'
# discovery/moby (list, networks), Promtail's targets/docker (inspect, logs), our own exporters, docker-py
# (version), remediation/drivers.
_READS: Mapping[str, tuple[str, ...]] = {
    promtail.KIND: (
        _PING, "containers/json", "networks", "containers/*/json", "containers/*/logs",
    ),
    AGENTS_KIND: ("containers/json", "containers/*/json"),
    _HARDWARE: ("containers/json", "containers/*/json"),
    REMEDIATOR: (
        _PING, "version", "events", "containers/json", "containers/*/json",
        "containers/*/logs", "containers/*/stats",
    ),
}  # fmt: skip

# One argument may be 128 KiB on Linux (MAX_ARG_STRLEN); a long list is dealt out to several flags,
# which the proxy takes since 1.12.
_LONGEST_LIST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Access:
    """
    What one *proxy* lets through.

    *clients* are host names; *allow* has regular expressions by HTTP method, each complete in itself;
    *reads* and *restarts* say what for.
    """

    proxy: Service
    clients: tuple[str, ...]
    allow: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reads: bool = False
    restarts: bool = False

    @property
    def flags(self) -> list[str]:
        """The command line; the same catalog gives the same flags."""
        return [
            "-loglevel=info",
            "-listenip=0.0.0.0",
            f"-proxyport={self.proxy.port or PROXY_PORT}",
            "-allowhealthcheck",
            # A socket that Docker made anew is another one: end, and be started on it.
            "-watchdoginterval=60",
            "-stoponwatchdog",
            f"-allowfrom={','.join(self.clients)}",
            *(f"-allow{method}={each}" for method, found in self.allow.items() for each in found),
        ]


def accesses(catalog: Catalog) -> tuple[Access, ...]:
    """Return what each proxy of our make lets through, in catalog order; none without clients."""
    found = (_access(proxy, catalog) for proxy in catalog.of_kind(PROXY_KIND) if _ours(proxy))
    return tuple(access for access in found if access.clients)


def _ours(proxy: Service) -> bool:
    return not proxy.image or _MAKE.fullmatch(proxy.image) is not None


def restartable(catalog: Catalog) -> tuple[str, ...]:
    """Return the containers that may be restarted: all but one-shots and what is never restarted."""
    excepted = set(never_restart(catalog))
    return tuple(
        service.container
        for service in catalog.services
        if service.name not in excepted and not service.oneshot
    )


def _access(proxy: Service, catalog: Catalog) -> Access:
    readers = _readers(proxy, catalog)
    kinds = [kind for kind in _READS if any(reader.kind == kind for reader in readers)]
    restarts = bool(catalog.of_kind(REMEDIATOR)) and proxy_address(proxy) == docker_address(
        catalog, REMEDIATOR, hard=True
    )
    allow: dict[str, tuple[str, ...]] = {}
    if kinds or restarts:
        allow = {"HEAD": (f"({_VERSION})?/{_PING}",), "GET": tuple(_gets(kinds, restarts, catalog))}
    if restarts:
        allow["POST"] = tuple(
            f"{_VERSION}/containers/({names})/restart" for names in _lists(restartable(catalog))
        )
    clients = _clients(proxy, readers, restarts=restarts, catalog=catalog)
    return Access(proxy, clients, allow, bool(kinds), restarts)


def _clients(
    proxy: Service, readers: list[Service], *, restarts: bool, catalog: Catalog
) -> tuple[str, ...]:
    """
    Return who may ask, the remediator first.

    The proxy asks for one name after the other until one is the client's, and for that of a container
    which is stopped it may wait for the host's name server: the remediator is never made to.
    """
    healers = catalog.of_kind(REMEDIATOR)
    names = [service.name for service in healers if restarts or service in readers]
    names += [reader.name for reader in readers]
    return tuple(dict.fromkeys([*names, *(_probers(proxy, catalog) if names else ())]))


def _readers(proxy: Service, catalog: Catalog) -> list[Service]:
    """Return the services that look at Docker through *proxy*, in catalog order."""
    address = proxy_address(proxy)
    kinds = {kind for kind in (AGENTS_KIND, _HARDWARE) if address == docker_address(catalog, kind)}
    if address == docker_address(catalog, REMEDIATOR, hard=False):
        kinds.add(REMEDIATOR)
    if address == f"tcp://{promtail.proxy(catalog)}":
        kinds.add(promtail.KIND)
    return [service for service in catalog.services if service.kind in kinds]


def _probers(proxy: Service, catalog: Catalog) -> list[str]:
    """Return who asks *proxy* itself whether it is well; `_ping` is allowed to every client."""
    if not proxy.probes or catalog.kinds[proxy.kind].prober != _BLACKBOX_PROBER:
        return []
    return [service.name for service in catalog.of_kind(BLACKBOX_KIND)]


def _gets(kinds: Iterable[str], restarts: bool, catalog: Catalog) -> Iterator[str]:
    """Yield what may be read for *kinds*; for restarts as much as says whether the right one was meant."""
    paths = dict.fromkeys(path for kind in kinds for path in _READS[kind])
    plain = [_PING, *(path for path in paths if "*" not in path and path != _PING)]
    told = [path.rpartition("/")[2] for path in paths if "*" in path]
    if told:
        plain.append(f"containers/{_ANY_CONTAINER}/({'|'.join(dict.fromkeys(told))})")
    named: Iterator[str] = iter(())
    if restarts and "json" not in told:
        named = (f"containers/({names})/json" for names in _lists(restartable(catalog)))
    if restarts and "version" not in plain:
        plain.append("version")
    first = next(named, None)
    yield f"({_VERSION})?/({'|'.join([*plain, *([first] if first else [])])})"
    yield from (f"({_VERSION})?/{each}" for each in named)


def _lists(names: Iterable[str]) -> Iterator[str]:
    """Yield *names* as alternatives, dealt out so that none is longer than a flag may be."""
    dealt: list[str] = []
    length = 0
    for name in names:
        literal = name.replace(
            ".", r"\."
        )  # the one character of a container's name that means more
        if dealt and length + len(literal) >= _LONGEST_LIST:
            yield "|".join(dealt)
            dealt, length = [], 0
        dealt.append(literal)
        length += len(literal) + 1
    if dealt:
        yield "|".join(dealt)
