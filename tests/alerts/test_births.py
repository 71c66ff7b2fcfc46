"""
The first event that a counter counts is noticed, where one event or the first burst matters.

`births.yml` says of every counter with labels what becomes of its first event; promtool plays what
a new series can mean: something happened, or Prometheus only begins to look. Time runs for three
hours at 30 s a sample; the windows concerned are of half an hour at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts import packs, workers
from alerts.births import counted
from alerts.kit import Alert, Pack
from generator import promql
from generator.catalog import load_catalog
from generator.kinds.load import load_kinds
from generator.model import Catalog
from tests.alerts.alone import alone
from tests.alerts.judge import group, judge

ROOT = Path(__file__).parents[2]
GROUPS = yaml.safe_load((Path(__file__).parent / "births.yml").read_text())
_COUNTING = frozenset({"rate", "increase", "irate"})
_ON = 'service="s",job="j",instance="i"'
_BRACKETS = r"\((?:[^()]|\([^()]*\))*\)"
_COUNTED = re.compile(
    rf"\((?P<born>\(\S+ unless \S+ offset \w+\)) and on \(job, instance\) {_BRACKETS}\)\n  or increase\("
)


@dataclass(frozen=True, slots=True)
class Counted:
    """An alert on a counter that its events give birth to; *amount* of them are enough to fire."""

    pack: str
    alert: str
    counters: tuple[str, ...]  # selectors; each has *amount* when the first event is read
    amount: int
    started: str = ""  # the metric that says when the process began
    beside: str = ""  # a series that the alert needs, whatever happens


ALERTS = (
    Counted("stack", "LokiDiscardsLines",
            ('loki_discarded_samples_total{reason="line_too_long",tenant="fake"}',),
            50, "process_start_time_seconds"),
    Counted("workers", "CeleryTasksFail",
            ('celery_task_failed_total{exception="E",hostname="h",name="n",queue_name="q"}',
             'celery_task_received_total{hostname="h",name="n",queue_name="q"}'), 5),
    Counted("web", "N8nExecutionsFailing", ("n8n_workflow_failed_total",),
            5, "n8n_process_start_time_seconds"),
    Counted("web", "FlowisePredictionsFailing", ('chatflow_prediction_external{status="failure"}',),
            5, "flowise_process_start_time_seconds", "flowise_version_info"),
    Counted("consul", "ConsulMembersFlapping", ("consul_serf_member_flap",), 8),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Situation:
    """
    What a counter, `up` and the start of its process show, and whether the alert must fire.

    `N` stands for the amount. *needs_start*: only the start of the process tells what it is, so
    alerts that do not know it are not asked.
    """

    claim: str
    counter: str
    up: str
    started: str
    fires: bool = False
    needs_start: bool = False


SITUATIONS = (
    Situation("all there is was counted by the first sample",
              "_x340 Nx20", "1x360", "0x360", fires=True),
    Situation("a process that began a moment ago has counted",
              "_x340 Nx20", "_x335 1x25", "_x335 10050x25", fires=True, needs_start=True),
    Situation("after a restart it counts as much as it had before",
              "Nx250 stale _x88 Nx20", "1x360", "0x250 7530x109", fires=True),
    Situation("a restart that is followed by events at once",
              "900x340 stale _x4 Nx14", "1x340 0x4 1x14", "0x340 stale _x4 10380x14", fires=True),
    Situation("an old count that Prometheus is new to",
              "_x340 Nx20", "_x340 1x20", "_x340 0x20"),
    Situation("an old count behind a gap in which nothing was scraped",
              "Nx250 stale _x73 Nx35", "1x250 0x73 1x35", "0x250 stale _x73 0x35"),
    Situation("an old count behind a gap in which Prometheus was away",
              "Nx250 _x74 Nx35", "1x250 _x74 1x35", "0x250 _x74 0x35"),
    Situation("a restart that begins with 0 again",
              "Nx340 stale _x4 0x14", "1x340 0x4 1x14", "0x340 stale _x4 10380x14"),
    Situation("a restart without a series until something happens",
              "Nx340 stale", "1x340 0x4 1x14", "0x340 stale _x4 10380x14"),
)  # fmt: skip
FIRST, NEW = SITUATIONS[0], SITUATIONS[4]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The shipped catalog with every built-in kind in use, so that no alert is left out."""
    kinds, _ = load_kinds()
    return replace(load_catalog(ROOT / "catalog"), kinds=kinds)


def _packs(catalog: Catalog, names: Iterable[str] = packs.PACKS) -> Iterator[Pack]:
    for name in names:
        pack = packs.build(name, catalog)
        yield replace(pack, alerts=workers.CELERY) if name == "workers" else pack


def test_of_every_counter_somebody_knows_how_it_begins(catalog: Catalog) -> None:
    """No rule takes increases of a counter with labels that `births.yml` does not speak of, and the reverse."""
    labelled = {
        series
        for kind in catalog.kinds.values()
        for metric in kind.declares.values()
        if metric.labels or metric.absent
        for series in metric.series_names
    }
    read = {
        selector.metric
        for pack in _packs(catalog)
        for expr in (*(a.condition for a in pack.alerts), *(r.expr for r in pack.records))
        for selector in promql.selectors(expr)
        if selector.function in _COUNTING
    }

    known = list(chain.from_iterable(GROUPS.values()))
    assert sorted(labelled & read) == sorted(known)


