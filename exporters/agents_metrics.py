"""
Metric families about targets: every series carries service, tier, kind and profile of its subject.

Families are made anew for each scrape, so that what is gone is gone from the page as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from exporters.config import LABELS, Target


class Families:
    """Collects samples by metric name; gives the families in the order in which they were declared."""

    def __init__(self) -> None:
        self._families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}

    def gauge(self, name: str, text: str, *labels: str) -> None:
        """Declare the gauge *name* with *labels* besides those of the subject."""
        self._families[name] = GaugeMetricFamily(name, text, labels=[*LABELS, *labels])

    def counter(self, name: str, text: str, *labels: str) -> None:
        """Declare the counter *name*, which ends in `_total`."""
        family = CounterMetricFamily(name.removesuffix("_total"), text, labels=[*LABELS, *labels])
        self._families[name] = family

    def add(self, name: str, target: Target, value: float, *labels: str) -> None:
        """Add a sample of *name* for *target*."""
        self._families[name].add_metric([*target.labels, *labels], value)

    def add_states(self, name: str, target: Target, states: tuple[str, ...], true: str) -> None:
        """Add a sample per state: 1 for the one that is *true*, 0 for the others."""
        for state in states:
            self.add(name, target, float(state == true), state)

    def __iter__(self) -> Iterator[Metric]:
        """Yield the families that have samples."""
        return (family for family in self._families.values() if family.samples)
