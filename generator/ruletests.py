"""
Generate promtool unit tests from what each alert says fires it and what keeps it quiet.

Per alert one timeline: quiet, firing, quiet. `alpha` lives through all three; `bravo` stays
quiet but for one single-sample blip and a counter reset; `charlie` is alpha with a missed
scrape while pending and another while firing; `delta` (service alerts with windows) fires at
once and far above the threshold but leaves the catalog before its hold is over, so that a rule
without its hold is caught. Alerts whose metrics are disjoint share a promtool group, since
promtool pays per group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from math import ceil
from typing import Any

from alerts.kit import Alert, Pack, Record, Scope, number
from generator import promql, samples, templates
from generator.artifacts import Artifact
from generator.model import Catalog
from generator.names import CATALOG_INFO, PROMETHEUS_DIR
from generator.quantities import write_duration
from generator.rules import alert_annotations, rule_labels, rule_path
from generator.samples import MISSING, STALE, Phase, Run, Series
from generator.yaml_write import dump_yaml

_ROLES = ("alpha", "bravo", "charlie", "delta")
_SURGE_FACTOR = 100  # arbitrary; far above any threshold whose window it must fill at once


@dataclass(frozen=True, slots=True)
class Timeline:
    """When what happens in the test of one alert; all in steps except *step* itself."""

    step: timedelta
    start: int  # first sample of the firing phase
    settle: int  # steps until the condition is surely true
    hold: int
    keep: int
    end: int  # first sample of the second quiet phase
    length: int

    @property
    def pending_miss(self) -> int:
        """Index of charlie's missed scrape while pending."""
        return self.start + max(1, self.hold // 2)

    @property
    def firing_miss(self) -> int:
        """Index of charlie's missed scrape while firing."""
        return self.fired + 2

    @property
    def fired(self) -> int:
        """First step at which the alert surely fires: one interval after the hold, one more with windows."""
        return self.start + self.settle + self.hold + (2 if self.settle else 1)


def timeline(alert: Alert) -> Timeline:
    """Return the timeline that shows every promise of *alert*."""
    step = alert.step
    settle = alert.settle
    if settle is None:
        settle = promql.lookback(alert.condition, bridges=False)
    lookback = max(promql.lookback(alert.condition), settle)
    steps = [ceil(value / step) for value in (settle, lookback, alert.hold, alert.keep)]
    settle_n, lookback_n, hold_n, keep_n = steps
    start = max(settle_n, lookback_n) + 8
    end = start + settle_n + hold_n + 12
    return Timeline(
        step,
        start,
        settle_n,
        hold_n,
        keep_n,
        end,
        end + lookback_n + keep_n + 8,
    )


def alert_group(alert: Alert, catalog: Catalog) -> dict[str, Any]:
    """Return the promtool test group of *alert*: series, alert checks, threshold checks."""
    line = timeline(alert)
    return {
        "interval": write_duration(line.step),
        "input_series": _series(alert, line),
        "alert_rule_test": _alert_checks(alert, line, catalog),
        "promql_expr_test": _threshold_checks(alert, line),
    }


# --- input series


def _roles(alert: Alert, line: Timeline) -> tuple[str, ...]:
    if alert.scope is Scope.PLATFORM:
        return ("alpha",)
    if alert.scope is Scope.SERVICE and line.settle:
        return _ROLES
    return _ROLES[:3]


def subject_name(role: str, alert: Alert) -> str:
    """Return a name no other alert's test uses, so that merged groups cannot touch one another."""
    return f"{role}-{alert.name.lower()}"


def _series(alert: Alert, line: Timeline) -> list[dict[str, str]]:
    rows: dict[str, str] = {}
    for role in _roles(alert, line):
        subject = subject_name(role, alert)
        for series, texts in _subject_samples(alert, line, role).items():
            rows.setdefault(_with_subject(series, subject, alert.scope), samples.write(texts))
        if alert.scope is Scope.SERVICE and not _own_info(alert):
            rows[_info(subject)] = samples.write(_info_samples(line, role))
    return [{"series": series, "values": values} for series, values in rows.items()]


def _own_info(alert: Alert) -> bool:
    return any(series.startswith(CATALOG_INFO) for series in (*alert.fires, *alert.quiet))


def _subject_samples(alert: Alert, line: Timeline, role: str) -> dict[str, Series]:
    """Return samples per series text as written in *fires* and *quiet*."""
    found = {}
    for series in dict.fromkeys((*alert.fires, *alert.quiet)):
        fires = alert.fires.get(series, alert.quiet.get(series, ""))
        quiet = alert.quiet.get(series, fires)
        found[series] = _lived(alert, line, role, series, fires=fires, quiet=quiet)
    return found


def _lived(
    alert: Alert, line: Timeline, role: str, series: str, *, fires: str, quiet: str
) -> Series:
    if role == "bravo":
        return _bravo(alert, line, fires, quiet)
    if role == "delta":
        strong = samples.scaled(fires, _SURGE_FACTOR) if fires != quiet else fires
        fires = strong if alert.surge is None else alert.surge.get(series, fires)
    phases = [
        Phase(quiet, line.start),
        Phase(fires, line.end - line.start),
        Phase(quiet, line.length - line.end),
    ]
    lived = samples.expand(phases, line.step)
    missed = role == "charlie" or alert.scope is Scope.PLATFORM
    if missed and alert.survives_missed_scrape and ":" not in series:
        up = series == "up" or series.startswith("up{")
        for index in _missed(line):
            lived = samples.put(lived, index, Run(1) if up else Run(1, text=STALE))
    return lived


def _missed(line: Timeline) -> tuple[int, ...]:
    pending = (line.pending_miss,) if line.hold > 1 else ()
    return (*pending, line.firing_miss)


def _bravo(alert: Alert, line: Timeline, fires: str, quiet: str) -> Series:
    """Quiet throughout, but for a blip and a reset that must not count."""
    blip = line.start + 1
    phases = [Phase(quiet, line.length)]
    if line.hold > line.settle + 2:
        phases = [Phase(quiet, blip), Phase(fires, 1), Phase(quiet, line.length - blip - 1)]
    lived = samples.expand(phases, line.step)
    if samples.is_rate(quiet) and alert.op != "<":
        lived = samples.reset(lived, line.start + 3)
    return lived


def _info(subject: str) -> str:
    labels = {**_subject_labels(subject), "hold": "120"}
    return CATALOG_INFO + _braces(labels)


def _info_samples(line: Timeline, role: str) -> Series:
    if role != "delta":
        return (Run(line.length, Decimal(1)),)
    # delta leaves the catalog when its hold would be over: it must never have fired.
    left = line.start + line.hold
    return (
        Run(left, Decimal(1)),
        Run(1, text=STALE),
        Run(line.length - left - 1, text=MISSING),
    )


def _subject_labels(subject: str) -> dict[str, str]:
    return {
        "service": subject,
        "tier": f"tier-{subject}",
        "kind": f"kind-{subject}",
        "profile": "default",
        "owner": f"owner-{subject}",
    }


def _with_subject(series: str, subject: str, scope: Scope) -> str:
    """Return *series* with the labels a scrape of *subject* adds, unless it has them already."""
    series = series.replace("$service", subject)
    name, _, rest = series.partition("{")
    written = rest.removesuffix("}")
    have = {part.split("=", 1)[0].strip(" !~") for part in _split_labels(written)}
    added = {"job": "test", "instance": f"{subject}:9100"}
    if ":" in name:
        added = {}
    if scope is Scope.SERVICE:
        labels = _subject_labels(subject)
        if ":" not in name:
            labels.pop("owner")
        added = {**labels, **added}
    elif scope is Scope.TIER:
        added = {"tier": subject, **added}
    elif scope is Scope.HOST and ":" in name:
        added = {"instance": f"{subject}:9100"}
    extra = ",".join(f'{key}="{value}"' for key, value in added.items() if key not in have)
    return f"{name}{{{','.join(part for part in (written, extra) if part)}}}"


def _split_labels(text: str) -> list[str]:
    """Split `a="x",b="y,z"` at the commas between matchers."""
    parts, depth, current = [], False, ""
    for character in text:
        if character == '"':
            depth = not depth
        if character == "," and not depth:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part for part in (*parts, current) if part]


