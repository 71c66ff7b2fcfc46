"""The packs that speak of every service alike: verdict, down, tiers, objectives, absence."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
import yaml

from alerts import absence, requests, service, slo, tier, verdict
from alerts.kit import Record, Remedy, Role, Scope, Severity
from generator import promql
from generator.model import TIER_KEEP, Catalog
from generator.names import CATALOG_INFO, HEALTHY, REQUESTS, SLO_BUDGET, SLO_OBJECTIVE, TIER_WEIGHT
from generator.quantities import read_duration, write_duration
from generator.render import Rendered
from generator.scrape.jobs import jobs

Load = Callable[..., Catalog]
PLATFORM = """platform: toy
health_classes: {slow: {interval: 30s, timeout: 5s, retries: 3, start_period: 300s}}
"""
TOYS = """tier: core
services:
  db: {kind: postgres, slo: 99.9%}
  api: {kind: http-service, depends_on: {db: hard}, health: slow}
  page: {kind: http-service, depends_on: {api: hard, db: soft}}
  extra: {kind: http-service, profiles: [more]}
  job: {kind: cli-job}
"""


@pytest.fixture
def toys(load: Load) -> Catalog:
    """Return a catalog with every way a service can count."""
    return load(platform=PLATFORM, f1_core=TOYS)


def _constants(catalog: Catalog, name: str) -> dict[str, Record]:
    return {r.labels["service"]: r for r in verdict.constants(catalog) if r.name == name}


def test_services_count_always_while_present_or_never(toys: Catalog) -> None:
    """A profile's service counts while its container exists, a one-shot job never."""
    assert {s.name: verdict.counts(s) for s in toys.services if s.tier == "core"} == {
        "db": "always", "api": "always", "page": "always", "extra": "present", "job": "never",
    }  # fmt: skip


def test_constants_say_what_the_catalog_says(toys: Catalog) -> None:
    """Hold, severity and the time a root outlives recovery follow from start periods and dependants."""
    info = _constants(toys, CATALOG_INFO)["db"].labels
    late = toys.by_name["api"].recovery + toys.by_name["page"].recovery

    assert info["hold"] == str(int(toys.by_name["db"].down_hold.total_seconds()))
    assert (info["severity"], info["counts"], info["owner"]) == ("critical", "always", "platform")
    assert int(info["keep"]) >= toys.by_name["api"].recovery.total_seconds()
    assert int(info["keep"]) <= (late + TIER_KEEP).total_seconds()
    assert _constants(toys, CATALOG_INFO)["page"].labels["severity"] == "warning"
    assert _constants(toys, CATALOG_INFO)["api"].labels["hold"] == "360"


def test_weights_count_hard_dependants_alone(toys: Catalog) -> None:
    """A service weighs one more than those that need it, directly or not; one-shot jobs weigh nothing."""
    weights = {name: r.expr for name, r in _constants(toys, TIER_WEIGHT).items()}

    assert {name: weights.get(name) for name in ("db", "api", "page", "extra", "job")} == {
        "db": "vector(3)", "api": "vector(2)", "page": "vector(1)", "extra": "vector(1)", "job": None,
    }  # fmt: skip


def test_budgets_are_exact(toys: Catalog) -> None:
    """99.9 % leaves 0.001, not 0.0010000000000000009; only services with an objective have one."""
    assert [r.expr for r in _constants(toys, SLO_BUDGET).values()] == ["vector(0.001)"]
    assert [r.expr for r in _constants(toys, SLO_OBJECTIVE).values()] == ["vector(0.999)"]


def test_the_verdict_asks_each_kind_its_own_way(toys: Catalog) -> None:
    """One recorded series, from the metric that each kind names as its verdict, and from nothing else."""
    _, healthy = verdict.verdicts(toys)
    asked = {
        selector.metric for selector in promql.selectors(healthy.expr) if ":" not in selector.metric
    }
    named = {k.verdict for k in toys.kinds.values() if not k.observer and toys.of_kind(k.name)}

    assert healthy.name == HEALTHY
    assert named <= asked
    assert asked - named <= {"up"}


def test_down_has_a_variant_per_hold_keep_and_severity(toys: Catalog) -> None:
    """Every service that counts is in exactly one variant of ServiceDown; a variant selects by label."""
    variants = [alert for alert in service.pack(toys).alerts if alert.name == "ServiceDown"]
    wanted = {
        (s.down_hold, toys.down_keep[s.name], verdict.down_severity(s, toys))
        for s in toys.services
        if verdict.counts(s) != verdict.NEVER
        # An observer's fault is ObserverDown's.
        and verdict.down_severity(s, toys) is not Severity.NONE
    }

    assert {(a.hold, a.keep, a.severity) for a in variants} == wanted
    assert len(variants) == len(wanted)
    assert {(a.role, a.remedy, a.scope) for a in variants} == {
        (Role.ROOT, Remedy.RESTART, Scope.SERVICE)
    }
    for alert in variants:
        assert f'hold="{int(alert.hold.total_seconds())}"' in alert.expr
        assert alert.hold >= timedelta(minutes=2)


