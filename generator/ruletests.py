"""
Generate promtool unit tests from what each alert says fires it and what keeps it quiet.

Per alert one timeline (`generator.timelines`) that several subjects live through
(`generator.testseries`); here are the checks, and the files. Alerts whose metrics are disjoint
share a promtool group, since promtool pays per group and per evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from alerts.kit import Alert, Pack, Scope, number
from generator import promql, samples, templates
from generator.artifacts import Artifact
from generator.lookalikes import fates
from generator.model import Catalog
from generator.names import CATALOG_INFO, PROMETHEUS_DIR
from generator.quantities import write_duration
from generator.recordtests import record_group
from generator.rules import alert_annotations, rule_labels, rule_path
from generator.testseries import bears_dips, input_series, roles, subject_labels, subject_name
from generator.timelines import Timeline, stepped, timeline
from generator.yaml_write import dump_yaml


def alert_group(alert: Alert, catalog: Catalog) -> dict[str, Any]:
    """Return the promtool test group of *alert*: series, alert checks, threshold checks."""
    line = timeline(alert)
    return {
        "interval": write_duration(line.step),
        "input_series": input_series(alert, line),
        "alert_rule_test": _alert_checks(alert, line, catalog),
        "promql_expr_test": [
            *_hold_checks(alert, line),
            *_keep_checks(alert, line),
            *_other_checks(alert, line),
            *_dip_checks(alert, line),
            *_threshold_checks(alert, line),
        ],
    }


# --- checks


def _alert_checks(alert: Alert, line: Timeline, catalog: Catalog) -> list[dict[str, Any]]:
    firing = [
        _expected(alert, subject_name(role, alert), catalog) for role in _firing_roles(alert, line)
    ]
    checks: list[tuple[int, list[dict[str, Any]]]] = [(line.start - 1, [])]
    if line.hold:
        checks.append((line.start + line.hold - 1, []))
    checks.append((line.fired, firing))
    checks.append((line.firing_miss, firing))
    checks.append((line.restart, firing))
    if line.keep and not line.settle:
        checks.append((line.end + line.keep - 1, firing))
    checks.append((line.length - 1, []))
    if not alert.fires and not alert.quiet:
        # It needs no series and never ends: the Watchdog.
        checks = [(line.fired, firing)]
    return [
        {
            "eval_time": write_duration(at * line.step),
            "alertname": alert.name,
            "exp_alerts": expected,
        }
        for at, expected in checks
    ]


def _expected(alert: Alert, subject: str, catalog: Catalog) -> dict[str, Any]:
    labels = {**series_labels(alert, subject), **rule_labels(alert, catalog)}
    value = firing_value(alert)
    notes = {
        name: templates.render(template, labels, value)
        for name, template in alert_annotations(alert, catalog).items()
    }
    return {"exp_labels": labels, "exp_annotations": notes}


def series_labels(alert: Alert, subject: str) -> dict[str, str]:
    """Return the labels that the firing series of *subject* brings, without the rule's own."""
    if alert.scope is Scope.SERVICE:
        return {**subject_labels(subject), **alert.extra}
    if alert.scope is Scope.TIER:
        return {"tier": subject, **alert.extra}
    if alert.scope is Scope.HOST:
        return {"instance": f"{subject}:9100", **alert.extra}
    return dict(alert.extra)


def firing_value(alert: Alert) -> float:
    """Return `$value` of the firing case: as stated, else the one constant in *fires*."""
    if alert.value is not None:
        return alert.value
    values = {samples.constant(notation) for notation in alert.fires.values()} - {None}
    return float(values.pop() or 0.0) if len(values) == 1 else 0.0


def _hold_checks(alert: Alert, line: Timeline) -> list[dict[str, Any]]:
    """
    Show the exact hold: how old an alert gets while it is pending.

    Windows fill at their own pace, so no moment is known at which the alert must start to fire;
    but whenever it becomes pending, it stays so until one evaluation before its hold is over.
    """
    if not line.hold or not (alert.fires or alert.quiet):
        return []
    name = f'alertname="{alert.name}"'
    age = (
        f"time() - ALERTS_FOR_STATE{{{name}}} "
        f'and ignoring (alertstate) ALERTS{{{name}, alertstate="pending"}}'
    )
    span = f"{write_duration(line.fired * line.step)}:{write_duration(line.step)}"
    oldest = (line.hold - 1) * line.step
    return [
        {
            "expr": f"max(max_over_time(({age})[{span}]))",
            "eval_time": write_duration(line.fired * line.step),
            "exp_samples": [{"labels": "{}", "value": int(oldest.total_seconds())}],
        }
    ]


def _keep_checks(alert: Alert, line: Timeline) -> list[dict[str, Any]]:
    """Show for how many evaluations an alert fires on once its condition has ended."""
    if not line.keep:
        return []
    last = write_duration((line.length - 1) * line.step)
    span = f"{write_duration((line.length - line.end) * line.step)}:{write_duration(line.step)}"
    label = {Scope.SERVICE: "service", Scope.TIER: "tier", Scope.HOST: "instance"}
    on = label.get(alert.scope, "")
    firing = f'ALERTS{{alertname="{alert.name}", alertstate="firing"}}'
    return [
        {
            "expr": f"max(count_over_time(({firing} unless on ({on}) ({alert.promql}))[{span}]))",
            "eval_time": last,
            "exp_samples": [{"labels": "{}", "value": line.keep}],
        }
    ]


