"""Proof 3: what an annotation shows, the alert still has; and no alert lacks a label."""

from __future__ import annotations

from alerts.kit import Alert
from generator import promql, templates
from generator.errors import Finding, Place
from generator.names import ALERT_LABELS
from generator.render import Rendered
from generator.rules import alert_annotations, rule_labels


def check(rendered: Rendered) -> list[Finding]:
    """Return a finding per annotation label that is lost, and per alert label nobody sets."""
    found: list[Finding] = []
    for pack in rendered.packs:
        place = Place(f"alerts/{pack.name}.py")
        for alert in pack.alerts:
            found.extend(_lost(alert, place, rendered))
    return found


def _lost(alert: Alert, place: Place, rendered: Rendered) -> list[Finding]:
    own = frozenset(rule_labels(alert, rendered.catalog))
    kept = promql.output_labels(alert.promql, rendered.universe.labels)
    have = own if kept is None else own | kept
    found = [
        Finding(
            place,
            f"alert {alert.name!r}: nothing sets the label {label!r} that every alert carries",
            "Keep it in the expression (`by (...)`), or give the alert another scope.",
            "annotations",
        )
        for label in ALERT_LABELS
        if label not in have
    ]
    for name, template in alert_annotations(alert, rendered.catalog).items():
        found += [
            Finding(
                place,
                f"alert {alert.name!r}: {name} shows $labels.{label}, which the expression drops",
                f"Keep {label!r} in the expression, or do not show it.",
                "annotations",
            )
            for label in sorted(templates.labels_used(template) - have)
        ]
    return found
