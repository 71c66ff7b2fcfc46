"""
A socket between the driver and a real daemon that counts POSTs, and breaks them off if told to.

Bytes are passed on as they are: what is counted is what was really sent.
"""

from __future__ import annotations

import re
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_HEAD = re.compile(rb"([A-Z]+) (/v([0-9.]+)/\S*) HTTP")


@dataclass(slots=True)
class Relay:
    """A door; *posts* are the requests that came through it, other than GET."""

    url: str
    posts: list[str] = field(default_factory=list)
    version: str = ""


@contextmanager
def relaying(target: str, cut: str = "") -> Iterator[Relay]:
    """
    Pass on what comes to *target* (`unix:///path`) while the block runs.

    *cut* `answer`: pass the request on, and break off before the answer; `request`: pass nothing on.
    """

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            client: socket.socket = self.request
            head = client.recv(65536)
            found = _HEAD.match(head)
            if found and found[1] != b"GET":
                relay.posts.append(f"{found[1].decode()} {found[2].decode()}")
                relay.version = found[3].decode()
            if cut == "request":
                return
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(target.removeprefix("unix://"))
                server.sendall(head)
                if cut != "answer":
                    _pass_on(client, server)
                else:
                    client.close()
                    # The daemon goes on when its client has gone; this one waits, and says nothing.
                    server.recv(65536)

    with tempfile.TemporaryDirectory(prefix="tw") as folder:
        path = Path(folder) / "relay.sock"
        relay = Relay(f"unix://{path}")
        with _Server(str(path), Handler) as server:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
            try:
                yield relay
            finally:
                server.shutdown()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    def back() -> None:
        with suppress(OSError):
            while piece := server.recv(65536):
                client.sendall(piece)
            client.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=back, daemon=True)
    thread.start()
    with suppress(OSError):
        while piece := client.recv(65536):
            server.sendall(piece)
    thread.join(60)
