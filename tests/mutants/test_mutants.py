"""The mutants themselves: what they change, that a good test notices them, and a poor one does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.kit import Alert, Pack, Severity
from generator.catalog import load_catalog
from generator.model import Catalog
from tests.mutants.__main__ import sampled, scored
from tests.mutants.equivalents import equivalent
from tests.mutants.judge import Case, judge
from tests.mutants.mutations import Mutant, mutants

ALERT = Alert(
    name="QueueLong",
    severity=Severity.WARNING,
    expr='max by (service, queue) (last_over_time(queue_length{state="ready"}[3m]))',
    threshold=100,
    where="and on (service) (max by (service) (last_over_time(queue_consumers[3m])) > 0)",
    hold=timedelta(minutes=5),
    keep=timedelta(minutes=2),
    family="queue",
    board="home",
    summary="{{ $labels.queue }} of {{ $labels.service }} holds {{ $value }}",
    description="It is long.",
    fires={'queue_length{queue="q",state="ready"}': "105", "queue_consumers": "1"},
    quiet={'queue_length{queue="q",state="ready"}': "95"},
    value=105,
    extra={"queue": "q"},
)

GIVES_WAY = replace(
    ALERT,
    expr='max by (service) (queue_length{state="ready"})',
    where="unless on (service) last_over_time("
    'ALERTS{alertname="ServiceDown", alertstate="firing"}[10m])',
    summary="{{ $labels.service }} holds {{ $value }}",
    fires={'queue_length{state="ready"}': "105"},
    quiet={'queue_length{state="ready"}': "95"},
    value=None,
    extra={},
    survives_missed_scrape=False,
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Any catalog will do: an alert's own test brings its series along."""
    return load_catalog(Path(__file__).parents[2] / "catalog")


def test_every_part_of_an_alert_is_mutated_once() -> None:
    """Each promise of an alert has a mutant that breaks it, and no two mutants are the same."""
    found = [(mutant.sort, mutant.what) for mutant in mutants(ALERT)]

    assert [
        ("hold dropped", "hold"),
        ("hold doubled", "hold"),
        ("keep dropped", "keep"),
        ("operator", "> to <"),
        ("threshold", "100 to 75.0"),
        ("threshold", "100 to 125.0"),
        ("where dropped", ALERT.where),
        ("severity", "warning to critical"),
        ("aggregation", "by (service, queue) without service"),
        ("aggregation", "by (service, queue) without queue"),
        ("bridge", 'last_over_time(queue_length{state="ready"}[3m]) without its window'),
        ("bridge", "last_over_time(queue_consumers[3m]) without its window (where)"),
        ("matcher", 'state="ready" to state="mutant"'),
    ] == found


@pytest.mark.parametrize(
    "alert", [ALERT, GIVES_WAY], ids=["guarded by a metric", "gives way to another alert"]
)
def test_a_good_test_notices_every_mutant(alert: Alert, catalog: Catalog, tmp_path: Path) -> None:
    """The generated test of an alert with true samples lets no mutant pass."""
    case = Case(Pack(name="queue", title="Queue", alerts=(alert,)), alert, mutants(alert))

    (outcome,) = judge([case], catalog, tmp_path)

    assert ("", ()) == (outcome.broken, outcome.survivors)


def test_a_guard_that_ends_before_the_hold_is_played_too(catalog: Catalog, tmp_path: Path) -> None:
    """Where the window of the other alert is shorter than the hold, the alert still passes its test."""
    brief = replace(GIVES_WAY, where=GIVES_WAY.where.replace("[10m]", "[2m]"))
    case = Case(Pack(name="queue", title="Queue", alerts=(brief,)), brief, mutants(brief))

    (outcome,) = judge([case], catalog, tmp_path)

    assert ("", ["bridge"]) == (outcome.broken, [mutant.sort for mutant in outcome.survivors])


def test_a_poor_test_lets_mutants_pass(catalog: Catalog, tmp_path: Path) -> None:
    """Samples far from the threshold do not show where it is, and the score says so."""
    poor = replace(
        ALERT,
        fires={**ALERT.fires, 'queue_length{queue="q",state="ready"}': "1000"},
        quiet={'queue_length{queue="q",state="ready"}': "1"},
        value=1000,
        tight=False,
    )
    case = Case(Pack(name="queue", title="Queue", alerts=(poor,)), poor, mutants(poor))

    report = scored(judge([case], catalog, tmp_path))

    assert ["100 to 75.0", "100 to 125.0"] == [entry["what"] for entry in report["survivors"]]
    assert (11, 13) == (report["killed"], report["mutants"])


def test_an_alert_that_fails_its_own_test_is_no_kill(catalog: Catalog, tmp_path: Path) -> None:
    """Where the test fails unmutated, nothing counts as killed and promtool's words are kept."""
    wrong = replace(ALERT, value=7)
    case = Case(Pack(name="queue", title="Queue", alerts=(wrong,)), wrong, mutants(wrong))

    report = scored(judge([case], catalog, tmp_path))

    assert 0 == report["killed"]
    assert ["QueueLong"] == [entry["alert"] for entry in report["broken"]]


def test_a_sample_depends_on_the_seed_alone() -> None:
    """The same seed draws the same mutants, another seed others, and never more than asked for."""
    case = Case(Pack(name="queue", title="Queue", alerts=(ALERT,)), ALERT, mutants(ALERT))

    first, again, other = (sampled([case], 5, seed)[0].mutants for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert 5 == len(first)


def test_only_what_is_listed_is_equivalent() -> None:
    """An alert that nobody excused has no equivalent mutants."""
    assert [""] * 13 == [equivalent(ALERT, mutant) for mutant in mutants(ALERT)]
    assert equivalent(ALERT, Mutant("bridge", "last_over_time(up{}[3m]) without its window", ALERT))
