"""
Samples over time, in promtool's notation: what *fires* and *quiet* of an alert become.

A series is a list of runs (so many samples, each so much more than the one before), built
phase by phase; counters go on where the phase before left them. Arithmetic is decimal, so that
nothing drifts, and nothing is done per sample: a day at 30 s is still three runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from generator.errors import RenderError

STALE = "stale"
MISSING = "_"

_ZERO = Decimal(0)
_RATE = re.compile(r"(-?[0-9.]+)/([smh])")
_MOMENT = re.compile(r"now([+-][0-9.]+)")
_RAMP = re.compile(r"ramp (-?[0-9.]+) ([+-]?[0-9.]+)/([smh])")
_FLIP = re.compile(r"flip (-?[0-9.]+) (-?[0-9.]+)")
_CONSTANT = re.compile(r"[+-]?[0-9][0-9.]*(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_ODD = frozenset({"Inf", "+Inf", "-Inf", "NaN"})
_SECONDS = {"s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of samples with one *notation* (see alerts.kit)."""

    notation: str
    samples: int


@dataclass(frozen=True, slots=True)
class Run:
    """*count* samples (1 or more). With a *text* each is that text, else first, first + rise, ..."""

    count: int
    first: Decimal = _ZERO
    rise: Decimal = _ZERO
    text: str = ""

    def cut(self, at: int) -> tuple[Run, Run]:
        """Return the samples before index *at* (0 < at < count) and those from it on."""
        later = self.first + self.rise * at
        return (
            Run(at, self.first, self.rise, self.text),
            Run(self.count - at, later, self.rise, self.text),
        )


Series = tuple[Run, ...]


def is_rate(notation: str) -> bool:
    """Whether *notation* describes a counter."""
    return bool(_RATE.fullmatch(notation))


def constant(notation: str) -> float | None:
    """Return the value of a constant gauge, None for every other notation."""
    if _CONSTANT.fullmatch(notation) or notation in _ODD:
        return float(notation)
    return None


def scaled(notation: str, factor: int | Decimal) -> str:
    """Return *notation* with its rate multiplied by *factor*; others unchanged."""
    return scale(notation, Decimal(factor)) if is_rate(notation) else notation


def scale(notation: str, factor: Decimal) -> str:
    """Return *notation* with its values multiplied by *factor*; `none` and odd numbers unchanged."""
    if notation in _ODD:
        return notation
    if _CONSTANT.fullmatch(notation):
        return plain(Decimal(notation) * factor)
    if rate := _RATE.fullmatch(notation):
        return f"{plain(Decimal(rate.group(1)) * factor)}/{rate.group(2)}"
    if moment := _MOMENT.fullmatch(notation):
        return f"now{_signed(Decimal(moment.group(1)) * factor)}"
    if flip := _FLIP.fullmatch(notation):
        return " ".join(["flip", *(plain(Decimal(value) * factor) for value in flip.groups())])
    if ramp := _RAMP.fullmatch(notation):
        first, rise, unit = ramp.groups()
        return f"ramp {plain(Decimal(first) * factor)} {_signed(Decimal(rise) * factor)}/{unit}"
    return notation


def _signed(value: Decimal) -> str:
    return plain(value) if value < 0 else f"+{plain(value)}"


def expand(phases: Sequence[Phase], step: timedelta) -> Series:
    """
    Return the runs of *phases* in order, samples *step* apart, the first at time 0.

    Raises RenderError for a notation that the kit does not know.
    """
    seconds = Decimal(str(step.total_seconds()))
    runs: list[Run] = []
    counter, index = _ZERO, 0
    for phase in phases:
        if phase.samples <= 0:
            continue
        rate = _RATE.fullmatch(phase.notation)
        if rate:
            rise = Decimal(rate.group(1)) * seconds / _SECONDS[rate.group(2)]
            runs.append(Run(phase.samples, counter + rise, rise))
            counter += rise * phase.samples
        else:
            runs.extend(_runs(phase, index, seconds))
        index += phase.samples
    return tuple(runs)


def _runs(phase: Phase, index: int, step: Decimal) -> Iterator[Run]:
    notation, count = phase.notation, phase.samples
    if notation == "none":
        yield Run(count, text=MISSING)
    elif notation in _ODD:
        yield Run(count, text=notation)
    elif _CONSTANT.fullmatch(notation):
        yield Run(count, Decimal(notation))
    elif moment := _MOMENT.fullmatch(notation):
        yield Run(count, step * index + Decimal(moment.group(1)), step)
    elif flip := _FLIP.fullmatch(notation):
        yield from (Run(1, Decimal(flip.group(1 + position % 2))) for position in range(count))
    elif ramp := _RAMP.fullmatch(notation):
        rise = Decimal(ramp.group(2)) * step / _SECONDS[ramp.group(3)]
        yield Run(count, Decimal(ramp.group(1)), rise)
    else:
        raise RenderError(f"unknown sample notation {notation!r}; alerts/kit.py lists them")


def put(series: Series, at: int, run: Run) -> Series:
    """Return *series* with the one sample at index *at* replaced by *run* (a single sample)."""
    before, after = _split(series, at)
    _, rest = _split(after, 1)
    return (*before, run, *rest)


def reset(series: Series, at: int) -> Series:
    """
    Return counter samples that start again from zero just before index *at*, as after a restart.

    What they count goes on at the same pace, so `rate` and `increase` must not notice.
    """
    before, after = _split(series, at)
    base = after[0].first - after[0].rise
    return (*before, *(run if run.text else replace(run, first=run.first - base) for run in after))


def _split(series: Series, at: int) -> tuple[Series, Series]:
    seen = 0
    for position, run in enumerate(series):
        if at <= seen:
            return series[:position], series[position:]
        if at < seen + run.count:
            head, tail = run.cut(at - seen)
            return (*series[:position], head), (tail, *series[position + 1 :])
        seen += run.count
    return series, ()


def plain(value: Decimal) -> str:
    """Return *value* without exponent and trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def write(series: Series) -> str:
    """Return *series* in promtool's notation, runs as `a+bxn`."""
    return " ".join(_written(run) for run in series)


def _written(run: Run) -> str:
    if run.text:
        if run.text == MISSING and run.count > 1:
            return f"_x{run.count}"
        return " ".join([run.text] * run.count)
    if run.count == 1:
        return plain(run.first)
    sign = "-" if run.rise < 0 else "+"
    return f"{plain(run.first)}{sign}{plain(abs(run.rise))}x{run.count - 1}"
