"""Real Alertmanagers to ask, alone or in a cluster, and what tests send them."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remediation.alertmanager.rfc3339 import format_time
from remediation.clock import HostClock, Moment
from remediation.config import AlertmanagerSettings
from tests.live.servers import HOST, Server, free_port, need, running

VERSIONS = ("alertmanager", "alertmanager-current")

# The Watchdog goes elsewhere; people have quiet hours; our own route of tier `muted` is muted always.
CONFIG = """
route:
  receiver: people
  group_wait: 0s
  group_interval: 1s
  routes:
  - {matchers: ['alertname="Watchdog"'], receiver: heartbeat}
  - {matchers: ['remedy="restart"', 'tier="muted"'], receiver: remediator, group_by: [tier],
     mute_time_intervals: [always], continue: true}
  - {matchers: ['remedy="restart"', 'tier!="muted"'], receiver: remediator, group_by: [tier],
     continue: true}
  - {matchers: ['severity="warning"'], receiver: people, mute_time_intervals: [always]}
time_intervals:
- {name: always, time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}]}]}
inhibit_rules:
- source_matchers: ['alertname="ServiceDown"', 'service="postgres"']
  target_matchers: ['service="backend"']
receivers:
- {name: people}
- {name: heartbeat}
- {name: remediator}
"""


def settings(url: str) -> AlertmanagerSettings:
    """Return how the Alertmanager at *url* is asked."""
    return AlertmanagerSettings(url, "remediator", 30.0, "Watchdog", 180.0)


@dataclass(slots=True)
class Clock:
    """The host's clock, moved by *wall_s* and *steady_s*."""

    wall_s: float = 0.0
    steady_s: float = 0.0
    _host: HostClock = field(default_factory=HostClock)

    def now(self) -> Moment:
        """Return this moment."""
        now = self._host.now()
        return Moment(now.steady + self.steady_s, now.wall + self.wall_s)


@contextlib.contextmanager
def alertmanager(
    folder: Path, tool: str, *, port: int = 0, mesh: int = 0, peers: Sequence[int] = ()
) -> Iterator[Server]:
    """Run the Alertmanager *tool*, gossiping on *mesh* with those on *peers* (0: alone)."""
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "alertmanager.yml"
    path.write_text(CONFIG, encoding="utf-8")
    command: list[str | Path] = [
        need(tool), f"--config.file={path}", f"--storage.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        f"--cluster.listen-address={f'{HOST}:{mesh}' if mesh else ''}",
        *(f"--cluster.peer={HOST}:{peer}" for peer in peers),
    ]  # fmt: skip
    with running(
        tool, command, folder=folder, port=port, ready=lambda one: one.answers("/api/v2/status")
    ) as server:
        yield server


def call(url: str, body: object = None, method: str = "") -> Any:
    """GET *url*, or POST *body* as JSON to it; return the JSON of the answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    request.method = method or ("GET" if data is None else "POST")
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text.strip() else None


def labels(name: str, service: str = "none", tier: str = "core", **more: str) -> dict[str, str]:
    """Return the labels of an alert as the rules give them."""
    return {
        "alertname": name, "service": service, "tier": tier, "scope": "service",
        "severity": "critical", "remedy": "restart", "kind": "any", "owner": "platform",
    } | more  # fmt: skip


WATCHDOG = labels("Watchdog", tier="none", scope="platform", severity="none", remedy="none")


def post(server: Server, *alerts: Mapping[str, str], **times: float) -> None:
    """Send *alerts* (their labels) to *server* as Prometheus does; *times*: startsAt, endsAt."""
    stamps = {name: format_time(wall) for name, wall in times.items()}
    about = {"annotations": {"summary": "text " * 20}, "generatorURL": "http://prometheus/graph"}
    body = [{"labels": dict(one), **about, **stamps} for one in alerts]
    call(f"{server.url}/api/v2/alerts", body)


def silence(server: Server, *matchers: tuple[str, str], start: float, end: float) -> str:
    """Silence by hand; return the silence's id."""
    body = {
        "matchers": [{"name": n, "value": v, "isRegex": False, "isEqual": True} for n, v in matchers],
        "startsAt": format_time(start), "endsAt": format_time(end),
        "createdBy": "test", "comment": "by hand",
    }  # fmt: skip
    return str(call(f"{server.url}/api/v2/silences", body)["silenceID"])
