"""
Outages that no counter saw, traffic that nobody asked for, and alerts that would cry wolf.

promtool is the judge of three hours of samples, 30 s apart; what an alert reads of another pack's
recording rules is recorded here too.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from alerts import packs, postgres, requests, web, web_traffic
from alerts.kit import Pack, Severity
from alerts.stack_logs import SILENT
from generator import rules, toolbox
from generator.catalog import load_catalog
from generator.kinds.load import load_kinds
from generator.model import Catalog
from generator.names import CATALOG_INFO
from generator.yaml_write import dump_yaml
from tests.alerts.alone import alone

ROOT = Path(__file__).parents[2]
INFO = CATALOG_INFO + '{service="s",tier="t",kind="k",profile="default",owner="o"}'
PROMTAIL = 'process_start_time_seconds{service="s",kind="promtail"}'
PROBED_SOURCES = [
    pytest.param(kind, source, id=source.metric)
    for kind, sources in requests.SOURCES.items()
    for source in sources
    if source.without
]


@dataclass(frozen=True, slots=True)
class Case:
    """A situation of service `s`: series in promtool's notation, and whether the alert must fire."""

    name: str
    pack: str
    alert: str
    series: Mapping[str, str]
    fires: bool = False


CASES = (
    Case(
        "a service that counts requests burns its budget while it is down and counts none",
        "slo",
        "SLOBudgetBurnsSteadily",
        {
            'http_requests_total{service="s",kind="fastapi",handler="/chat",status="200"}': "0+300x60 _x300",
            'service:healthy:bool{service="s"}': "1x60 0x300",
            'service:slo_budget:ratio{service="s",tier="t"}': "0.01x360",
        },
        fires=True,
    ),
    Case(
        "a service that failed no request and never was down burns nothing",
        "slo",
        "SLOBudgetBurnsSteadily",
        {
            'http_requests_total{service="s",kind="fastapi",handler="/chat",status="200"}': "0+300x360",
            'service:healthy:bool{service="s"}': "1x360",
            'service:slo_budget:ratio{service="s",tier="t"}': "0.01x360",
        },
    ),
    Case(
        "health probes that fail are the verdict's, no error of a user",
        "web",
        "WebErrorRatioSevere",
        {'http_requests_total{service="s",kind="fastapi",handler="/health",status="503"}': "0+30x360"},
    ),
    Case(
        "a lock table that was made larger is not full at the default's size",
        "postgres",
        "PostgresLocksNearLimit",
        {
            'pg_locks_count{service="s",datname="a",mode="accesssharelock"}': "6000x360",
            'pg_settings_max_connections{service="s"}': "100x360",
            'pg_settings_max_locks_per_transaction{service="s"}': "256x360",
        },
    ),
    Case(
        "an exporter too old to look at tables does not know whether there are any",
        "postgres",
        "PostgresEmpty",
        {
            'pg_up{service="s"}': "1x360",
            'pg_scrape_collector_success{service="s",collector="bgwriter"}': "1x360",
        },
    ),
    Case(
        "an exporter that looked at tables and saw none tells of it",
        "postgres",
        "PostgresEmpty",
        {'pg_scrape_collector_success{service="s",collector="user_tables"}': "1x360"},
        fires=True,
    ),
    Case(
        "Promtail that started a quarter of an hour ago has had no time to send",
        "stack",
        "PromtailSendsNothing",
        {'promtail_sent_entries_total{service="s"}': "0x360", PROMTAIL: "9840x360"},
    ),
    Case(
        "Promtail that sent its last line 24 minutes ago may yet send one",
        "stack",
        "PromtailSendsNothing",
        {'promtail_sent_entries_total{service="s"}': "0+30x312 9360x48", PROMTAIL: "0x360"},
    ),
    Case(
        "Promtail that sent its last line 26 minutes ago is silent",
        "stack",
        "PromtailSendsNothing",
        {'promtail_sent_entries_total{service="s"}': "0+30x308 9240x52", PROMTAIL: "0x360"},
        fires=True,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The shipped catalog with every built-in kind in use, so that no rule is left out."""
    kinds, _ = load_kinds()
    return replace(load_catalog(ROOT / "catalog"), kinds=kinds)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_alert_tells_the_fault_from_what_looks_like_it(
    case: Case, catalog: Catalog, tmp_path: Path
) -> None:
    """After three hours of the situation the alert fires exactly if the situation is the fault."""
    pack = alone(packs.build(case.pack, catalog), case.alert)
    look = _firing(case.alert, fires=case.fires)

    assert _judge(pack, catalog, case.series, look, tmp_path) == (0, "")


def test_two_hours_of_outage_are_a_third_of_six_hours(catalog: Catalog, tmp_path: Path) -> None:
    """With ten good requests per second before it, two hours down are an error ratio of 1/3 over 6 h."""
    pack = alone(packs.build("slo", catalog), "SLOBudgetBurnsSlowly")
    series = {
        'http_requests_total{service="s",kind="fastapi",handler="/chat",status="200"}': "0+300x479 _x240",
        'service:healthy:bool{service="s"}': "1x479 0x239",
        'service:slo_budget:ratio{service="s",tier="t"}': "0.01x720",
    }
    look = {
        "expr": 'round(service:sli_error:ratio_rate6h{service="s"}, 0.0001)',
        "eval_time": "359m30s",
        "exp_samples": [{"labels": '{service="s",tier="t"}', "value": 0.3333}],
    }

    assert _judge(pack, catalog, series, look, tmp_path) == (0, "")


@pytest.mark.parametrize(("kind", "source"), PROBED_SOURCES)
def test_traffic_has_stopped_when_only_probes_are_left(
    kind: str, source: requests.Source, catalog: Catalog, tmp_path: Path
) -> None:
    """Users stay away for 40 minutes, probes and scrapes go on: TrafficStopped fires."""
    pack = packs.build("absence", catalog)
    pack = replace(pack, records=(*requests.records(catalog.kinds), *pack.records))
    pack = alone(pack, "TrafficStopped")
    status = f'service="s",kind="{kind}",{source.other % "200"}'
    series = {
        f"{source.metric}{{{status}}}": "0+60x280 16800x80",
        f"{source.metric}{{{status},{source.probe}}}": "0+60x360",
    }
    look = _firing("TrafficStopped", fires=True)

    assert _judge(pack, catalog, series, look, tmp_path) == (0, "")


def test_a_disk_that_stays_read_only_ends_its_alert_after_a_day(
    catalog: Catalog, tmp_path: Path
) -> None:
    """Read-only since hour 2, the alert fires at hour 25 and not at hour 28, as its runbook says."""
    name = "HostFilesystemReadOnly"
    disk = 'instance="h",device="/dev/sda1",fstype="ext4",mountpoint="/data"'
    series = {f"node_filesystem_readonly{{{disk}}}": "0x4 1x60"}
    pack = alone(packs.build("host", catalog), name)
    runbook = (ROOT / f"alerts/runbooks/{name}.md").read_text(encoding="utf-8")

    for at, fires in (("25h", True), ("28h", False)):
        look = _firing(name, fires=fires, at=at)
        assert _judge(pack, catalog, series, look, tmp_path, interval="30m") == (0, "")
    assert "ends by itself 24 hours after" in runbook


def test_what_may_be_innocent_pages_nobody(catalog: Catalog) -> None:
    """An exporter in the wrong database looks like an empty one, an evening like lost callers."""
    dropped = next(a for a in web.pack(catalog).alerts if a.name == "WebRequestRateDropped")

    assert (postgres.EMPTY.severity, dropped.severity) == (Severity.WARNING, Severity.INFO)
    assert "DSN names another database" in postgres.EMPTY.description
    assert "25 minutes" in SILENT.summary


def test_probes_are_left_out_by_labels_that_exist(catalog: Catalog) -> None:
    """What leaves probes out of web traffic matches a label its kind declares, if it has one."""
    for source in web_traffic.SOURCES:
        declared = catalog.kinds[source.kind].declares
        label = source.without.removeprefix(", ").partition("!~")[0]
        timed = [source.latency] if source.latency and source.labelled else []
        for metric in (source.requests, source.errors, *timed):
            labels = declared[
                metric.removesuffix("_count") if metric not in declared else metric
            ].labels
            assert not label or label in labels, (source.kind, metric)


def _firing(alert: str, *, fires: bool, at: str = "3h") -> dict[str, object]:
    """Return the check that one *alert* fires at a time, or none."""
    return {
        "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
        "eval_time": at,
        "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
    }


def _judge(
    pack: Pack,
    catalog: Catalog,
    series: Mapping[str, str],
    look: Mapping[str, object],
    folder: Path,
    *,
    interval: str = "30s",
) -> tuple[int, str]:
    """Return promtool's exit status and complaints about *pack* given *series*, looked at once."""
    (rule_file,) = rules.render((pack,), catalog)
    (folder / "rules.yml").write_text(rule_file.text)
    group = {
        "interval": interval,
        "input_series": [
            {"series": name, "values": values} for name, values in {INFO: "1x800", **series}.items()
        ],
        "promql_expr_test": [look],
    }
    content = {"rule_files": ["rules.yml"], "evaluation_interval": interval, "tests": [group]}
    (folder / "test.yml").write_text(dump_yaml(content, "tests/alerts/test_outages_and_traffic.py"))
    promtool = toolbox.find("promtool")
    assert promtool, toolbox.install_hint("promtool")
    done = subprocess.run(
        [promtool, "test", "rules", folder / "test.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr
