"""
What the three exporters share: run the collectors side by side, report on each of them.

In go collectors, out come metrics. Every collector gets its own thread and the same deadline; one
that raises or hangs loses its own metrics and nobody else's, and is told of by
`<prefix>_collector_up`, `_duration_seconds`, `_last_success_timestamp_seconds` and
`_errors_total{reason}`. Not here: HTTP (exporters.http), files (exporters.config), what is asked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from exporters.build import build_labels
from exporters.deadline import Deadline
from exporters.web import Request, Response
from exporters.worker import (
    BUSY,
    FRAME_REASONS,
    GRACE_S,
    MARGIN_S,
    TIMEOUT,
    Collector,
    Run,
    ScrapeError,
    Worker,
)

__all__ = ["Collector", "Deadline", "Exporter", "ScrapeError"]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Record:
    """What is remembered of a collector between scrapes."""

    up: bool = False
    seconds: float = 0.0
    last_success: float = 0.0  # Unix time; 0: never
    errors: dict[str, int] = field(default_factory=dict)


class Exporter:
    """
    Collectors under one *prefix* (`agent`, `hw`, `ollama`).

    Args:
        prefix: Start of the names of the exporter's own metrics.
        collectors: Asked side by side, reported in this order.
        reasons: Every reason that their ScrapeErrors may give; a collector with an attribute
            `reasons` has those instead.
        routes: Pages besides /metrics by path; they run on the thread of the request.
        title: What the landing page calls it.
    """

    def __init__(
        self,
        prefix: str,
        collectors: Sequence[Collector],
        reasons: tuple[str, ...] = (),
        *,
        routes: Mapping[str, Callable[[Request], Response]] | None = None,
        title: str = "",
    ) -> None:
        self.prefix = prefix
        self.title = title or f"{prefix} exporter"
        self.routes = dict(routes or {})
        known = {
            collector.name: {*FRAME_REASONS, *getattr(collector, "reasons", reasons)}
            for collector in collectors
        }
        self._workers = [Worker(each, frozenset(known[each.name])) for each in collectors]
        self._records = {
            collector.name: _Record(errors=dict.fromkeys(sorted(known[collector.name]), 0))
            for collector in collectors
        }

    def adopt(self, previous: Exporter) -> None:
        """Carry on what *previous* knew of the collectors of the same name."""
        collectors = {worker.collector.name: worker.collector for worker in previous._workers}
        for worker in self._workers:
            name = worker.collector.name
            if name not in collectors:
                continue
            record, before = self._records[name], previous._records[name]
            record.last_success = before.last_success
            record.errors |= {r: n for r, n in before.errors.items() if r in record.errors}
            adopt = getattr(worker.collector, "adopt", None)
            if adopt is not None:
                adopt(collectors[name])

    def close(self, *, wait_s: float = 0.0) -> None:
        """Put down what the collectors hold, each once it is back; wait for that at most *wait_s*."""
        for worker in self._workers:
            worker.close()
        deadline = Deadline.after(wait_s)
        for worker in self._workers:
            worker.join(deadline.remaining())

    def collect(self, deadline: Deadline) -> list[Metric]:
        """Return all metrics of one scrape, by *deadline* and a little grace; never raises."""
        theirs = deadline.less(MARGIN_S)
        runs = [(worker.collector.name, worker.start(theirs)) for worker in self._workers]
        metrics: dict[str, Metric] = {}
        for name, run in runs:
            metrics.update(self._finish(name, run, deadline, metrics))
        return [*metrics.values(), *self._own_metrics()]

    def _finish(
        self, name: str, run: Run | None, deadline: Deadline, taken: Mapping[str, Metric]
    ) -> dict[str, Metric]:
        record = self._records[name]
        reason: str | None
        found: list[Metric] = []
        if run is None:
            reason, record.seconds = BUSY, 0.0
        elif not run.done.wait(_patience(deadline)):
            reason, record.seconds = TIMEOUT, time.monotonic() - run.started
        else:
            reason, record.seconds, found = run.reason, run.seconds, run.metrics
        record.up = reason is None
        if reason is None:
            record.last_success = time.time()
        else:
            record.errors[reason] += 1
        fresh: dict[str, Metric] = {}
        for metric in found:
            # Two families of one name make the whole page unreadable for Prometheus.
            if metric.name in taken or metric.name in fresh:
                log.error("collector %s gave %s a second time; dropped", name, metric.name)
                continue
            fresh[metric.name] = metric
        return fresh

    def _own_metrics(self) -> Iterator[Metric]:
        prefix = self.prefix
        info = GaugeMetricFamily(
            f"{prefix}_exporter_build_info",
            "Version of the exporter, value 1",
            labels=tuple(build_labels()),
        )
        info.add_metric(tuple(build_labels().values()), 1)
        yield info
        for suffix, text, value in _GAUGES:
            family = GaugeMetricFamily(f"{prefix}_collector_{suffix}", text, labels=["collector"])
            for name, record in self._records.items():
                family.add_metric([name], value(record))
            yield family
        errors = CounterMetricFamily(
            f"{prefix}_collector_errors",
            "Failures of the collector",
            labels=["collector", "reason"],
        )
        for name, record in self._records.items():
            for reason, count in record.errors.items():
                errors.add_metric([name, reason], count)
        yield errors


def _patience(deadline: Deadline) -> float:
    """Return the seconds until *deadline* and its grace are over, which several collectors share."""
    return max(0.0, deadline.at + GRACE_S - time.monotonic())


_GAUGES: tuple[tuple[str, str, Callable[[_Record], float]], ...] = (
    ("up", "1 when the collector worked in this scrape", lambda record: float(record.up)),
    ("duration_seconds", "How long the collector took", lambda record: record.seconds),
    (
        "last_success_timestamp_seconds",
        "When the collector last worked, 0 if it never did",
        lambda record: record.last_success,
    ),
)
