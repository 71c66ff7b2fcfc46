"""Metrics that need no kind: what Prometheus adds to every scrape and to every rule evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from generator.software import Metric


def _gauge(name: str, unit: str, text: str, labels: tuple[str, ...] = ()) -> Metric:
    return Metric(name=name, type="gauge", unit=unit, help=text, labels=labels)


# Source: prometheus/prometheus docs/concepts/jobs_instances.md (automatically generated series)
# and rules/alerting.go. `scrape_timeout_seconds` and its like need a feature flag and are left out.
BUILTIN_METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            _gauge("up", "bool", "1 when the last scrape of the target succeeded"),
            _gauge("scrape_duration_seconds", "seconds", "How long the scrape took"),
            _gauge("scrape_samples_scraped", "samples", "Samples the target exposed"),
            _gauge(
                "scrape_samples_post_metric_relabeling",
                "samples",
                "Samples left after metric relabelling",
            ),
            _gauge("scrape_series_added", "series", "New series in this scrape, approximately"),
            _gauge(
                "ALERTS",
                "bool",
                "1 for every pending or firing alert",
                ("alertname", "alertstate"),
            ),
            _gauge(
                "ALERTS_FOR_STATE",
                "timestamp",
                "When the alert became pending, seconds since the epoch",
                ("alertname",),
            ),
        )
    }
)
