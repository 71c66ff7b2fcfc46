"""
The `remediation_*` metrics, as generator/kinds/remediator.yml declares them (alerts and the board count on them).

What happens is counted when it happens; how things stand is read from the engine's newest picture
when somebody asks. A registry of our own: nothing else of the process gets onto the page.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric

from exporters.build import build_labels
from exporters.page import Page
from remediation.desk import View
from remediation.policy import budget
from remediation.reasons import ESCALATIONS
from remediation.state import State

INTAKE_RESULTS = (
    "accepted", "duplicate", "ignored", "malformed", "too_large", "unauthorized", "unavailable",
)  # fmt: skip
_INTAKE_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_ACTION_S = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)  # Docker's own stop takes 10 s at most
_HEALTHY_S = (30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
# Those that the kind declares; virtual memory tells nothing about a process with threads.
_PROCESS = frozenset(
    f"process_{each}"
    for each in (
        "cpu_seconds", "max_fds", "open_fds", "resident_memory_bytes", "start_time_seconds",
    )
)  # fmt: skip


class Metrics:
    """
    Counts what the engine and the webhook tell, and reads the rest from *view*. Thread-safe.

    Until `watch` names a view the page has only what was counted and the process.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._view: Callable[[], View] | None = None
        self._healed_once: dict[str, str] = {}
        self._lock = threading.Lock()
        self._process = ProcessCollector(registry=None)
        intake = Counter(
            "remediation_intake_total", "Alerts received, by what became of them",
            ["result"], registry=self._registry,
        )  # fmt: skip
        self._intake_as = {result: intake.labels(result) for result in INTAKE_RESULTS}
        self._intake_s = Histogram(
            "remediation_intake_duration_seconds", "Time from request to answer of the webhook",
            registry=self._registry, buckets=_INTAKE_S,
        )  # fmt: skip
        self._decisions = Counter(
            "remediation_decisions_total", "Decisions: act, escalate, defer, skip, and why",
            ["outcome", "reason"], registry=self._registry,
        )  # fmt: skip
        for reason in ESCALATIONS:
            # An alert counts their increase: of a series that begins with 1 there is none.
            self._decisions.labels("escalate", reason)
        self._actions = Counter(
            "remediation_actions_total", "Restarts done: succeeded, failed, unknown",
            ["outcome", "rung", "service", "tier"], registry=self._registry,
        )  # fmt: skip
        self._action_s = Histogram(
            "remediation_action_duration_seconds", "Duration of actions",
            ["rung"], registry=self._registry, buckets=_ACTION_S,
        )  # fmt: skip
        self._healthy_s = Histogram(
            "remediation_time_to_healthy_seconds",
            "Time from the accepted alert until the service was healthy",
            ["tier"], registry=self._registry, buckets=_HEALTHY_S,
        )  # fmt: skip

    def watch(self, view: Callable[[], View]) -> None:
        """Read how things stand from *view* (Desk.view) with every scrape."""
        self._view = view

    def decided(self, outcome: str, reason: str) -> None:
        """Count a decision; *reason* is one of remediation.reasons."""
        self._decisions.labels(outcome, reason).inc()

    def acted(self, service: str, tier: str, rung: str, result: str, took_s: float) -> None:
        """Count a restart that ended as *result* (succeeded, failed, unknown) after *took_s*."""
        self._actions.labels(result, rung, service, tier).inc()
        self._action_s.labels(rung).observe(took_s)

    def healed(self, tier: str, seconds: float) -> None:
        """Count an incident that was healthy so long after its alert had been accepted."""
        self._healthy_s.labels(tier).observe(seconds)

    def intake(self, result: str, count: int) -> None:
        """Count *count* alerts, or one refused message, that ended as *result* (INTAKE_RESULTS)."""
        self._intake_as[result].inc(count)

    def intake_took(self, seconds: float) -> None:
        """Count how long one answer of the webhook took."""
        self._intake_s.observe(seconds)

    def page(self) -> Page:
        """Return all metrics as they are now."""
        found = [metric for metric in self._registry.collect() if metric.samples]
        found = [_without_created(metric) for metric in found]
        if self._view is not None:
            found += self._gauges(self._view())
        found += [each for each in self._process.collect() if each.name in _PROCESS]
        return Page(found)

    def _gauges(self, view: View) -> Iterator[Metric]:
        state = view.state
        yield _gauge("frozen", "1 while a storm freezes all action", state.frozen is not None)
        yield _gauge("blind", "1 while the Watchdog is missing", view.blind)
        yield _gauge("paused", "1 while a human has paused action", state.pause is not None)
        yield _gauge("docker_up", "1 when Docker answered", view.docker_up)
        yield _gauge("alertmanager_up", "1 when Alertmanager answered", view.alertmanager_up)
        yield _gauge("queue_length", "Alerts accepted and not yet decided", len(state.pending))
        yield _gauge(
            "journal_last_commit_timestamp_seconds",
            "When the journal last committed",
            view.committed_wall,
        )
        yield _gauge(
            "last_reconcile_timestamp_seconds",
            "When the state was last compared with Alertmanager",
            view.reconciled_wall,
        )
        info = _family("build_info", "Version, value 1", "version")
        info.add_metric([build_labels()["version"]], 1)
        yield info
        yield from self._labelled(view)

    def _labelled(self, view: View) -> Iterator[Metric]:
        config, state = view.config, view.state
        modes = _family(
            "mode_info", "Mode of each tier: observe, approve, act; value 1", "mode", "tier"
        )
        incidents = _family("open_incidents", "Incidents not yet closed", "tier")
        for tier in config.tiers.values():
            modes.add_metric([tier.mode.value, tier.name], 1)
            count = sum(found.tier == tier.name for found in state.incidents.values())
            incidents.add_metric([tier.name], count)
        left = _family(
            "budget_remaining", "Restarts still allowed in the window", "name", "scope", "window"
        )
        for still in budget.remaining(config, state, view.moment.steady):
            left.add_metric([still.name, still.scope, still.window], still.left)
        failed = _family(
            "last_failed_action_timestamp_seconds",
            "When a restart last failed, or its outcome could not be told",
            "rung", "service", "tier",
        )  # fmt: skip
        for each in state.failures.values():
            if each.service in config.services:
                failed.add_metric([each.rung, each.service, each.tier], each.wall)
        needs = _family("needs_human", "1 while a human who was called is needed", "name", "reason")
        for name, reason in sorted(_needs_human(state)):
            needs.add_metric([name, reason], 1)
        progress = _family("in_progress", "1 while the service is being healed", "service", "tier")
        now = state.in_progress(view.moment.steady)
        for service, where in self._known_healed(view).items():
            progress.add_metric([service, where], service in now)
        yield from (modes, incidents, left, failed, needs, progress)

    def _known_healed(self, view: View) -> dict[str, str]:
        """Return the services that are being healed or once were, so that a series ends with 0."""
        with self._lock:
            self._healed_once |= view.state.in_progress(view.moment.steady)
            services = view.config.services
            self._healed_once = {
                name: services[name].tier for name in self._healed_once if name in services
            }
            return dict(self._healed_once)


def _needs_human(state: State) -> set[tuple[str, str]]:
    """Return the services that people were called for, each with the reason, until they hear of its end."""
    found = {(call.service, call.reason) for call in state.calls.values()}
    for incident in state.incidents.values():
        # What calls people without giving up is a spent budget.
        found |= {(name, incident.gave_up or "budget") for name in incident.called_for}
    return found


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"remediation_{name}", text, labels=labels)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"remediation_{name}", text, value=float(value))


def _without_created(metric: Metric) -> Metric:
    """Return *metric* without the series that say when a counter began: twice the page for little."""
    metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
    return metric
