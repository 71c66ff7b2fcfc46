"""What the process itself costs, in the names every Prometheus client uses (`process_*`)."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import ProcessCollector
from prometheus_client.core import Metric

# The kinds declare these five; virtual memory tells nothing about a process with threads.
_KEPT = frozenset(
    {
        "process_cpu_seconds",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    }
)


class ProcessMetrics:
    """Reads /proc/self at scrape time; gives nothing where there is no /proc."""

    def __init__(self) -> None:
        self._collector = ProcessCollector(registry=None)

    def collect(self) -> Iterator[Metric]:
        """Yield the five families."""
        return (metric for metric in self._collector.collect() if metric.name in _KEPT)
