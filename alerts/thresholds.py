"""
Thresholds that a catalog wants otherwise, with the proof moved along.

The samples that fire an alert and those that keep it quiet lie within 10 % of its threshold;
multiplied by the same factor they do so for the new one. That holds where the condition is
linear in the samples that tell the two apart. Where it is not, promtool says so in `verify`.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from alerts.kit import Alert, Samples
from generator import samples

_COMPARISONS = frozenset({">", ">=", "<", "<="})

# Shares of themselves, quantiles, rates that follow from the SLO window, counts of whole events:
# their samples would have to move otherwise. A test shows with promtool that all others follow.
FIXED = frozenset(
    [
        "ConsulElections",
        "ConsulRpcRateLimited",
        "ContainerNetworkErrors",
        "FlowisePredictionsFailing",
        "GpuThrottled",
        "GpuXid",
        "GpuXidFatal",
        "GrafanaDatasourceErrors",
        "GrafanaRequestsFail",
        "HostCpuBusy",
        "HostDiskSpaceLow",
        "HostRebooted",
        "HostSwapNearlyFull",
        "HostSwapThrashing",
        "KongAddsLatency",
        "KongErrorRatioHigh",
        "KongErrorRatioSevere",
        "KongUpstreamSlow",
        "LokiRequestErrors",
        "N8nExecutionsFailing",
        "PostgresCacheHitRatioLow",
        "PostgresCheckpointsRequested",
        "PostgresDeadTuplesHigh",
        "PostgresDeadlocks",
        "PostgresRollbackRatioHigh",
        "PostgresWalArchiveFailing",
        "PromtailRequestErrors",
        "QdrantRestErrorsHigh",
        "QdrantSearchSlow",
        "RabbitmqConnectionChurn",
        "RabbitmqMessagesUnroutable",
        "RedisEvictsKeys",
        "RedisHitRatioLow",
        "RedisSlowCommands",
        "SLOBudgetBurnsFast",
        "SLOBudgetBurnsSlowly",
        "SLOBudgetBurnsSteadily",
        "SLOBudgetBurnsVeryFast",
        "TierDegraded",
        "TierDown",
        "WebErrorRatioHigh",
        "WebErrorRatioSevere",
        "WebLatencyHigh",
    ]
)


def is_tunable(alert: Alert) -> bool:
    """Whether a catalog may set the threshold of *alert*: not zero, and its proof can follow."""
    comparable = bool(alert.threshold) and alert.op in _COMPARISONS
    return comparable and alert.tight and alert.name not in FIXED


def with_threshold(alert: Alert, threshold: float) -> Alert:
    """Return *alert* with *threshold* (not zero) and samples to match; *alert* is tunable."""
    factor = Decimal(repr(threshold)) / Decimal(repr(alert.threshold))
    return replace(
        alert,
        threshold=threshold,
        fires=_moved(alert.fires, alert.quiet, factor),
        quiet=_moved(alert.quiet, alert.fires, factor),
        surge=_moved(alert.surge, alert.quiet, factor) if alert.surge is not None else None,
        value=None if alert.value is None else float(Decimal(repr(alert.value)) * factor),
    )


def _moved(these: Samples, others: Samples, factor: Decimal) -> Samples:
    """
    Return *these* samples times *factor* for metrics that differ from *others* in any series.

    A sum over labels grows with all of its series, so a metric moves as a whole.
    """
    moving = {
        _metric(series) for series, notation in these.items() if others.get(series) != notation
    }
    return {
        series: samples.scale(notation, factor) if _metric(series) in moving else notation
        for series, notation in these.items()
    }


def _metric(series: str) -> str:
    return series.partition("{")[0]