def test_what_its_events_give_birth_to_is_counted_from_there(catalog: Catalog) -> None:
    """Every look at such a counter comes with the look for its birth, and no other one does."""
    looks: dict[str, set[bool]] = {}
    for pack in _packs(catalog):
        for alert in pack.alerts:
            rest = re.sub(_COUNTED.pattern + r"\S+\[\w+\]\)", "", alert.condition)
            for metric in promql.metrics(alert.condition):
                if any(metric in found["born"] for found in _COUNTED.finditer(alert.condition)):
                    looks.setdefault(metric, set()).add(metric in rest)

    assert {metric: {False} for metric in GROUPS["counted"]} == looks
    assert {name for about in ALERTS for name in map(_name, about.counters)} <= looks.keys()


@pytest.mark.parametrize("about", ALERTS[:2], ids=lambda about: about.alert)
def test_a_count_tells_what_happened_from_what_is_only_new(
    about: Counted, catalog: Catalog, tmp_path: Path
) -> None:
    """It fires where something was counted, and not where only Prometheus or the process is new."""
    asked = [each for each in SITUATIONS if about.started or not each.needs_start]
    pack = _pack(about, catalog)

    assert {each.claim: (0, "") for each in asked} == {
        each.claim: judge(pack, catalog, [_play(about, each)], tmp_path) for each in asked
    }


@pytest.mark.parametrize("about", ALERTS[2:], ids=lambda about: about.alert)
def test_every_alert_that_counts_so_tells_them_apart(
    about: Counted, catalog: Catalog, tmp_path: Path
) -> None:
    """The others, made of the same words, fire for the first event and not for the first look."""
    played = [_play(about, each) for each in (FIRST, NEW)]

    assert (0, "") == judge(_pack(about, catalog), catalog, played, tmp_path)


@pytest.mark.parametrize("about", ALERTS, ids=lambda about: about.alert)
def test_an_increase_alone_does_not_see_a_first_event(
    about: Counted, catalog: Catalog, tmp_path: Path
) -> None:
    """Planted fault: with `increase` in place of `counted` the first situation goes unnoticed."""
    status, text = judge(
        _pack(about, catalog, r"increase("), catalog, [_play(about, FIRST)], tmp_path
    )

    assert (1, True) == (status, "got: nil" in text)


@pytest.mark.parametrize("about", ALERTS, ids=lambda about: about.alert)
def test_a_birth_alone_takes_the_old_for_new(
    about: Counted, catalog: Catalog, tmp_path: Path
) -> None:
    """Planted fault: unless somebody asks whether the target was known, an old count is an alarm."""
    status, text = judge(
        _pack(about, catalog, r"\g<born> or increase("), catalog, [_play(about, NEW)], tmp_path
    )

    assert (1, True) == (status, "exp: nil" in text)


def test_a_count_names_its_window_everywhere() -> None:
    """The window is that of the look back, of the question who was there, and of the increase."""
    text = counted("x_total", timedelta(minutes=10), "began")

    assert text == (
        "((x_total unless x_total offset 10m) and on (job, instance) "
        "(up offset 10m == 1 or on (job, instance) began > time() - 600))\n"
        "  or increase(x_total[10m])"
    )


def _pack(about: Counted, catalog: Catalog, instead: str = "") -> Pack:
    """Return the pack with that alert alone, every count in it replaced by *instead*, if given."""
    (pack,) = _packs(catalog, (about.pack,))
    pack = alone(pack, about.alert)
    return replace(pack, alerts=tuple(_broken(each, instead) for each in pack.alerts))


def _broken(alert: Alert, instead: str) -> Alert:
    if not instead:
        return alert
    return replace(
        alert, expr=_COUNTED.sub(instead, alert.expr), where=_COUNTED.sub(instead, alert.where)
    )


def _play(about: Counted, situation: Situation) -> dict[str, Any]:
    """Return the promtool group of *situation*: whether the alert fired in the last two hours."""
    values = situation.counter.replace("N", str(about.amount))
    series = {_on(each): values for each in about.counters} | {_on("up"): situation.up}
    if about.started:
        series[_on(about.started)] = situation.started
    if about.beside:
        series[_on(about.beside)] = "1x360"
    fired = f'count_over_time(ALERTS{{alertname="{about.alert}", alertstate="firing"}}[2h])'
    look = {
        "expr": f"count({fired})",
        "eval_time": "3h",
        "exp_samples": [{"labels": "{}", "value": 1}] if situation.fires else [],
    }
    return group(series, look)


def _on(series: str) -> str:
    """Return *series* with the labels of the subject and of its target."""
    name, _, labels = series.partition("{")
    return f"{name}{{{labels.removesuffix('}')}{',' if labels else ''}{_ON}}}"


def _name(series: str) -> str:
    return series.partition("{")[0]
