"""
Read what a LogQL expression selects and keeps: stream selectors and grouping labels.

No full parser: Loki itself judges the syntax (tests, `verify`). This finds the selectors reliably,
strings and back-quoted patterns left out, which is what the proof about streams needs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_STRING = r'"(?:[^"\\]|\\.)*"|`[^`]*`'
_TOKEN = re.compile(rf"(?P<string>{_STRING})|(?P<open>\{{)|(?P<by>\b(?:by|on|ignoring)\s*\()")
_MATCHER = re.compile(rf"\s*(\w+)\s*(=~|!~|!=|=)\s*({_STRING})\s*(,|\}})")
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition of a stream selector."""

    label: str
    op: str
    value: str

    def accepts(self, stream: Mapping[str, str]) -> bool:
        """Return whether *stream* meets the condition; a label it lacks is empty."""
        found = stream.get(self.label, "")
        if self.op in ("=", "!="):
            return (found == self.value) == (self.op == "=")
        return (re.fullmatch(self.value, found) is not None) == (self.op == "=~")

    def __str__(self) -> str:
        return f'{self.label}{self.op}"{self.value}"'


def selectors(expr: str) -> tuple[tuple[Matcher, ...], ...]:
    """Return the stream selectors of *expr* in order. Raises ValueError where one is malformed."""
    found = []
    at = 0
    while token := _TOKEN.search(expr, at):
        at = token.end()
        if token["open"]:
            matchers, at = _selector(expr, at)
            found.append(matchers)
    return tuple(found)


def _selector(expr: str, at: int) -> tuple[tuple[Matcher, ...], int]:
    matchers = []
    while match := _MATCHER.match(expr, at):
        matchers.append(Matcher(match[1], match[2], _unquoted(match[3])))
        at = match.end()
        if match[4] == "}":
            return tuple(matchers), at
    raise ValueError(f"malformed selector at {expr[at : at + 40]!r}")


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    return _ESCAPE.sub(r"\1", text[1:-1])


def grouping(expr: str) -> tuple[str, ...]:
    """Return every label that *expr* names in `by`, `on` or `ignoring`, sorted, without doubles."""
    labels: set[str] = set()
    at = 0
    while token := _TOKEN.search(expr, at):
        at = token.end()
        if token["by"]:
            close = expr.index(")", at)
            labels |= {name.strip() for name in expr[at:close].split(",") if name.strip()}
            at = close
    return tuple(sorted(labels))
