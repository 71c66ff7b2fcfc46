"""
The collector `probes`: ask all targets at once, and keep count of how each of them does.

Counters live as long as the process; a configuration that is read again takes them over for the
services that stay.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import Metric

from exporters.agents_loop import run_all
from exporters.agents_metrics import Families
from exporters.agents_probe import Outcome, probe, reasons_of
from exporters.agents_resolve import Resolver
from exporters.config import Target
from exporters.deadline import Deadline
from exporters.frame import ScrapeError

log = logging.getLogger(__name__)

RESOURCES = "resources"  # out of descriptors or ports: not every target could be asked
# Finishing takes time: cutting off those that hang, and making the series of all. Probes end that
# much before the deadline, but never a larger part of it than a third.
_FINISH_S = 0.05
_FINISH_EACH_S = 0.0002
MAX_VERSIONS = 20  # different versions of one service that become label values; arbitrary


@dataclass(slots=True)
class _Record:
    """What is remembered of one target between scrapes."""

    probes: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    in_a_row: int = 0
    last_success: float | None = None  # Unix time
    versions: set[str] = field(default_factory=set)


class Probes:
    """Asks those of *targets* that are asked over the network."""

    name = "probes"
    reasons = (RESOURCES,)

    def __init__(self, targets: Sequence[Target], resolver: Resolver) -> None:
        self._targets = tuple(targets)
        self._resolver = resolver
        self._records = {
            target.service: _Record(failures=dict.fromkeys(reasons_of(target), 0))
            for target in targets
            if target.probe != "container"
        }

    def adopt(self, previous: Probes) -> None:
        """Go on counting for the services that *previous* knew."""
        for service, record in self._records.items():
            before = previous._records.get(service)
            if before is None:
                continue
            record.probes, record.in_a_row = before.probes, before.in_a_row
            record.last_success, record.versions = before.last_success, before.versions
            record.failures |= {r: n for r, n in before.failures.items() if r in record.failures}

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """Yield what this scrape's probes found, and all counts."""
        outcomes = [Outcome(target) for target in self._targets if target.probe != "container"]
        run_all(
            [probe(outcome) for outcome in outcomes],
            _earlier(deadline, len(outcomes)),
            self._resolver,
        )
        families = _declare()
        for target in self._targets:
            families.add("agent_info", target, 1, target.container, target.probe)
        for outcome in outcomes:
            self._count(outcome)
            _report(families, outcome)
            self._report_record(families, outcome)
        yield from families
        unasked = [outcome for outcome in outcomes if not outcome.asked]
        if unasked:
            names = ", ".join(outcome.target.service for outcome in unasked[:5])
            raise ScrapeError(RESOURCES, f"{len(unasked)} not asked ({names}): {unasked[0].detail}")

    def _count(self, outcome: Outcome) -> None:
        if not outcome.asked:
            return
        record = self._records[outcome.target.service]
        record.probes += 1
        if outcome.reason is None:
            record.in_a_row, record.last_success = 0, time.time()
            return
        record.failures[outcome.reason] += 1
        record.in_a_row += 1
        log.debug("probe of %s: %s", outcome.target.service, outcome.detail)

    def _report_record(self, families: Families, outcome: Outcome) -> None:
        target, record = outcome.target, self._records[outcome.target.service]
        families.add("agent_probes_total", target, record.probes)
        for reason, count in record.failures.items():
            families.add("agent_probe_failures_total", target, count, reason)
        if record.last_success is not None:
            families.add("agent_last_success_timestamp_seconds", target, record.last_success)
        families.add("agent_consecutive_failures", target, record.in_a_row)
        version = outcome.version
        # A "version" that is another one every time is no version.
        if version and (version in record.versions or len(record.versions) < MAX_VERSIONS):
            record.versions.add(version)
            families.add("agent_version_info", target, 1, version)


def _earlier(deadline: Deadline, targets: int) -> Deadline:
    """Return when the probes of so many *targets* must end for their series to be there in time."""
    left = deadline.remaining()
    return Deadline.after(left - min(_FINISH_S + _FINISH_EACH_S * targets, left / 3))


def _declare() -> Families:
    families = Families()
    gauge, counter = families.gauge, families.counter
    gauge(
        "agent_info",
        "How the subject is probed (http, tcp, container), value 1",
        "container",
        "probe",
    )
    gauge("agent_up", "1 when the probe of this scrape succeeded")
    gauge("agent_probe_duration_seconds", "Duration of the probe; the deadline when it ran out")
    gauge(
        "agent_probe_phase_seconds",
        "Duration per phase: resolve, connect, tls, processing, transfer",
        "phase",
    )
    gauge("agent_http_status_code", "Status of the answer, 0 if there was none")
    counter("agent_probes_total", "Probes")
    counter("agent_probe_failures_total", "Failed probes by reason", "reason")
    gauge("agent_last_success_timestamp_seconds", "When a probe last succeeded")
    gauge("agent_consecutive_failures", "Failed probes since the last that succeeded")
    gauge(
        "agent_dependency_up", "1 when the subject says that its dependency is well", "dependency"
    )
    gauge("agent_version_info", "Version the subject tells, value 1", "version")
    gauge("agent_tls_expiry_timestamp_seconds", "When the certificate expires")
    return families


def _report(families: Families, outcome: Outcome) -> None:
    if not outcome.asked:
        return
    target = outcome.target
    families.add("agent_up", target, float(outcome.up))
    families.add("agent_probe_duration_seconds", target, outcome.seconds)
    for phase, seconds in outcome.phases.items():
        families.add("agent_probe_phase_seconds", target, seconds, phase)
    if target.probe == "http":
        families.add("agent_http_status_code", target, outcome.status)
    for name, is_up in outcome.dependencies.items():
        families.add("agent_dependency_up", target, float(is_up), name)
    if outcome.tls_expiry is not None:
        families.add("agent_tls_expiry_timestamp_seconds", target, outcome.tls_expiry)
