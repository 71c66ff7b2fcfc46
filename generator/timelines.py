"""When what happens in the generated test of an alert: quiet, firing, quiet, and how fast time runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil

from alerts.kit import Alert, Pack
from generator import promql

_AS_WRITTEN = timedelta(
    seconds=30
)  # the kit's default; an alert that says otherwise is taken at its word
# A guard by another alert has a window in which that alert fired: it delays nothing.
_NOT_PLAYED = frozenset({"ALERTS"})
_SHORT = 40  # steps; what takes fewer is not worth a test file of its own
_LONG = 130  # steps; what takes more is worth one more file
_COARSER = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10))
_SAMPLES_PER_WINDOW = 5
_MANY = 10  # samples in a window


@dataclass(frozen=True, slots=True)
class Timeline:
    """When what happens in the test of one alert; all in steps except *step* itself."""

    step: timedelta
    start: int  # first sample of the firing phase
    settle: int  # steps until the condition is surely true
    hold: int
    keep: int
    end: int  # first sample of the second quiet phase
    length: int

    @property
    def pending_miss(self) -> int:
        """
        Index of charlie's missed scrape while pending.

        In Prometheus 3.x a gap at the far end of a window costs a rate up to one and a half
        samples of it, more than the 10 % between *fires* and the threshold leave. So with windows
        the gap comes late: no window that is looked at later ends there.
        """
        if self.settle >= _MANY:
            return self.start + self.settle + self.hold - 2
        return self.start + max(1, self.hold // 2)

    @property
    def fired(self) -> int:
        """First step at which the alert surely fires: one interval after the hold, one more with windows."""
        return self.start + self.settle + self.hold + (2 if self.settle else 1)

    @property
    def firing_miss(self) -> int:
        """Index of charlie's missed scrape while firing."""
        return self.fired + 2

    @property
    def restart(self) -> int:
        """Index at which charlie's counters start again from zero while firing."""
        return self.firing_miss + 2

    @property
    def dip(self) -> int:
        """Index of the one quiet sample that an average must bear while firing."""
        return self.restart + 1


def timeline(alert: Alert) -> Timeline:
    """Return the timeline that shows every promise of *alert*."""
    step = alert.step
    settle = alert.settle
    if settle is None:
        settle = promql.lookback(alert.condition, bridges=False, besides=_NOT_PLAYED)
    lookback = max(promql.lookback(alert.condition, besides=_NOT_PLAYED), settle)
    steps = [ceil(value / step) for value in (settle, lookback, alert.hold, alert.keep)]
    settle_n, lookback_n, hold_n, keep_n = steps
    start = max(settle_n, lookback_n) + 4
    end = start + settle_n + hold_n + 9
    return Timeline(
        step,
        start,
        settle_n,
        hold_n,
        keep_n,
        end,
        end + lookback_n + keep_n + 4,
    )


def stepped(alert: Alert, pack: Pack) -> Alert:
    """
    Return *alert* with samples and evaluations further apart, where that shows as much.

    promtool pays per evaluation of every rule of the file, and an hour's window takes hundreds
    of them at the usual 30 s. Every window must still hold several samples, what bridges a
    missed scrape must still bridge one, and hold and keep must be whole steps.
    """
    if alert.step != _AS_WRITTEN or timeline(alert).length <= _SHORT or _is_step_bound(alert):
        return alert
    windows = tuple(_windows(alert, pack))
    found = alert
    for step in _COARSER:
        whole = all(not time % step and (not time or time >= 2 * step) for time in _times(alert))
        if whole and all(_holds(window, step, bridge=bridge) for window, bridge in windows):
            found = replace(alert, step=step)
            if timeline(found).length <= _LONG:
                break
    return found


def _is_step_bound(alert: Alert) -> bool:
    """Whether samples say something per step, or windows are cut into steps of their own."""
    notations = (*alert.fires.values(), *alert.quiet.values(), *(alert.surge or {}).values())
    return any(text.startswith("flip") for text in notations) or promql.has_subquery(alert.promql)


def _times(alert: Alert) -> tuple[timedelta, ...]:
    return alert.hold, alert.keep, alert.settle or timedelta(0)


def _holds(window: timedelta, step: timedelta, *, bridge: bool) -> bool:
    return window > step if bridge else window >= _SAMPLES_PER_WINDOW * step


def _windows(alert: Alert, pack: Pack) -> Iterator[tuple[timedelta, bool]]:
    """Yield every window that *alert* is made from, and whether it only bridges a missed scrape."""
    expressions = [alert.promql]
    wanted = set(promql.metrics(alert.promql))
    for record in reversed(pack.records):
        if record.name in wanted and not record.constant:
            wanted |= promql.metrics(record.expr)
            expressions.append(record.expr)
    for expr in expressions:
        for selector in promql.selectors(expr):
            if selector.window:
                yield selector.window, selector.function == "last_over_time"
