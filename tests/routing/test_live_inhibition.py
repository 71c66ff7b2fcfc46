"""
The real Alertmanager inhibits what the model says it does.

Nothing upstream tests inhibition, so alerts are posted to a running server that has the
platform's own configuration, and its API is asked what it holds back.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alerts import outage, routing
from alerts.routing_model import Inhibition
from alerts.routing_table import RoutedAlert
from generator.model import Catalog

pytestmark = pytest.mark.live

_DEADLINE_S = 180.0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _call(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text.strip() else None


@contextmanager
def _running(program: Path, config: Path, folder: Path) -> Iterator[str]:
    """Yield the base address of an Alertmanager on *config* that is ready; end it afterwards."""
    port = _free_port()
    arguments = [
        program, f"--config.file={config}", f"--storage.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(arguments, stdout=log, stderr=log)
        try:
            base = f"http://127.0.0.1:{port}"
            _wait_until_ready(base, server, folder / "log")
            yield base
        finally:
            server.kill()
            server.wait()


def _wait_until_ready(base: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            _call(f"{base}/api/v2/status")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"Alertmanager is not ready: {log.read_text(encoding='utf-8')[-2000:]}")


def _key(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


@pytest.mark.parametrize("root", ["postgres", "backend", "kong"])
def test_alertmanager_holds_back_what_the_model_holds_back(
    alertmanager: Path,
    tmp_path: Path,
    platform: Catalog,
    platform_alerts: tuple[RoutedAlert, ...],
    root: str,
) -> None:
    """For a root's whole outage, `inhibited` is set on exactly the alerts that the model mutes."""
    for artifact in routing.render(platform, platform_alerts):
        path = tmp_path / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text, encoding="utf-8")
    rules = [
        Inhibition.read(rule) for rule in routing.config(platform, platform_alerts)["inhibit_rules"]
    ]
    active = outage.firing(platform, platform_alerts, root)
    # One that has nothing to do with it, and must stay.
    active += tuple(
        alert.labels(subject)
        for alert in platform_alerts
        for subject in alert.subjects
        if alert.name == "ServiceDown" and subject.service == "loki"
    )
    expected = {
        _key(labels): any(rule.mutes(labels, active) for rule in rules) for labels in active
    }

    with _running(alertmanager, tmp_path / "alertmanager" / "alertmanager.yml", tmp_path) as base:
        _call(f"{base}/api/v2/alerts", [{"labels": labels} for labels in active])
        deadline = time.monotonic() + _DEADLINE_S
        got: dict[tuple[tuple[str, str], ...], bool] = {}
        # The inhibitor reads new alerts from a channel: soon, not at once.
        while got != expected and time.monotonic() < deadline:
            got = {
                _key(alert["labels"]): bool(alert["status"]["inhibitedBy"])
                for alert in _call(f"{base}/api/v2/alerts")
            }
            time.sleep(0.1)

    assert expected == got
    assert {True, False} == set(expected.values())
