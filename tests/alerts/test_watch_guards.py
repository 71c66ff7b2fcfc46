"""
Guards of the packs that watch containers, hosts, GPUs and the stack: what looks like the fault.

The generated tests show threshold, hold and missed scrapes; each case here shows what one `where`
or one matcher is for, by a situation that differs from the alert's own *fires* in that alone:
with it the alert is silent, and without it, it fires. promtool is the judge of both.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerts import packs
from alerts.kit import Alert
from generator import rules, samples, toolbox
from generator.catalog import load_catalog
from generator.model import Catalog
from generator.names import CATALOG_INFO
from generator.quantities import write_duration
from generator.timelines import timeline
from generator.yaml_write import dump_yaml

ROOT = Path(__file__).parents[2]
INFO = CATALOG_INFO + '{service="s",tier="t",kind="k",profile="default",owner="o"}'
SUBJECT = ('service="s"', 'tier="t"', 'kind="k"', 'instance="h:1"', 'job="j"')


@dataclass(frozen=True, slots=True)
class Case:
    """
    A situation in which *alert* must stay silent, and why.

    Series whose text begins with *of* get *value* instead of what fires; *renamed* replaces
    `old` by `new` in the texts of all series, to move them out of a matcher's reach.
    """

    why: str
    pack: str
    alert: str
    of: str = ""
    value: str = ""
    renamed: tuple[str, str] = ("", "")


CASES = (
    Case("a container that ran out of memory and runs again", "container",
         "ContainerExitedOutOfMemory", "agent_container_running", "1"),
    Case("unhealthy for Docker and down is no disagreement", "container",
         "ContainerUnhealthyButAnswering", "service:healthy:bool", "0"),
    Case("healthy for both", "container", "ContainerHealthyButSilent", "service:healthy:bool", "1"),
    Case("an optional service without a container", "container",
         "ContainerMissing", "service:present:bool", "0"),
    Case("health starting is not unhealthy", "container", "ContainerUnhealthyButAnswering",
         renamed=('health="unhealthy"', 'health="starting"')),
    Case("health none is not healthy", "container", "ContainerHealthyButSilent",
         renamed=('health="healthy"', 'health="none"')),
    Case("running is a state to stay in", "container", "ContainerStuck",
         renamed=('state="paused"', 'state="running"')),
    Case("a failing probe of a service that is down is ServiceDown's", "probe",
         "ProbeFailsWhileHealthy", "service:healthy:bool", "0"),
    Case("an error of the exporter while Redis is down", "observer", "RedisExporterErrors",
         "redis_up", "0"),
    Case("probes fail because the service is down", "agents", "AgentProbesFailing",
         "service:healthy:bool", "0"),
    Case("failures of a container that does not run", "agents", "AgentHung",
         "agent_container_state", "0"),
    Case("a service that has no container has nothing to be silent with", "agents",
         "AgentSilentForADay", "agent_container_present", "0"),
    Case("no GPU memory held: nothing is trained", "gpu", "GpuIdleWhileTraining",
         "hw_container_gpu_memory_bytes", "0"),
    Case("an inference server may be idle", "gpu", "GpuIdleWhileTraining",
         "service:trains_on_gpu:bool", "0"),
    Case("memory at a core's limit", "gpu", "GpuHot",
         renamed=('sensor="core"', 'sensor="memory"')),
    Case("a core at the memory's limit", "gpu", "GpuMemoryHot",
         renamed=('sensor="memory"', 'sensor="core"')),
    Case("an error a program makes is not fatal", "gpu", "GpuXidFatal",
         renamed=('xid="79"', 'xid="31"')),
    Case("an error a program makes is no warning", "gpu", "GpuXid",
         renamed=('xid="62"', 'xid="31"')),
    Case("an idle GPU lowers its clocks", "gpu", "GpuThrottled",
         renamed=("hw_thermal_slowdown", "gpu_idle")),
    Case("heat is no power brake", "gpu", "GpuPowerBrake",
         renamed=("hw_power_brake", "hw_thermal_slowdown")),
    Case("corrected errors are corrected", "gpu", "GpuEccUncorrected",
         renamed=('severity="uncorrected"', 'severity="corrected"')),
    Case("nothing waits for a consumer", "workers", "WorkerNoConsumer",
         "redis_stream_group_lag", "0"),
    Case("nothing waits for the idle", "workers", "WorkerConsumersIdle",
         "redis_stream_group_lag", "0"),
    Case("an idle journal is old without harm", "remediation", "RemediationJournalStale",
         "remediation_intake_total", "0/m"),
    Case("a tier that acts", "remediation", "RemediationObservingLong",
         renamed=('mode="observe"', 'mode="act"')),
    Case("alerts that are taken", "remediation", "RemediationIntakeRefused",
         renamed=('result="unauthorized"', 'result="accepted"')),
    Case("a target whose up is its verdict", "stack", "StackTargetMissing",
         "service:healthy:bool", "0"),
    Case("the up of an exporter", "stack", "StackTargetMissing",
         renamed=("up", 'up{exporter="e"}')),
    Case("a probe waits for what it probes", "stack", "StackScrapeSlow",
         renamed=("scrape_duration_seconds", 'scrape_duration_seconds{job="blackbox"}')),
    Case("restarts of a service outside the stack", "stack", "StackRestartsOften",
         renamed=('kind="prometheus"', 'kind="postgres"')),
    Case("a tail waits on purpose", "stack", "LokiRequestsSlow",
         renamed=("loki_api_v1_query_range", "loki_api_v1_tail")),
    Case("a read-only medium need not have space", "host", "HostDiskSpaceLow",
         "node_filesystem_readonly", "1"),
    Case("a read-only medium need not have inodes", "host", "HostInodesLow",
         "node_filesystem_readonly", "1"),
    Case("a memory file system is no disk", "host", "HostFilesystemUnreadable",
         renamed=('fstype="ext4"', 'fstype="tmpfs"')),
    Case("a large copy onto an empty disk", "host", "HostDiskFullIn4Hours",
         "node_filesystem_size_bytes", "20000"),
    Case("a sleeping disk that takes its time to read", "host", "HostDiskReadsSlow",
         "node_disk_reads_completed_total", "0.5/s"),
    Case("a sleeping disk that takes its time to write", "host", "HostDiskWritesSlow",
         "node_disk_writes_completed_total", "0.5/s"),
    Case("a few bad packets on an idle interface", "host", "HostNetworkReceiveErrors",
         "node_network_receive_packets_total", "5/s"),
    Case("a few dropped packets on an idle interface", "host", "HostNetworkTransmitDrops",
         "node_network_transmit_packets_total", "5/s"),
    Case("a medium that was mounted read-only on purpose", "host", "HostFilesystemReadOnly",
         "node_filesystem_readonly", "1"),
    Case("a loop device repeats its disk", "host", "HostDiskSaturated",
         renamed=('device="sda"', 'device="loop0"')),
    Case("the host's end of a container's pair", "host", "HostNetworkReceiveErrors",
         renamed=('device="eth0"', 'device="veth1"')),
    Case("the links of containers come and go", "host", "HostNetworkFlapping",
         renamed=('device="eth0"', 'device="veth1"')),
    Case("a spare is not failed", "host", "HostRaidDiskFailed",
         renamed=('state="failed"', 'state="spare"')),
    Case("busy CPU time is not stolen", "host", "HostCpuStolen",
         renamed=('mode="steal"', 'mode="user"')),
    Case("a collector whose hardware is missing", "host", "HostCollectorFailing",
         renamed=('collector="meminfo"', 'collector="infiniband"')),
)  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The shipped catalog: it has every observer that these packs read."""
    return load_catalog(ROOT / "catalog")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_what_only_looks_like_the_fault_stays_silent(
    case: Case, catalog: Catalog, tmp_path: Path
) -> None:
    """The situation never fires the alert, and fires the same alert without its guard."""
    pack = packs.build(case.pack, catalog)
    (alert,) = (found for found in pack.alerts if found.name == case.alert)
    bare = _bare(alert, case)
    judged = replace(pack, alerts=(alert, bare))
    (rule_file,) = rules.render((judged,), catalog)
    (tmp_path / "rules.yml").write_text(rule_file.text)
    steps = timeline(alert).fired
    looks = [
        _look(alert.name, steps * alert.step, []),
        _look(bare.name, steps * alert.step, [{"labels": "{}", "value": 1}]),
    ]
    content = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": write_duration(alert.step),
        "tests": [
            {
                "interval": write_duration(alert.step),
                "input_series": _series(alert, case, steps + 2),
                "promql_expr_test": looks,
            }
        ],
    }
    (tmp_path / "test.yml").write_text(dump_yaml(content, "tests/alerts/test_watch_guards.py"))

    assert _promtool(tmp_path / "test.yml") == (0, "")


