"""
A Docker daemon of a test's own, on a unix socket, that misbehaves by a script and logs what it does.

It keeps containers, restarts them, and sends events, as the Engine API documents it (version 1.41).
Its own log of effects is the truth that tests compare with. The real daemon is asked in test_live.py.
"""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from remediation.config import Config, DockerSettings
from tests.remediation import shop

PROJECT = "shop"
START = 1_799_000_000.0  # when everything was started, unless a test says otherwise
HANG_S = 30.0


def stamp(wall: float) -> str:
    """Return *wall* as Docker writes it; 0 is the year 1."""
    if not wall:
        return "0001-01-01T00:00:00Z"
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


@dataclass(slots=True)
class Box:
    """A container that the daemon has."""

    service: str
    name: str = ""
    id: str = ""
    project: str | None = PROJECT
    one_off: bool = False
    state: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    started: float = START
    log: bytes = b""

    def __post_init__(self) -> None:
        self.name = self.name or f"{PROJECT}-{self.service}"
        self.id = self.id or self.name.encode().hex().ljust(64, "0")

    @property
    def labels(self) -> dict[str, str]:
        """Compose's labels."""
        if self.project is None:
            return {}
        return {
            "com.docker.compose.project": self.project,
            "com.docker.compose.service": self.service,
            "com.docker.compose.oneoff": str(self.one_off),
        }

    def inspect(self) -> dict[str, Any]:
        """Return what inspect answers."""
        labels = self.labels | self.config.get("Labels", {})
        return {
            "Id": self.id,
            "Name": f"/{self.name}",
            "Created": stamp(START - 1),
            "RestartCount": 0,
            "State": {"Status": "running", "ExitCode": 0, "OOMKilled": False, "Error": "",
                      "StartedAt": stamp(self.started), "FinishedAt": stamp(0)} | self.state,
            "Config": self.config | {"Labels": labels},
            "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}, "NetworkMode": "shop"} | self.host,
        } | self.more  # fmt: skip

    def listed(self) -> dict[str, Any]:
        """Return what the list has of it."""
        status = self.inspect()["State"]["Status"]
        return {"Id": self.id, "Names": [f"/{self.name}"], "Labels": self.labels, "State": status}


@dataclass(slots=True)
class FakeEngine:
    """
    The daemon. *faults* maps a path without version to what happens when it is asked for.

    A fault is a word (hang, hang after, reset before, reset after, truncate, trickle, lie), or a
    status and a body, a third item `after` meaning that it was done before.
    """

    url: str
    boxes: dict[str, Box] = field(default_factory=dict)
    faults: dict[str, Any] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # "METHOD path?query", versions and all
    events: list[dict[str, Any]] = field(default_factory=list)
    version_header: str | None = "1.41"
    wall: float = START + 1000
    release: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)
    streams: int = 0  # which streams of events go on; the others have been cut

    def put(self, *boxes: Box) -> None:
        """Have exactly these containers."""
        self.boxes = {box.name: box for box in boxes}

    def posts(self) -> list[str]:
        """Return the requests that could have changed something."""
        return [each for each in self.asked if not each.startswith("GET ")]

    def restart(self, name: str) -> None:
        """Restart a container, with the events that the engine sends."""
        box = self.boxes[name]
        for action in ("kill", "die", "stop", "start", "restart"):
            self.tell(action, box)
        box.started = self.wall
        box.state = {}
        self.effects.append(f"restart {name}")

    def tell(self, action: str, box: Box, **attributes: str) -> None:
        """Send an event, a millisecond after the one before."""
        with self.changed:
            self.wall += 0.001
            actor = {"ID": box.id, "Attributes": {"name": box.name, **box.labels, **attributes}}
            self.events.append(
                {"Type": "container", "Action": action, "Actor": actor, "timeNano": round(self.wall * 1e9)}
            )  # fmt: skip
            self.changed.notify_all()

    def cut(self) -> None:
        """End all streams of events, as a daemon or a proxy that ends does."""
        with self.changed:
            self.streams += 1
            self.changed.notify_all()


