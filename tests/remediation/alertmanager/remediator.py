"""A stand-in for the remediator's operator API: holds, a token, and nothing else."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from tests.live.servers import HOST

TOKEN = "operator-token-of-the-tests-0123456789"


@dataclass(slots=True)
class Remediator:
    """Its holds by name, as it was told; *broken* makes it answer 503."""

    port: int = 0
    holds: dict[str, dict[str, Any]] = field(default_factory=dict)
    untils: dict[str, float] = field(default_factory=dict)
    now: float = 0.0
    broken: bool = False

    @property
    def url(self) -> str:
        """Address without a trailing slash."""
        return f"http://{HOST}:{self.port}"


@contextlib.contextmanager
def remediating() -> Iterator[Remediator]:
    """Serve the API on a free port until the block ends."""
    remediator = Remediator()

    class Handler(_Handler):
        owner = remediator

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    remediator.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield remediator
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    owner: ClassVar[Remediator]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        holds = [
            {"name": n, "until_wall": self.owner.untils[n], "by": h["by"], "reason": h["reason"]}
            for n, h in self.owner.holds.items()
        ]
        if not self._refuses("/v1/status"):
            self._send(200, {"holds": holds, "paused": False})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._refuses("/v1/holds"):
            self.owner.holds[body["name"]] = body
            self.owner.untils[body["name"]] = self.owner.now + body["for_s"]
            self._send(200, {"changed": True, "entry": 7})

    def do_DELETE(self) -> None:
        name = self.path.rpartition("/")[2]
        if self._refuses(f"/v1/holds/{name}"):
            return
        if self.owner.holds.pop(name, None) is not None:
            self._send(200, {"changed": True, "entry": 8})
            return
        fact, cure = "no work is announced on it", "Announced is: nothing"
        self._send(404, {"error": {"place": self.path, "fact": fact, "cure": cure}})

    def _refuses(self, path: str) -> bool:
        """Answer why nothing is done at *path*, if nothing is; say so."""
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send(401, {"error": {"place": path, "fact": "no", "cure": "no"}})
        elif self.owner.broken:
            told = {"place": path, "fact": "the journal cannot be written", "cure": "Free the disk"}
            self._send(503, {"error": told})
        elif self.path != path:
            self._send(404, {})
        else:
            return False
        return True

    def _send(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