def _other_checks(alert: Alert, line: Timeline) -> list[dict[str, Any]]:
    """Show that nobody else ever fired, at whatever moment: no blip, no reset, no lookalike."""
    if not alert.fires and not alert.quiet:
        return []
    last = write_duration((line.length - 1) * line.step)
    # Until the first windows are full, a rate is lower than what is counted.
    span = write_duration((line.length - line.start) * line.step)
    fired = f'count_over_time(ALERTS{{alertname="{alert.name}", alertstate="firing"}}[{span}])'
    return [
        {
            "expr": f"count({fired})",
            "eval_time": last,
            "exp_samples": [{"labels": "{}", "value": len(_firing_roles(alert, line))}],
        }
    ]


def _firing_roles(alert: Alert, line: Timeline) -> tuple[str, ...]:
    return tuple(role for role in roles(alert, line) if role in {"alpha", "charlie"})


def _dip_checks(alert: Alert, line: Timeline) -> list[dict[str, Any]]:
    """Show that an average goes on firing through one quiet sample; `$value` differs then."""
    if not any(bears_dips(alert, series, fate) for series, fate in fates(alert).items()):
        return []
    return [
        {
            "expr": f'count(ALERTS{{alertname="{alert.name}", alertstate="firing"}})',
            "eval_time": write_duration(line.dip * line.step),
            "exp_samples": [{"labels": "{}", "value": len(_firing_roles(alert, line))}],
        }
    ]


def _threshold_checks(alert: Alert, line: Timeline) -> list[dict[str, Any]]:
    """Show that *fires* and *quiet* lie within 10 % of the threshold, on the two sides of it."""
    if not alert.tight or not alert.threshold or alert.op not in {">", ">=", "<", "<="}:
        return []
    up = alert.op.startswith(">")
    near, far = (0.9, 1.1) if up else (1.1, 0.9)
    compare = ">" if up else "<"
    near_bound, far_bound = (
        number(_exact(alert.threshold * near)),
        number(_exact(alert.threshold * far)),
    )
    known = f" and on (service) {CATALOG_INFO}" if alert.scope is Scope.SERVICE else ""
    return [
        {
            "expr": f"min(({alert.expr.strip()}) {compare} bool {near_bound})",
            "eval_time": write_duration((line.start - 1) * line.step),
            "exp_samples": [{"labels": "{}", "value": 1}],
        },
        {
            "expr": f"count((({alert.expr.strip()}) {compare} {far_bound}){known})",
            "eval_time": write_duration(line.fired * line.step),
            "exp_samples": [],
        },
    ]


def _exact(value: float) -> float:
    return float(f"{value:.12g}")


# --- grouping


def render(packs: tuple[Pack, ...], catalog: Catalog) -> tuple[Artifact, ...]:
    """Return the test files of all packs: one per pack and distance of evaluations."""
    return tuple(artifact for pack in packs for artifact in pack_tests(pack, catalog))


def pack_tests(pack: Pack, catalog: Catalog) -> tuple[Artifact, ...]:
    """Return the promtool test files of *pack*; `<pack>.yml`, others with the step in their name."""
    units: dict[timedelta, list[tuple[frozenset[str], dict[str, Any]]]] = {}
    for written in pack.alerts:
        alert = stepped(written, pack)
        unit = (touched(_alert_names(alert), pack), alert_group(alert, catalog))
        units.setdefault(alert.step, []).append(unit)
    for record in pack.records:
        if not record.constant:
            names = _names(record.inputs) | promql.metrics(record.expr) | {record.name}
            unit = (touched(names - {CATALOG_INFO}, pack), record_group(record))
            units.setdefault(record.step, []).append(unit)
    return tuple(
        _file(pack, step, found, first=index == 0)
        for index, (step, found) in enumerate(sorted(units.items()))
    )


def touched(names: frozenset[str], pack: Pack) -> frozenset[str]:
    """Return *names* and every metric that rules of *pack* make of them, directly or not."""
    found = set(names)
    # Records stand in the order they are evaluated; a second pass would catch nothing new.
    for record in pack.records:
        if promql.metrics(record.expr) & found:
            found.add(record.name)
    return frozenset(found)


def _alert_names(alert: Alert) -> frozenset[str]:
    return _names((*alert.fires, *alert.quiet)) | promql.metrics(alert.condition) | {alert.name}


def _names(series: Iterable[str]) -> frozenset[str]:
    return frozenset(text.partition("{")[0] for text in series) - {CATALOG_INFO}


def _file(
    pack: Pack, step: timedelta, units: list[tuple[frozenset[str], dict[str, Any]]], *, first: bool
) -> Artifact:
    name = pack.name if first else f"{pack.name}-{write_duration(step)}"
    content = {
        "rule_files": [f"../rules/{rule_path(pack).rsplit('/', 1)[1]}"],
        "evaluation_interval": write_duration(step),
        "tests": shared(units),
    }
    return Artifact(
        f"{PROMETHEUS_DIR}/tests/{name}.yml", dump_yaml(content, f"alerts/{pack.name}.py")
    )


def shared(units: list[tuple[frozenset[str], dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return promtool groups, merged first-fit where their metrics are disjoint."""
    merged: list[tuple[set[str], dict[str, Any]]] = []
    for names, group in units:
        for taken, target in merged:
            if not taken & names:
                taken.update(names)
                _merge(target, group)
                break
        else:
            merged.append((set(names), group))
    return [{key: value for key, value in group.items() if value} for _, group in merged]


def _merge(target: dict[str, Any], group: dict[str, Any]) -> None:
    have = {row["series"]: row for row in target["input_series"]}
    for row in group["input_series"]:
        known = have.get(row["series"])
        if known is None:
            target["input_series"].append(row)
    for key in ("alert_rule_test", "promql_expr_test"):
        target.setdefault(key, []).extend(group.get(key, ()))
