"""The rulebook, its files, and the proof that every rule can see a line."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.kit import Remedy, Scope
from generator.artifacts import header
from generator.errors import Finding, Place
from generator.model import Catalog
from generator.names import ALERT_LABELS
from generator.quantities import write_duration
from loki import server
from loki.kit import INTERVALS
from loki.logql import Matcher, grouping, selectors
from loki.rules import RULES, alert_rule, check_streams, rule_labels, rules
from loki.server import config, retention
from promtail.agent import scrape_config

RUNBOOKS = Path(__file__).parents[2] / "alerts" / "runbooks"
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Remediation"]


def one(catalog: Catalog, name: str = "LogPanic") -> Any:
    """Return a rule of the catalog."""
    return next(rule for rule in rules(catalog) if rule.name == name)


def test_every_rule_of_the_catalog_selects_streams(catalog: Catalog) -> None:
    """Nothing is wrong with the rulebook, the pipeline and a small catalog."""
    assert check_streams(catalog) == []


PLANTED = [
    (
        'sum by (service, tier, kind, owner) (count_over_time({service="postgress"} [5m])) > 0',
        """selects {service="postgress"}, which no pipeline produces""",
    ),
    (
        'sum by (service, tier, kind, owner) (count_over_time({level="eror"} [5m])) > 0',
        """selects {level="eror"}, which no pipeline produces""",
    ),
    (
        'sum by (service, tier, kind, owner) (count_over_time({service="db", tier="app"} [5m])) > 0',
        """selects {service="db", tier="app"}, which no pipeline produces""",
    ),
    (
        'sum by (service, tier, kind, owner) (count_over_time({job="containers"} [5m])) > 0',
        "selects by 'job', which no stream carries",
    ),
    (
        'sum by (service, tier, kind, owner) (count_over_time({level="error"} [5m])) unless on (app) vector(1)',
        "groups by 'app', which no stream carries",
    ),
    ('sum by (service, tier, kind) (count_over_time({level="error"} [5m])) > 0', "loses 'owner'"),
    ("sum by (service, tier, kind, owner) (vector(1)) > 0", "selects no stream"),
]


@pytest.mark.parametrize(("expr", "fact"), PLANTED)
def test_rule_that_can_see_nothing_is_found(catalog: Catalog, expr: str, fact: str) -> None:
    """A rule with a wrong value, a wrong label, a lost label or no selector gives one finding."""
    rule = replace(one(catalog), name="Planted", expr=expr)

    assert [finding.fact for finding in check_streams(catalog, [rule])] == [
        f"rule 'Planted' {fact}"
    ]


def test_unbounded_label_is_found(catalog: Catalog) -> None:
    """A label that takes its values from containers gives a finding with place and cure."""
    job = copy.deepcopy(scrape_config(catalog))
    job["relabel_configs"][0]["regex"] = "demo;(.*)"

    assert check_streams(catalog, job=job) == [
        Finding(
            Place("promtail/config.yml"),
            "log label 'service' has values that nothing bounds",
            "Set it from names of the catalog or drop it with labelallow.",
            "streams",
        )
    ]


def test_selectors_are_found_between_strings() -> None:
    """Braces inside patterns are no selectors, quotes are undone, matchers keep their order."""
    expr = 'count_over_time({a="x\\\\.y", b=~`c{2}`} |~ `{z="no"}` != "{q=\\"no\\"}" [5m]) and on (a, b) rate({c!="d"}[1m])'

    assert selectors(expr) == (
        (Matcher("a", "=", "x\\.y"), Matcher("b", "=~", "c{2}")),
        (Matcher("c", "!=", "d"),),
    )
    assert grouping(expr) == ("a", "b")


def test_malformed_selector_is_an_error() -> None:
    """A selector that never closes is not read as something else."""
    with pytest.raises(ValueError, match="malformed selector"):
        selectors('{a="b"')


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_alert_carries_every_label(catalog: Catalog, rule: Any) -> None:
    """What the rule sets and what its expression keeps are together the nine alert labels."""
    kept = {"service", "tier", "kind", "owner"} if rule.scope is Scope.SERVICE else set()
    labels = rule_labels(rule, catalog)

    assert set(labels) | kept == set(ALERT_LABELS)
    assert not set(labels) & kept
    assert all(labels.values())
    assert rule.remedy is Remedy.NONE


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_has_cases_and_a_group(rule: Any) -> None:
    """A rule about services has lines that fire it and lines that do not, and its group exists."""
    assert rule.quiet
    assert rule.fires or rule.scope is Scope.PLATFORM
    assert rule.group in INTERVALS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_has_a_runbook(rule: Any) -> None:
    """A rule has a page with the agreed headings and something under each."""
    text = (RUNBOOKS / f"{rule.name}.md").read_text(encoding="utf-8")
    sections = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)

    assert text.startswith(f"# {rule.name}\n")
    assert sections[1::2] == HEADINGS
    assert all(len(body.split()) > 5 for body in sections[2::2])


def test_names_are_unique() -> None:
    """No two rules have one name."""
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_optional_services_may_fall_silent(catalog: Catalog) -> None:
    """ServiceSilent leaves out services of a profile, and only those."""
    expr = one(catalog, "ServiceSilent").expr

    assert expr.count('{service=~".+", service!~"tool"}') == 3


def test_disabled_alert_is_left_out(catalog: Catalog) -> None:
    """A rule that the catalog disables is not rendered."""
    platform = replace(catalog.platform, disabled_alerts={"LogDeadlocks": "known"})
    names = {rule.name for rule in rules(replace(catalog, platform=platform))}

    assert names == {rule.name for rule in RULES} - {"LogDeadlocks"}


def test_rule_as_rendered(catalog: Catalog) -> None:
    """A rule's rendered form, whole."""
    assert alert_rule(one(catalog, "LogDeadlocks"), catalog) == {
        "alert": "LogDeadlocks",
        "expr": one(catalog, "LogDeadlocks").expr,
        "labels": {
            "severity": "info",
            "scope": "service",
            "role": "symptom",
            "family": "log-deadlocks",
            "remedy": "none",
        },
        "annotations": {
            "summary": "{{ $labels.service }} broke {{ $value | humanize }} deadlocks in 30 minutes",
            "description": "Transactions wait for each other and the database ends one of them each time. Callers see errors and retry.",
            "runbook_url": "http://runbooks/LogDeadlocks.md",
            "dashboard_url": "http://grafana:3000/d/tierwatch-logs?var-service={{ $labels.service }}",
        },
    }


