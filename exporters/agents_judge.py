"""
Decide whether an answer is the one expected, and read what it says of versions and dependencies.

Pure: an answer in, a verdict out. Nothing that a target says becomes a label without a bound.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exporters.agents_http import Reply
from exporters.config import Dependency, Expect

MAX_JSON_BYTES = 256 * 1024  # parsing takes 1 ms per 100 KB; arbitrary
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_~-]{0,63}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """*reason* None: a good answer. *dependencies*: those that the answer speaks of."""

    reason: str | None = None
    detail: str = ""
    dependencies: Mapping[str, bool] = field(default_factory=dict)
    version: str = ""


def judge(expect: Expect, reply: Reply) -> Verdict:
    """Return what *reply* is worth by *expect*; a bad one, too, may tell of its dependencies."""
    data = _data(reply.body)
    reason, detail = _reason(expect, reply)
    return Verdict(
        reason=reason,
        detail=detail,
        dependencies=_dependencies(expect.dependencies, data),
        version=_version(data),
    )


def _reason(expect: Expect, reply: Reply) -> tuple[str | None, str]:
    if reply.status != expect.status:
        reason = "redirect" if 300 <= reply.status < 400 else "status"
        return reason, f"{reply.status} instead of {expect.status}"
    if expect.body is not None and expect.body.search(reply.body) is None:
        return "body", "what must be in the body is not"
    if expect.not_body is not None and expect.not_body.search(reply.body) is not None:
        return "body", "what must not be in the body is"
    return None, ""


def _data(body: bytes) -> Any:
    """Return *body* as JSON; None if it is no JSON object, or too large to look at."""
    if len(body) > MAX_JSON_BYTES or body.lstrip()[:1] != b"{":
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _dependencies(wanted: tuple[Dependency, ...], data: Any) -> dict[str, bool]:
    found = {}
    for dependency in wanted:
        value = _at(data, dependency.pointer)
        if value is not _NOTHING:
            found[dependency.name] = _text(value) in dependency.good
    return found


_NOTHING = object()


def _at(data: Any, pointer: str) -> Any:
    """Return what *pointer* (RFC 6901) leads to; _NOTHING if there is nothing."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(data, dict) and key in data:
            data = data[key]
        elif isinstance(data, list) and key.isdecimal() and int(key) < len(data):
            data = data[int(key)]
        else:
            return _NOTHING
    return data


def _text(value: Any) -> str | None:
    """Return *value* as the configuration writes it: texts bare, others as JSON; None for a structure."""
    if isinstance(value, str):
        return value
    return None if isinstance(value, dict | list) else json.dumps(value)


def _version(data: Any) -> str:
    version = data.get("version") if isinstance(data, dict) else None
    return version if isinstance(version, str) and _VERSION.fullmatch(version) else ""
