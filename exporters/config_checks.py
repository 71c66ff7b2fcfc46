"""
What a configuration of the right form can still get wrong: ports, patterns, keys that do not fit.

In goes a document that has passed the schema, out come problems with place, fact and cure.
`foreign_problems` comes first: who was given another exporter's file need not read of its details.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from exporters.form import Problem, problem
from exporters.patterns import PatternError, compile_pattern
from exporters.yaml_read import Document

MAX_PORT = 65535
# What one exporter alone reads; another one would pass over it without a word.
_KEYS_OF_ONE = {
    "auth": "ollama", "expected_models": "ollama", "inference": "ollama", "other_ports": "ollama",
}  # fmt: skip
_Found = Iterator[tuple[tuple[str, ...], str]]


def foreign_problems(document: Document, exporter: str) -> Iterator[Problem]:
    """Yield a problem if *document* is for another one than *exporter* (`ollama`, ...; empty: any)."""
    named = document.data["exporter"]
    if exporter and named != exporter:
        text = f"this file is for the exporter {named}, not for {exporter}."
        cure = f"Run `tierwatch exporter {named}` with it, or name the file for {exporter}."
        yield problem(document, ("exporter",), f"{text} {cure}")


def meaning_problems(document: Document) -> Iterator[Problem]:
    """Yield everything about *document* that its form allows and its meaning does not."""
    data = document.data
    seen: dict[str, int] = {}
    if _port_of(data["listen"]) > MAX_PORT:
        text = f"listen: {data['listen']!r} has no such port. Use one up to {MAX_PORT}."
        yield problem(document, ("listen",), text)
    for index, target in enumerate(data["targets"]):
        keys: tuple[str | int, ...] = ("targets", index)
        name = target["service"]
        if name in seen:
            text = f"service {name!r} is also target {seen[name]}. Keep one of the two."
            yield problem(document, (*keys, "service"), text)
        seen.setdefault(name, index)
        found = [*_url_problems(target), *_expect_problems(target), *_auth_problems(target)]
        for key, owner in _KEYS_OF_ONE.items():
            if key in target and data["exporter"] != owner:
                found.append(((key,), f"{key} is for the exporter {owner} alone. Remove it."))
        for key_path, text in found:
            yield problem(document, (*keys, *key_path), f"service {name!r}: {text}")


def _url_problems(target: Mapping[str, Any]) -> _Found:
    url, probe = target.get("url", ""), target["probe"]
    wanted = {"http": ("http://", "https://"), "tcp": ("tcp://",), "container": ()}[probe]
    if not wanted and url:
        yield ("url",), "probe container takes no url. Remove it, or say probe: http."
    elif wanted and not url:
        yield ("probe",), f"probe {probe} needs a url. Add one like {wanted[0]}name:8080."
    elif wanted and not url.startswith(wanted):
        yield ("url",), f"{url!r} does not fit probe {probe}. Begin it with {wanted[0]}."
    elif url and not 0 < _port_of(url) <= MAX_PORT:
        yield ("url",), f"{url!r} has no such port. Use one from 1 to {MAX_PORT}."
    elif url and not _has_host(url):
        yield ("url",), f"{url!r} has no IPv6 address in its brackets. Write it like [fd00::1]."


def _expect_problems(target: Mapping[str, Any]) -> _Found:
    expect = target.get("expect", {})
    if expect and target["probe"] != "http":
        yield ("expect",), f"probe {target['probe']} has no answer to expect. Remove it."
    for key in ("body", "not_body"):
        try:
            compile_pattern(expect.get(key, ""))
        except PatternError as error:
            yield ("expect", key), f"{expect[key]!r} is no RE2: {error}. Correct the expression."
    names = [each["name"] for each in expect.get("dependencies", ())]
    if len(set(names)) < len(names):
        yield ("expect", "dependencies"), "a dependency is named twice. Keep one of the two."


def _auth_problems(target: Mapping[str, Any]) -> _Found:
    keys = set(target.get("auth", ()))
    if "auth" in target and keys not in ({"bearer_token_file"}, {"username", "password_file"}):
        fact = f"auth has {', '.join(sorted(keys)) or 'nothing'}."
        yield ("auth",), f"{fact} Give bearer_token_file, or username and password_file."


def _authority(address: str) -> str:
    """Return `host:port` of a url, or of `host:port`."""
    return address.rpartition("://")[2].split("/")[0]


def _port_of(address: str) -> int:
    return int(_authority(address).rpartition(":")[2])


def _has_host(url: str) -> bool:
    """Whether what *url* has in brackets, if anything, is an IPv6 address."""
    host = _authority(url).rpartition(":")[0]
    if not host.startswith("["):
        return True
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True
