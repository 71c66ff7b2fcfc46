"""A Docker daemon that answers the few questions Promtail asks, with containers of our own."""

from __future__ import annotations

import json
import struct
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

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
        self.done.wait(1800)  # longer than any test, shorter than for ever

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
