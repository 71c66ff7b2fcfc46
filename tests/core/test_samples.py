"""Samples: what the kit's notation says is what promtool's notation gives, sample by sample."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import samples
from generator.errors import RenderError
from generator.samples import Phase, Run

STEP = timedelta(seconds=30)
_UNITS = {"s": 1, "m": 60, "h": 3600}


def read(text: str) -> list[str | Decimal]:
    """Return the samples of promtool's notation `a+bxn`, one by one, as its documentation says."""
    found: list[str | Decimal] = []
    for word in text.split():
        head, times, count = word.partition("x")
        if head == "_":
            found += ["_"] * (int(count) if times else 1)
        elif not times:
            found.append(word if word in {"stale", "NaN", "Inf", "+Inf", "-Inf"} else Decimal(word))
        else:
            at = max(head.rfind("+", 1), head.rfind("-", 1))
            first, rise = Decimal(head[:at]), Decimal(head[at:])
            found += [first + rise * index for index in range(int(count) + 1)]
    return found


def meant(phases: list[Phase]) -> list[str | Decimal]:
    """Return the samples that *phases* mean, computed one by one from the kit's text."""
    found: list[str | Decimal] = []
    counter, step = Decimal(0), Decimal(30)
    for phase in phases:
        words = phase.notation.split()
        for index in range(phase.samples):
            now = step * len(found)
            if phase.notation == "none":
                found.append("_")
            elif phase.notation.startswith("now"):
                found.append(now + Decimal(phase.notation.removeprefix("now")))
            elif words[0] == "flip":
                found.append(Decimal(words[1 + index % 2]))
            elif words[0] == "ramp":
                rise, unit = words[2].split("/")
                found.append(Decimal(words[1]) + Decimal(rise) * step / _UNITS[unit] * index)
            elif "/" in phase.notation:
                rise, unit = phase.notation.split("/")
                counter += Decimal(rise) * step / _UNITS[unit]
                found.append(counter)
            elif phase.notation in {"NaN", "+Inf", "-Inf"}:
                found.append(phase.notation)
            else:
                found.append(Decimal(phase.notation))
    return found


_NUMBERS = st.decimals(min_value=-9999, max_value=9999, places=3).map(lambda n: format(n, "f"))
_RATES = st.builds("{}/{}".format, st.integers(0, 9999), st.sampled_from("smh"))
_NOTATIONS = st.one_of(
    _NUMBERS,
    _RATES,
    st.sampled_from(["none", "NaN", "+Inf", "-Inf", "1e-7", "2E3", "0"]),
    st.integers(0, 99999).map("now-{}".format),
    st.integers(0, 99999).map("now+{}".format),
    st.builds("flip {} {}".format, _NUMBERS, _NUMBERS),
    st.builds("ramp {} {}/{}".format, _NUMBERS, _NUMBERS, st.sampled_from("smh")),
)
_PHASES = st.lists(st.builds(Phase, _NOTATIONS, st.integers(0, 40)), max_size=5)


def near(found: list[str | Decimal], expected: list[str | Decimal]) -> bool:
    """Whether both lists agree; thirds of a rise may differ in the 20th digit."""
    return len(found) == len(expected) and all(
        left == right
        if isinstance(left, str) or isinstance(right, str)
        else abs(left - right) < Decimal("1e-15")
        for left, right in zip(found, expected, strict=True)
    )


@given(_PHASES)
def test_writing_and_reading_give_every_sample(phases: list[Phase]) -> None:
    """Whatever the phases, promtool's text expands to the samples that they mean."""
    assert near(read(samples.write(samples.expand(phases, STEP))), meant(phases))


@given(_PHASES.filter(lambda phases: sum(phase.samples for phase in phases) > 1), st.data())
def test_put_replaces_exactly_one_sample(phases: list[Phase], data: st.DataObject) -> None:
    """A missed scrape put anywhere changes that sample and no other."""
    expected = meant(phases)
    at = data.draw(st.integers(0, len(expected) - 1))
    expected[at] = "stale"
    found = samples.put(samples.expand(phases, STEP), at, Run(1, text="stale"))

    assert near(read(samples.write(found)), expected)


@given(st.lists(st.builds(Phase, _RATES, st.integers(1, 20)), min_size=1, max_size=3), st.data())
def test_a_reset_starts_from_zero(phases: list[Phase], data: st.DataObject) -> None:
    """After a reset a counter counts from 0 on, at the pace it had: no increase is lost."""
    before = meant(phases)
    at = data.draw(st.integers(0, len(before) - 1))
    base = before[at - 1] if at else Decimal(0)
    assert isinstance(base, Decimal)
    expected = [
        value - base if index >= at and isinstance(value, Decimal) else value
        for index, value in enumerate(before)
    ]

    assert near(read(samples.write(samples.reset(samples.expand(phases, STEP), at))), expected)


@pytest.mark.parametrize(
    ("phases", "text"),
    [
        ([Phase("0.87", 3)], "0.87+0x2"),
        ([Phase("12/m", 3)], "6+6x2"),
        ([Phase("12/m", 2), Phase("0/m", 2), Phase("24/m", 1)], "6+6x1 12+0x1 24"),
        ([Phase("1/h", 2)], "0.008333333333333333333333333333+0.008333333333333333333333333333x1"),
        ([Phase("0", 2), Phase("now-300", 2)], "0+0x1 -240+30x1"),
        ([Phase("flip 0 1", 3)], "0 1 0"),
        ([Phase("none", 1), Phase("none", 4)], "_ _x4"),
        ([Phase("ramp 100 -2/m", 3)], "100-1x2"),
        ([Phase("NaN", 2)], "NaN NaN"),
        ([Phase("-5", 2)], "-5+0x1"),
        ([], ""),
    ],
)
def test_notation_as_promtool_reads_it(phases: list[Phase], text: str) -> None:
    """Each notation of the kit has this text."""
    assert samples.write(samples.expand(phases, STEP)) == text


@pytest.mark.parametrize(
    "notation", ["", "fast", "5/d", "5 /m", "now", "flip 1", "ramp 1", "1,5", "nan"]
)
def test_unknown_notation_is_refused(notation: str) -> None:
    """A word that the kit does not know is an error and not a constant."""
    with pytest.raises(RenderError) as caught:
        samples.expand([Phase(notation, 1)], STEP)

    assert str(caught.value) == (f"unknown sample notation {notation!r}; alerts/kit.py lists them")


def test_a_day_is_three_runs() -> None:
    """Long series cost nothing: a day of samples is as many runs as phases."""
    phases = [Phase("0", 960), Phase("1", 960), Phase("0", 960)]

    assert samples.write(samples.expand(phases, STEP)) == "0+0x959 1+0x959 0+0x959"


@pytest.mark.parametrize(
    ("notation", "rate", "value", "scaled"),
    [
        ("12/m", True, None, "1200/m"),
        ("0.5/h", True, None, "50/h"),
        ("0.87", False, 0.87, "0.87"),
        ("-1e3", False, -1000.0, "-1e3"),
        ("none", False, None, "none"),
        ("now-5", False, None, "now-5"),
    ],
)
def test_counters_are_told_from_gauges(
    notation: str, rate: bool, value: float | None, scaled: str
) -> None:
    """Only counters are scaled; only constant gauges have a value."""
    assert (
        samples.is_rate(notation),
        samples.constant(notation),
        samples.scaled(notation, 100),
    ) == (rate, value, scaled)
