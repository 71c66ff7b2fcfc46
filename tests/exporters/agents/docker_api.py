"""
Docker's API over a unix socket, as far as the exporter asks it, made from its documentation.

What it answers is a dictionary that the test changes; a path may also hang, break or lie. The real
daemon is asked in test_docker_live.py.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PROJECT = "shop"


def container(
    name: str,
    *,
    service: str = "",
    state: str = "running",
    health: dict[str, Any] | None = None,
    created: int = 1_700_000_000,
    api: str = "1.41",
    one_off: bool = False,
    **details: Any,
) -> dict[str, Any]:
    """Return what list and inspect say of a container, as API 1.41 (Docker 20.10) or 1.52 does."""
    words = {
        "healthy": " (healthy)",
        "unhealthy": " (unhealthy)",
        "starting": " (health: starting)",
    }
    status = health["Status"] if health else ""
    labels = {"com.docker.compose.project": PROJECT, "com.docker.compose.oneoff": str(one_off)}
    if service:
        labels["com.docker.compose.service"] = service
    listed: dict[str, Any] = {
        "Id": f"{name}-id", "Names": [f"/{name}"], "State": state, "Labels": labels, "Created": created,
        "Status": f"Up 5 minutes{words.get(status, '')}" if state == "running" else "Exited (137) 2 hours ago",
    }  # fmt: skip
    if api == "1.52" and health:
        listed["Health"] = health
    inspected = {
        "Id": f"{name}-id",
        "RestartCount": details.pop("RestartCount", 0),
        "State": {
            "Status": state, "ExitCode": 0, "OOMKilled": False,
            "StartedAt": "2026-11-23T04:00:00.123456789Z", **details,
        },
    }  # fmt: skip
    if health:
        inspected["State"]["Health"] = health
    return {"list": listed, "inspect": inspected}


@dataclass(slots=True)
class FakeDocker:
    """What the daemon knows (by name) and how it misbehaves (by path: hang, cut, or a status and a body)."""

    url: str
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def put(self, *entries: dict[str, Any]) -> None:
        """Have exactly these containers."""
        self.containers = {entry["list"]["Id"]: entry for entry in entries}

    def answer(self, path: str) -> tuple[int, bytes]:
        """Return status and body for *path*."""
        parts = urlsplit(path)
        self.asked.append(parts.path)
        if parts.path == "/containers/json":
            query = parse_qs(parts.query)
            wanted = {"label": [f"com.docker.compose.project={PROJECT}"]}
            if query.get("all") != ["1"] or json.loads(query["filters"][0]) != wanted:
                return 400, b'{"message": "not what was agreed"}'
            found: Any = [entry["list"] for entry in self.containers.values()]
        else:
            entry = self.containers.get(parts.path.split("/")[2])
            if entry is None:
                return 404, b'{"message": "No such container"}'
            found = entry["inspect"]
        return 200, json.dumps(found).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    docker: FakeDocker

    def address_string(self) -> str:
        return "unix"

    def do_GET(self) -> None:
        fault = self.docker.faults.get(urlsplit(self.path).path)
        if fault == "hang":
            self.docker.release.wait(30)
        if fault in ("hang", "cut"):
            self.close_connection = True
            return
        status, body = fault if isinstance(fault, tuple) else self.docker.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def fake_docker(folder: Path) -> Iterator[FakeDocker]:
    """Serve a daemon in *folder* while the block runs."""
    path = folder / "docker.sock"
    docker = FakeDocker(f"unix://{path}")
    handler = type("Handler", (_Handler,), {"docker": docker})
    server = _Server(str(path), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    try:
        yield docker
    finally:
        docker.release.set()
        server.shutdown()
        server.server_close()
