"""
Write JSON that people can review: keys sorted, one line per short value, indented above that.

`json.dumps(indent=…)` spreads `{"x": 0, "y": 0}` over four lines. Here an object or list with
nothing nested in it stays on one line while that is short: half the lines, half the time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

# Longer lines would be hard to read in a diff.
_SHORT = 100

_NESTED = frozenset({dict, list})

_text = json.encoder.encode_basestring


def dump(data: dict[str, Any]) -> str:
    """Return *data* as JSON text with a newline at its end. The same data gives the same text."""
    parts: list[str] = []
    _write(data, "\n", parts.append)
    parts.append("\n")
    return "".join(parts)


def _write(value: Any, newline: str, out: Callable[[str], None]) -> None:
    kind = type(value)
    if kind is not dict and kind is not list:
        out(_scalar(value))
        return
    deeper = newline + " "
    opening, closing = ("{", "}") if kind is dict else ("[", "]")
    parts = _parts(value)
    if parts is not None:
        flat = ", ".join(parts)
        if len(flat) > _SHORT:
            flat = deeper + f",{deeper}".join(parts) + newline
        out(opening + flat + closing)
        return
    between = opening + deeper
    if kind is dict:
        for key in sorted(value):
            out(f"{between}{_text(key)}: ")
            _write(value[key], deeper, out)
            between = "," + deeper
    else:
        for each in value:
            out(between)
            _write(each, deeper, out)
            between = "," + deeper
    out(newline + closing)


def _parts(value: dict[str, Any] | list[Any]) -> list[str] | None:
    """Return the members of *value* as text; None when something is nested in it."""
    for each in value.values() if type(value) is dict else value:
        if each and type(each) in _NESTED:
            return None
    if type(value) is dict:
        return [f"{_text(key)}: {_scalar(value[key])}" for key in sorted(value)]
    return [_scalar(each) for each in value]


def _scalar(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return _text(value)
    if kind is bool:
        return "true" if value else "false"
    # Floats, null, and empty containers: rare enough for the slow way.
    return str(value) if kind is int else json.dumps(value, allow_nan=False)
