"""Each proof finds what is planted, says it exactly, and says nothing else."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import loki.rules
from alerts.kit import Alert, Record, Scope
from generator import contracts
from generator.errors import Finding, Place
from generator.model import Catalog
from generator.proofs import PROOFS, boards, prove
from generator.render import Rendered, render
from tests.core.planted import (
    alert,
    asking,
    leading,
    new_findings,
    with_alert,
    with_panel,
    with_record,
)

ALERT = Place("alerts/planted.py")
PANEL = Place("grafana/dashboards/tierwatch-stack")
LOST = "Keep it in the expression (`by (...)`), or give the alert another scope."
MATCH = "Match a job, kind or service that is scraped."
LABEL = "Use a label that the metric declares or that scraping sets."
DECLARE = "Declare it in the kind that exposes it."
TYPE = "Use a function for that type, or correct the declaration."


def test_every_proof_of_the_design_is_there() -> None:
    """`prove` runs proofs 1 to 9 of the design and two more of ours, each once."""
    assert [proof.number for proof in PROOFS] == list(range(1, 12))
    assert len({proof.check for proof in PROOFS}) == len(PROOFS)


def test_the_sound_plant_is_not_found(shop: Rendered) -> None:
    """The alert that faults are planted into has no fault of its own, nor have panel and record."""
    record = Record(name="planted:up:sum", expr="sum by (service) (up)")

    assert new_findings(shop, with_alert(shop, alert())) == []
    assert new_findings(shop, with_record(shop, record)) == []
    assert new_findings(shop, with_panel(shop, asking("sum by (service) (up{})"))) == []


# --- 1: jobs and labels

LABELS: dict[str, tuple[Alert, list[tuple[str, str]]]] = {
    "a job that no scrape has": (
        alert('max by (service) (up{job="postgress"})'),
        [('no target exposes up{job="postgress"}', MATCH)],
    ),
    "a job under which the metric is not": (
        alert('max by (service) (pg_up{job="prometheus"})'),
        [('no target exposes pg_up{job="prometheus"}', MATCH)],
    ),
    "a kind that nobody is of": (
        alert('max by (service) (up{kind=~"mysql|mariadb"})'),
        [('no target exposes up{kind=~"mysql|mariadb"}', MATCH)],
    ),
    "a service that is not in the catalog": (
        alert('max by (service) (pg_up{service="database"})'),
        [('no target exposes pg_up{service="database"}', MATCH)],
    ),
    "a tier that is misspelt": (
        alert('max by (service) (up{tier!~"shop|monitoring"})'),
        [('no target exposes up{tier!~"shop|monitoring"}', MATCH)],
    ),
    "one dead side of an `and`": (
        alert('max by (service) (pg_up) and on (service) up{job="gone"}'),
        [('no target exposes up{job="gone"}', MATCH)],
    ),
    "a label that the metric has not": (
        alert('max by (service) (pg_stat_database_numbackends{database="x"})'),
        [("label 'database' in a matcher of pg_stat_database_numbackends is on no such series", LABEL)],
    ),
    "a label that nothing brings to `by`": (
        alert("max by (service, zone) (pg_up)"),
        [("label 'zone' in by (...) of max is on no such series", LABEL)],
    ),
    "a label that nothing brings to `on`": (
        alert("max by (service) (pg_up) and on (zone) max by (service) (up)"),
        [("label 'zone' in on (...) is on no such series", LABEL)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("planted", "facts"), LABELS.values(), ids=LABELS)
def test_proof_1_finds_a_dead_selector(
    shop: Rendered, planted: Alert, facts: list[tuple[str, str]]
) -> None:
    """A job, label or label value that no scraped series has is one finding with its cure."""
    assert new_findings(shop, with_alert(shop, planted)) == [
        Finding(ALERT, f"alert 'ProbeSlow': {fact}", cure, "labels") for fact, cure in facts
    ]


def test_proof_1_looks_at_records_and_panels_too(shop: Rendered) -> None:
    """A dead recording rule and a dead panel are found at their places."""
    dead = 'sum by (service) (up{job="gone"})'
    record = Record(name="planted:up:sum", expr=dead)
    fact = 'no target exposes up{job="gone"}'

    assert new_findings(shop, with_record(shop, record)) == [
        Finding(ALERT, f"rule 'planted:up:sum': {fact}", MATCH, "labels")
    ]
    assert new_findings(shop, with_panel(shop, asking(dead))) == [
        Finding(PANEL, f"panel 'Planted': {fact}", MATCH, "labels")
    ]


# --- 2: metrics and types

METRICS: dict[str, tuple[Alert, str, str]] = {
    "a misspelt metric": (
        alert("max by (service) (pg_upp)"),
        "nothing that is scraped declares the metric 'pg_upp'",
        f"{DECLARE} Did you mean 'pg_up'?",
    ),
    "a metric of software that is not there": (
        alert("max by (service) (rabbitmq_queue_messages_ready)"),
        "nothing that is scraped declares the metric 'rabbitmq_queue_messages_ready'",
        DECLARE,
    ),
    "rate of a gauge": (
        alert("sum by (service) (rate(pg_stat_database_numbackends[5m]))"),
        "rate() wants a counter, 'pg_stat_database_numbackends' is a gauge",
        TYPE,
    ),
    "increase of a gauge": (
        alert("sum by (service) (increase(pg_up[5m]))"),
        "increase() wants a counter, 'pg_up' is a gauge",
        TYPE,
    ),
    "delta of a counter": (
        alert("sum by (service) (delta(pg_stat_database_xact_commit[5m]))"),
        "delta() wants a gauge, 'pg_stat_database_xact_commit' is a counter",
        TYPE,
    ),
    "deriv of a histogram's count": (
        alert("sum by (service) (deriv(prometheus_http_request_duration_seconds_count[5m]))"),
        "deriv() wants a gauge, 'prometheus_http_request_duration_seconds_count' is a counter",
        TYPE,
    ),
}


@pytest.mark.parametrize(("planted", "fact", "cure"), METRICS.values(), ids=METRICS)
def test_proof_2_finds_undeclared_and_misused_metrics(
    shop: Rendered, planted: Alert, fact: str, cure: str
) -> None:
    """A metric nobody declares, or a function its type does not allow, is one finding."""
    assert new_findings(shop, with_alert(shop, planted)) == [
        Finding(ALERT, f"alert 'ProbeSlow': {fact}", cure, "metrics")
    ]


def test_proof_2_accepts_alternatives(shop: Rendered) -> None:
    """A metric that nobody has is no fault beside one that somebody has."""
    assert new_findings(shop, with_alert(shop, alert("max by (service) (pg_up or redis_up)"))) == []


# --- 3: labels in annotations


def test_proof_3_finds_a_label_that_the_expression_drops(shop: Rendered) -> None:
    """Summary and description may only show what the alert still has; each is named."""
    planted = alert(
        "max by (service) (pg_stat_database_numbackends)",
        summary="{{ $labels.datname }} of {{ $labels.service }}",
        description="In {{ $labels.datname }} at {{ $labels.instance }}.",
    )

    assert new_findings(shop, with_alert(shop, planted)) == sorted(
        Finding(
            ALERT,
            f"alert 'ProbeSlow': {part} shows $labels.{label}, which the expression drops",
            f"Keep {label!r} in the expression, or do not show it.",
            "annotations",
        )
        for part, label in (
            ("summary", "datname"),
            ("description", "datname"),
            ("description", "instance"),
        )
    )


def test_proof_3_finds_an_alert_without_its_subject(shop: Rendered) -> None:
    """A tier alert that aggregates its tier away would reach nobody: the label is named."""
    planted = alert("max(pg_up)", scope=Scope.TIER, summary="x")

    assert Finding(
        ALERT,
        "alert 'ProbeSlow': nothing sets the label 'tier' that every alert carries",
        LOST,
        "annotations",
    ) in new_findings(shop, with_alert(shop, planted))


def test_a_service_alert_that_loses_its_service_is_found(shop: Rendered) -> None:
    """The join that adds tier and owner wants the label `service` on its left."""
    found = new_findings(shop, with_alert(shop, alert("max(pg_up)", summary="x")))

    assert Finding(
        ALERT, "alert 'ProbeSlow': label 'service' in on (...) is on no such series", LABEL, "labels"
    ) in found  # fmt: skip


# --- 4, 5, 7, 8: proofs of other rooms are wired in


def test_proof_4_is_wired(shop: Rendered) -> None:
    """A receiver that no route leads to is found by `prove`."""
    config: dict[str, Any] = deepcopy(dict(shop.alertmanager))
    config["receivers"].append({"name": "nobody-at-all"})

    assert new_findings(shop, replace(shop, alertmanager=config)) == [
        Finding(
            Place("alertmanager/alertmanager.yml"),
            "receiver 'nobody-at-all' is reached by no alert",
            "Remove it, or route an alert to it.",
            "routing",
        )
    ]


def test_proof_5_is_wired(shop: Rendered) -> None:
    """An inhibit rule whose source nobody emits is found by `prove`."""
    config: dict[str, Any] = deepcopy(dict(shop.alertmanager))
    dead = {"source_matchers": ['alertname="PostgresDown"'], "target_matchers": ['role="symptom"']}
    config["inhibit_rules"].append(dead)

    assert new_findings(shop, replace(shop, alertmanager=config)) == [
        Finding(
            Place("alertmanager/alertmanager.yml"),
            f"inhibit rule {len(config['inhibit_rules'])} has no source: no alert emits such labels",
            "Remove it, or mend its matchers.",
            "inhibition",
        )
    ]


def test_proof_7_is_wired(platform: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log rule that selects a stream nobody produces is found by `prove`."""
    sound = loki.rules.rules(platform.catalog)
    dead = replace(sound[0], expr=sound[0].expr.replace("{", '{service="gone", ', 1))
    monkeypatch.setattr(loki.rules, "rules", lambda _: (dead, *sound[1:]))

    found = [finding for finding in prove(platform) if finding.check == "streams"]
    fact = f"rule {dead.name!r} selects {_selector(dead.expr)}, which no pipeline produces"
    assert [(finding.fact, finding.cure) for finding in found] == [
        (fact, "Compare with the catalog.")
    ]


