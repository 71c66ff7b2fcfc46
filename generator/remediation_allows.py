"""
Whether the socket proxies let through what the remediator may do, and nothing else.

A part of proof 8. It reads the flags as wollomatic/socket-proxy does and asks them: may this container be
restarted, may that be done besides? How the flags are made (generator.socket_proxy) it does not know,
so the list of the proxies and that of config.yml cannot drift apart unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import re2

from generator.model import Catalog
from generator.probe_targets import PROXY_KIND

_ALLOW = "allow"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "OPTIONS")
_HARMLESS = {
    "loglevel", "listenip", "proxyport", "allowhealthcheck", "watchdoginterval", "stoponwatchdog",
    "allowfrom",
}  # fmt: skip
_ID = "0123456789ab" * 5 + "0123"

# What nobody may ask, of any container (`{c}`) that may be restarted.
_OF_EACH = (
    ("POST", "/v1.43/containers/{c}/exec"),
    ("POST", "/v1.43/containers/{c}/kill"),
    ("POST", "/v1.43/containers/{c}/restart/"),
    ("POST", "/v1.43/containers/x{c}/restart"),
    ("POST", "/v1.43/containers/{c}x/restart"),
    ("POST", "/v1.43/containers/x/../{c}/restart"),
    ("GET", "/v1.43/containers/{c}/archive"),
)
# The same, of one of them, or of none.
_OF_ONE = (
    *(("POST", f"/v1.43/containers/{{c}}/{verb}") for verb in (
        "stop", "start", "pause", "unpause", "update", "rename", "attach", "wait", "resize",
    )),
    ("POST", f"/v1.43/containers/{_ID}/restart"),
    ("POST", "/v1.43/containers/create"),
    ("POST", "/v1.43/containers/prune"),
    ("POST", "/v1.43/exec/x/start"),
    ("POST", "/v1.43/build"),
    ("POST", "/v1.43/images/create"),
    ("POST", "/v1.43/volumes/create"),
    ("POST", "/v1.43/networks/create"),
    ("GET", "/v1.43/containers/{c}/export"),
    ("GET", "/v1.43/containers/{c}/attach/ws"),
    ("GET", "/v1.43/containers/../images/json"),
    ("GET", "/v1.43/images/json"),
    ("GET", "/v1.43/images/x/get"),
    ("GET", "/v1.43/secrets"),
    ("GET", "/v1.43/configs"),
    ("GET", "/v1.43/volumes"),
    ("PUT", "/v1.43/containers/{c}/archive"),
    ("DELETE", "/v1.43/containers/{c}"),
    ("HEAD", "/v1.43/containers/{c}/archive"),
)  # fmt: skip


def wrongly_allowed(
    compose: Mapping[str, Any], config: Mapping[str, Any], catalog: Catalog
) -> Iterator[tuple[str, str]]:
    """Yield where the proxies of *compose* allow what *config* (config.yml) does not, or too little."""
    proxies = {service.name for service in catalog.of_kind(PROXY_KIND)}
    restarter = config["docker"]["restart"].removeprefix("tcp://").rpartition(":")[0]
    planned = [
        service["container"]
        for service in config["services"]
        if not service["oneshot"] and service["name"] not in config["never_restart"]
    ]
    everything = [service["container"] for service in config["services"]]
    for name, definition in compose["services"].items():
        if name not in proxies:
            continue
        flags = [flag.removeprefix("-").partition("=") for flag in definition["command"]]
        yield from _strange(name, [(key, value) for key, _, value in flags], catalog)
        allow = _compiled((key.removeprefix(_ALLOW), value) for key, _, value in flags)
        mine = dict.fromkeys(planned if name == restarter else ())
        others = [each for each in everything if each not in mine]
        yield from _drift(name, allow, [*mine], others)
        for method, path in _too_much(allow, planned):
            yield f"{name} lets {method} {path} through", "Narrow its flags to what is needed."


def _strange(
    name: str, flags: Iterable[tuple[str, str]], catalog: Catalog
) -> Iterator[tuple[str, str]]:
    """Yield flags that nothing here needs, and clients that are no services."""
    for key, value in flags:
        if key not in _HARMLESS and key.removeprefix(_ALLOW) not in _METHODS:
            yield f"{name} has the flag -{key}", "Remove it: nothing here needs it."
        if key == "allowfrom":
            for client in value.split(","):
                if client not in catalog.by_name:
                    fact = f"{name} serves {client!r}, which is no service"
                    yield fact, "Name services: addresses belong to whoever gets them."


def _compiled(flags: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return one expression per method, which matches what one of its flags does."""
    texts: dict[str, list[str]] = {}
    for method, text in flags:
        if method in _METHODS:
            # As the proxy does it, without a group of our own: what stands open at an end is found.
            texts.setdefault(method, []).append(f"(?:^{text}$)")
    options = re2.Options()
    options.never_capture = True
    options.max_mem = 64 * 1024 * 1024  # 10,000 names
    return {method: re2.compile("|".join(each), options=options) for method, each in texts.items()}


def _allows(allow: Mapping[str, Any], method: str, path: str) -> bool:
    return method in allow and allow[method].search(path) is not None


def _drift(
    name: str, allow: Mapping[str, Any], planned: list[str], others: list[str]
) -> Iterator[tuple[str, str]]:
    def restarts(container: str) -> bool:
        return _allows(allow, "POST", f"/v1.43/containers/{container}/restart")

    missing = [each for each in planned if not restarts(each)]
    if missing:
        fact = f"{name} refuses restarts that config.yml plans: {_some(missing)}"
        yield fact, "Add them to -allowPOST."
    excess = [each for each in others if restarts(each)]
    if excess:
        fact = f"{name} lets restarts through that config.yml excepts: {_some(excess)}"
        yield fact, "Take them out of -allowPOST."


def _too_much(allow: Mapping[str, Any], planned: list[str]) -> Iterator[tuple[str, str]]:
    """Yield requests that are let through and must not be; of each sort the first."""
    for method, path in _OF_EACH:
        found = next((p for c in planned if _allows(allow, method, p := path.format(c=c))), None)
        if found:
            yield method, found
    for method, path in _OF_ONE:
        for each in planned[:1]:
            if _allows(allow, method, asked := path.format(c=each)):
                yield method, asked


def _some(names: list[str]) -> str:
    shown = 5  # enough to recognise which
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
