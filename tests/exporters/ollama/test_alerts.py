"""
The real fault, the real alert: Ollama, the exporter as a process, and Prometheus with the rendered rules.

Scrapes, windows and holds are sixty times as fast as rendered. Each test breaks Ollama, or points
the exporter to where it is not, and waits for exactly the alerts that this must raise.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.exporters.ollama import real
from tests.exporters.ollama.gguf import write_model
from tests.live import stack, timelapse
from tests.live.servers import HOST, Server, free_port, running, until

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[3]
RULES = ("constants", "ollama")
SPEED = 60
HIDDEN = {"OllamaNotProbed"}  # takes half an hour of wall clock time(), which no speed shortens


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelapse, "SPEED", SPEED)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Return an Ollama without models."""
    with real.ollama(tmp_path / "ollama") as running_server:
        yield running_server


@contextlib.contextmanager
def exporting(folder: Path, **changes: Any) -> Iterator[Server]:
    """Run the exporter as a process on the rendered file, whose target is changed by *changes*."""
    config = yaml.safe_load((ROOT / "rendered/exporters/ollama.yml").read_text(encoding="utf-8"))
    port = free_port()
    config["targets"][0] |= changes
    config["listen"] = f"{HOST}:{port}"
    path = folder / "ollama.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "generator.cli",
        "exporter",
        "ollama",
        "--config",
        path,
    ]
    env = {"PYTHONPATH": str(ROOT)}
    with running(
        "exporter", command, folder=folder, port=port, env=env,
        ready=lambda one: one.answers("/-/ready"),
    ) as exporter:  # fmt: skip
        yield exporter


@contextlib.contextmanager
def prometheus(folder: Path, exporter: Server) -> Iterator[Server]:
    """Run Prometheus on *exporter*, with the rendered rules of the pack and the catalog's facts."""
    folder.mkdir()
    for name in RULES:
        text = (ROOT / f"rendered/prometheus/rules/{name}.yml").read_text(encoding="utf-8")
        fast = timelapse._fast_rules(yaml.safe_load(text))
        (folder / f"{name}.rules").write_text(yaml.safe_dump(fast), encoding="utf-8")
    every = timelapse.faster("15s")
    job = {
        "job_name": "ollama-exporter",
        "honor_labels": True,
        "scrape_interval": every,
        "scrape_timeout": every,
        "static_configs": [{"targets": [exporter.address]}],
    }
    config = {"rule_files": [f"{folder}/*.rules"], "scrape_configs": [job]}
    with stack.prometheus(folder, yaml.safe_dump(config)) as server:
        yield server


def firing(server: Server) -> Mapping[str, str]:
    """Return the alerts that fire, with their summaries; raises AssertionError on a rule's error."""
    groups = json.loads(server.get("/api/v1/rules"))["data"]["groups"]
    errors = [
        rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")
    ]
    assert errors == []
    alerts = json.loads(server.get("/api/v1/alerts"))["data"]["alerts"]
    return {
        alert["labels"]["alertname"]: alert["annotations"]["summary"]
        for alert in alerts
        if alert["state"] == "firing" and alert["labels"]["alertname"] not in HIDDEN
    }


def _wait_for(server: Server, *names: str) -> Mapping[str, str]:
    until(
        lambda: set(firing(server)) == set(names),
        f"only {', '.join(names) or 'nothing'} fires",
        instead=lambda: ", ".join(firing(server)) or "nothing",
    )
    return firing(server)


def test_the_wrong_model_raises_a_mismatch(server: Server, tmp_path: Path) -> None:
    """gpt-oss expected and tinyllama there: missing and mismatch fire; with gpt-oss made, nothing does."""
    file = write_model(tmp_path / "tiny.gguf")
    real.create(server, "tinyllama", file)
    expected = {"expected_models": ["gpt-oss"]}
    port = server.port
    with (
        exporting(tmp_path, url=server.url, port=port, **expected) as exporter,
        prometheus(tmp_path / "prometheus", exporter) as judge,
    ):
        found = _wait_for(judge, "OllamaExpectedModelMissing", "OllamaModelMismatch")
        real.create(server, "gpt-oss", file)
        _wait_for(judge)

    assert found == {
        "OllamaExpectedModelMissing": "ollama does not have the model gpt-oss:latest that is expected of it",
        "OllamaModelMismatch": "ollama has other models than its callers expect (1 missing)",
    }


def test_another_port_raises_port_drift(server: Server, tmp_path: Path) -> None:
    """The catalog says a port where nothing listens, and Ollama answers on one that it also knows."""
    promised = free_port()
    where = {"url": f"http://{HOST}:{promised}", "port": promised, "other_ports": [server.port]}
    with (
        exporting(tmp_path, **where) as exporter,
        prometheus(tmp_path / "prometheus", exporter) as judge,
    ):
        found = _wait_for(judge, "OllamaPortDrift")

    assert found == {
        "OllamaPortDrift": f"ollama answers on port {server.port}, not where its callers look"
    }


def test_a_dead_generation_is_raised_while_all_lists_are_green(
    server: Server, tmp_path: Path
) -> None:
    """The process that holds the model stands still: generation is dead, and no endpoint is."""
    real.create(server, "tinyllama", write_model(tmp_path / "tiny.gguf"))
    probe = {"model": "tinyllama", "interval": "1s", "timeout": "2s"}
    with (
        exporting(tmp_path, url=server.url, port=server.port, inference=probe) as exporter,
        prometheus(tmp_path / "prometheus", exporter) as judge,
    ):
        real.use(server, "tinyllama", keep_alive=-1)
        works = 'ollama_probe_success{kind="ollama",model="tinyllama:latest",profile="default",service="ollama",tier="ai"} 1.0'
        until(lambda: works in exporter.get(), "a generation works")
        (holder,) = real.runners(tmp_path / "ollama")
        os.kill(holder, signal.SIGSTOP)
        try:
            until(lambda: "OllamaGenerationDead" in firing(judge), "OllamaGenerationDead fires")
            found = firing(judge)
        finally:
            os.kill(holder, signal.SIGCONT)

    assert found["OllamaGenerationDead"] == "ollama lists its models but generates nothing"
    assert {"OllamaEndpointHung", "OllamaExpectedModelMissing"} & set(found) == set()


def test_an_empty_store_is_raised(server: Server, tmp_path: Path) -> None:
    """Ollama answers and has no model: the expected one is missing, and there is none at all."""
    with (
        exporting(tmp_path, url=server.url, port=server.port) as exporter,
        prometheus(tmp_path / "prometheus", exporter) as judge,
    ):
        _wait_for(judge, "OllamaExpectedModelMissing", "OllamaHasNoModels")