def _braces(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


# --- checks


def _alert_checks(alert: Alert, line: Timeline, catalog: Catalog) -> list[dict[str, Any]]:
    firing = [
        _expected(alert, subject_name(role, alert), catalog)
        for role in _roles(alert, line)
        if role in {"alpha", "charlie"}
    ]
    checks: list[tuple[int, list[dict[str, Any]]]] = [(line.start - 1, [])]
    if line.hold:
        checks.append((line.start + line.hold - 1, []))
    checks.append((line.fired, firing))
    checks.append((line.firing_miss, firing))
    if line.keep and not line.settle:
        checks.append((line.end + line.keep - 1, firing))
    checks.append((line.length - 2, []))
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
        return {**_subject_labels(subject), **alert.extra}
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


# --- recording rules


def record_group(record: Record) -> dict[str, Any]:
    """Return the promtool test group of one recording rule."""
    lookback = promql.lookback(record.expr)
    at = record.at if record.at is not None else lookback + 4 * record.step
    count = ceil(at / record.step) + 2
    rows = [
        {
            "series": series,
            "values": samples.write(samples.expand([Phase(notation, count)], record.step)),
        }
        for series, notation in record.inputs.items()
    ]
    expected = [{"labels": series, "value": value} for series, value in record.expect.items()]
    return {
        "interval": write_duration(record.step),
        "input_series": rows,
        "promql_expr_test": [
            {
                "expr": record.name,
                "eval_time": write_duration(ceil(at / record.step) * record.step),
                "exp_samples": expected,
            }
        ],
    }


# --- grouping


def render(packs: tuple[Pack, ...], catalog: Catalog) -> tuple[Artifact, ...]:
    """Return the test files of all packs: one per pack and distance of evaluations."""
    return tuple(artifact for pack in packs for artifact in pack_tests(pack, catalog))


def pack_tests(pack: Pack, catalog: Catalog) -> tuple[Artifact, ...]:
    """Return the promtool test files of *pack*; `<pack>.yml`, others with the step in their name."""
    units: dict[timedelta, list[tuple[frozenset[str], dict[str, Any]]]] = {}
    for alert in pack.alerts:
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
