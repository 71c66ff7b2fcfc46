"""
Guards of alerts: situations that look like the fault and are none, or are the fault in disguise.

The generated tests show threshold, hold and missed scrapes; these show what each `where` is for.
promtool is the judge. Every case runs for three hours, longer than any window and hold here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from alerts import packs
from alerts.kit import Pack
from generator import promql, rules, ruletests
from generator.catalog import load_catalog
from generator.kinds.load import load_kinds
from generator.model import Catalog
from tests.alerts.alone import alone
from tests.alerts.judge import group, judge, promtool

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Case:
    """A situation of service `s`: series in promtool's notation, and whether the alert must fire."""

    name: str
    pack: str
    alert: str
    series: Mapping[str, str]
    fires: bool = False


_FAILED = 'remediation_last_failed_action_timestamp_seconds{service="s",tier="t",rung="service"}'
_XID = 'hw_gpu_xid_last_timestamp_seconds{instance="h:1",uuid="GPU-1",gpu="0",xid="8"}'

CASES = (
    Case(
        "an outage that ServiceDown tells of is no second page about the budget it burned",
        "slo",
        "SLOBudgetBurnsFast",
        {
            'service:healthy:bool{service="s"}': "0+0x360",
            'service:slo_budget:ratio{service="s",tier="t"}': "0.001+0x360",
            'ALERTS{alertname="ServiceDown",alertstate="firing",service="s"}': "1+0x360",
        },
    ),
    Case(
        "an outage too short or too odd for ServiceDown pages by its budget",
        "slo",
        "SLOBudgetBurnsFast",
        {
            'service:healthy:bool{service="s"}': "0+0x360",
            'service:slo_budget:ratio{service="s",tier="t"}': "0.001+0x360",
            'ALERTS{alertname="ServiceDown",alertstate="pending",service="s"}': "1+0x360",
        },
        fires=True,
    ),
    Case(
        "an outage that ServiceDown told of an hour ago is no warning about a service that is well",
        "slo",
        "SLOBudgetBurnsSteadily",
        {
            'service:healthy:bool{service="s"}': "1x220 0x23 1x115",
            'service:slo_budget:ratio{service="s",tier="t"}': "0.001x360",
            'ALERTS{alertname="ServiceDown",alertstate="firing",service="s"}': "_x225 1x20 _x115",
        },
    ),
    Case(
        "outages too short for ServiceDown are told by the budget they burn together",
        "slo",
        "SLOBudgetBurnsSteadily",
        {
            'service:healthy:bool{service="s"}': "1x220 0x3 1x27 0x3 1x27 0x3 1x27 0x3 1x27",
            'service:slo_budget:ratio{service="s",tier="t"}': "0.001x360",
            'ALERTS{alertname="ServiceDown",alertstate="pending",service="s"}': "_x220 1x3 _x27",
        },
        fires=True,
    ),
    Case(
        "an outage on the first day weighs no more than one on a later day",
        "slo",
        "SLOBudgetBurnsSteadily",
        {
            'service:healthy:bool{service="s"}': "1x220 0x23 1x115",
            'service:slo_budget:ratio{service="s",tier="t"}': "0.01x360",
        },
    ),
    Case(
        "failed requests of the first hours weigh no more than those of a later day",
        "slo",
        "SLOBudgetBurnsSteadily",
        {
            'http_requests_total{service="s",kind="fastapi",status="200"}': "0+92x360",
            'http_requests_total{service="s",kind="fastapi",status="500"}': "0+8x360",
            'service:healthy:bool{service="s"}': "1x360",
            'service:slo_budget:ratio{service="s",tier="t"}': "0.01x360",
        },
    ),
    Case(
        "an idle site whose few requests all fail is no error ratio",
        "web",
        "WebErrorRatioSevere",
        {'http_requests_total{service="s",kind="fastapi",status="500"}': "0+2x360"},
    ),
    Case(
        "an application whose first counter stands still is judged by the next one",
        "web",
        "WebErrorRatioSevere",
        {
            'jarvis_requests_total{service="s",kind="fastapi",status_code="200"}': "7+0x360",
            'sutazai_api_requests_total{service="s",kind="fastapi",status="200"}': "0+60x360",
            'sutazai_api_requests_total{service="s",kind="fastapi",status="500"}': "0+60x360",
        },
        fires=True,
    ),
    Case(
        "a gateway whose few requests all fail is no error ratio",
        "kong",
        "KongErrorRatioHigh",
        {'kong_http_requests_total{service="s",exported_service="a",code="503"}': "0+2x360"},
    ),
    Case(
        "workflows that all fail have no counter of successes and still alert",
        "web",
        "N8nExecutionsFailing",
        {'n8n_workflow_failed_total{service="s"}': "0+1x360"},
        fires=True,
    ),
    Case(
        "flows that all fail have one counter of four and still alert",
        "web",
        "FlowisePredictionsFailing",
        {
            'agentflow_prediction_internal{service="s",status="failure"}': "0+1x360",
            'flowise_version_info{service="s",version="3.1.3"}': "1x360",
        },
        fires=True,
    ),
    Case(
        "a full cache that evicts is where a cache lives",
        "redis",
        "RedisMemoryNearLimit",
        {
            'redis_memory_used_bytes{service="s"}': "99x360",
            'redis_memory_max_bytes{service="s"}': "100x360",
            'redis_instance_info{service="s",maxmemory_policy="allkeys-lru"}': "1x360",
        },
    ),
    Case(
        "without maxmemory there is no limit to be near",
        "redis",
        "RedisMemoryNearLimit",
        {
            'redis_memory_used_bytes{service="s"}': "99x360",
            'redis_memory_max_bytes{service="s"}': "0x360",
            'redis_instance_info{service="s",maxmemory_policy="noeviction"}': "1x360",
        },
    ),
    Case(
        "a primary has no lag, whatever the exporter says",
        "postgres",
        "PostgresReplicationLag",
        {
            'pg_replication_lag_seconds{service="s"}': "9000x360",
            'pg_replication_is_replica{service="s"}': "0x360",
        },
    ),
    Case(
        "a small table may be mostly dead",
        "postgres",
        "PostgresDeadTuplesHigh",
        {
            'pg_stat_user_tables_n_dead_tup{service="s",datname="a",relname="r"}': "90000x360",
            'pg_stat_user_tables_n_live_tup{service="s",datname="a",relname="r"}': "10x360",
        },
    ),
    Case(
        "a database that does not answer is down, not empty",
        "postgres",
        "PostgresEmpty",
        {
            'pg_up{service="s"}': "0x360",
            'pg_scrape_collector_success{service="s",collector="stat_user_tables"}': "0x360",
        },
    ),
    Case(
        "a job that rolls back twice an hour is no trend",
        "postgres",
        "PostgresRollbackRatioHigh",
        {
            'pg_stat_database_xact_rollback{service="s",datname="a"}': "0+1x360",
            'pg_stat_database_xact_commit{service="s",datname="a"}': "0+1x360",
        },
    ),
    Case(
        "a list of models that failed says nothing about missing ones",
        "ollama",
        "OllamaExpectedModelMissing",
        {
            'ollama_up{service="s"}': "1x360",
            'ollama_endpoint_up{service="s",endpoint="tags"}': "0x360",
            'ollama_model_expected{service="s",model="m"}': "1x360",
        },
    ),
    Case(
        "an Ollama that is down is ServiceDown, not a dead generation to restart twice",
        "ollama",
        "OllamaGenerationDead",
        {'ollama_up{service="s"}': "0x360", 'ollama_probe_success{service="s",model="m"}': "0x360"},
    ),
    Case(
        "a model without any VRAM runs on the CPU by design",
        "ollama",
        "OllamaModelPartlyOnCpu",
        {
            'ollama_model_vram_bytes{service="s",model="m"}': "0x360",
            'ollama_model_memory_bytes{service="s",model="m"}': "6000x360",
        },
    ),
    Case(
        "nobody probes generation while no model is loaded",
        "ollama",
        "OllamaNotProbed",
        {
            'ollama_probe_last_run_timestamp_seconds{service="s",model="m"}': "0x360",
            'ollama_models_loaded{service="s"}': "0x360",
        },
    ),
    Case(
        "an Ollama that answers nowhere has not moved",
        "ollama",
        "OllamaPortDrift",
        {
            'ollama_port_answering{service="s"}': "0x360",
            'ollama_port_expected{service="s"}': "11434x360",
        },
    ),
    Case(
        "a broker without messages needs no consumer",
        "rabbitmq",
        "RabbitmqNoConsumers",
        {
            'rabbitmq_consumers{service="s"}': "0x360",
            'rabbitmq_queue_messages_ready{service="s"}': "0x360",
        },
    ),
    Case(
        "a summary without a sample is NaN and slow to nobody",
        "consul",
        "ConsulCommitSlow",
        {'consul_raft_commitTime{service="s",quantile="0.99"}': " ".join(["NaN"] * 361)},
    ),
    Case(
        "a Consul whose agent is down is ServiceDown, not a lost leader",
        "consul",
        "ConsulNoLeader",
        {
            'probe_success{service="s",kind="consul"}': "0x360",
            'up{service="s",kind="consul"}': "0x360",
        },
    ),
    Case(
        "a graph database with both doors shut is ServiceDown",
        "neo4j",
        "Neo4jBoltDead",
        {
            'probe_success{service="s",kind="neo4j",probe="bolt"}': "0x360",
            'probe_success{service="s",kind="neo4j",probe="http"}': "0x360",
        },
    ),
    Case(
        "the first failure of a rung, whose series is born by it",
        "remediation",
        "RemediationActionFailed",
        {_FAILED: "_x340 10200x20"},
        fires=True,
    ),
    Case(
        "a failure is told on by the next process of the remediator",
        "remediation",
        "RemediationActionFailed",
        {_FAILED: "_x330 9900x10 stale _x4 9900x14"},
        fires=True,
    ),
    Case(
        "a remediator that starts again tells of an old failure as old",
        "remediation",
        "RemediationActionFailed",
        {_FAILED: "_x120 3600x220 stale _x4 3600x14"},
    ),
    Case(
        "the first error of a number that nobody expected",
        "gpu",
        "GpuXid",
        {_XID: "_x350 10500x10"},
        fires=True,
    ),
    Case(
        "an error of an hour ago is told no more",
        "gpu",
        "GpuXid",
        {_XID: "_x240 7200x120"},
    ),
    Case(
        "a container without a limit cannot run into it",
        "qdrant",
        "QdrantMemoryWillRunOut",
        {
            'container_memory_working_set_bytes{service="s",kind="qdrant"}': "1000+1000x360",
            'container_spec_memory_limit_bytes{service="s",kind="qdrant"}': "0x360",
        },
    ),
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The shipped catalog with every built-in kind in use, so that no alert is left out."""
    kinds, _ = load_kinds()
    return replace(load_catalog(ROOT / "catalog"), kinds=kinds)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_guard_tells_the_fault_from_what_looks_like_it(
    case: Case, catalog: Catalog, tmp_path: Path
) -> None:
    """After three hours of the situation the alert fires exactly if the situation is the fault."""
    pack = alone(packs.build(case.pack, catalog), case.alert)
    look = {
        "expr": f'count(ALERTS{{alertname="{case.alert}", alertstate="firing"}})',
        "eval_time": "3h",
        "exp_samples": [{"labels": "{}", "value": 1}] if case.fires else [],
    }
    assert judge(pack, catalog, [group(case.series, look)], tmp_path) == (0, "")


@pytest.mark.parametrize("kind", ["fastapi", "flowise", "n8n", "ollama-integration", "streamlit"])
def test_the_web_pack_of_one_kind_uses_only_its_metrics(
    kind: str, catalog: Catalog, tmp_path: Path
) -> None:
    """A catalog with a single sort of web application gets alerts that this sort can fire."""
    single = replace(catalog, kinds={kind: catalog.kinds[kind]})
    pack = packs.build("web", single)
    declared = {
        name for metric in catalog.kinds[kind].declares.values() for name in metric.series_names
    }
    declared |= {record.name for record in pack.records} | {"up"}  # Prometheus' own
    expressions = [record.expr for record in pack.records] + [
        alert.condition for alert in pack.alerts
    ]
    used = {name for expression in expressions for name in promql.metrics(expression)}
    assert set() == used - declared
    assert _judge_own(pack, single, tmp_path) == (0, "")


def test_the_enterprise_alerts_of_neo4j_pass_their_own_proof(
    catalog: Catalog, tmp_path: Path
) -> None:
    """Alerts that the shipped catalog does not use are tested as all others are."""
    pack = packs.build("neo4j", catalog)
    assert [alert.name for alert in pack.alerts] == [
        "Neo4jBoltDead",
        "Neo4jHttpDead",
        "Neo4jBoltUnsteady",
        "Neo4jPageCacheHitRatioLow",
        "Neo4jBoltThreadsBusy",
        "Neo4jBoltConnectionChurn",
    ]
    assert _judge_own(pack, catalog, tmp_path) == (0, "")


def _judge_own(pack: Pack, catalog: Catalog, folder: Path) -> tuple[int, str]:
    """Return promtool's exit status and complaints about *pack* under its generated tests."""
    tests = ruletests.pack_tests(pack, catalog)
    for artifact in (*rules.render((pack,), catalog), *tests):
        path = folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text)
    return promtool(*(folder / artifact.path for artifact in tests))