def test_a_tier_needs_two_sick_services() -> None:
    """One service alone is ServiceDown's business: both tier alerts ask for at least two."""
    for alert in (tier.DEGRADED, tier.DOWN):
        assert ">= 2" in alert.where
        assert (alert.scope, alert.keep) == (Scope.TIER, TIER_KEEP)
    assert (tier.DEGRADED.severity, tier.DOWN.severity) == (Severity.WARNING, Severity.CRITICAL)


def test_burn_rates_follow_from_the_window() -> None:
    """For 14 days the Workbook's shares give these rates; over 30 days they are the known 14.4, 6, 3, 1."""
    two_weeks = slo.burns(timedelta(days=14))
    month = slo.burns(timedelta(days=30))

    assert [(str(b.rate), write_duration(b.long), write_duration(b.short)) for b in month] == [
        ("14.4", "1h", "5m"), ("6", "6h", "30m"), ("3", "1d", "2h"), ("1", "3d", "6h"),
    ]  # fmt: skip
    assert [str(burn.rate) for burn in two_weeks] == ["6.72", "2.8", "1.4", "1"]


@pytest.mark.parametrize("days", [1, 2, 5, 7, 14, 28, 30, 90])
def test_burns_hold_for_every_window(days: int) -> None:
    """No rate is below 1, none looks further back than half the window, urgent ones come first."""
    burns = slo.burns(timedelta(days=days))

    assert all(burn.rate >= 1 and burn.long * 2 <= timedelta(days=days) for burn in burns)
    assert [b.rate for b in burns] == sorted((b.rate for b in burns), reverse=True)
    assert all(burn.short * 12 <= burn.long for burn in burns)
    assert slo.windows(timedelta(days=days))[-1] == timedelta(days=days)


def test_alerts_on_budgets_want_traffic_or_a_verdict(platform: Rendered) -> None:
    """The error ratio is the worse of counters above the least traffic and of the verdict."""
    (pack,) = (pack for pack in platform.packs if pack.name == "slo")
    ratio = next(record for record in pack.records if record.name.startswith("service:sli_error"))

    assert f">= {slo.MIN_RATE}" in ratio.expr
    assert ratio.expr.startswith("(max by (service) (")
    assert "or label_replace(1 - avg by (service) (avg_over_time(service:healthy:bool" in ratio.expr
    assert Decimal("0.05") == slo.MIN_RATE


def test_error_ratios_know_how_often_verdicts_are_recorded(platform: Rendered) -> None:
    """A whole window holds as many verdicts as their rule group writes in that time."""
    (group,) = (
        group
        for path, text in platform.files.items()
        if path.startswith("prometheus/rules/")
        for group in yaml.safe_load(text)["groups"]
        if any(rule.get("record") == HEALTHY for rule in group["rules"])
    )
    (pack,) = (pack for pack in platform.packs if pack.name == "slo")
    day = next(record for record in pack.records if record.name.endswith("ratio_rate1d"))

    assert f"/ {timedelta(days=1) // read_duration(group['interval'])}, 1)" in day.expr


def test_without_an_objective_there_are_requests_but_no_budgets(load: Load) -> None:
    """A catalog without any slo has no burn alerts; its requests are counted all the same."""
    catalog = load(f1_core="tier: core\nservices:\n  api: {kind: fastapi}\n")
    pack = slo.pack(catalog)

    assert pack.alerts == ()
    assert {record.name for record in pack.records} == {REQUESTS, "service:request_errors:rate5m"}


def test_every_counter_of_requests_is_declared(every_kind: Rendered) -> None:
    """The counters that objectives are made of exist in their kinds, with the status label."""
    for kind, sources in requests.SOURCES.items():
        declared = {
            name: metric
            for metric in every_kind.catalog.kinds[kind].declares.values()
            for name in metric.series_names
        }
        for source in sources:
            labels = set(re.findall(r"(\w+)[!=]~", f"{source.failed} {source.without}"))
            assert labels <= set(declared[source.metric].labels), (kind, source.metric)


def test_absence_names_every_default_job_literally(platform: Rendered) -> None:
    """One `absent(up{job="..."})` per job that has a target by default, none for a profile's."""
    (alert,) = (a for a in absence.pack(platform.catalog).alerts if a.name == "JobAbsent")
    optional = {s.name for s in platform.catalog.services if s.optional}
    default = [
        job.name
        for job in jobs(platform.catalog)
        if any(target.service not in optional for target in job.targets)
    ]

    assert alert.expr.split("\nor ") == [f'absent(up{{job="{name}"}})' for name in default]
    assert default != []


def test_only_traffic_is_compared_with_an_hour_ago(platform: Rendered) -> None:
    """
    Of all alerts only those on traffic compare with the past: other series come and go with deployments.

    Whether a series or its target was there at all (alerts.births) is another question.
    """
    presence = re.compile(r"\S+ unless \S+ offset \w+|\bup offset \w+ == 1")
    looking_back = {
        alert.name
        for alert in platform.alerts
        if " offset " in presence.sub("", f"{alert.expr} {alert.where}")
    }

    assert "TrafficStopped" in looking_back
    assert looking_back <= {"TrafficStopped", "WebRequestRateDropped"}
