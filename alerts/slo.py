"""
Error budgets: how fast each service with an objective burns what it may fail.

Multi-window, multi-burn-rate (Google SRE Workbook, "Alerting on SLOs"), scaled to the
catalog's `slo_window`: a rate is the share of the budget that may go in the long window.
Every pair of windows is an alert of its own, so that its name says which one fired. The error
ratio of a window is the worse of two: failed requests weighted by traffic, where there is enough
of it, and time in which the verdict was bad. A service that is down counts no requests, neither
good nor failed, so its counters alone would know of no outage; one nobody calls has the verdict.
Time without a verdict (before the installation, in a profile that was off) failed nothing: the
budget is that of the whole window, so five bad minutes weigh as much on the first day as later.

Compared with sloth, pyrra and the Workbook: no `or` of two windows in one rule, no average of
ratios, no floats like 0.9990000000000001 (budgets are exact decimals from the catalog), no
alert whose rate the objective can never reach (proof 9), and a minimum of traffic.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from alerts import requests
from alerts.kit import EVERY, Alert, Pack, Record, Severity
from generator.model import Catalog
from generator.names import (
    BUDGET_REMAINING,
    HEALTHY,
    REQUEST_ERRORS,
    REQUESTS,
    SLO_BUDGET,
    availability,
    sli_error,
)
from generator.quantities import write_duration

# A service that was down has been paged by ServiceDown, or its root has: while that outage lies in
# the short window, the budget it burned is no second message, neither a page nor hours of warning
# about a service that is well again. What burns on is told once the outage has left that window;
# what outages spend altogether is told by SLOBudgetExhausted.
_OUTAGE = 'ALERTS{alertname="ServiceDown", alertstate="firing"}'
# Fewer than 15 requests in 5 minutes: one failed request would look like an outage.
MIN_RATE = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class Burn:
    """One pair of windows. *rate* 1 spends the whole budget in exactly the SLO window."""

    name: str
    long: timedelta
    short: timedelta
    rate: Decimal
    severity: Severity
    hold: timedelta


_PAIRS = (
    (
        "SLOBudgetBurnsVeryFast",
        timedelta(hours=1),
        timedelta(minutes=5),
        Decimal("0.02"),
        Severity.CRITICAL,
        2,
    ),
    (
        "SLOBudgetBurnsFast",
        timedelta(hours=6),
        timedelta(minutes=30),
        Decimal("0.05"),
        Severity.CRITICAL,
        5,
    ),
    (
        "SLOBudgetBurnsSteadily",
        timedelta(days=1),
        timedelta(hours=2),
        Decimal("0.10"),
        Severity.WARNING,
        15,
    ),
    (
        "SLOBudgetBurnsSlowly",
        timedelta(days=3),
        timedelta(hours=6),
        Decimal("0.10"),
        Severity.WARNING,
        30,
    ),
)


def burns(slo_window: timedelta) -> tuple[Burn, ...]:
    """
    Return the pairs of windows for *slo_window*, most urgent first.

    A rate below 1 would fire within the budget, so it is raised to 1; windows longer than half
    the SLO window say nothing new and are left out.

    Source: Google SRE Workbook, "Alerting on SLOs", table 5-8, with its 30 days replaced.
    """
    found = []
    for name, long, short, share, severity, hold in _PAIRS:
        rate = (
            share
            * Decimal(slo_window // timedelta(minutes=1))
            / Decimal(long // timedelta(minutes=1))
        )
        if long * 2 <= slo_window:
            found.append(
                Burn(
                    name,
                    long,
                    short,
                    max(Decimal(1), _plain(rate)),
                    severity,
                    timedelta(minutes=hold),
                )
            )
    return tuple(found)


def _plain(rate: Decimal) -> Decimal:
    """Three decimals are more than anybody reads, and keep every rule text short."""
    return rate.quantize(Decimal("0.001")).normalize() + 0


def windows(slo_window: timedelta) -> tuple[timedelta, ...]:
    """Return every window that is recorded, shortest first, the SLO window last."""
    pairs = burns(slo_window)
    return tuple(sorted({*(p.long for p in pairs), *(p.short for p in pairs), slo_window}))


def pack(catalog: Catalog) -> Pack:
    """Return budgets and burn alerts; without any objective only the requests, which others use."""
    counters = requests.records(catalog.kinds)
    if not any(service.slo is not None for service in catalog.services):
        return Pack(name="slo", title="Objectives", records=counters, always=True)
    window = catalog.platform.slo_window
    counted = [kind for kind in requests.SOURCES if kind in catalog.kinds]
    ratios = tuple(_error_ratio(each, counted[0] if counted else "") for each in windows(window))
    return Pack(
        name="slo",
        title="Objectives",
        records=(*counters, *ratios, _availability(window), _remaining(window)),
        alerts=(*(burn_alert(burn) for burn in burns(window)), EXHAUSTED),
        always=True,
        interval=timedelta(minutes=1),
    )


def _error_ratio(window: timedelta, counters_of: str) -> Record:
    """Share of failed requests, weighted by traffic, or of time unhealthy, in the known part of *window*."""
    text = write_duration(window)
    name = sli_error(text)
    verdict = f"1 - avg by (service) (avg_over_time({HEALTHY}[{text}]))"
    expr = verdict
    if counters_of:
        expr = (
            f"max by (service) (\n"
            f"  avg_over_time({REQUEST_ERRORS}[{text}])\n"
            f"  / (avg_over_time({REQUESTS}[{text}]) >= {MIN_RATE})\n"
            # `or` drops a series of the same labels: the label keeps both for max.
            f'  or label_replace({verdict}, "by", "verdict", "", "")\n'
            ")"
        )
    inputs = {
        f'{HEALTHY}{{service="idle"}}': "0",
        f'{HEALTHY}{{service="free"}}': "0",
        f'{SLO_BUDGET}{{service="idle",tier="t"}}': "0.01",
        f'{SLO_BUDGET}{{service="busy",tier="t"}}': "0.01",
    }
    expect = {f'{name}{{service="idle",tier="t"}}': 1.0}
    if counters_of:
        # Raw counters: the pack's own rules would record the others a second time.
        inputs |= {
            f'{HEALTHY}{{service="busy"}}': "1",
            # Unhealthy, and not one of the requests that it counted failed.
            f'{HEALTHY}{{service="sick"}}': "0",
            f'{SLO_BUDGET}{{service="sick",tier="t"}}': "0.01",
            **requests.sample_counters("sick", counters_of, succeeded="90/m", failed="0/m"),
            **requests.sample_counters("busy", counters_of, succeeded="90/m", failed="30/m"),
            **requests.sample_counters("idle", counters_of, succeeded="0/m", failed="2/m"),
        }
        expect[f'{name}{{service="busy",tier="t"}}'] = 0.25
        expect[f'{name}{{service="sick",tier="t"}}'] = 1.0
    whole = window // EVERY  # alerts.verdict records at the usual interval
    known = f"clamp_max(sum by (service) (count_over_time({HEALTHY}[{text}])) / {whole}, 1)"
    expr = (
        f"({expr})\n* on (service) {known}\n* on (service) group_left (tier) ({SLO_BUDGET} * 0 + 1)"
    )
    # A test of 14 days at 30 s would be 40,000 evaluations of a constant: look after ten minutes.
    at = timedelta(minutes=10)
    share = min(1.0, (at // EVERY + 1) / whole)
    expect = {series: value * share for series, value in expect.items()}
    return Record(name=name, expr=expr, inputs=inputs, expect=expect, at=at)


def _availability(window: timedelta) -> Record:
    """The share that succeeded over the whole SLO window, for boards and reports."""
    text = write_duration(window)
    return Record(
        name=availability(text),
        expr=f"1 - {sli_error(text)}",
        inputs={f'{sli_error(text)}{{service="a"}}': "0.25"},
        expect={f'{availability(text)}{{service="a"}}': 0.75},
        at=timedelta(minutes=2),
    )


def _remaining(window: timedelta) -> Record:
    """Share of the budget that is left, below zero once it is overspent."""
    ratio = sli_error(write_duration(window))
    return Record(
        name=BUDGET_REMAINING,
        expr=f"1 - {ratio} / on (service) group_left () {SLO_BUDGET}",
        inputs={f'{ratio}{{service="a"}}': "0.0025", f'{SLO_BUDGET}{{service="a"}}': "0.01"},
        expect={f'{BUDGET_REMAINING}{{service="a"}}': 0.75},
        at=timedelta(minutes=2),
    )


def burn_alert(burn: Burn) -> Alert:
    """Return the alert for one pair of windows; `$value` is the burn rate over the long one."""
    long, short = write_duration(burn.long), write_duration(burn.short)
    pages = burn.severity is Severity.CRITICAL
    where = (
        f"and on (service) {sli_error(short)} / on (service) group_left () {SLO_BUDGET} > {burn.rate}\n"
        f"unless on (service) last_over_time({_OUTAGE}[{short}])"
    )
    above = burn.rate * Decimal("1.05")
    below = burn.rate * Decimal("0.95")
    return Alert(
        name=burn.name,
        severity=burn.severity,
        expr=f"{sli_error(long)} / on (service) group_left () {SLO_BUDGET}",
        op=">",
        threshold=float(burn.rate),
        where=where,
        hold=burn.hold,
        # A page must end when ServiceDown begins, which may recover first.
        keep=timedelta(0) if pages else timedelta(minutes=5),
        family="slo-burn",
        board="slo",
        summary=(
            "{{ $labels.service }} burns its error budget {{ $value | humanize }} times too fast "
            f"(over {long})"
        ),
        description=(
            f"Over {long} and over {short} the service failed more often than its objective allows: "
            "at this rate the budget is gone before the window ends."
        ),
        fires=_burning(long, short, above),
        quiet=_burning(long, short, below),
        value=float(above),
    )


def _burning(long: str, short: str, rate: Decimal) -> dict[str, str]:
    ratio = format((rate / 1000).normalize(), "f")
    return {sli_error(long): ratio, sli_error(short): ratio, SLO_BUDGET: "0.001"}


EXHAUSTED = Alert(
    name="SLOBudgetExhausted",
    severity=Severity.WARNING,
    expr=f"max by (service) ({BUDGET_REMAINING})",
    op="<=",
    threshold=0,
    hold=timedelta(minutes=15),
    keep=timedelta(hours=1),
    family="slo-budget",
    board="slo",
    summary="{{ $labels.service }} has spent its error budget ({{ $value | humanizePercentage }} left)",
    description=(
        "Within the SLO window the service has failed more than its objective allows. "
        "Changes that are not repairs should wait."
    ),
    fires={BUDGET_REMAINING: "-0.02"},
    quiet={BUDGET_REMAINING: "0.02"},
)
