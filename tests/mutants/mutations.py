"""
Alerts with one thing wrong in each: what somebody might get wrong in an edit.

A test of an alert is worth what it notices. `mutants` makes from one alert all that differ from
it in one place; `tests.mutants.judge` asks promtool which of them the alert's own test lets pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from alerts.kit import Alert, Severity

_FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "!=", "!=": "=="}
_MATCHER = re.compile(
    r'(?P<label>[a-zA-Z_]\w*)\s*(?P<op>=~|!~|!=|=)\s*"(?P<value>(?:[^"\\]|\\.)*)"'
)
_BY = re.compile(r"\bby \((?P<labels>[^)]*)\)")
# A function for counters against one for gauges, and the ends of a window for each other.
_SWAPS = {
    "rate": "delta",
    "increase": "delta",
    "irate": "idelta",
    "delta": "increase",
    "deriv": "rate",
    "changes": "resets",
    "max_over_time": "min_over_time",
    "min_over_time": "max_over_time",
    "avg_over_time": "min_over_time",
}
_FUNCTION = re.compile(rf"\b({'|'.join(_SWAPS)})(?=\s*\()")
_BRIDGE = re.compile(r"\blast_over_time\((?P<inner>[^()\[\]]*)\[[0-9a-z]+\]\)")
_NONSENSE = "mutant"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong alert: *sort* of mistake, *what* was changed in words, and the alert that results."""

    sort: str
    what: str
    alert: Alert


def mutants(alert: Alert) -> tuple[Mutant, ...]:
    """Return every mutant of *alert*, each differing from it and from each other; order is fixed."""
    found = (*_timing(alert), *_comparison(alert), *_label(alert), *_expressions(alert))
    seen: list[Alert] = [alert]
    kept = []
    for mutant in found:
        if mutant.alert not in seen:
            seen.append(mutant.alert)
            kept.append(mutant)
    return tuple(kept)


def _timing(alert: Alert) -> Iterator[Mutant]:
    if alert.hold:
        yield Mutant("hold dropped", "hold", replace(alert, hold=timedelta(0)))
        yield Mutant("hold doubled", "hold", replace(alert, hold=2 * alert.hold))
    if alert.keep:
        yield Mutant("keep dropped", "keep", replace(alert, keep=timedelta(0)))


def _comparison(alert: Alert) -> Iterator[Mutant]:
    if alert.op in _FLIPPED and alert.threshold is not None:
        flipped = _FLIPPED[alert.op]
        yield Mutant("operator", f"{alert.op} to {flipped}", replace(alert, op=flipped))
        for factor in (0.75, 1.25):
            moved = float(f"{alert.threshold * factor:.12g}")
            text = f"{alert.threshold} to {moved}"
            yield Mutant("threshold", text, replace(alert, threshold=moved))
    if alert.where:
        yield Mutant("where dropped", alert.where, replace(alert, where=""))


def _label(alert: Alert) -> Iterator[Mutant]:
    other = Severity.WARNING if alert.severity is not Severity.WARNING else Severity.CRITICAL
    yield Mutant("severity", f"{alert.severity} to {other}", replace(alert, severity=other))


def _expressions(alert: Alert) -> Iterator[Mutant]:
    for sort, what, text in _edits(alert.expr):
        yield Mutant(sort, what, replace(alert, expr=text))
    for sort, what, text in _edits(alert.where):
        yield Mutant(sort, f"{what} (where)", replace(alert, where=text))
    for text, broken in dict.fromkeys(map(_broken, _MATCHER.finditer(alert.expr + alert.where))):
        # What an alert matches, it matches everywhere: packs write it once, as a constant.
        expr, where = alert.expr.replace(text, broken), alert.where.replace(text, broken)
        yield Mutant("matcher", f"{text} to {broken}", replace(alert, expr=expr, where=where))


def _broken(match: re.Match[str]) -> tuple[str, str]:
    return match[0], f'{match["label"]}{match["op"]}"{_NONSENSE}"'


def _edits(expr: str) -> Iterator[tuple[str, str, str]]:
    """Yield (sort, what, new text) for each single change of *expr*."""
    for match in _BY.finditer(expr):
        labels = [label.strip() for label in match["labels"].split(",")]
        for dropped in labels if len(labels) > 1 else ():
            rest = f"by ({', '.join(label for label in labels if label != dropped)})"
            yield "aggregation", f"{match[0]} without {dropped}", _with(expr, match, rest)
    for match in _FUNCTION.finditer(expr):
        yield "function", f"{match[0]} to {_SWAPS[match[0]]}", _with(expr, match, _SWAPS[match[0]])
    for match in _BRIDGE.finditer(expr):
        yield "bridge", f"{match[0]} without its window", _with(expr, match, match["inner"])


def _with(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]
