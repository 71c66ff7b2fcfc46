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
    flat = _flat(value)
    if flat:
        out(flat)
        return
    deeper = newline + " "
    between = deeper
    if kind is dict:
        out("{")
        for key in sorted(value):
            out(f"{between}{_text(key)}: ")
            _write(value[key], deeper, out)
            between = "," + deeper
        out(newline + "}")
        return
    out("[")
    for each in value:
        out(between)
        _write(each, deeper, out)
        between = "," + deeper
    out(newline + "]")


def _flat(value: Any) -> str:
    """Return *value* on one line; empty when it is nested or long."""
    if not value:
        return "{}" if type(value) is dict else "[]"
    for each in value.values() if type(value) is dict else value:
        if each and type(each) in (dict, list):
            return ""
    if type(value) is dict:
        pairs = [f"{_text(key)}: {_scalar(value[key])}" for key in sorted(value)]
        flat = "{" + ", ".join(pairs) + "}"
    else:
        flat = "[" + ", ".join([_scalar(each) for each in value]) + "]"
    return flat if len(flat) <= _SHORT else ""


def _scalar(value: Any) -> str:
    if type(value) is str:
        return _text(value)
    if type(value) is bool:
        return "true" if value else "false"
    # Numbers, null, and empty containers: rare enough for the slow way.
    return str(value) if type(value) is int else json.dumps(value, allow_nan=False)
