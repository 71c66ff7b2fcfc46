"""
Turn the rulebook into Loki's rule files, and prove that each rule can ever see a line.

Loki's ruler with local storage reads `<folder>/<tenant>/<file>`; with authentication off the
tenant is called `fake`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from alerts.kit import Scope
from generator.artifacts import Artifact
from generator.errors import Finding, Place
from generator.model import Catalog
from generator.names import NONE, board_uid
from generator.quantities import write_duration
from generator.yaml_write import dump_yaml
from loki.kit import ALWAYS_ON, INTERVALS, LogRule
from loki.logql import grouping, selectors
from loki.rulebook import RULES
from promtail.agent import JOB, config, pattern, streams
from promtail.agent import PATH as AGENT_PATH
from promtail.bounds import stream_values
from promtail.levels import LEVELS

__all__ = ["CHECK", "RULES", "TENANT", "check_streams", "render", "rules"]

TENANT = "fake"
CHECK = "streams"
_SOURCE = "loki/rulebook/"


def rules(catalog: Catalog) -> tuple[LogRule, ...]:
    """Return the rules for *catalog*, without those it disables, names filled in."""
    return tuple(
        replace(rule, expr=rule.expr.replace(ALWAYS_ON, _always_on(catalog)))
        for rule in RULES
        if rule.name not in catalog.platform.disabled_alerts
    )


def _always_on(catalog: Catalog) -> str:
    optional = pattern([service.name for service in catalog.services if service.optional])
    selected = 'service=~".+"'
    if not optional:
        return selected
    escaped = optional.replace("\\", "\\\\")
    return f'{selected}, service!~"{escaped}"'


def render(catalog: Catalog) -> tuple[Artifact, ...]:
    """Return one rule file per group that has rules."""
    artifacts = []
    for group, interval in INTERVALS.items():
        members = [rule for rule in rules(catalog) if rule.group == group]
        if members:
            artifacts.append(_file(group, interval, members, catalog))
    return tuple(artifacts)


def _file(
    group: str, interval: timedelta, members: Iterable[LogRule], catalog: Catalog
) -> Artifact:
    body = {
        "name": f"logs-{group}",
        "interval": write_duration(interval),
        "rules": [alert_rule(rule, catalog) for rule in members],
    }
    path = f"loki/rules/{TENANT}/{group}.yml"
    return Artifact(path, dump_yaml({"groups": [body]}, _SOURCE))


def alert_rule(rule: LogRule, catalog: Catalog) -> dict[str, Any]:
    """Return *rule* as it stands in a rule file."""
    data: dict[str, Any] = {"alert": rule.name, "expr": rule.expr}
    if rule.hold:
        data["for"] = write_duration(rule.hold)
    return data | {
        "labels": rule_labels(rule, catalog),
        "annotations": rule_annotations(rule, catalog),
    }


def rule_labels(rule: LogRule, catalog: Catalog) -> dict[str, str]:
    """Return the labels that the rule sets; the subject's come from its streams where it has one."""
    labels = {
        "severity": rule.severity.value,
        "scope": rule.scope.value,
        "role": rule.role.value,
        "family": rule.family,
        "remedy": rule.remedy.value,
    }
    if rule.scope is Scope.SERVICE:
        return labels
    owner = catalog.platform.default_owner
    return labels | {"service": NONE, "tier": NONE, "kind": NONE, "owner": owner}


def rule_annotations(rule: LogRule, catalog: Catalog) -> dict[str, str]:
    """Return summary, description and links, templates unrendered."""
    links = catalog.platform.links
    variables = "?var-service={{ $labels.service }}" if rule.scope is Scope.SERVICE else ""
    return {
        "summary": rule.summary,
        "description": rule.description,
        "runbook_url": f"{links.runbooks}/{rule.name}.md",
        "dashboard_url": f"{links.grafana}/d/{board_uid(rule.board)}{variables}",
    }


def check_streams(
    catalog: Catalog,
    checked: Iterable[LogRule] | None = None,
    job: Mapping[str, Any] | None = None,
) -> list[Finding]:
    """
    Return what is wrong between log labels and LogQL rules (proof 7), sorted; empty if nothing.

    Every label that the pipeline sends is bounded; every selector of every rule accepts a stream
    that the pipeline produces; rules group by labels that streams have, and a rule about services
    keeps those that its alert must carry.

    Args:
        catalog: Whose services write the lines. Nothing is checked where it has no pipeline.
        checked: Rules to look at; default those of the catalog.
        job: Promtail's scrape job; default the rendered one.
    """
    if job is None:
        job = next(job for job in config(catalog)["scrape_configs"] if job["job_name"] == JOB)
    values = stream_values(job)
    possible = [
        stream | {"level": level} for stream in map(dict, streams(catalog)) for level in LEVELS
    ]
    findings = [_unbounded(label) for label, found in values.items() if found is None]
    for rule in rules(catalog) if checked is None else checked:
        findings += _check_rule(rule, set(values), possible)
    return sorted(findings)


def _unbounded(label: str) -> Finding:
    return Finding(
        Place(AGENT_PATH),
        f"log label {label!r} has values that nothing bounds",
        "Set it from names of the catalog or drop it with labelallow.",
        CHECK,
    )


def _check_rule(rule: LogRule, labels: set[str], possible: list[dict[str, str]]) -> list[Finding]:
    found = _selector_faults(rule, labels, possible)
    unknown = [label for label in grouping(rule.expr) if label not in labels]
    found += [(f"groups by {label!r}, which no stream carries", "") for label in unknown]
    if rule.scope is Scope.SERVICE:
        kept = set(re.split(r",\s*", _first_by(rule.expr)))
        lost = [label for label in ("service", "tier", "kind", "owner") if label not in kept]
        found += [(f"loses {label!r}", "Aggregate with `by (loki.kit.SUBJECT)`.") for label in lost]
    place = Place(_SOURCE)
    return [Finding(place, f"rule {rule.name!r} {fact}", cure, CHECK) for fact, cure in found]


def _first_by(expr: str) -> str:
    match = re.search(r"\bby \(([^)]*)\)", expr)
    return match[1] if match else ""


def _selector_faults(
    rule: LogRule, labels: set[str], possible: list[dict[str, str]]
) -> list[tuple[str, str]]:
    try:
        found = selectors(rule.expr)
    except ValueError as error:
        return [(f"cannot be read: {error}", "")]
    if not found:
        return [("selects no stream", "")]
    faults = []
    for matchers in found:
        text = "{" + ", ".join(map(str, matchers)) + "}"
        foreign = sorted({matcher.label for matcher in matchers} - labels)
        faults += [(f"selects by {label!r}, which no stream carries", "") for label in foreign]
        accepted = any(all(m.accepts(stream) for m in matchers) for stream in possible)
        if not foreign and not accepted:
            faults.append(
                (f"selects {text}, which no pipeline produces", "Compare with the catalog.")
            )
    return faults
