"""Turn packs into Prometheus rule files: labels and annotations that every alert has are added here."""

from __future__ import annotations

from typing import Any

from alerts.kit import Alert, Pack, Record, Scope
from generator.artifacts import Artifact
from generator.model import Catalog
from generator.names import NONE, PROMETHEUS_DIR, board_uid
from generator.quantities import write_duration
from generator.yaml_write import dump_yaml


def render(packs: tuple[Pack, ...], catalog: Catalog) -> tuple[Artifact, ...]:
    """Return one rule file per pack, in the order given."""
    return tuple(
        Artifact(rule_path(pack), dump_yaml(rule_file(pack, catalog), f"alerts/{module(pack)}.py"))
        for pack in packs
    )


def rule_path(pack: Pack) -> str:
    """Return the path of the pack's rule file inside the rendered tree."""
    return f"{PROMETHEUS_DIR}/rules/{pack.name}.yml"


def module(pack: Pack) -> str:
    """Return the module name of *pack* in the room alerts/."""
    return pack.name


def rule_file(pack: Pack, catalog: Catalog) -> dict[str, Any]:
    """Return the content of the pack's rule file: one group, records before alerts."""
    rules = [record_rule(record) for record in pack.records]
    rules += [alert_rule(alert, catalog) for alert in pack.alerts]
    return {
        "groups": [{"name": pack.name, "interval": write_duration(pack.interval), "rules": rules}]
    }


def record_rule(record: Record) -> dict[str, Any]:
    """Return *record* as it stands in a rule file."""
    rule: dict[str, Any] = {"record": record.name, "expr": record.expr}
    if record.labels:
        rule["labels"] = dict(record.labels)
    return rule


def alert_rule(alert: Alert, catalog: Catalog) -> dict[str, Any]:
    """Return *alert* as it stands in a rule file."""
    rule: dict[str, Any] = {"alert": alert.name, "expr": alert.promql}
    if alert.hold:
        rule["for"] = write_duration(alert.hold)
    if alert.keep:
        rule["keep_firing_for"] = write_duration(alert.keep)
    rule["labels"] = rule_labels(alert, catalog)
    rule["annotations"] = alert_annotations(alert, catalog)
    return rule


def rule_labels(alert: Alert, catalog: Catalog) -> dict[str, str]:
    """
    Return the labels that the rule itself sets.

    service, tier, kind and owner come from the series where the alert has a subject of that
    sort; elsewhere they are set here, so that no alert ever lacks one (design 5.3).
    """
    labels = {
        "severity": alert.severity.value,
        "scope": alert.scope.value,
        "role": alert.role.value,
        "family": alert.family,
        "remedy": alert.remedy.value,
        **alert.labels,
    }
    if alert.scope is Scope.SERVICE:
        return labels
    labels |= {"service": NONE, "kind": NONE, "owner": catalog.platform.default_owner}
    if alert.scope is not Scope.TIER:
        labels["tier"] = NONE
    return labels


def alert_annotations(alert: Alert, catalog: Catalog) -> dict[str, str]:
    """Return summary, description and the two links of *alert*, templates unrendered."""
    links = catalog.platform.links
    return {
        "summary": alert.summary,
        "description": " ".join(alert.description.split()),
        "runbook_url": f"{links.runbooks}/{alert.name}.md",
        "dashboard_url": f"{links.grafana}/d/{_board(alert)}{_variables(alert)}",
    }


def _board(alert: Alert) -> str:
    if alert.board == "tier":
        return board_uid("tier-") + "{{ $labels.tier }}"
    return board_uid(alert.board)


def _variables(alert: Alert) -> str:
    if alert.scope is Scope.SERVICE:
        return "?var-service={{ $labels.service }}"
    return ""
