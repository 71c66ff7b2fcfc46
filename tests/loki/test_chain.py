"""Docker to Promtail to Loki with the rendered files: what containers write is what Loki holds."""

from __future__ import annotations

import json
import struct
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from generator.model import Catalog
from promtail.agent import config

from .conftest import Loki, free_port, tool

pytestmark = pytest.mark.live

STDOUT, STDERR = 1, 2
API = "1.41"
# Before the lines of the other tests, within retention; whole seconds.
START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Container:
    """A container of the fake daemon; lines are (stream, seconds after START, text)."""

    service: str
    lines: tuple[tuple[int, int, str], ...]
    project: str = "demo"

    @property
    def labels(self) -> dict[str, str]:
        """The labels Compose sets."""
        return {
            "com.docker.compose.project": self.project,
            "com.docker.compose.service": self.service,
        }

    @property
    def summary(self) -> dict[str, Any]:
        """What the list of containers says."""
        return {
            "Id": f"{self.project}-{self.service}",
            "Names": [f"/{self.project}-{self.service}"],
            "Labels": self.labels,
            "State": "running",
            "HostConfig": {"NetworkMode": "demo"},
            "NetworkSettings": {"Networks": {"demo": {"NetworkID": "n", "IPAddress": "10.0.0.1"}}},
            "Ports": [],
        }

    @property
    def log(self) -> bytes:
        """The log as Docker streams it: framed, each line with Docker's timestamp."""
        frames = []
        for stream, seconds, text in self.lines:
            payload = f"{stamp(seconds)} {text}\n".encode()
            frames.append(struct.pack(">BxxxI", stream, len(payload)) + payload)
        return b"".join(frames)


def stamp(seconds: float) -> str:
    """Return a time after START as Docker writes it."""
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def pg(seconds: int) -> str:
    """Return a time after START as PostgreSQL writes it."""
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.000 UTC")


CONTAINERS = (
    Container(
        "db",
        (
            # The line's own time is five seconds before Docker's.
            (STDERR, 15, f"{pg(10)} [7] ERROR:  bad\ttab"),
            (STDERR, 15, f"{pg(10)} [7] STATEMENT:  SELECT\t1"),
            (STDERR, 20, f"{pg(20)} [8] LOG:  password='hunter2' given"),
        ),
    ),
    Container(
        "api",
        (
            # stdout and stderr interleave: the traceback must not end up in the access line.
            (STDERR, 30, "ERROR:    Exception in ASGI application"),
            (STDOUT, 30, 'INFO:     10.0.0.1:5 - "POST /ask HTTP/1.1" 500'),
            (STDERR, 31, "Traceback (most recent call last):"),
            (STDOUT, 31, 'INFO:     10.0.0.1:5 - "GET /health HTTP/1.1" 200 OK'),
            (STDERR, 32, "ValueError: no"),
        ),
    ),
    Container("graph.db", ((STDOUT, 40, "Changed password for user 'neo4j'."),)),
    Container("stranger", ((STDOUT, 50, "nobody knows me"),)),
    Container("db", ((STDOUT, 60, "not ours"),), project="other"),
)


