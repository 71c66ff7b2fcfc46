"""
On a healthy platform the rendered stack is alive and silent, in real Prometheus of both majors.

Alive: every target answers, every rule evaluates, everything a rule or a panel asks for is there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from alerts.verdict import NEVER, counts
from dashboards.available import filled_in
from generator import promql
from generator.catalog import load_catalog
from generator.names import SUBJECT_LABELS, WATCHDOG
from generator.proofs.expressions import of_rules
from generator.render import Rendered, render
from generator.scrape.jobs import subject_labels
from tests.live import timelapse
from tests.live.pages import NOISE
from tests.live.servers import until
from tests.live.timelapse import ABSENT, Stack, running_stack

pytestmark = pytest.mark.live

# What asks only for what is wrong: without its comparisons it must find something.
_COMPARISON = re.compile(r"\s(==|>=|<=|>|<)\s-?[0-9.]+")
# Selected by alerts, and not there on this platform while it is well.
_NATURE = {
    "probe_ssl_earliest_cert_expiry": "no service of the platform speaks TLS",
    "agent_tls_expiry_timestamp_seconds": "no service of the platform speaks TLS",
    "hw_gpu_xid_last_timestamp_seconds": "a healthy GPU has had no error",
    "redis_master_link_up": "Redis is no replica",
    "remediation_mode_info": "no tier is only observed",
}


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    """Return what is rendered for the shipped catalog."""
    return render(load_catalog(Path("catalog")))


@pytest.fixture(scope="module", params=timelapse.VERSIONS, ids=lambda pair: pair[0])
def live(
    request: pytest.FixtureRequest, rendered: Rendered, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Run the stack on a healthy platform; yield once every rule has been evaluated."""
    with running_stack(rendered, tmp_path_factory.mktemp("stack"), *request.param) as stack:
        stack.settle()
        yield stack


def test_every_target_is_up_within_its_limits(live: Stack) -> None:
    """Each target of each job answers at its port and path, and no limit cuts anything off."""
    expected = {(job.name, target.service) for job in live.rendered.jobs for target in job.targets}
    targets = live.prometheus.get("/api/v1/targets")["data"]["activeTargets"]
    own = live.prometheus.server.get("/metrics")
    refused = re.findall(r"(?m)^(prometheus_target_\S*exceeded\S*_total) [^0]", own)

    assert [] == [one for one in targets if one["health"] != "up"]
    assert expected == {(one["scrapePool"], one["labels"]["service"]) for one in targets}
    assert [] == refused


def test_every_rule_evaluates(live: Stack) -> None:
    """All rules that were rendered are loaded and healthy, without an error or a warning."""
    rendered = [
        rule.get("alert") or rule["record"]
        for path, text in live.rendered.files.items()
        if path.startswith("prometheus/rules/")
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    ]
    rules = live.rules()

    assert sorted(rendered) == sorted(rule["name"] for rule in rules)
    assert [] == [rule for rule in rules if rule["health"] != "ok" or rule.get("lastError")]


def test_every_service_that_counts_is_healthy(live: Stack) -> None:
    """The verdict is 1 for every service but one-shot jobs and absent profiles; so is each tier's."""
    catalog = live.rendered.catalog
    counting = {
        service.name: 1.0
        for service in catalog.services
        if counts(service) != NEVER and service.name not in ABSENT
    }

    assert counting == live.prometheus.values("service:healthy:bool", "service")
    assert {tier.name: 1.0 for tier in catalog.tiers} == live.prometheus.values(
        "tier:healthy:ratio", "tier"
    )


def test_containers_become_services(live: Stack) -> None:
    """Container series carry each service's labels; strangers, roll-ups and raw labels are gone."""
    expected = {
        tuple(sorted(subject_labels(service).items()))
        for service in live.rendered.catalog.services
        if service.name not in ABSENT
    }
    seen = live.prometheus.query("group by (service, tier, kind, profile) (container_last_seen)")
    names = live.prometheus.values("group by (name) (container_last_seen)", "name")
    raw = 'container_last_seen{id!=""} or container_last_seen{image!=""}'

    assert expected == {tuple(sorted(one["metric"].items())) for one in seen}
    assert {
        service.container
        for service in live.rendered.catalog.services
        if service.name not in ABSENT
    } == set(names)
    assert [] == live.prometheus.query(raw)