def _selector(expr: str) -> str:
    return expr[expr.index("{") : expr.index("}") + 1]


def test_proof_8_is_wired(platform: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remediation target that Compose calls otherwise is found by `prove`."""
    contents = deepcopy(contracts.contents(platform.catalog))
    target = contents["remediation/config.yml"]["services"][0]
    target["container"] = "another-name"
    monkeypatch.setattr(contracts, "contents", lambda _: contents)
    made = platform.catalog.by_name[target["name"]].container

    assert [finding for finding in prove(platform) if finding.check == "contracts"] == [
        Finding(
            Place("remediation/config.yml"),
            f"target {target['name']!r} is container 'another-name' of tier {target['tier']!r},"
            f" Compose makes {made!r} of tier {target['tier']!r}",
            "Take both from the catalog.",
            "contracts",
        )
    ]


# --- 6: boards, links, runbooks


def test_proof_6_finds_a_panel_that_is_no_promql(shop: Rendered) -> None:
    """A query that does not parse is found with its board, its panel and the parser's word."""
    found = [
        finding
        for finding in boards.check(with_panel(shop, asking("sum by (service (up{})")))
        if finding.fact.startswith("panel")
    ]

    assert [(finding.place, finding.cure) for finding in found] == [
        (PANEL, "Correct the expression.")
    ]
    assert found[0].fact.startswith("panel 'Planted': not PromQL: ")
    assert found[0].fact.endswith("'sum by (service (up{})'")


PANELS: dict[str, tuple[Any, str, str]] = {
    "a link to a board that is not rendered": (
        leading("More", "/d/tierwatch-gone?var-service=x"),
        "link 'More' leads to the board 'tierwatch-gone', which is not rendered",
        "Link to a board that is.",
    ),
    "a link to a stranger": (
        leading("More", "https://example.org/wiki"),
        "link 'More' leads to 'https://example.org/wiki', which is none of the catalog's links",
        "Use platform.links.",
    ),
    "a data source that is not provisioned": (
        asking('{service="x"}', datasource="loki"),
        "panels ask the data source 'loki', which is not provisioned",
        "Ask one that is, or add the service that it needs.",
    ),
}


@pytest.mark.parametrize(("change", "fact", "cure"), PANELS.values(), ids=PANELS)
def test_proof_6_finds_dead_ends_of_boards(
    shop: Rendered, change: Callable[..., Any], fact: str, cure: str
) -> None:
    """Links and data sources of a panel must lead somewhere."""
    assert new_findings(shop, with_panel(shop, change)) == [Finding(PANEL, fact, cure, "boards")]


def test_proof_6_finds_an_alert_whose_board_is_not_rendered(shop: Rendered) -> None:
    """An alert may only send people to a board that exists."""
    assert new_findings(shop, with_alert(shop, alert(board="kind-mysql"))) == [
        Finding(
            ALERT,
            "alert 'ProbeSlow': its board 'tierwatch-kind-mysql' is not rendered",
            "Name a board that is.",
            "boards",
        )
    ]


def test_proof_6_finds_an_alert_without_runbook(shop: Rendered) -> None:
    """An alert whose page nobody wrote is found at the place where the page belongs."""
    assert new_findings(shop, with_alert(shop, alert(name="NobodyWroteThis"))) == [
        Finding(
            Place("alerts/runbooks/NobodyWroteThis.md"),
            "alert 'NobodyWroteThis' has no runbook",
            "Write what it means, what is hurt, what to look at, what to do.",
            "boards",
        )
    ]


# --- 9: objectives and retention


def test_proof_9_finds_an_objective_that_cannot_be_missed(load: Callable[..., Catalog]) -> None:
    """A burn rate times a budget above 1 can never be reached: the service and its line are named."""
    catalog = load(
        f1_shop="tier: shop\nservices:\n  db: {kind: postgres, slo: 80%}\n  web: {kind: http-service, slo: 95%}\n"
    )

    assert [finding for finding in prove(render(catalog)) if finding.check == "objectives"] == [
        Finding(
            Place("catalog/1-shop.yml", 3, 3),
            "service 'db': SLOBudgetBurnsVeryFast can never fire: 6.72 times a budget of 20% is "
            "more than everything failing",
            "Raise the slo above 85.12%, or drop it.",
            "objectives",
        )
    ]


def test_proof_9_finds_a_window_beyond_the_retention(shop: Rendered) -> None:
    """An expression that looks further back than samples are kept is found."""
    planted = alert("min by (service) (min_over_time(pg_up[30d]))")

    assert new_findings(shop, with_alert(shop, planted)) == [
        Finding(
            Place("catalog/platform.yml"),
            "alert 'ProbeSlow' looks back 30d, retention.metrics keeps 15d",
            "Keep metrics longer, or shorten slo_window.",
            "objectives",
        )
    ]


def test_proof_9_finds_a_retention_size_that_is_too_small(shop: Rendered) -> None:
    """Samples estimated beyond the retention size are found, with how long it would hold."""
    kept = replace(shop.catalog.platform.retention, metrics_size=100_000_000)
    platform = replace(shop.catalog.platform, retention=kept)
    found = new_findings(shop, render(replace(shop.catalog, platform=platform)))
    days = 15 * 100_000_000 / shop.estimate.bytes

    assert found == [
        Finding(
            shop.catalog.platform.place,
            f"{shop.estimate.samples_per_second:.0f} samples per second for 15 days need about "
            f"{shop.estimate.bytes / 1e9:.1f} GB, but retention.metrics_size is 0.1 GB: "
            f"it holds {days:.1f} days",
            "Raise retention.metrics_size, shorten retention.metrics, or scrape less often.",
            "retention-size",
        )
    ]


# --- 10: nobody watches


def _without(catalog: Catalog, *kinds: str) -> Catalog:
    """Return *catalog* without the services of *kinds*, which loading would have added."""
    left = tuple(service for service in catalog.services if service.kind not in kinds)
    names = {service.name for service in left}
    return Catalog(
        catalog.platform,
        catalog.tiers,
        tuple(
            replace(
                service,
                observes=tuple(name for name in service.observes if name in names),
                depends_on=tuple(d for d in service.depends_on if d.service in names),
            )
            for service in left
        ),
        {name: kind for name, kind in catalog.kinds.items() if name not in kinds},
    )


@pytest.mark.parametrize(
    ("gone", "blind", "verdict", "cure"),
    [
        ("postgres-exporter", "db", "pg_up", "Add a service of kind 'postgres-exporter' that observes it."),
        ("ollama-exporter", "llm", "ollama_up", "Add a service of kind 'ollama-exporter' that observes it."),
        ("blackbox-exporter", "web", "probe_success", "Add a service of kind 'blackbox-exporter'."),
    ],
)  # fmt: skip
def test_proof_10_finds_a_service_that_nobody_watches(
    shop: Rendered, gone: str, blind: str, verdict: str, cure: str
) -> None:
    """Without its observer a service has no verdict: it is named at its line, with what to add."""
    service = shop.catalog.by_name[blind]

    found = [f for f in prove(render(_without(shop.catalog, gone))) if f.check == "watch"]
    assert found == [
        Finding(
            service.place,
            f"service {blind!r} is watched by nobody: its kind {service.kind!r} is judged by "
            f"{verdict!r} and no target exposes that for it",
            cure,
            "watch",
        )
    ]


def _watched_by_one(catalog: Catalog, exporter: str) -> Catalog:
    """Return *catalog* with all databases behind *exporter*, as loading would refuse it."""
    subjects = tuple(service.name for service in catalog.of_kind("postgres"))
    moved = tuple(
        replace(service, observes=subjects if service.name == exporter else ())
        if service.kind == "postgres-exporter"
        else service
        for service in catalog.services
    )
    return Catalog(catalog.platform, catalog.tiers, moved, catalog.kinds)


def test_proof_10_finds_two_services_on_one_page(load: Callable[..., Catalog]) -> None:
    """Two databases told from one page are found; with an exporter each, or a page each, they are not."""
    catalog = load(
        f1_core="tier: core\nservices:\n  db: {kind: postgres}\n  db2: {kind: postgres}\n"
        "  cache: {kind: redis}\n  cache2: {kind: redis}\n  llm: {kind: ollama}\n  llm2: {kind: ollama}\n"
    )
    planted = _watched_by_one(catalog, "db-exporter")

    assert [f for f in prove(render(catalog)) if f.check == "watch"] == []
    assert [f for f in prove(render(planted)) if f.check == "watch"] == [
        Finding(
            Place("catalog/1-core.yml", 4, 3),
            "service 'db2' is told from the same page of 'db-exporter:9187' as 'db': "
            "it could be dead unseen",
            "Give each an exporter of its own.",
            "watch",
        )
    ]


# --- 11: alerts that are switched off


def test_proof_11_finds_a_switch_for_an_alert_that_is_not_there(shop: Rendered) -> None:
    """Switching off an alert that does not exist is found, with the name that was meant."""
    platform = replace(shop.catalog.platform, disabled_alerts={"ServiceDwon": "noisy"})
    found = new_findings(shop, render(replace(shop.catalog, platform=platform)))

    assert found == [
        Finding(
            shop.catalog.platform.place,
            "alerts.disabled names 'ServiceDwon', which is no alert",
            "Did you mean 'ServiceDown'?",
            "wishes",
        )
    ]


def test_wishes_are_found_at_their_lines(load: Callable[..., Catalog]) -> None:
    """Each wrong wish about an alert is named where it stands in platform.yml."""
    platform = (
        "platform: toy\nalerts:\n  disabled:\n    ServiceDwon: noisy\n"
        "  thresholds:\n    Watchdog: 2\n    HostMemoryLow: 90\n"
    )
    rendered = render(
        load(platform=platform, f1_core="tier: core\nservices: {n: {kind: node-exporter}}\n")
    )
    found = [(f.place, f.fact.split(",")[0]) for f in prove(rendered) if f.check == "wishes"]

    assert found == [
        (Place("catalog/platform.yml", 4, 5), "alerts.disabled names 'ServiceDwon'"),
        (Place("catalog/platform.yml", 6, 5), "alerts.thresholds names 'Watchdog'"),
        (Place("catalog/platform.yml", 7, 5), "alerts.thresholds sets 'HostMemoryLow' to 90"),
    ]


def test_findings_come_once_and_in_order(shop: Rendered) -> None:
    """`prove` sorts by place, and a fault that two alerts share is said once each."""
    faults = (alert('up{job="b"}', name="ProbeSlow"), alert('up{job="a"}', name="ProbeSlow"))
    planted = with_alert(with_alert(shop, faults[0]), faults[1])
    found = prove(planted)

    assert found == sorted(set(found))
    assert [f.fact for f in found if f.check == "labels"] == [
        "alert 'ProbeSlow': no target exposes up{job=\"a\"}",
        "alert 'ProbeSlow': no target exposes up{job=\"b\"}",
    ]


def test_a_hold_is_no_window(shop: Rendered) -> None:
    """A long hold alone asks for no retention: only what an expression reads does."""
    assert new_findings(shop, with_alert(shop, alert(hold=timedelta(days=30)))) == []