def test_rendering_is_whole_and_repeatable(catalog: Catalog) -> None:
    """Config and rule files have the expected paths, name their sources and come out the same twice."""
    artifacts = server.render(catalog)

    assert [a.path for a in artifacts] == [
        "loki/config.yml",
        "loki/rules/fake/lines.yml",
        "loki/rules/fake/silence.yml",
    ]
    assert artifacts[0].text.startswith(header("catalog/"))
    assert yaml.safe_load(artifacts[0].text) == config(catalog)
    assert server.render(catalog) == artifacts


def without(catalog: Catalog, kind: str) -> Catalog:
    """Return *catalog* without the services of *kind*."""
    return replace(catalog, services=tuple(s for s in catalog.services if s.kind != kind))


def test_catalog_without_loki_has_no_log_files(catalog: Catalog) -> None:
    """Without a Loki nothing is rendered for it."""
    assert server.render(without(catalog, "loki")) == ()


def test_catalog_without_alertmanager_tells_nobody(catalog: Catalog) -> None:
    """The ruler names an Alertmanager only if the catalog has one."""
    alone = without(catalog, "alertmanager")

    assert config(catalog)["ruler"]["alertmanager_url"] == "http://alertmanager:9093"
    assert "alertmanager_url" not in config(alone)["ruler"]


@pytest.mark.parametrize(
    ("logs", "kept"),
    [
        (timedelta(days=15), "15d"),
        (timedelta(hours=36), "2d"),
        (timedelta(hours=1), "1d"),
    ],
)
def test_retention_is_whole_days(catalog: Catalog, logs: timedelta, kept: str) -> None:
    """Lines are kept for the catalog's time, rounded up to days, and can be queried that long."""
    platform = replace(catalog.platform, retention=replace(catalog.platform.retention, logs=logs))
    changed = replace(catalog, platform=platform)
    limits = config(changed)["limits_config"]

    assert write_duration(retention(changed)) == kept
    assert [limits[k] for k in ("retention_period", "max_query_lookback")] == [kept, kept]