def _bare(alert: Alert, case: Case) -> Alert:
    """Return *alert* without the guard that *case* is about: its `where`, or all its matchers of metrics."""
    name = f"{alert.name}Unguarded"
    if case.of:
        return replace(alert, name=name, where="")
    braces = rf"(?<!{CATALOG_INFO}){{[^{{}}]*}}"  # what the catalog says of a service is no metric
    expr, where = (re.sub(braces, "", text) for text in (alert.expr, alert.where))
    return replace(alert, name=name, expr=expr, where=where)


def _series(alert: Alert, case: Case, count: int) -> list[dict[str, str]]:
    """Return the situation of *case* as promtool input: *count* samples of each series."""
    old, new = case.renamed
    rows = {INFO: "1"}
    for series, fires in alert.fires.items():
        notation = case.value if case.of and series.startswith(case.of) else fires
        rows[_of_subject(series.replace(old, new) if old else series)] = notation
    return [
        {
            "series": series,
            "values": samples.write(samples.expand([samples.Phase(notation, count)], alert.step)),
        }
        for series, notation in rows.items()
    ]


def _of_subject(series: str) -> str:
    """Return *series* with those labels of the subject that it does not set itself."""
    name, _, labels = series.removesuffix("}").partition("{")
    have = [label for label in labels.split(",") if label]
    added = [label for label in SUBJECT if f"{label.split('=')[0]}=" not in labels]
    return f"{name}{{{','.join(have + added)}}}"


def _look(name: str, at: timedelta, expected: list[dict[str, object]]) -> dict[str, object]:
    """Return the check that exactly *expected* alerts of *name* fire *at* a time."""
    return {
        "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}})',
        "eval_time": write_duration(at),
        "exp_samples": expected,
    }


def _promtool(test: Path) -> tuple[int, str]:
    promtool = toolbox.find("promtool")
    assert promtool, toolbox.install_hint("promtool")
    done = subprocess.run(
        [promtool, "test", "rules", test], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr
