"""Proof 10: no service without a verdict: something scrapes, probes or asks Docker about it."""

from __future__ import annotations

from datetime import timedelta

from generator.errors import Finding
from generator.names import EXPORTER_LABEL
from generator.promql import Matcher, Selector
from generator.render import Rendered
from generator.software import VERDICT_UP


def check(rendered: Rendered) -> list[Finding]:
    """Return a finding per service whose kind's verdict no target tells."""
    found: list[Finding] = []
    for service in rendered.catalog.services:
        kind = rendered.catalog.kinds[service.kind]
        if kind.observer or service.oneshot:
            continue
        told = rendered.universe.services(_selector(kind.verdict))
        if told is not None and service.name not in told:
            found.append(
                Finding(
                    service.place,
                    f"service {service.name!r} is watched by nobody: its kind {kind.name!r} is judged "
                    f"by {kind.verdict!r} and no target exposes that for it",
                    _cure(kind.verdict, kind.metrics.exporter if kind.metrics else ""),
                    "watch",
                )
            )
    return found


def _selector(verdict: str) -> Selector:
    """Return what selects the series that tell *verdict*; `up` of an exporter tells of the exporter."""
    own = (Matcher(EXPORTER_LABEL, "=", ""),) if verdict == VERDICT_UP else ()
    return Selector(verdict, own, "", timedelta(0))


def _cure(verdict: str, exporter: str) -> str:
    if exporter:
        return f"Add a service of kind {exporter!r} that observes it."
    if verdict == "probe_success":
        return "Add a service of kind 'blackbox-exporter'."
    if verdict.startswith("agent_"):
        return "Add a service of kind 'agents-exporter'."
    return "Give it a kind whose verdict can be told here."
