"""What is scraped: one job per kind, labels that name the subject, limits, and the cost of it all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest

from generator import compose
from generator.model import Catalog
from generator.names import BLACKBOX_JOB, EXPORTER_LABEL, SUBJECT_LABELS
from generator.render import Rendered
from generator.scrape import modules, prometheus
from generator.scrape.containers import relabel
from generator.scrape.estimate import estimate
from generator.scrape.jobs import jobs
from generator.software import Probe

Load = Callable[..., Catalog]
PROBE = Probe(name="http", type="http", port=80)


@pytest.fixture(scope="module")
def config(platform: Rendered) -> dict[str, Any]:
    """Return prometheus.yml of the platform."""
    return prometheus.config(platform.catalog)


def _job(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(job for job in config["scrape_configs"] if job["job_name"] == name)


def test_there_is_one_job_per_scraped_kind(platform: Rendered, config: dict[str, Any]) -> None:
    """Jobs are called like kinds, each once; the prober's multi-target job has a name of its own."""
    names = [job["job_name"] for job in config["scrape_configs"]]

    assert len(names) == len(set(names))
    assert set(names) - {BLACKBOX_JOB} <= set(platform.catalog.kinds)
    assert {job.name for job in platform.jobs} == set(names)


def test_every_series_names_its_subject(platform: Rendered) -> None:
    """Every target carries the four subject labels, and they are those of its service."""
    for job in platform.jobs:
        for target in job.targets:
            service = platform.catalog.by_name[target.service]
            labels = {name: target.labels[name] for name in SUBJECT_LABELS}
            assert labels == {
                "service": service.name, "tier": service.tier, "kind": service.kind,
                "profile": service.profile,
            }, (job.name, target.address)  # fmt: skip


def test_only_observers_targets_carry_the_label_exporter(platform: Rendered) -> None:
    """`exporter` names an observer of the catalog; a service that answers itself has no such label."""
    for job in platform.jobs:
        for target in job.targets:
            exporter = target.labels.get(EXPORTER_LABEL)
            host = target.address.partition("//")[2] or target.address
            if exporter is None:
                assert host.partition(":")[0] == target.service
            else:
                kind = platform.catalog.kinds[platform.catalog.by_name[exporter].kind]
                assert kind.observer, (job.name, exporter)


def test_probes_go_through_the_prober(platform: Rendered, config: dict[str, Any]) -> None:
    """The prober's job asks the prober, and its targets become parameters and instances."""
    job = _job(config, BLACKBOX_JOB)
    sources = [rule.get("source_labels") for rule in job["relabel_configs"]]

    assert job["metrics_path"] == "/probe"
    assert sources == [["__address__"], ["__param_target"], None]
    assert job["relabel_configs"][-1] == {
        "target_label": "__address__", "replacement": "blackbox-exporter:9115",
    }  # fmt: skip
    rendered = modules.render(platform.catalog)[0].text
    for entry in job["static_configs"]:
        assert f"\n  {entry['labels']['__param_module']}:\n" in rendered


def test_every_job_has_limits_above_its_estimate(
    platform: Rendered, config: dict[str, Any]
) -> None:
    """No target is expected to come near the limit that would cut it off."""
    for job in platform.jobs:
        entry = _job(config, job.name)
        assert entry["sample_limit"] >= 4 * max(target.series for target in job.targets)
        assert entry["label_limit"] == 40


def test_a_scrape_ends_before_the_next_is_due(config: dict[str, Any]) -> None:
    """Timeouts are shorter than intervals, for jobs and for targets with times of their own."""

    def seconds(text: str) -> float:
        return float(text.removesuffix("s")) * 1 if text.endswith("s") else float(text[:-1]) * 60

    for job in config["scrape_configs"]:
        interval = seconds(job.get("scrape_interval", config["global"]["scrape_interval"]))
        timeout = seconds(job.get("scrape_timeout", config["global"]["scrape_timeout"]))
        assert timeout <= interval, job["job_name"]
        for entry in job["static_configs"]:
            own = entry["labels"]
            if "__scrape_interval__" in own:
                assert seconds(own["__scrape_timeout__"]) <= seconds(own["__scrape_interval__"])


def test_cadvisor_is_scraped_slowly(config: dict[str, Any]) -> None:
    """Containers are asked every 30 s or slower."""
    entries = _job(config, "cadvisor")
    intervals = [
        entry["labels"].get("__scrape_interval__", entries.get("scrape_interval", "15s"))
        for entry in entries["static_configs"]
    ]

    assert [
        text for text in intervals if timedelta(seconds=int(text[:-1])) < timedelta(seconds=30)
    ] == []


def test_containers_of_others_are_dropped_and_ours_mapped(load: Load) -> None:
    """Rules for cAdvisor: strangers go, the compose service becomes `service`, dots are dots."""
    catalog = load(
        platform="platform: shop\ncompose_project: my.shop\n",
        f1_core="tier: core\nservices:\n  db.one: {kind: postgres}\n  db-two: {kind: postgres}\n",
        f2_app="tier: app\nservices:\n  web: {kind: http-service}\n  watch: {kind: cadvisor}\n",
    )
    rules = relabel(catalog)
    by_label = {
        label: {
            rule["replacement"]: rule["regex"].split("|")
            for rule in rules
            if rule.get("target_label") == label and rule.get("source_labels") == ["service"]
        }
        for label in ("tier", "kind")
    }

    assert rules[1]["regex"] == r"my\.shop"
    assert [rule for rule in rules if rule.get("action") == "drop"] == [
        {"source_labels": ["__tmp_ours"], "regex": "no", "action": "drop"}
    ]
    assert by_label["tier"]["core"] == [r"db\.one", "db-two"]
    assert by_label["kind"]["postgres"] == [r"db\.one", "db-two"]
    assert rules[-1]["action"] == "labeldrop"


