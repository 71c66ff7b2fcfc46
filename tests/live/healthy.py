"""
What a healthy platform tells of itself: for each declared metric its series, and their values in time.

`healthy.txt` says what a plain value of the metric's type and unit would get wrong. Nothing here
knows a rule or an alert: whether those stay silent is what the tests ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from generator.software import Metric

FILE = Path(__file__).with_name("healthy.txt")
_LINE = re.compile(r"(?P<name>[\w:*]+)(?:\{(?P<labels>.*)\})? (?P<sample>\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_RISE = re.compile(r"([0-9.]+)/s")
_MOMENT = re.compile(r"(now|start)([+-][0-9]+)")
_TROUBLE = re.compile(
    "fail|error|drop|reject|refus|corrupt|kill|panic|exceed|missed|lost|discard|flap|denied|retr|"
    "deadlock|throttl|unroutable|dead_letter|redeliver|invalid|unknown|evict|out_of|duplicate"
)
_PLAIN = {
    "bool": 1.0, "info": 1.0, "ratio": 0.3, "bytes": 1e8, "seconds": 0.02, "milliseconds": 5.0,
    "nanoseconds": 1e5, "celsius": 50.0,
}  # fmt: skip
_PLAIN_RISES = {"seconds": 0.02, "bytes": 1000.0, "milliseconds": 5.0}
_BOUNDS = {
    "seconds": (0.005, 0.05, 0.1, 0.5, 1.0, 5.0),
    "milliseconds": (5.0, 50.0, 100.0, 500.0, 1000.0, 5000.0),
}
_QUANTILES = (0.5, 0.9, 0.99)
_HOUR = 3600.0

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Value:
    """A value in time: *base*, plus *rise* per second since the start, plus a moment: `now` or `start`."""

    base: float
    rise: float = 0.0
    moment: str = ""

    def at(self, start: float, now: float) -> float:
        """Return the value at the time *now* on a platform that is watched since *start*."""
        moment = {"": 0.0, "now": now, "start": start}[self.moment]
        return self.base + self.rise * (now - start) + moment


@dataclass(frozen=True, slots=True)
class Series:
    """One series as exposed: name with suffix, labels, value."""

    name: str
    labels: Labels
    value: Value


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file: *pattern* of names, labels, and the sample as written."""

    pattern: str
    labels: Labels
    sample: str


@cache
def lines() -> tuple[Line, ...]:
    """Return the lines of the file in order, comments left out."""
    found = []
    for text in FILE.read_text(encoding="utf-8").splitlines():
        if text and not text.startswith("#"):
            match = _LINE.fullmatch(text)
            assert match, f"{FILE.name}: not a series and a sample: {text}"
            labels = dict(_LABEL.findall(match["labels"] or ""))
            found.append(Line(match["name"], labels, match["sample"]))
    return tuple(found)


def exposed_labels(metric: Metric, *, honor: bool) -> tuple[str, ...]:
    """Return the names of *metric*'s labels as the software writes them, before a scrape renames some."""
    return tuple(label if honor else label.removeprefix("exported_") for label in metric.labels)


def series(metric: Metric, *, honor: bool = False, extra: Labels | None = None) -> Iterator[Series]:
    """
    Yield the series of *metric* on a healthy platform, *extra* labels added to each.

    None at all for what is not there in good health.
    """
    names = exposed_labels(metric, honor=honor)
    seen: set[tuple[tuple[str, str], ...]] = set()
    for line in _lines_of(metric.name):
        labels = {name: line.labels.get(name, "plain") for name in names} | dict(extra or {})
        key = tuple(sorted(labels.items()))
        if line.sample == "none" or key in seen:
            continue
        seen.add(key)
        yield from _expand(metric, labels, line.sample)


@cache
def _lines_of(name: str) -> tuple[Line, ...]:
    """Return the lines that speak of *name*: all that share the first pattern that fits."""
    pattern = next((line.pattern for line in lines() if fnmatchcase(name, line.pattern)), None)
    if pattern is None:
        return (Line(name, {}, "plain"),)
    return tuple(line for line in lines() if line.pattern == pattern)


def _expand(metric: Metric, labels: Labels, sample: str) -> Iterator[Series]:
    if metric.type == "histogram":
        yield from _histogram(metric, labels, sample)
    elif metric.type == "summary":
        value = _value(sample, _PLAIN.get(metric.unit, 5.0))
        for quantile in _QUANTILES:
            yield Series(metric.name, {**labels, "quantile": str(quantile)}, value)
        yield Series(f"{metric.name}_sum", labels, Value(value.base, value.base))
        yield Series(f"{metric.name}_count", labels, Value(1.0, 1.0))
    else:
        yield Series(metric.name, labels, plain(metric) if sample == "plain" else _value(sample))


def _histogram(metric: Metric, labels: Labels, sample: str) -> Iterator[Series]:
    """Yield one observation per second, or as many as *sample* says and none since."""
    bounds = _BOUNDS.get(metric.unit, (1.0, 10.0, 100.0, 1000.0))
    every = Value(60.0, 1.0) if sample == "plain" else _value(sample)
    half = Value(every.base / 2, every.rise / 2)
    for index, bound in enumerate(bounds):
        value = half if index == 0 else every
        yield Series(f"{metric.name}_bucket", {**labels, "le": str(bound)}, value)
    yield Series(f"{metric.name}_bucket", {**labels, "le": "+Inf"}, every)
    yield Series(
        f"{metric.name}_sum", labels, Value(every.base * bounds[0], every.rise * bounds[0])
    )
    yield Series(f"{metric.name}_count", labels, every)


def plain(metric: Metric) -> Value:
    """Return what type and unit of *metric* suggest; counts of trouble stand still."""
    if metric.type == "counter":
        if _TROUBLE.search(metric.name):
            return Value(0.0)
        return Value(100.0, _PLAIN_RISES.get(metric.unit, 1.0))
    if metric.unit == "timestamp":
        if "expir" in metric.name:
            return Value(_HOUR, moment="now")
        return Value(-5.0, moment="now") if "last" in metric.name else Value(-_HOUR, moment="start")
    return Value(_PLAIN.get(metric.unit, 5.0))


def _value(sample: str, plainly: float = 0.0) -> Value:
    if sample == "plain":
        return Value(plainly)
    rise = _RISE.fullmatch(sample)
    if rise:
        return Value(100.0 * float(rise[1]), float(rise[1]))
    moment = _MOMENT.fullmatch(sample)
    if moment:
        return Value(float(moment[2]), moment=moment[1])
    return Value(float(sample))
