"""
The real fault, the real alert: agents, a Docker Engine, the exporter as a process, Prometheus with the rendered rules.

Scrapes, windows and holds are thirty times as fast as rendered; the exporter runs on the rendered
file, of which some services are kept and pointed to servers that behave and misbehave.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from tests.exporters.agents.engine import Engine, running_engine
from tests.live import stack, timelapse
from tests.live.servers import HOST, Server, free_port, running, until

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[3]
RULES = ("agents", "constants", "container", "service")
SPEED = 30
PROJECT = "sutazai"
FOREVER = "trap 'exit 0' TERM; while true; do sleep 0.2; done"
# What each service's server does; redis has none: Docker alone speaks of it.
ACTS = {"crewai": "good", "autogpt": "hang", "aider": "status-503"}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelapse, "SPEED", SPEED)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A daemon with a container per service; redis takes more memory than it may."""
    with running_engine(tmp_path / "docker") as found:
        for service in ACTS:
            found.start(service, FOREVER, project=PROJECT)
        limits = ("--memory", "16m", "--memory-swap", "16m")
        found.start("redis", "tail /dev/zero", *limits, project=PROJECT)
        yield found


def _configure(
    path: Path, fleet: Server, engine: Engine, acts: Mapping[str, str], listen: str
) -> None:
    """Write the rendered file with the services of this test only."""
    config = yaml.safe_load((ROOT / "rendered/exporters/agents.yml").read_text())
    config["docker"]["url"] = engine.url
    config["listen"] = listen
    config["targets"] = [t for t in config["targets"] if t["service"] in (*acts, "redis")]
    for target in config["targets"]:
        if target["service"] in acts:
            target["url"] = f"{fleet.url}/{acts[target['service']]}"
    new = path.with_suffix(".new")
    new.write_text(yaml.safe_dump(config))
    new.replace(path)


@contextlib.contextmanager
def _prometheus(folder: Path, exporter: Server) -> Iterator[Server]:
    folder.mkdir()
    for name in RULES:
        text = (ROOT / f"rendered/prometheus/rules/{name}.yml").read_text()
        fast = timelapse._fast_rules(yaml.safe_load(text))
        (folder / f"{name}.rules").write_text(yaml.safe_dump(fast))
    rendered = yaml.safe_load((ROOT / "rendered/prometheus/prometheus.yml").read_text())
    (job,) = [job for job in rendered["scrape_configs"] if job["job_name"] == "agents-exporter"]
    job["static_configs"][0]["targets"] = [exporter.address]
    job["scrape_interval"] = job["scrape_timeout"] = timelapse.faster("15s")
    config = {"rule_files": [f"{folder}/*.rules"], "scrape_configs": [job]}
    with stack.prometheus(folder, yaml.safe_dump(config)) as server:
        yield server


def _firing(server: Server) -> set[tuple[str, str]]:
    """Return the alerts that fire as (name, service); a rule that errs fails the test."""
    groups = json.loads(server.get("/api/v1/rules"))["data"]["groups"]
    assert [r["lastError"] for group in groups for r in group["rules"] if r.get("lastError")] == []
    alerts = json.loads(server.get("/api/v1/alerts"))["data"]["alerts"]
    return {
        (alert["labels"]["alertname"], alert["labels"].get("service", ""))
        for alert in alerts
        if alert["state"] == "firing"
    }


def test_real_faults_raise_their_alerts_and_a_reload_ends_them(
    fleet: Server, engine: Engine, tmp_path: Path
) -> None:
    """One hangs, one answers 503, one was killed for memory: down, each for its reason; the well one in none."""
    port = free_port()
    listen = f"{HOST}:{port}"
    path = tmp_path / "agents.yml"
    _configure(path, fleet, engine, ACTS, listen)
    command = [sys.executable, "-m", "generator.cli", "exporter", "agents", "--config", path]
    wanted = {
        ("ServiceDown", "autogpt"),
        ("ServiceDown", "aider"),
        ("AgentHung", "autogpt"),
        ("AgentServerError", "aider"),
        ("ContainerExitedOutOfMemory", "redis"),
    }
    with (
        running(
            "exporter", command, folder=tmp_path, port=port, env={"PYTHONPATH": str(ROOT)},
            ready=lambda one: one.answers("/-/ready"),
        ) as exporter,
        _prometheus(tmp_path / "prometheus", exporter) as judge,
    ):  # fmt: skip
        until(lambda: wanted <= _firing(judge), f"{wanted} fire", seconds=60)
        during = _firing(judge)
        _configure(path, fleet, engine, dict.fromkeys(ACTS, "good"), listen)
        ended = {alert for alert in wanted if alert[1] != "redis"}
        until(lambda: not ended & _firing(judge), f"{ended} end", seconds=90)
        up = json.loads(judge.get("/api/v1/query?query=up"))["data"]["result"]

    assert {service for _, service in during} == {"autogpt", "aider", "redis"}
    assert [result["value"][1] for result in up] == ["1"]