def config_of(fake: FakeEngine, *, restart: str = "") -> Config:
    """Return the shop's configuration with *fake* behind both doors."""
    doors = DockerSettings(fake.url, restart or fake.url, PROJECT)
    return replace(shop.config(), docker=doors)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeEngine

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        fake, parts = self.fake, urlsplit(self.path)
        fake.asked.append(f"{method} {self.path}")
        path = "/" + parts.path.split("/", 2)[2] if parts.path.startswith("/v1.") else parts.path
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        fault = fake.faults.get(path)
        if fault == "hang":
            fake.release.wait(HANG_S)
        if fault in ("hang", "reset before"):
            self.close_connection = True
            return
        if fault == "trickle":
            self._trickle()
            return
        if isinstance(fault, tuple):
            if fault[2:] == ("after",):
                self._effect(path)
            self._send(fault[0], fault[1].encode())
            return
        if fault != "lie":
            self._effect(path)
        if fault == "hang after":
            fake.release.wait(HANG_S)
        if fault in ("hang after", "reset after"):
            self.close_connection = True
            return
        if path == "/events":
            self._events(query)
        else:
            self._send(*self._page(method, path, query), truncate=fault == "truncate")

    def _trickle(self) -> None:
        """Answer so slowly that no wait for the next byte is ever long, until released."""
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.fake.release.wait(0.05):
            self.wfile.write(b" ")
            self.wfile.flush()
        self.close_connection = True

    def _effect(self, path: str) -> None:
        name = path.removeprefix("/containers/").removesuffix("/restart")
        if path.endswith("/restart") and name in self.fake.boxes:
            self.fake.restart(name)

    def _page(self, method: str, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        fake = self.fake
        if path == "/_ping":
            return 200, b"OK"
        if path == "/version":
            return 200, b'{"ApiVersion": "1.40"}'
        if path == "/containers/json":
            wanted = json.loads(query["filters"])["label"]
            assert query["all"] == "1"
            return 200, json.dumps(
                [
                    box.listed()
                    for box in fake.boxes.values()
                    if wanted == [f"com.docker.compose.project={box.project}"]
                ]
            ).encode()
        name, _, what = path.removeprefix("/containers/").partition("/")
        if name not in fake.boxes:
            return 404, json.dumps({"message": f"No such container: {name}"}).encode()
        if method == "POST":
            return 204, b""
        if what == "logs":
            return 200, fake.boxes[name].log
        if what == "stats":
            return 200, b'{"memory_stats": {"usage": 1048576}, "pids_stats": {"current": 3}}'
        return 200, json.dumps(fake.boxes[name].inspect()).encode()

    def _send(self, status: int, body: bytes, *, truncate: bool = False) -> None:
        self.send_response(status)
        if self.fake.version_header:
            self.send_header("Api-Version", self.fake.version_header)
        if status in (301, 307):
            self.send_header("Location", self.path)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if truncate else body)
        if truncate:
            self.close_connection = True

    def _events(self, query: dict[str, str]) -> None:
        fake, mine = self.fake, self.fake.streams
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        since = float(query["since"])
        sent = 0
        while fake.streams == mine and not fake.release.is_set():
            with fake.changed:
                new = [each for each in fake.events[sent:] if each["timeNano"] / 1e9 >= since]
                sent = len(fake.events)
            for each in new:
                line = json.dumps(each).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
            if "until" in query:
                break
            with fake.changed:
                if sent == len(fake.events) and fake.streams == mine:
                    fake.changed.wait(0.2)
        self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A client that has gone is no error."""


class _TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A client that has gone is no error."""


@contextmanager
def fake_engine(*, tcp: bool = False) -> Iterator[FakeEngine]:
    """Serve a daemon while the block runs, on a unix socket or, as a proxy does, with *tcp*."""
    # Sockets have short names: the folder of a test is too long for one.
    with tempfile.TemporaryDirectory(prefix="tw") as folder:
        path = Path(folder) / "docker.sock"
        fake = FakeEngine(f"unix://{path}")
        handler = type("Handler", (_Handler,), {"fake": fake})
        server = _TcpServer(("127.0.0.1", 0), handler) if tcp else _UnixServer(str(path), handler)
        if isinstance(server, _TcpServer):
            fake.url = f"tcp://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield fake
        finally:
            fake.release.set()
            fake.cut()
            server.shutdown()
            server.server_close()
