"""How long the test of an alert takes, and when it may take larger steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.kit import Alert, Pack, Record, Severity
from generator.timelines import stepped, timeline

ALERT = Alert(
    name="A",
    severity=Severity.WARNING,
    expr="sum by (service) (rate(x_total[1h]))",
    threshold=1,
    hold=timedelta(minutes=10),
    summary="s",
    description="d",
    family="f",
    board="home",
    fires={"x_total": "1.05/s"},
    quiet={"x_total": "0.95/s"},
)
PACK = Pack(name="p", title="P", alerts=(ALERT,))
MINUTE = timedelta(minutes=1)


def test_a_long_window_is_tried_in_larger_steps() -> None:
    """An hour's window takes minutes instead of half minutes, and less than half the steps."""
    found = stepped(ALERT, PACK)

    assert replace(ALERT, step=2 * MINUTE) == found
    assert timeline(found).length * 3 < timeline(ALERT).length


@pytest.mark.parametrize(
    ("alert", "pack", "step"),
    [
        (replace(ALERT, expr="sum by (service) (x_total)"), PACK, timedelta(seconds=30)),
        (replace(ALERT, step=5 * MINUTE), PACK, 5 * MINUTE),
        (replace(ALERT, fires={"x_total": "flip 0 1"}), PACK, timedelta(seconds=30)),
        (replace(ALERT, expr="max_over_time(x_total[1h:5m])"), PACK, timedelta(seconds=30)),
        (replace(ALERT, hold=11 * MINUTE), PACK, MINUTE),
        (replace(ALERT, where="and on (service) last_over_time(y[2m]) > 0"), PACK, MINUTE),
        (
            replace(ALERT, where="and on (service) r > 0"),
            replace(PACK, records=(Record(name="r", expr="rate(y_total[3m])"),)),
            timedelta(seconds=30),
        ),
    ],
    ids=[
        "short enough",
        "as its author says",
        "samples mean something each",
        "steps of its own",
        "the hold is no whole number of larger steps",
        "a missed scrape must be bridged",
        "a rule it reads has a short window",
    ],
)
def test_steps_stay_as_small_as_the_alert_needs(alert: Alert, pack: Pack, step: timedelta) -> None:
    """Whatever larger steps would no longer show keeps them small."""
    assert step == stepped(alert, pack).step


def test_everything_happens_in_order() -> None:
    """A scrape is missed while pending, another while firing, then counters restart, then it ends."""
    line = timeline(ALERT)

    moments = [line.start, line.pending_miss, line.fired, line.firing_miss, line.restart, line.dip]
    assert sorted(set(moments)) == moments
    assert line.dip < line.end < line.length
