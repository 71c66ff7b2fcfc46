"""
Counts of events whose counter may be born by the first of them.

A counter with labels has no series before it has counted, and the series then begins with 1, or
with 500 refused lines: `increase` and `rate` take differences and see nothing of that. Where a few
events matter this is the signal itself. Not for counters that begin with 0, nor for shares of much
traffic, where one event more or less decides nothing; `tests/alerts/births.yml` says which is which.
A process that restarts and counts to the same number again before anybody reads it stays unseen.
"""

from __future__ import annotations

from datetime import timedelta

from generator.quantities import write_duration


def counted(series: str, window: timedelta, started: str = "") -> str:
    """
    Return PromQL for how often *series* has counted within *window*, its birth included.

    Args:
        series: A selector, without a window.
        window: How far back is counted.
        started: The metric that says when the process of *series* began, if it has one.

    A series that was not there one window ago has counted all it has within the window, if its
    target answered then or has begun since. Otherwise it may be old and only new to Prometheus,
    after a gap or a first scrape, and nothing is said but its increase from now on. A restart is
    no birth: the series was there before, and `increase` knows what a restart is.
    """
    text = write_duration(window)
    known = f"up offset {text} == 1"
    if started:
        young = f"{started} > time() - {int(window.total_seconds())}"
        known = f"{known} or on (job, instance) {young}"
    born = f"({series} unless {series} offset {text})"
    return f"({born} and on (job, instance) ({known}))\n  or increase({series}[{text}])"
