"""
Measure the remediator's own time from an accepted alert to the call of its driver.

Web server, journal (with all its syncs), engine and the two looks are real, in this process; the
driver answers at once and notes when it is asked for a restart, and so does Alertmanager.
"""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from unittest import mock

from bench.remediation_speed import (
    RESTARTS,
    SERVICES,
    Alertmanager,
    answering,
    config,
    late,
    post,
    row,
)
from exporters.config import Address
from remediation.config import Config, load_config
from remediation.engine import service
from remediation.model import Container, Fence, Restarted, Result
from tests.live.servers import HOST
from tests.remediation.live.process import WEBHOOK

PATIENCE_S = 30.0
IDLE_S = 0.2


class _Driver:
    """Docker that answers at once; one service is *down*, and *at* is when its restart was asked for."""

    def __init__(self, known: Config, **_: object) -> None:
        self.services = known.services
        self.made = time.time() - 86400
        self.down = ""
        self.at = 0.0
        self.called = threading.Event()
        _DRIVERS.append(self)

    def look(self) -> Mapping[str, Container]:
        plain = Container("running", id="c", started_wall=self.made, created_wall=self.made)
        found = dict.fromkeys(self.services, plain)
        if self.down:
            found[self.down] = replace(plain, state="exited", exit_code=1)
        return found

    def restart(self, _service: str, _fence: Fence) -> Restarted:
        self.at, self.down = time.monotonic(), ""
        self.called.set()
        return Restarted(Result.SUCCEEDED, started_wall=time.time())

    def since_wall(self) -> float:
        return self.made

    def stops(self) -> dict[str, float]:
        return {}

    def configure(self, _: Config) -> None:
        """Go on with the services of the start."""

    def start(self) -> None:
        """Nothing to listen to."""

    def close(self) -> None:
        """Nothing to end."""


class _Evidence:
    """Nothing is to be seen."""

    def __init__(self, _: Config) -> None:
        self.configure = lambda _: None

    def collect(self, _: str) -> Mapping[str, object]:
        return {}


_DRIVERS: list[_Driver] = []


def own_time(folder: Path) -> Iterator[str]:
    """Yield the row of our own time."""
    alertmanager = Alertmanager()
    with (
        answering(alertmanager),
        mock.patch("remediation.engine.assembly.DockerDriver", _Driver),
        mock.patch("remediation.engine.assembly.Evidence", _Evidence),
    ):
        file, token = folder / "own.yml", folder / "webhook_token"
        token.write_text(f"{WEBHOOK}\n", encoding="utf-8")
        token.chmod(0o600)
        file.write_text(json.dumps(config(alertmanager, "unix:///none", folder, 1)), "utf-8")
        running = service.start(
            load_config(file), journal=folder / "own.db", listen=Address(HOST, 0)
        )
        try:
            walls = [_one(running, alertmanager, number) for number in range(RESTARTS)]
        finally:
            running.stop()
    yield row(
        f"accepted alert to restart call, own time, {SERVICES} services: p99",
        late(walls) * 1000, "ms", f"middle {statistics.median(walls) * 1000:.0f} ms, bar 100 ms",
    )  # fmt: skip


def _one(running: service.Running, alertmanager: Alertmanager, number: int) -> float:
    """Return how long after the answer to the webhook the driver was called."""
    driver, name = _DRIVERS[-1], f"s{number % SERVICES}"
    since = time.time() - 300 + number / 1000
    driver.called.clear()
    driver.down, alertmanager.down = name, {name: since}
    connection = http.client.HTTPConnection(HOST, running.port, timeout=PATIENCE_S)
    post(running.port, [(name, since)], connection)
    accepted = time.monotonic()
    connection.close()
    if not driver.called.wait(PATIENCE_S):
        raise SystemExit(f"{name} was not restarted")
    alertmanager.down = {}
    _quiet(running)
    return max(0.0, driver.at - accepted)


def _quiet(running: service.Running) -> None:
    """Wait until the engine has taken in how the restart ended, and knows of no alert."""
    engine, until = running.assembly.engine, time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        engine.wake()
        view = engine.view()
        alerts = view.world.alerts
        if not view.state.intents and alerts is not None and not alerts.active:
            time.sleep(IDLE_S)  # the round that was asked for last ends
            return
        time.sleep(0.02)
