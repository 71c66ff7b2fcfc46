"""
Samples over time, in promtool's notation: what *fires* and *quiet* of an alert become.

A series is built phase by phase (quiet, firing, quiet), one text per sample; counters go on
where the phase before left them. Arithmetic is decimal, so that nothing drifts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from generator.errors import RenderError

STALE = "stale"
MISSING = "_"

_RATE = re.compile(r"(-?[0-9.]+)/([smh])")
_MOMENT = re.compile(r"now([+-][0-9.]+)")
_RAMP = re.compile(r"ramp (-?[0-9.]+) ([+-]?[0-9.]+)/([smh])")
_FLIP = re.compile(r"flip (-?[0-9.]+) (-?[0-9.]+)")
_CONSTANT = re.compile(r"[+-]?(?:[0-9][0-9.]*(?:e[+-]?[0-9]+)?|Inf|NaN)", re.IGNORECASE)
_SECONDS = {"s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of samples with one *notation* (see alerts.kit)."""

    notation: str
    samples: int


def is_rate(notation: str) -> bool:
    """Whether *notation* describes a counter."""
    return bool(_RATE.fullmatch(notation))


def constant(notation: str) -> float | None:
    """Return the value of a constant gauge, None for every other notation."""
    return float(notation) if _CONSTANT.fullmatch(notation) else None


def scaled(notation: str, factor: int) -> str:
    """Return *notation* with its rate or constant multiplied by *factor*; others unchanged."""
    rate = _RATE.fullmatch(notation)
    if rate:
        return f"{plain(Decimal(rate.group(1)) * factor)}/{rate.group(2)}"
    return notation


def expand(phases: Sequence[Phase], step: timedelta) -> list[str]:
    """
    Return one text per sample for *phases* in order, *step* apart, the first at time 0.

    Raises RenderError for a notation that the kit does not know.
    """
    seconds = Decimal(str(step.total_seconds()))
    texts: list[str] = []
    counter = Decimal(0)
    for phase in phases:
        for position in range(phase.samples):
            time = seconds * len(texts)
            rate = _RATE.fullmatch(phase.notation)
            if rate:
                counter += Decimal(rate.group(1)) * seconds / _SECONDS[rate.group(2)]
                texts.append(plain(counter))
            else:
                texts.append(_sample(phase.notation, time, position, seconds))
    return texts


def _sample(notation: str, time: Decimal, position: int, step: Decimal) -> str:
    if notation == "none":
        return MISSING
    if _CONSTANT.fullmatch(notation):
        return notation
    moment = _MOMENT.fullmatch(notation)
    if moment:
        return plain(time + Decimal(moment.group(1)))
    flip = _FLIP.fullmatch(notation)
    if flip:
        return flip.group(1 + position % 2)
    ramp = _RAMP.fullmatch(notation)
    if ramp:
        per_second = Decimal(ramp.group(2)) / _SECONDS[ramp.group(3)]
        return plain(Decimal(ramp.group(1)) + per_second * step * position)
    raise RenderError(f"unknown sample notation {notation!r}; alerts/kit.py lists them")


def reset(texts: Sequence[str], at: int) -> list[str]:
    """Return counter samples that start again from zero at index *at*, as after a restart."""
    base = Decimal(texts[at]) if texts[at] not in {STALE, MISSING} else Decimal(0)
    return [
        plain(Decimal(text) - base) if index >= at and text not in {STALE, MISSING} else text
        for index, text in enumerate(texts)
    ]


def plain(value: Decimal) -> str:
    """Return *value* without exponent and trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def compress(texts: Sequence[str]) -> str:
    """Return *texts* in promtool's notation, runs of equal steps as `a+bxn`."""
    return " ".join(_runs(texts))


def _runs(texts: Sequence[str]) -> Iterable[str]:
    index = 0
    while index < len(texts):
        text = texts[index]
        if text in {STALE, MISSING} or constant(text) is None or "n" in text.lower():
            end = index
            while end + 1 < len(texts) and texts[end + 1] == text:
                end += 1
            count = end - index + 1
            if text == MISSING and count > 1:
                yield f"_x{count}"
            else:
                yield from [text] * count
            index = end + 1
            continue
        end, difference = _run_end(texts, index)
        yield _run(text, difference, end - index)
        index = end + 1


def _run_end(texts: Sequence[str], start: int) -> tuple[int, Decimal]:
    """Return the last index of the longest run of equal differences from *start*, and the difference."""
    difference = Decimal(0)
    end = start
    while end + 1 < len(texts) and _is_number(texts[end + 1]):
        delta = Decimal(texts[end + 1]) - Decimal(texts[end])
        if end > start and delta != difference:
            break
        difference = delta
        end += 1
    # Two samples are no run: the second may start a longer one.
    if end == start + 1 and end + 1 < len(texts) and difference != 0:
        return start, Decimal(0)
    return end, difference


def _is_number(text: str) -> bool:
    return text not in {STALE, MISSING} and "n" not in text.lower()


def _run(first: str, difference: Decimal, repeats: int) -> str:
    if repeats == 0:
        return first
    sign = "-" if difference < 0 else "+"
    return f"{first}{sign}{plain(abs(difference))}x{repeats}"
