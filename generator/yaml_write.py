"""
Turn plain data into YAML text, always the same way.

Every rendered YAML file passes through `dump_yaml`, so that two files never differ in style
and the same data gives the same bytes. Reading YAML is `generator.yaml_read`'s business.

The text is PyYAML's block style, written directly: building its nodes and events for 100,000
scalars took a third of a whole run. Which words need quotes is asked of the reader's own rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import yaml

from generator.artifacts import header
from generator.errors import RenderError

# What a plain word may not start with or hold: indicators, `key: `, ` # comment`, lost spaces.
_NOT_PLAIN = re.compile(
    r"""^(?:[#,\[\]{}&*!|>'"%@`\s]|[-?:](?:\s|$)|---|\.\.\.)|:(?:\s|$)|\s\#|\s$""", re.VERBOSE
)
# The many words that are plain beyond doubt, but for those that mean something (`yes`, `null`).
_SURELY_PLAIN = re.compile(r"[A-Za-z_/(][ -9;-~]*(?<!\s)", re.ASCII)
# What only double quotes can carry: controls, and what readers strip, fold or refuse.
_ODD = "\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff"
_UNPRINTABLE = re.compile(f"[{_ODD}]")
_UNPRINTABLE_LINES = re.compile(f"[{_ODD}]".replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_ESCAPED = re.compile(f'[{_ODD}"\\\\]')
_SHORT_ESCAPES = {"\n": r"\n", "\t": r"\t", "\r": r"\r", '"': r"\"", "\\": r"\\"}
# Spaces that a literal block would lose, or take for its indentation.
_NOT_BLOCK = re.compile(r"^\s| \n| $")
# First character -> the patterns of words that the loader takes for something else than text.
_RESOLVERS: Mapping[str, list[tuple[str, re.Pattern[str]]]] = (
    yaml.SafeLoader.yaml_implicit_resolvers
)
# Readers look so far ahead for the colon of a key, and no further (YAML 1.1 says 1024).
_LONGEST_KEY = 128
_SEQUENCES = (list, tuple)


def dump_yaml(data: Mapping[str, Any] | Sequence[Any], source: str) -> str:
    """
    Return *data* as YAML text whose first line names its *source* (`catalog/`).

    Keys keep their order, a value used twice is written twice, lines are never folded. Data is
    dicts, lists, tuples, str, int, float, bool and None; RenderError for anything else.
    """
    out = [header(source)]
    if type(data) is dict and data:
        _mapping(out, data, "", "")
    elif type(data) in _SEQUENCES and data:
        _sequence(out, data, "", "")  # type: ignore[arg-type]  # it is one then
    else:
        out.append(f"{_constant(data)}\n")
    return "".join(out)


def _mapping(out: list[str], data: Mapping[Any, Any], indent: str, lead: str) -> None:
    """Write the entries of *data* at *indent*; *lead* stands before the first one instead."""
    deeper = f"{indent}  "
    for key, value in data.items():
        name = _word(key) if type(key) is str else _constant(key)
        if len(name) > _LONGEST_KEY:
            name = f"? {name}\n{indent}"
        kind = type(value)
        if kind is dict and value:
            out.append(f"{lead}{name}:\n")
            _mapping(out, value, deeper, deeper)
        elif kind in _SEQUENCES and value:
            out.append(f"{lead}{name}:\n")
            _sequence(out, value, indent, indent)
        else:
            text = _word(value) if kind is str and "\n" not in value else _leaf(value, indent)
            out.append(f"{lead}{name}: {text}\n")
        lead = indent


def _sequence(out: list[str], data: Sequence[Any], indent: str, lead: str) -> None:
    """Write the items of *data* behind dashes at *indent*; *lead* as in `_mapping`."""
    deeper = f"{indent}  "
    for value in data:
        kind = type(value)
        if kind is dict and value:
            _mapping(out, value, deeper, f"{lead}- ")
        elif kind in _SEQUENCES and value:
            _sequence(out, value, deeper, f"{lead}- ")
        else:
            out.append(f"{lead}- {_leaf(value, indent)}\n")
        lead = indent


def _leaf(value: Any, indent: str) -> str:
    """Return *value*, a scalar or an empty collection, as it stands after a colon or a dash."""
    if type(value) is not str:
        return _constant(value)
    if "\n" not in value or _NOT_BLOCK.search(value) or _UNPRINTABLE_LINES.search(value):
        return _word(value)
    body = value.rstrip("\n")
    ending = {0: "-", 1: ""}.get(len(value) - len(body), "+")
    lines = "\n".join(f"{indent}  {line}" if line else "" for line in body.split("\n"))
    return f"|{ending}\n{lines}{value[len(body) + 1 :]}"


@lru_cache(maxsize=1 << 14)
def _word(text: str) -> str:
    """Return *text* on one line, with no more quotes than it needs."""
    if not _SURELY_PLAIN.fullmatch(text) or " #" in text:
        if _UNPRINTABLE.search(text):
            return f'"{_ESCAPED.sub(_escape, text)}"'
        if _NOT_PLAIN.search(text):
            return _quoted(text)
    if any(pattern.match(text) for _, pattern in _RESOLVERS.get(text[:1], ())):
        return _quoted(text)
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _SHORT_ESCAPES.get(character) or f"\\u{ord(character):04x}"


def _constant(value: Any) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    if type(value) is float:
        return _float(value)
    if type(value) in (dict, *_SEQUENCES) and not value:
        return "{}" if type(value) is dict else "[]"
    raise RenderError(f"not plain data for YAML: {value!r}")


def _float(value: float) -> str:
    """Return *value* so that YAML 1.1 reads a float: with a point, `.inf`, `.nan`."""
    text = repr(value).replace("inf", ".inf").replace("nan", ".nan")
    return text.replace("e", ".0e") if "e" in text and "." not in text else text
