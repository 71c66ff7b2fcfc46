"""
What a process tells of itself: its cost, its Python, and how reading its configuration again went.

`process_*` and `python_info` have the names that every Prometheus client in Python uses, the
reload those of Prometheus's own exporters (`<prefix>_exporter_config_last_reload_*`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client import PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric


@dataclass(slots=True)
class Reloads:
    """How the last reading of the configuration went, and when (Unix time) one last went well."""

    successful: bool = True
    succeeded_at: float = field(default_factory=time.time)

    def note(self, *, successful: bool) -> None:
        """Take note of a reading that ended now."""
        self.successful = successful
        if successful:
            self.succeeded_at = time.time()


class SelfMetrics:
    """Reads /proc/self at scrape time; without /proc there is no `process_*`."""

    def __init__(self, prefixes: Sequence[str], reloads: Reloads) -> None:
        self._prefixes = tuple(prefixes)
        self._reloads = reloads
        self._process = ProcessCollector(registry=None)
        self._platform = PlatformCollector(registry=None)

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        for prefix in self._prefixes:
            yield GaugeMetricFamily(
                f"{prefix}_exporter_config_last_reload_successful",
                "1 when the configuration was good when it was last read",
                value=float(self._reloads.successful),
            )
            yield GaugeMetricFamily(
                f"{prefix}_exporter_config_last_reload_success_timestamp_seconds",
                "When the configuration was last read and good",
                value=self._reloads.succeeded_at,
            )
        yield from self._process.collect()
        yield from self._platform.collect()