def test_every_scraped_series_names_its_subject(live: Stack) -> None:
    """Service, tier, kind and profile of each scraped series are those of one service of the catalog."""
    catalog = live.rendered.catalog
    subjects = [subject_labels(service) for service in catalog.services]
    # What the remediator counts by tier has no service but itself.
    healers = [subject_labels(service) for service in catalog.of_kind("remediator")]
    subjects += [{**healer, "tier": tier.name} for healer in healers for tier in catalog.tiers]
    scraped = '{job!="",__name__!~"ALERTS.*"}'
    found = live.prometheus.query(f"group by ({', '.join(SUBJECT_LABELS)}) ({scraped})")

    assert [] == [one["metric"] for one in found if one["metric"] not in subjects]
    assert {} == live.prometheus.values(f'{{__name__=~"{"|".join(NOISE)}"}}', "job")


def test_nothing_fires_but_the_watchdog(live: Stack) -> None:
    """In ten minutes of the platform only the Watchdog fires, all the time, and nothing is pending."""
    start = time.time()

    def fired() -> dict[str, float]:
        window = f"[{time.time() - start:.0f}s]"
        counted = f'count_over_time(ALERTS{{alertstate="firing"}}{window})'
        return live.prometheus.values(f"sum by (alertname) ({counted})", "alertname")

    until(
        lambda: time.time() > start + 1 and fired().get(WATCHDOG, 0) >= 20,
        "the Watchdog fires in twenty evaluations",
        seconds=120,
    )
    assert [WATCHDOG] == list(fired())
    until(lambda: not live.alerts("pending"), "nothing is pending")


def test_every_selector_of_every_rule_finds_something(live: Stack) -> None:
    """What an alert or a recording rule selects exists, labels and all: no rule is dead."""
    selectors = {
        selector for one in of_rules(live.rendered) for selector in promql.selectors(one.promql)
    }
    empty = {
        selector.metric for selector in selectors if not live.prometheus.query(_written(selector))
    }

    assert set(_NATURE) == empty - {"ALERTS"}


def _written(selector: promql.Selector) -> str:
    matchers = ",".join(f"{one.label}{one.op}{_quoted(one.value)}" for one in selector.matchers)
    return f"{selector.metric}{{{matchers}}}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_every_selector_of_every_panel_finds_something(live: Stack) -> None:
    """What a panel or a mark selects exists, so that `or vector(0)` hides no dead query."""
    found: dict[promql.Selector, bool] = {}
    dark = []
    for where, expr in _panels(live.rendered):
        for selector in promql.selectors(expr):
            if selector not in found:
                found[selector] = bool(live.prometheus.query(_written(selector)))
            if not found[selector] and selector.metric != "ALERTS":
                dark.append(f"{where}: {_written(selector)}")

    assert [] == dark


def test_every_panel_has_data(live: Stack) -> None:
    """Each query of each board gives a result, or would if something were wrong."""
    dark = [
        f"{where}: {expr}" for where, expr in _panels(live.rendered) if not _has_data(live, expr)
    ]

    assert [] == dark


def _panels(rendered: Rendered) -> Iterator[tuple[str, str]]:
    for board in rendered.boards:
        for query in board.queries():
            if query.datasource == "prometheus":
                yield f"{board.id}: {query.title}", filled_in(query.expr)


def _has_data(live: Stack, expr: str) -> bool:
    if "ALERTS{" in expr or live.prometheus.query(expr):
        return True
    unfiltered = _COMPARISON.sub("", expr)
    return unfiltered != expr and bool(live.prometheus.query(unfiltered))
