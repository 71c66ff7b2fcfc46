"""
Estimate what the configuration costs: series, samples per second, bytes kept.

An estimate from the catalog alone, so that a retention that cannot hold is seen before the
disk is full. Container series and those of our exporters grow with the services they watch.
"""

from __future__ import annotations

from dataclasses import dataclass

from generator.errors import Finding
from generator.model import Catalog
from generator.names import CADVISOR_KIND
from generator.scrape.jobs import Job, jobs

# Bytes per sample on disk: 1 to 2 by Prometheus' own documentation (storage.md).
_BYTES_PER_SAMPLE = 1.7
# Series per service of the catalog, for targets that speak of all of them.
_PER_SERVICE = {
    CADVISOR_KIND: 45,  # after dropping; arbitrary within the 40 to 60 of its default set
    "agents-exporter": 35,  # verdicts, phases, container states
    "hardware-exporter": 12,  # CPU, memory, pressure per container
}
_EVALUATION_S = 30


@dataclass(frozen=True, slots=True)
class Estimate:
    """Cost of the whole configuration; *bytes* over the whole retention time."""

    series: int
    samples_per_second: float
    bytes: int


def estimate(catalog: Catalog, rules: int) -> Estimate:
    """Return the cost of scraping *catalog* and evaluating *rules* recording and alert rules."""
    series, rate = rules, rules / _EVALUATION_S
    for job in jobs(catalog):
        count = expected_series(job, catalog)
        series += count
        rate += count / job.interval.total_seconds()
    kept = rate * catalog.platform.retention.metrics.total_seconds() * _BYTES_PER_SAMPLE
    return Estimate(series, rate, int(kept))


def expected_series(job: Job, catalog: Catalog) -> int:
    """Return how many series all targets of *job* together expose, about."""
    own = sum(target.series for target in job.targets)
    return own + _PER_SERVICE.get(job.name, 0) * len(catalog.services)


def largest(job: Job, catalog: Catalog) -> int:
    """Return about how many series the largest target of *job* exposes."""
    per_service = _PER_SERVICE.get(job.name, 0) * len(catalog.services)
    return max(target.series for target in job.targets) + per_service


def check(catalog: Catalog, found: Estimate) -> list[Finding]:
    """Return a finding when the retention size cannot hold what the retention time promises."""
    limit = catalog.platform.retention.metrics_size
    if not limit or found.bytes <= limit:
        return []
    days = catalog.platform.retention.metrics.total_seconds() / 86400
    held = days * limit / found.bytes
    fact = (
        f"{found.samples_per_second:.0f} samples per second for {days:.0f} days need about "
        f"{found.bytes / 1e9:.1f} GB, but retention.metrics_size is {limit / 1e9:.1f} GB: "
        f"it holds {held:.1f} days"
    )
    cure = "Raise retention.metrics_size, shorten retention.metrics, or scrape less often"
    return [Finding(catalog.platform.place, fact, cure + ".", "retention-size")]
