"""
Ask promtool which mutants the test of their alert notices.

All mutants of one alert stand in one rule file under names of their own, beside the alert itself
and the recording rules it needs; the alert's generated test is asked of each name. So promtool
sets up once per alert, and a few thousand mutants take minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts.kit import Alert, Pack, Record
from generator import promql, rules, ruletests, toolbox
from generator.model import Catalog
from generator.quantities import write_duration
from generator.timelines import stepped
from generator.yaml_write import dump_yaml
from tests.mutants.mutations import Mutant

_WORKERS = 2
_FILES_PER_RUN = 6  # promtool's start costs 50 ms
# How promtool names the rule of a check that failed: as itself, or inside an expression.
_FAILED = re.compile(r'alertname(?:: ?|=\\?")([A-Za-z0-9_]+)')
_FILE = re.compile(r"^Unit Testing: +(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Case:
    """One alert, the pack it stands in, and the mutants that are tried."""

    pack: Pack
    alert: Alert
    mutants: tuple[Mutant, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case. *broken* holds promtool's words when the test fails unmutated."""

    case: Case
    survivors: tuple[Mutant, ...]
    broken: str = ""


def judge(cases: Sequence[Case], catalog: Catalog, folder: Path) -> tuple[Outcome, ...]:
    """Return the outcome of each case, in order; writes into *folder*, which exists."""
    tool = toolbox.find("promtool")
    if tool is None:
        raise FileNotFoundError(f"promtool is missing, {toolbox.install_hint('promtool')}")
    files = [_write(case, catalog, folder, number) for number, case in enumerate(cases)]
    batches = [files[at : at + _FILES_PER_RUN] for at in range(0, len(files), _FILES_PER_RUN)]
    with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        texts = list(
            pool.map(
                lambda batch: toolbox.run(tool, ["test", "rules", *batch], timeout_s=900).text,
                batches,
            )
        )
    told = _by_file("\n".join(texts))
    return tuple(
        _outcome(case, told.get(str(file), "promtool said nothing of this file"))
        for case, file in zip(cases, files, strict=True)
    )


def _outcome(case: Case, text: str) -> Outcome:
    noticed = set(_FAILED.findall(text))
    named = {_name(case.alert, number): mutant for number, mutant in enumerate(case.mutants)}
    itself = case.alert.name in noticed
    if itself or ("SUCCESS" not in text and not noticed):
        return Outcome(case, (), text)
    return Outcome(case, tuple(m for name, m in named.items() if name not in noticed))


def _by_file(text: str) -> Mapping[str, str]:
    """Return what promtool said, by test file."""
    parts = _FILE.split(text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _name(alert: Alert, number: int) -> str:
    return f"{alert.name}_mutant_{number}"


def _write(case: Case, catalog: Catalog, folder: Path, number: int) -> Path:
    alerts = [(case.alert.name, case.alert)]
    alerts += [(_name(case.alert, at), mutant.alert) for at, mutant in enumerate(case.mutants)]
    made = [rules.record_rule(record) for record in _needed(case.pack.records, case.alert)]
    made += [{**rules.alert_rule(alert, catalog), "alert": name} for name, alert in alerts]
    rule_file = folder / f"{number}-rules.yml"
    _dump(rule_file, {"groups": [{"name": case.pack.name, "rules": made}]})
    alert = stepped(case.alert, case.pack)
    group = ruletests.alert_group(alert, catalog)
    for sort in ("alert_rule_test", "promql_expr_test"):
        group[sort] = [
            renamed for name, _ in alerts for renamed in _asked_of(name, alert, group[sort])
        ]
    test_file = folder / f"{number}-test.yml"
    _dump(
        test_file,
        {
            "rule_files": [rule_file.name],
            "evaluation_interval": write_duration(alert.step),
            "tests": [{key: value for key, value in group.items() if value}],
        },
    )
    return test_file


def _asked_of(
    name: str, alert: Alert, checks: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield *checks* asked of the rule called *name*; those that speak of no rule, never."""
    old, new = f'alertname="{alert.name}"', f'alertname="{name}"'
    for check in checks:
        if "alertname" in check:
            yield {**check, "alertname": name}
        elif old in check["expr"]:
            yield {**check, "expr": check["expr"].replace(old, new)}


def _needed(records: Iterable[Record], alert: Alert) -> list[Record]:
    """Return those of *records* that *alert* is made from, directly or not, in their order."""
    wanted = set(promql.metrics(alert.promql))
    kept = []
    for record in reversed(tuple(records)):
        if record.name in wanted and not record.constant:
            wanted |= promql.metrics(record.expr)
            kept.append(record)
    return kept[::-1]


def _dump(path: Path, data: dict[str, Any]) -> None:
    path.write_text(dump_yaml(data, "tests/mutants"), encoding="utf-8")
