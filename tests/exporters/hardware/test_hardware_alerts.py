"""A real Prometheus with the rendered rules, fifteen times as fast: real faults fire the right alerts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.exporters.hardware.conftest import HERE, TWO_GPUS, Make
from tests.exporters.hardware.docker_list import A, B, docker_list, listing
from tests.exporters.hardware.process import CONFIG, ROOT, exporter
from tests.exporters.nvml.fake import FakeDriver
from tests.live import timelapse
from tests.live.servers import until
from tests.live.timelapse import Api, faster

pytestmark = pytest.mark.live

OLDEST = pytest.mark.parametrize("watched", ["prometheus"], indirect=True)
BOTH = pytest.mark.parametrize("watched", ["prometheus", "prometheus3"], indirect=True)
RENDERED = ROOT / "rendered" / "prometheus"
# The fixture's rows are remapped already; a healthy host has nothing to say.
HEALTHY = tuple(line for line in TWO_GPUS if not line.startswith("value remapped"))
NAMES = {A: "sutazai-ollama", B: "sutazai-redis"}


@pytest.fixture
def watched(
    request: pytest.FixtureRequest, fake: Make, tmp_path: Path
) -> Iterator[tuple[Api, FakeDriver]]:
    """The exporter as rendered, scraped by a Prometheus that has the rendered GPU rules."""
    said = fake(HEALTHY)
    with docker_list(tmp_path, listing(**NAMES)) as docker:
        config = tmp_path / "hardware.yml"
        text = CONFIG.read_text(encoding="utf-8")
        config.write_text(text.replace("tcp://docker-socket-proxy:2375", docker.url))
        env = {**said.env(), "HOST_SYS": str(HERE / "sys2"), "HOST_PROC": str(HERE / "proc")}
        with exporter(tmp_path, config, env) as found:
            file = _config(tmp_path / "prometheus", found.server.address)
            with timelapse._prometheus(file, request.param) as server:
                yield Api(server), said


def _config(folder: Path, address: str) -> Path:
    """Write the rendered job of the exporter, and the rules on GPUs, sped up."""
    rendered = yaml.safe_load((RENDERED / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = (j for j in rendered["scrape_configs"] if j["job_name"] == "hardware-exporter")
    job["static_configs"][0]["targets"] = [address]
    interval = faster(rendered["global"]["scrape_interval"])
    (folder / "rules").mkdir(parents=True)
    rules: dict[str, Any] = yaml.safe_load((RENDERED / "rules" / "gpu.yml").read_text("utf-8"))
    (folder / "rules" / "gpu.yml").write_text(yaml.safe_dump(timelapse._fast_rules(rules)))
    settings = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval},
        "rule_files": ["rules/gpu.yml"],
        "scrape_configs": [job],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return file


def firing(api: Api) -> set[tuple[str, str]]:
    """Return name and GPU of the alerts that fire."""
    alerts = api.get("/api/v1/alerts")["data"]["alerts"]
    return {
        (alert["labels"]["alertname"], alert["labels"].get("gpu", ""))
        for alert in alerts
        if alert["state"] == "firing"
    }


@OLDEST
def test_faults_of_gpus_fire_their_alerts(watched: tuple[Api, FakeDriver]) -> None:
    """A lost GPU, a fatal XID and a row that waits for a reset fire, each on its GPU; a healthy host is quiet."""
    api, said = watched
    until(lambda: bool(api.query("count_over_time(hw_gpu_up[1m]) > 15")), "fifteen scrapes")
    assert set() == firing(api)
    said.say("code nvmlDeviceGetPowerUsage@1 15", "xid 0 79 1", "value remapped@0 0 0 1 0")
    expected = {("GpuLost", "1"), ("GpuXidFatal", "0"), ("GpuRowRemapPending", "0")}
    until(lambda: firing(api) >= expected, "the three alerts fire")
    assert expected == firing(api)


@OLDEST
def test_a_driver_that_breaks_fires(watched: tuple[Api, FakeDriver]) -> None:
    """When library and module differ in version, the driver is broken and its GPUs are lost."""
    api, said = watched
    until(lambda: bool(api.query("hw_gpus == 2")), "both GPUs are there")
    said.say("code nvmlDeviceGetCount_v2 18", "code nvmlInitWithFlags 18")
    expected = {("GpuDriverBroken", ""), ("GpuLost", "0"), ("GpuLost", "1")}
    until(lambda: firing(api) >= expected, "the alerts fire")
    assert expected == firing(api)


@BOTH
def test_prometheus_keeps_the_labels_of_subjects(watched: tuple[Api, FakeDriver]) -> None:
    """Series of containers are their service's; those of host processes are nobody's, not the exporter's."""
    api, _ = watched
    until(lambda: bool(api.query("hw_container_gpu_memory_bytes")), "GPU memory is there")
    found = api.query("hw_container_gpu_memory_bytes")
    assert {"sutazai-ollama": "ollama", "sutazai-redis": "redis", None: None} == {
        one["metric"].get("container"): one["metric"].get("service") for one in found
    }
    assert {"hardware-exporter"} == {one["metric"]["service"] for one in api.query("hw_gpu_up")}