class Daemon(BaseHTTPRequestHandler):
    """The few answers of Docker's API that Promtail asks for."""

    protocol_version = "HTTP/1.1"
    asked: frozenset[str] = frozenset()
    done = threading.Event()

    def do_HEAD(self) -> None:
        """Answer the ping that negotiates the version."""
        self._answer(b"")

    def do_GET(self) -> None:
        """Answer reads; remember which kinds of reads there were."""
        url = urllib.parse.urlsplit(self.path)
        path = url.path.removeprefix(f"/v{API}")
        parts = path.strip("/").split("/")
        shape = "/".join("ID" if i == 1 and len(parts) == 3 else p for i, p in enumerate(parts))
        type(self).asked |= {shape}
        if shape == "containers/json":
            self._json(self._list(urllib.parse.parse_qs(url.query)))
        elif shape == "containers/ID/json":
            self._json({"Id": parts[1], "Config": {"Tty": False}})
        elif shape == "containers/ID/logs":
            self._log(next(c for c in CONTAINERS if c.summary["Id"] == parts[1]))
        elif shape == "networks":
            self._json([{"Id": "n", "Name": "demo"}])
        else:
            self._answer(b"OK")

    def _list(self, query: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        """Filter by label as the daemon does."""
        filters = json.loads(query.get("filters", ["{}"])[0])
        wanted = filters.get("label", {})
        return [
            c.summary
            for c in CONTAINERS
            if all(f"{k}={v}" in wanted for k, v in c.labels.items() if f"{k}=" in str(wanted))
        ]

    def _json(self, data: object) -> None:
        self._answer(json.dumps(data).encode(), "application/json")

    def _answer(self, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(200)
        self.send_header("Api-Version", API)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _log(self, container: Container) -> None:
        """Send the log and keep the connection open, as following a running container does."""
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.docker.multiplexed-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(container.log)
        self.wfile.flush()
        self.done.wait(60)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def daemon() -> Iterator[int]:
    """Yield the port of a fake Docker daemon."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Daemon)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    Daemon.done.set()
    server.shutdown()


@pytest.fixture(scope="module")
def promtail(
    loki: Loki, daemon: int, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Yield the address of a Promtail that runs the rendered file and has sent what it read."""
    binary = tool("promtail")
    folder = tmp_path_factory.mktemp("promtail")
    port = free_port()
    data: dict[str, Any] = json.loads(json.dumps(config(catalog)))
    data["server"] = {"http_listen_port": port, "http_listen_address": "127.0.0.1"}
    data["server"] |= {"grpc_listen_port": 0, "grpc_listen_address": "127.0.0.1"}
    data["positions"]["filename"] = str(folder / "positions.yml")
    data["clients"][0]["url"] = f"{loki.url}/loki/api/v1/push"
    data["scrape_configs"][0]["docker_sd_configs"][0]["host"] = f"tcp://127.0.0.1:{daemon}"
    path = folder / "config.yml"
    path.write_text(json.dumps(data), encoding="utf-8")
    with (folder / "promtail.log").open("w") as log:
        process = subprocess.Popen([binary, "-config.file", str(path)], stdout=log, stderr=log)
        try:
            yield wait_until_sent(f"http://127.0.0.1:{port}/metrics", folder / "promtail.log")
        finally:
            process.terminate()
            process.wait(timeout=10)


EXPECTED_ENTRIES = 5


def wait_until_sent(url: str, log: Path) -> str:
    """Return *url* once Promtail has sent all entries; fail with its log after 40 s."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            sent = total(metrics(url), "promtail_sent_entries_total")
        except OSError:
            sent = 0
        if sent >= EXPECTED_ENTRIES:
            return url
        time.sleep(0.2)
    pytest.fail("Promtail sends nothing:\n" + log.read_text()[-3000:])


def metrics(url: str) -> dict[str, float]:
    """Return the samples of a metrics page by series text."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {series: float(value) for series, value in pairs}


def total(samples: Mapping[str, float], name: str) -> float:
    """Return the sum of all series of *name*."""
    return sum(value for series, value in samples.items() if series.split("{")[0] == name)


def nanoseconds(seconds: int) -> str:
    """Return START plus *seconds* as Loki writes times."""
    return f"{int((START + timedelta(seconds=seconds)).timestamp())}000000000"


def test_loki_holds_what_containers_wrote(loki: Loki, promtail: str) -> None:
    """Labels, times and lines are exact: tabs, two streams at once, masks, noise and strangers."""
    assert promtail
    loki.flush()
    answer = loki.get(
        "/loki/api/v1/query_range",
        query='{service=~".+"}',
        start=nanoseconds(0),
        end=nanoseconds(3600),
        limit="100",
    )
    held = {
        tuple(sorted(stream["stream"].items())): sorted(map(tuple, stream["values"]))
        for stream in answer["data"]["result"]
    }

    assert held == {
        subject("db", "core", "postgres", "data", "error"): [
            (
                nanoseconds(10),
                f"{pg(10)} [7] ERROR:  bad\ttab\n{pg(10)} [7] STATEMENT:  SELECT\t1",
            )
        ],
        subject("db", "core", "postgres", "data", "info"): [
            (nanoseconds(20), f"{pg(20)} [8] LOG:  password='<masked>' given")
        ],
        subject("api", "app", "container", "data", "error"): [
            (
                nanoseconds(30),
                "ERROR:    Exception in ASGI application\nTraceback (most recent call last):\nValueError: no",
            )
        ],
        subject("api", "app", "container", "data", "info"): [
            (nanoseconds(30), 'INFO:     10.0.0.1:5 - "POST /ask HTTP/1.1" 500')
        ],
        subject("graph.db", "core", "neo4j", "data", "unknown"): [
            (nanoseconds(40), "Changed password for user 'neo4j'.")
        ],
    }


def subject(
    service: str, tier: str, kind: str, owner: str, level: str
) -> tuple[tuple[str, str], ...]:
    """Return a stream's labels, sorted."""
    labels = {"service": service, "tier": tier, "kind": kind, "owner": owner, "level": level}
    return tuple(sorted(labels.items()))


def test_promtail_counts_lines_by_level(promtail: str) -> None:
    """The pipeline's own counter has exactly the stream's labels and counts what was sent."""
    prefix = "promtail_custom_log_lines_total"
    counted = {s: v for s, v in metrics(promtail).items() if s.startswith(prefix)}

    assert counted == {
        f'{prefix}{{kind="{k}",level="{level}",owner="data",service="{s}",tier="{t}"}}': 1.0
        for s, t, k, level in (
            ("db", "core", "postgres", "error"),
            ("db", "core", "postgres", "info"),
            ("api", "app", "container", "error"),
            ("api", "app", "container", "info"),
            ("graph.db", "core", "neo4j", "unknown"),
        )
    }


def test_what_is_dropped_is_counted(promtail: str) -> None:
    """A stranger's line and a health check's are dropped, each under its reason."""
    counted = {
        series: value
        for series, value in metrics(promtail).items()
        if series.startswith("logentry_dropped_lines_total")
    }

    assert counted == {
        'logentry_dropped_lines_total{reason="not_in_catalog"}': 1.0,
        'logentry_dropped_lines_total{reason="health_check"}': 1.0,
    }


def test_promtail_asks_docker_for_reads_only(promtail: str) -> None:
    """These are the paths that the read-only proxy has to allow, and no others."""
    assert promtail
    assert Daemon.asked | {"_ping"} == {
        "_ping",
        "containers/json",
        "containers/ID/json",
        "containers/ID/logs",
        "networks",
    }
