"""Whoever Alertmanager notifies (people, the remediator, the heartbeat), as one HTTP listener."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from tests.live.servers import HOST


@dataclass(frozen=True, slots=True)
class Notification:
    """One POST: *path* says to whom, *authorization* is the header, *body* the JSON."""

    path: str
    authorization: str
    body: dict[str, Any]

    @property
    def alerts(self) -> set[tuple[str, str, str]]:
        """Name, service and status of each alert of a webhook message."""
        return {
            (one["labels"]["alertname"], one["labels"]["service"], one["status"])
            for one in self.body["alerts"]
        }


@dataclass(slots=True)
class Receiver:
    """What came in, in order."""

    port: int = 0
    _got: list[Notification] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Address without a trailing slash."""
        return f"http://{HOST}:{self.port}"

    def take(self, notification: Notification) -> None:
        """Keep one *notification*."""
        self._got.append(notification)

    def got(self, path: str, since: int = 0) -> list[Notification]:
        """Return the notifications to *path*, those before number *since* (see `count`) left out."""
        return [one for one in self._got[since:] if one.path == path]

    @property
    def count(self) -> int:
        """How many came in so far, whoever they were for."""
        return len(self._got)


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen on a free port until the block ends."""
    receiver = Receiver()

    class Handler(_Handler):
        owner = receiver

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    owner: ClassVar[Receiver]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take the message and say yes."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.owner.take(Notification(self.path, self.headers.get("Authorization", ""), body))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests ask for what came."""
