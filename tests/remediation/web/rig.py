"""
A desk that has no engine behind it, and the real web server in front of it.

The desk keeps a real `State` that real records add up to; what the journal does (commit, fail, hang)
is the test's choice. Requests go over real sockets.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import itertools
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporters.config import Address
from exporters.web_guard import Guard
from remediation.clock import Moment
from remediation.config import Config, load_config
from remediation.desk import View
from remediation.journal.errors import JournalError
from remediation.model import Container, Entry, Record, Sight, World
from remediation.state import State
from remediation.web.app import make_app
from remediation.web.auth import Auth
from remediation.web.metrics import Metrics
from remediation.web.server import WebServer
from remediation.web.tls import Tls

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "rendered" / "remediation" / "config.yml"
WEBHOOK = "webhook-token-0123456789abcdef"
OPERATOR = "operator-token-0123456789abcdef"
NOW = 1_760_000_000.0
HOST = "127.0.0.1"


@functools.cache
def shipped_config() -> Config:
    """Return the shipped configuration; it is frozen, so all may share it."""
    return load_config(CONFIG)


def healthy_world(config: Config, **others: Sight) -> World:
    """Return a world in which everything runs, but for *others* (`_` stands for `-`)."""
    running = Sight(
        Container("running", "healthy", id="c0ffee", started_wall=NOW - 90000), probe=True
    )
    services = dict.fromkeys(config.services, running)
    services |= {name.replace("_", "-"): sight for name, sight in others.items()}
    return World(alerts=None, services=services, docker_up=True)


@dataclass
class FakeDesk:
    """A desk: *journal* says what happens to records (commit, fail, hang)."""

    config: Config = field(default_factory=shipped_config)
    state: State = field(default_factory=State)
    world: World | None = None
    journal: str = "commit"
    blind: bool = False
    dry_run: bool = False
    is_alive: bool = True
    broken: str = ""  # why rounds break
    hangs: str = ""  # why a round does not end
    entries: list[Entry] = field(default_factory=list)
    hanging: list[tuple[Future[tuple[Entry, ...]], tuple[Record, ...]]] = field(
        default_factory=list
    )
    at: float = NOW
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def view(self) -> View:
        """Return the picture as it is now; a copy, as the engine's is."""
        world = self.world or healthy_world(self.config)
        with self._lock:
            state = State.from_json(self.state.to_json())
        return View(
            self.config, state, world, Moment(self.at, self.at), self.blind,
            alertmanager_up=True, docker_up=world.docker_up, reconciled_wall=self.at - 3,
            committed_wall=self.at - 1, dry_run=self.dry_run,
        )  # fmt: skip

    def accept(self, *records: Record) -> Future[tuple[Entry, ...]]:
        """Do what the test wants with *records*."""
        future: Future[tuple[Entry, ...]] = Future()
        if self.journal == "hang":
            self.hanging.append((future, records))
        elif self.journal == "fail":
            future.set_exception(JournalError(Path("/j.db"), "the disk is full", "Free space"))
        elif self.journal == "refuse":
            raise JournalError(Path("/j.db"), "4096 writes wait already", "Look at the disk")
        else:
            future.set_result(self.write(*records))
        return future

    def write(self, *records: Record, ago: float = 0.0) -> tuple[Entry, ...]:
        """Commit *records*, as if *ago* seconds back."""
        made = []
        with self._lock:
            for record in records:
                at = self.at - ago
                number = len(self.entries) + 1
                entry = Entry(number, at, at, record.kind, record.body, "")
                self.entries.append(entry)
                self.state.apply(entry)
                made.append(entry)
        return tuple(made)

    def hung(self) -> str:
        """Return why a round does not end."""
        return self.hangs

    def trouble(self) -> str:
        """Return what was put there."""
        return self.broken

    def alive(self) -> bool:
        """Whether the engine works, as the test wants."""
        return self.is_alive

    def tail(self, count: int) -> list[Entry]:
        """Return the last entries."""
        return self.entries[-count:]

    def kinds(self) -> list[str]:
        """Return the kinds of all entries, oldest first."""
        return [entry.kind for entry in self.entries]

    def bodies(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the bodies of the entries of *kind*."""
        return [entry.body for entry in self.entries if entry.kind == kind]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Web:
    """A running web part."""

    desk: FakeDesk
    metrics: Metrics
    port: int
    tokens: Path
    context: ssl.SSLContext | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        token: str = "",
    ) -> Answer:
        """Send one request over a connection of its own."""
        made = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        connection = self.connect()
        try:
            connection.request(method, path, body, made)
            response = connection.getresponse()
            text = response.read().decode()
            return Answer(response.status, text, {k.lower(): v for k, v in response.getheaders()})
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection, not yet opened."""
        if self.context is not None:
            return http.client.HTTPSConnection(HOST, self.port, timeout=60, context=self.context)
        return http.client.HTTPConnection(HOST, self.port, timeout=60)

    def alerts(self, message: Any, token: str = WEBHOOK) -> Answer:
        """Deliver *message*: bytes as they are, anything else as JSON."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.ask("POST", "/v1/alerts", body, {"Content-Type": "application/json"}, token)

    def operate(
        self, path: str, body: Any = None, method: str = "POST", token: str = OPERATOR
    ) -> Answer:
        """Ask the operator API."""
        data = None if body is None else json.dumps(body).encode()
        return self.ask(method, path, data, token=token)

    def press(
        self, path: str, fields: Mapping[str, str], cookie: str = "", **headers: str
    ) -> Answer:
        """Send a form as a browser does; header names with `_` for `-`."""
        made = {"Origin": f"http://{HOST}:{self.port}", "Cookie": cookie}
        made |= {"Content-Type": "application/x-www-form-urlencoded"}
        made |= {name.replace("_", "-"): value for name, value in headers.items()}
        made = {name: value for name, value in made.items() if value}
        from urllib.parse import urlencode

        return self.ask("POST", path, urlencode(fields), made)

    def log_in(self, name: str = "ann") -> str:
        """Log in on the page; return the cookie."""
        answer = self.press("/login", {"name": name, "token": OPERATOR})
        assert answer.status == 303, answer.body
        return answer.headers["set-cookie"].partition(";")[0]

    def counted(self, result: str) -> float:
        """Return remediation_intake_total for *result*."""
        page = self.ask("GET", "/metrics").body
        line = next(
            x
            for x in page.splitlines()
            if x.startswith(f'remediation_intake_total{{result="{result}"}}')
        )
        return float(line.split()[-1])


def write_tokens(folder: Path) -> Auth:
    """Write one token of each role into *folder* and return who checks them."""
    for name, token in (("webhook", WEBHOOK), ("operator", OPERATOR)):
        path = folder / name
        path.write_text(f"{token}\n", encoding="ascii")
        path.chmod(0o600)
    return Auth(
        [folder / "webhook", folder / "webhook_next"],
        [folder / "operator", folder / "operator_next"],
        again_s=0.0,
    )


@contextlib.contextmanager
def serving(
    desk: FakeDesk,
    folder: Path,
    *,
    web_config: Path | None = None,
    client_ca: Path | None = None,
    context: ssl.SSLContext | None = None,
    head_s: float = 5.0,
    **options: Any,
) -> Iterator[Web]:
    """Serve *desk* on a free port until the block ends; *options* go to make_app."""
    guard, metrics = Guard(web_config), Metrics()
    auth = write_tokens(folder)
    app = make_app(
        desk, auth, metrics, tail=desk.tail, guard=guard, wall=lambda: desk.at, **options
    )
    server = WebServer(Address(HOST, 0), app, Tls(guard, client_ca), head_s=head_s)
    server.start()
    try:
        yield Web(desk, metrics, server.port, folder, context)
    finally:
        server.stop()


_numbers = itertools.count(1)


def alert(service: str = "backend", **changes: Any) -> dict[str, Any]:
    """Return one alert of a webhook message; every one has another fingerprint unless given."""
    made: dict[str, Any] = {
        "status": "firing",
        "labels": {
            "alertname": "ServiceDown", "service": service, "tier": "app", "scope": "service",
            "severity": "critical", "remedy": "restart", "instance": "backend:8000",
        },
        "annotations": {"summary": f"{service} is down"},
        "startsAt": "2026-11-12T03:11:22.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
        "fingerprint": f"{next(_numbers):016x}",
    }  # fmt: skip
    return made | changes


def message(*alerts: Any, **changes: Any) -> dict[str, Any]:
    """Return a message of Alertmanager with *alerts*."""
    made: dict[str, Any] = {
        "receiver": "remediator",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"tier": "app"},
        "commonLabels": {"tier": "app"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": '{}/{remedy="restart"}:{tier="app"}',
        "truncatedAlerts": 0,
    }
    return made | changes


def wait_until(condition: Any, seconds: float = 30.0) -> None:
    """Return once *condition* holds; fail the test if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)
