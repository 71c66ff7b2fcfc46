"""A Docker that answers GET /containers/json on a Unix socket, and nothing else."""

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

A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)  # the ids of the fixture's containers


@dataclass(slots=True)
class DockerList:
    """What it answers, which a test may change, and what it was asked."""

    url: str
    body: bytes
    status: int = 200
    asked: list[str] = field(default_factory=list)
    stall: threading.Event = field(default_factory=threading.Event)  # while clear, answers wait
    drip: threading.Event = field(default_factory=threading.Event)  # while set, a byte at a time


def listing(state: str = "running", /, **names: str) -> bytes:
    """Return the answer that lists the containers *names*: name by id, all in *state*."""
    containers: list[dict[str, Any]] = [
        {"Id": number, "Names": [f"/other/{name}", f"/{name}"], "State": state}
        for number, name in names.items()
    ]
    return json.dumps(containers).encode()


@contextmanager
def docker_list(folder: Path, body: bytes) -> Iterator[DockerList]:
    """Serve *body* on a socket in *folder*."""
    path = folder / "docker.sock"
    docker = DockerList(f"unix://{path}", body)
    docker.stall.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            docker.asked.append(self.path)
            docker.stall.wait(30)
            self.send_response(docker.status)
            self.send_header(
                "Content-Length", str(len(docker.body) + (1 << 20 if docker.drip.is_set() else 0))
            )
            self.end_headers()
            while docker.drip.is_set():
                self.wfile.write(b" ")
                threading.Event().wait(0.02)  # what comes is never late
            self.wfile.write(docker.body)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of askers that went away."""

    with Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield docker
        finally:
            docker.stall.set()
            docker.drip.clear()
            server.shutdown()
