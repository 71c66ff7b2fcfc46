"""
CPU and memory of the host, from /proc; off unless asked for, because node_exporter owns them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import Metric

from exporters.deadline import Deadline
from exporters.hardware_metrics import Sample, emit
from exporters.worker import ScrapeError

PROC = "proc"  # /proc cannot be read

_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_MEMORY = {
    "MemTotal": "hw_host_memory_total_bytes",
    "MemAvailable": "hw_host_memory_available_bytes",
}


class HostCollector:
    """The host whose procfs is mounted at *proc*."""

    name = "host"

    def __init__(self, proc: Path) -> None:
        self._proc = proc

    def collect(self, deadline: Deadline) -> Iterator[Metric]:  # noqa: ARG002 - the kernel answers at once
        """
        Yield CPU time by mode, and memory.

        Raises:
            ScrapeError: `proc`.
        """
        try:
            stat = (self._proc / "stat").read_text(encoding="ascii")
            meminfo = (self._proc / "meminfo").read_text(encoding="ascii")
        except OSError as error:
            raise ScrapeError(PROC, str(error)) from error
        yield from emit((*parse_stat(stat), *parse_meminfo(meminfo)))


def parse_stat(text: str) -> Iterator[Sample]:
    """Yield the CPU seconds over all cores, by mode; from /proc/stat."""
    first = text.partition("\n")[0].split()
    for mode, ticks in zip(_MODES, first[1:], strict=False):
        yield Sample("hw_host_cpu_seconds_total", {"mode": mode}, int(ticks) / _TICKS_PER_S)


def parse_meminfo(text: str) -> Iterator[Sample]:
    """Yield total and available memory; from /proc/meminfo, which counts in KiB."""
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name in _MEMORY:
            yield Sample(_MEMORY[name], {}, int(rest.split()[0]) * 1024)
