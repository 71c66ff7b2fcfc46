"""
Measure the remediator as a process: from accepted alert to restart call, floods, start after SIGKILL, memory.

Docker and Alertmanager are stand-ins in this process that answer at once, so what is measured is the
remediator's own time, and what the machine's other work adds to it. Longer than other modules: the
parts share one process under test, and its state after one is where the next begins.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import re
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from remediation.alertmanager.rfc3339 import format_time
from remediation.journal.journal import verify
from tests.live.servers import HOST, free_port
from tests.remediation.drivers import fake
from tests.remediation.live.process import COMMAND, WEBHOOK, Remediator

SERVICES, RESTARTS = 59, 100  # as many services as the platform has
FLOOD_RATE, FLOOD_S, CLIENTS = 500, 10, 16
BIG, BURSTS = 1000, 10  # alerts of one payload, and payloads one right after the other
STARTS = 5
LOOPS = 1_000_000
_T = TypeVar("_T")
WIDTH = 60
_ANSWER = re.compile(
    rb"HTTP/1.1 (?P<status>\d+) .*?\r\ncontent-length: (?P<length>\d+)\r\n.*?\r\n\r\n",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(slots=True)
class Alertmanager:
    """Says that these services are down, at once."""

    down: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=lambda: time.time() - 86400)
    port: int = 0

    def page(self, path: str) -> object:
        """Return what is answered at *path*."""
        if path.startswith("/api/v2/status"):
            return {"uptime": format_time(self.since)}
        if path.startswith("/api/v2/alerts/groups"):
            return []
        now = time.time()
        watchdog = {"alertname": "Watchdog", "remedy": "none"}
        told = [_told("0" * 16, watchdog, now - 60)]
        return told + [_told(_mark(n), _labels(n), since) for n, since in [*self.down.items()]]


def _mark(service: str) -> str:
    return service.encode().hex()[:16].rjust(16, "0")


def _labels(service: str) -> dict[str, str]:
    return {"alertname": "ServiceDown", "service": service, "tier": "app", "scope": "service",
            "severity": "critical", "remedy": "restart"}  # fmt: skip


def _told(fingerprint: str, labels: dict[str, str], since: float) -> dict[str, Any]:
    now = time.time()
    return {
        "fingerprint": fingerprint, "labels": labels, "annotations": {}, "receivers": [{"name": "people"}],
        "startsAt": format_time(since), "endsAt": format_time(now + 240), "updatedAt": format_time(now),
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
    }  # fmt: skip


@contextmanager
def answering(alertmanager: Alertmanager) -> Iterator[None]:
    """Serve *alertmanager* while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        owner: ClassVar[Alertmanager] = alertmanager
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: two would cost 40 ms each time (delayed ACK)

        def do_GET(self) -> None:
            body = json.dumps(self.owner.page(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that was killed is no error."""

    server = Server((HOST, 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    alertmanager.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def config(alertmanager: Alertmanager, docker: str, folder: Path, port: int) -> dict[str, Any]:
    """Return a configuration without any wait, of services that Docker alone judges."""
    services = [
        {"name": f"s{n}", "tier": "app", "container": f"{fake.PROJECT}-s{n}", "stateful": False,
         "oneshot": False, "optional": False, "requires": [], "start_period": "0s",
         "health": {"probe": "container", "interval": "1ms", "timeout": "1ms", "retries": 1}}
        for n in range(SERVICES)
    ]  # fmt: skip
    most = [{"window": "1h", "limit": 10000}]
    return {
        "version": 1,
        "alertmanager": {"url": f"http://{HOST}:{alertmanager.port}", "poll_interval": "30s",
                         "watchdog": "Watchdog", "blind_after": "3m"},
        "docker": {"read": docker, "restart": docker, "project": fake.PROJECT},
        "listen": f"{HOST}:{port}",
        "auth": {"webhook_token_files": [str(folder / "webhook_token")],
                 "operator_token_files": [str(folder / "operator_token")]},
        "tiers": [{"name": "app", "order": 1, "mode": "act"}],
        "services": services,
        "budgets": {"service": most, "tier": most, "platform": most},
        "storm": {"roots": 1000, "share": 1, "tiers": 1, "window": "5m", "cooldown": "1h", "grace": "0s"},
        "ladder": {"rungs": ["service", "page"], "same_incident": "2ms", "probation": "1ms", "spacing": "1ms",
                   "spacing_stateful": "1ms", "deduplicate": "1ms",
                   "backoff": {"first": "1ms", "factor": 1, "max": "1ms", "reset": "1m"}},
        "never_restart": [],
    }  # fmt: skip


def process(folder: Path) -> Iterator[str]:
    """Yield the rows of the whole process."""
    fake.START = time.time() - 86400  # the stand-in's containers are as old as that
    # As it is installed: compiled once. Else each start would compile all modules anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    alertmanager = Alertmanager()
    with fake.fake_engine() as engine, answering(alertmanager):
        engine.wall = fake.START + 1
        engine.put(*(fake.Box(f"s{n}", started=fake.START) for n in range(SERVICES)))
        port = free_port()
        made = config(alertmanager, engine.url, folder, port)
        remediator = Remediator(folder, made, folder / "process.db", port, module=COMMAND)
        remediator.start()
        try:
            yield row(f"this machine now: {LOOPS} additions in a loop", _loop_s() * 1000, "ms")
            yield row(
                "serving, nothing done yet: memory", _memory_mb(remediator), "MB", "bar 100 MB"
            )
            yield from _restarts(remediator, engine, alertmanager)
            yield from _big(remediator)
            yield row(f"this machine now: {LOOPS} additions in a loop", _loop_s() * 1000, "ms")
            yield from _flood(remediator)
            yield row("after all that: memory", _memory_mb(remediator), "MB", "bar 100 MB")
            yield from _starts(remediator)
        finally:
            remediator.stop()
        if not verify(remediator.journal).intact:
            raise SystemExit("the journal does not hold what was written")


def _loop_s() -> float:
    """Return how long Python takes for a loop: the machine is another one within the hour."""
    began, total = time.perf_counter(), 0
    for number in range(LOOPS):
        total += number
    return time.perf_counter() - began


def _restarts(
    remediator: Remediator, engine: fake.FakeEngine, alertmanager: Alertmanager
) -> Iterator[str]:
    walls = []
    for number in range(RESTARTS):
        service = f"s{number % SERVICES}"
        box = engine.boxes[f"{fake.PROJECT}-{service}"]
        box.host = {"RestartPolicy": {"Name": "no"}}
        box.state = {"Status": "exited", "ExitCode": 1}
        alertmanager.down = {service: time.time() - 300 + number / 1000}
        posts = len(engine.posts())
        engine.wall = time.time()
        post(remediator.port, [(service, alertmanager.down[service])])
        accepted = time.monotonic()
        while len(engine.posts()) == posts:
            if time.monotonic() - accepted > 30:
                raise SystemExit(f"{service} was not restarted:\n{remediator.tail()}")
            time.sleep(0.0005)
        walls.append(time.monotonic() - accepted)
        alertmanager.down = {}
        _settled(remediator)
    yield row(
        f"the same through the SDK, a Docker of {SERVICES} containers: p99", late(walls) * 1000, "ms",
        f"middle {statistics.median(walls) * 1000:.0f} ms; two looks, the evidence between them",
    )  # fmt: skip


def _settled(remediator: Remediator) -> None:
    """Wait until what became of the restart is written."""
    until = time.monotonic() + 10
    while remediator.call("/v1/status").get("in_progress") and time.monotonic() < until:
        time.sleep(0.01)


def _body(alerts: list[tuple[str, float]]) -> bytes:
    made = [
        {"status": "firing", "labels": _labels(name), "annotations": {"summary": "text " * 40},
         "startsAt": format_time(since), "endsAt": "0001-01-01T00:00:00Z", "fingerprint": _mark(name)}
        for name, since in alerts
    ]  # fmt: skip
    return json.dumps(
        {"version": "4", "groupKey": "bench", "status": "firing", "alerts": made}
    ).encode()


def post(
    port: int,
    alerts: list[tuple[str, float]],
    connection: http.client.HTTPConnection | None = None,
) -> int:
    """Deliver *alerts* (service, start) to the webhook at *port*; return the status."""
    to = connection or http.client.HTTPConnection(HOST, port, timeout=30)
    headers = {"Authorization": f"Bearer {WEBHOOK}", "Content-Type": "application/json"}
    to.request("POST", "/v1/alerts", _body(alerts), headers)
    answer = to.getresponse()
    answer.read()
    if connection is None:
        to.close()
    return answer.status


def _big(remediator: Remediator) -> Iterator[str]:
    walls = _apart(_bursts, remediator.port, BURSTS)
    yield row(
        f"a payload of {BIG} alerts, accepted: middle", statistics.median(walls) * 1000, "ms",
        f"most {max(walls) * 1000:.0f} ms, bar 200 ms",
    )  # fmt: skip


def _apart(client: Callable[[int, int], _T], port: int, total: int) -> _T:
    """Run *client* in a process of its own: this one plays Docker and Alertmanager, and has one lock."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(client, port, total).result()


def _bursts(port: int, total: int) -> list[float]:
    """Deliver *total* payloads of BIG alerts, one after the other; return how long each took."""
    now, walls = time.time() - 300, []
    made = [_request([(f"x{n}-{m}", now) for m in range(BIG)]) for n in range(total)]
    with socket.create_connection((HOST, port), timeout=30) as connection:
        for each in made:
            asked = time.monotonic()
            connection.sendall(each)
            if _status(connection) != 200:
                raise SystemExit("a large payload was refused")
            walls.append(time.monotonic() - asked)
    return walls


def _clients(port: int, total: int) -> tuple[list[int], list[float], float]:
    """Send *total* webhooks, each when its turn has come, or late; return statuses, durations, time."""
    walls: list[float] = []
    statuses: list[int] = []
    made = [_request([(f"f{number}", time.time())]) for number in range(total)]
    began = time.monotonic()

    def client(first: int) -> None:
        with socket.create_connection((HOST, port), timeout=30) as connection:
            for number in range(first, total, CLIENTS):
                time.sleep(max(0.0, began + number / FLOOD_RATE - time.monotonic()))
                asked = time.monotonic()
                connection.sendall(made[number])
                statuses.append(_status(connection))
                walls.append(time.monotonic() - asked)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return statuses, walls, time.monotonic() - began


def _request(alerts: list[tuple[str, float]]) -> bytes:
    """Return a webhook as it goes over the wire: a client library would take more time than we measure."""
    body = _body(alerts)
    head = f"POST /v1/alerts HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: Alertmanager\r\n"
    head += f"Authorization: Bearer {WEBHOOK}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _status(connection: socket.socket) -> int:
    """Return the status of the next answer, having read all of it."""
    found = b""
    while not (whole := _ANSWER.match(found)) or len(found) < whole.end() + int(whole["length"]):
        if not (part := connection.recv(65536)):
            raise SystemExit("the remediator hung up")
        found += part
    return int(whole["status"])


def _flood(remediator: Remediator) -> Iterator[str]:
    """Yield the row of a steady flood: each client sends when its turn has come, or late."""
    total = FLOOD_RATE * FLOOD_S
    before = sum(len(e.body["alerts"]) for e in remediator.entries("received"))  # type: ignore[arg-type]
    statuses, walls, took_s = _apart(_clients, remediator.port, total)
    after = sum(len(e.body["alerts"]) for e in remediator.entries("received"))  # type: ignore[arg-type]
    accepted = statuses.count(200)
    yield row(
        f"{total} webhooks sent at {FLOOD_RATE} a second: accepted and synced", accepted / took_s, "/s",
        f"lost {accepted - (after - before)}, refused {total - accepted}, p99 {late(walls) * 1000:.0f} ms, bar 500 /s",
    )  # fmt: skip


def _starts(remediator: Remediator) -> Iterator[str]:
    walls, entries = [], len(remediator.entries())
    for _ in range(STARTS):
        remediator.kill()
        began = time.monotonic()
        remediator.start(wait=False)
        while not remediator.answers("/-/healthy"):
            time.sleep(0.005)
        walls.append(time.monotonic() - began)
    yield row(
        f"SIGKILL, then serving again ({entries} entries): middle", statistics.median(walls) * 1000, "ms",
        f"most {max(walls) * 1000:.0f} ms, bar 1000 ms",
    )  # fmt: skip


def _memory_mb(remediator: Remediator) -> float:
    assert remediator.process is not None  # noqa: S101 - it was started
    status = Path(f"/proc/{remediator.process.pid}/status").read_text(encoding="ascii")
    return (
        next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        / 1000
    )


def late(walls: list[float]) -> float:
    """Return the 99th of a hundred."""
    return sorted(walls)[min(len(walls) - 1, int(len(walls) * 0.99))]


def row(title: str, figure: float, unit: str, more: str = "") -> str:
    """Return one row of the table."""
    return f"{title:{WIDTH}} {figure:8.0f} {unit:4} {more}".rstrip()