def test_newer_keys_stay_out_of_files_for_older_versions(load: Load) -> None:
    """`fallback_scrape_protocol` is written for Prometheus 3 only: 2.42 refuses the whole file."""
    catalog = load(f1_core="tier: core\nservices:\n  db: {kind: postgres}\n")
    kinds = {
        name: replace(
            kind,
            metrics=replace(kind.metrics, fallback_scrape_protocol="PrometheusText0.0.4")
            if kind.metrics
            else None,
        )
        for name, kind in catalog.kinds.items()
    }

    def written(version: tuple[int, ...]) -> bool:
        targets = MappingProxyType({**catalog.platform.targets, "prometheus": version})
        platform = replace(catalog.platform, targets=targets)
        made = Catalog(platform, catalog.tiers, catalog.services, kinds)
        return "fallback_scrape_protocol" in str(prometheus.config(made))

    assert [written(version) for version in ((2, 42), (2, 55), (3, 0), (3, 14))] == [
        False, False, True, True,
    ]  # fmt: skip


def test_retention_is_on_the_command_line(platform: Rendered) -> None:
    """Retention and public address of the catalog are flags, for they are no part of the file."""
    assert compose.prometheus_flags(platform.catalog) == [
        "--config.file=/etc/prometheus/prometheus.yml",
        "--storage.tsdb.path=/prometheus",
        "--storage.tsdb.retention.time=15d",
        f"--storage.tsdb.retention.size={platform.catalog.platform.retention.metrics_size}B",
        "--web.enable-lifecycle",
        "--web.external-url=http://localhost:10200",
        "--web.route-prefix=/",
    ]


def test_alertmanager_knows_where_people_reach_it(platform: Rendered) -> None:
    """Links in notifications lead to the catalog's address, whatever the container is called."""
    assert compose.alertmanager_flags(platform.catalog) == [
        "--config.file=/etc/alertmanager/alertmanager.yml",
        "--storage.path=/alertmanager",
        "--web.external-url=http://localhost:11108",
        "--web.route-prefix=/",
    ]


@pytest.mark.parametrize(
    ("probe", "module", "target"),
    [
        (PROBE, "http_200", "http://web:80/"),
        (replace(PROBE, status=204, path="/up"), "http_204", "http://web:80/up"),
        (replace(PROBE, type="tcp"), "tcp_connect", "web:80"),
        (replace(PROBE, type="tls", port=443), "tls_connect", "web:443"),
    ],
)
def test_probes_share_a_module_where_they_ask_the_same(
    load: Load, probe: Probe, module: str, target: str
) -> None:
    """Plain questions have a module by status or sort; the target says whom."""
    catalog = load(f1_core="tier: core\nservices:\n  web: {kind: http-service}\n")
    service = catalog.by_name["web"]

    assert modules.module_name(catalog.kinds["http-service"], probe) == module
    assert modules.probe_target(service, probe) == target


def test_a_body_to_match_gives_a_module_of_its_own(load: Load) -> None:
    """Two services that want different bodies get different modules, stable over runs."""
    catalog = load(f1_core="tier: core\nservices:\n  web: {kind: http-service}\n")
    kind = catalog.kinds["http-service"]
    names = {
        modules.module_name(kind, replace(PROBE, body=body)) for body in ("ok", "healthy", "ok")
    }

    assert len(names) == 2
    assert modules.module(replace(PROBE, body="ok", not_body="bad"))["http"] == {
        "method": "GET", "preferred_ip_protocol": "ip4", "valid_status_codes": [200],
        "follow_redirects": False, "fail_if_body_not_matches_regexp": ["ok"],
        "fail_if_body_matches_regexp": ["bad"],
    }  # fmt: skip


def test_the_estimate_grows_with_services_and_rules(platform: Rendered, shop: Rendered) -> None:
    """More services, more rules and a longer retention cost more; the numbers are consistent."""
    small, large = estimate(shop.catalog, 100), estimate(platform.catalog, 100)
    longer = estimate(platform.catalog, 1100)

    assert 0 < small.series < large.series
    assert longer.series - large.series == 1000
    kept_s = platform.catalog.platform.retention.metrics.total_seconds()
    assert large.bytes == int(large.samples_per_second * kept_s * 1.7)


def test_an_exporter_that_watches_several_is_asked_about_each(load: Load) -> None:
    """One Redis exporter for two services: two targets, each with the subject it is asked about."""
    catalog = load(
        f1_core="tier: core\nservices:\n  a: {kind: redis}\n  b: {kind: redis}\n"
        "  eyes: {kind: redis-exporter, observes: [a, b]}\n"
    )
    (job,) = (job for job in jobs(catalog) if job.name == "redis")

    assert [(t.address, t.service, t.labels["exporter"], t.labels["__param_target"]) for t in job.targets] == [
        ("eyes:9121", "a", "eyes", "redis://a:6379"),
        ("eyes:9121", "b", "eyes", "redis://b:6379"),
    ]  # fmt: skip
    assert {target.labels["__metrics_path__"] for target in job.targets} == {"/scrape"}
