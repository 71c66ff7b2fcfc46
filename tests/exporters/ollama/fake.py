"""
A contract fake of Ollama's API, with faults under the test's control.

It answers as ollama/ollama documents and its source does (server/routes.go, api/types.go), and
keeps the rules that matter to a watcher: a generation loads a model that is not in memory, loads
it anew when it was loaded with other loading options or from another file, and pushes expires_at
on; without a prompt it only does that. What it was asked is in
`asked`; a fault is set per path and holds until it is taken away.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

KEEP_ALIVE_S = 300.0
LOAD_OPTIONS = ("num_ctx", "num_batch", "main_gpu", "use_mmap", "num_thread")  # that are compared
DEFAULT_CONTEXT = 4096
PINNED = "2318-11-01T00:00:00.123456789Z"
Json = dict[str, Any]


def moment(unix: float) -> str:
    """Return *unix* as Go writes a time: RFC 3339 with nine digits."""
    whole = datetime.fromtimestamp(int(unix), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{int(unix % 1 * 1e9):09d}Z"


def model(name: str, **more: Any) -> Json:
    """Return an entry of /api/tags."""
    details = {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "1B",
        "quantization_level": "Q4_0",
    }
    return {
        "name": name,
        "model": name,
        "modified_at": "2026-08-21T10:00:00.123456789+02:00",
        "size": 637700138,
        "digest": hashlib.sha256(name.encode()).hexdigest(),
        "details": details,
        **more,
    }


@dataclass(slots=True)
class Memory:
    """A model in memory."""

    context: int
    expires: float | None  # Unix time; None: pinned
    loading: bool = False
    options: Json = field(default_factory=dict)  # of the loading, without num_ctx
    digest: str = ""  # of what was loaded; empty: of what is installed


@dataclass(slots=True)
class Fake:
    """What the server has and does; changed by the test while it runs."""

    version: str = "0.33.0"
    installed: list[Json] = field(default_factory=list)
    loaded: dict[str, Memory] = field(default_factory=dict)
    longest: int = 8192
    capabilities: list[str] | None = field(default_factory=lambda: ["completion"])
    load_s: float = 0.0  # how long a load takes
    wants: str = ""  # the value of Authorization without which it answers 401
    native: bool = False
    cloud: bool | None = True
    tokens_per_line: float = 0.0  # seconds between two lines of a generation
    skew_s: float = 0.0  # how far its clock is ahead of ours
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[tuple[str, Json | None]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)  # every Authorization that came, "" for none
    loads: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def use(
        self,
        name: str,
        *,
        context: int = DEFAULT_CONTEXT,
        keep_s: float = KEEP_ALIVE_S,
        **options: Any,
    ) -> None:
        """Do what a user's request does: load *name*, and push its end on."""
        memory = self.loaded.get(name)
        digest = self.digest(name)
        if (
            memory is None
            or (memory.context, memory.options) != (context, options)
            or memory.digest not in ("", digest)
        ):
            self.loads += 1
            self.released.wait(self.load_s)
            memory = self.loaded[name] = Memory(context, None, options=options, digest=digest)
        memory.expires = self.now() + keep_s

    def digest(self, name: str) -> str:
        """Return the digest of what is installed as *name*."""
        return next((str(m["digest"]) for m in self.installed if m["name"] == name), "")

    def now(self) -> float:
        """Return its clock, Unix time."""
        return time.time() + self.skew_s

    def generations(self) -> list[Json]:
        """Return the bodies of all requests for tokens."""
        return [body for body in self.requests() if body["prompt"]]

    def requests(self) -> list[Json]:
        """Return the bodies of all requests for a generation, for a sign of life only too."""
        return [body or {} for path, body in self.asked if path == "/api/generate"]


Fault = Callable[["Handler"], None]


def hang(handler: Handler) -> None:
    """Take the request and never answer, until the fake stops."""
    handler.fake.released.wait()


def drip(handler: Handler) -> None:
    """Begin an answer and send one byte every 20 ms."""
    handler.start("application/json")
    with contextlib.suppress(OSError):
        while not handler.fake.released.wait(0.02):
            handler.wfile.write(b" ")


def drip_headers(handler: Handler) -> None:
    """Send a status line, then headers without end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    with contextlib.suppress(OSError):
        while not handler.fake.released.wait(0.02):
            handler.wfile.write(b"x")


def status(code: int, *, body: bytes = b'{"error":"planted"}', **headers: str) -> Fault:
    """Answer with *code*."""
    return lambda handler: handler.reply(code, body, **headers)


def garbage(body: bytes, content_type: str = "application/json", **headers: str) -> Fault:
    """Answer 200 with *body*."""
    return lambda handler: handler.reply(200, body, Content_Type=content_type, **headers)


def raw(data: bytes) -> Fault:
    """Answer with *data*, whatever that is."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(data)

    return answer


def huge(handler: Handler) -> None:
    """Answer with 100 MB, as fast as they are taken."""
    handler.start("application/json")
    with contextlib.suppress(OSError):
        for _ in range(1600):
            handler.wfile.write(b" " * 65536)


def slow(seconds: float) -> Fault:
    """Answer rightly, but *seconds* later."""

    def answer(handler: Handler) -> None:
        handler.fake.released.wait(seconds)
        handler.answer()

    return answer


def at_tokens(fault: Fault) -> Fault:
    """Do *fault* where tokens are asked for; a request without a prompt is answered."""

    def answer(handler: Handler) -> None:
        (fault if handler.body["prompt"] else Handler.answer)(handler)

    return answer


def close(handler: Handler) -> None:
    """Hang up without a word."""
    handler.close_connection = True


class Handler(http.server.BaseHTTPRequestHandler):
    """The routes of Ollama that a watcher uses."""

    protocol_version = "HTTP/1.1"
    fake: Fake  # set on a subclass by running_fake

    def do_GET(self) -> None:
        """Answer, or do what the fault of this path says."""
        self._serve(None)

    def do_POST(self) -> None:
        """Answer, or do what the fault of this path says."""
        length = int(self.headers.get("Content-Length", 0))
        self._serve(json.loads(self.rfile.read(length) or b"{}"))

    def _serve(self, body: Json | None) -> None:
        self.body = body or {}
        self.fake.asked.append((self.path, body))
        self.fake.shown.append(self.headers.get("Authorization", ""))
        self.close_connection = True
        if self.fake.wants not in ("", self.fake.shown[-1]):
            self.reply(401, b"who are you?", Content_Type="text/plain")
            return
        fault = self.fake.faults.get(self.path)
        with contextlib.suppress(OSError):
            (fault or Handler.answer)(self)

    def answer(self) -> None:
        """Answer as Ollama does."""
        fake = self.fake
        if self.path == "/api/version":
            self.send({"version": fake.version})
        elif self.path == "/api/tags":
            self.send({"models": fake.installed})
        elif self.path == "/api/ps":
            self.send({"models": [self._loaded(name) for name in fake.loaded]})
        elif self.path == "/api/status" and fake.cloud is not None:
            self.send({"cloud": {"disabled": not fake.cloud, "source": "none"}})
        elif self.path == "/api/show":
            info = {"general.architecture": "llama", "llama.context_length": fake.longest}
            can = {} if fake.capabilities is None else {"capabilities": fake.capabilities}
            self.send({"model_info": info, **can})
        elif self.path == "/api/generate":
            self._generate()
        elif self.path == "/metrics" and fake.native:
            self.reply(200, b"# EOF\n", Content_Type="text/plain")
        else:
            self.reply(404, b"404 page not found", Content_Type="text/plain")

    def _loaded(self, name: str) -> Json:
        memory = self.fake.loaded[name]
        end = self.fake.now() + KEEP_ALIVE_S if memory.loading else memory.expires
        return {
            **model(name),
            "digest": memory.digest or self.fake.digest(name) or model(name)["digest"],
            "size": 1_200_000_000,
            "size_vram": 0,
            "context_length": min(memory.context, self.fake.longest),
            "expires_at": PINNED if end is None else moment(end),
        }

    def _generate(self) -> None:
        name, options = self.body["model"], self.body.get("options", {})
        name = name if ":" in name else f"{name}:latest"
        if name not in {entry["name"] for entry in self.fake.installed}:
            self.reply(404, json.dumps({"error": f"model '{name}' not found"}).encode())
            return
        memory = self.fake.loaded.get(name)
        pinned = memory is not None and memory.expires is None
        of_loading = {key: options[key] for key in LOAD_OPTIONS if key in options}
        self.fake.use(name, context=of_loading.pop("num_ctx", DEFAULT_CONTEXT), **of_loading)
        if pinned:
            self.fake.loaded[name].expires = None
        if not self.body["prompt"]:
            self.send({"model": name, "response": "", "done": True, "done_reason": "load"})
            return
        self.start("application/x-ndjson")
        count = options.get("num_predict", 16)
        for index in range(count):
            self.fake.released.wait(self.fake.tokens_per_line)
            self.line({"model": name, "response": f"{index} ", "done": False})
        self.line({
            "model": name, "response": "", "done": True, "done_reason": "length",
            "total_duration": 120_000_000, "load_duration": 5_000_000, "prompt_eval_count": 20,
            "prompt_eval_duration": 15_000_000, "eval_count": count,
            "eval_duration": count * 10_000_000,
        })  # fmt: skip

    def send(self, data: Json) -> None:
        """Answer 200 with *data*."""
        self.reply(200, json.dumps(data).encode())

    def line(self, data: Json) -> None:
        """Send one line of a stream."""
        self.wfile.write(json.dumps(data).encode() + b"\n")
        self.wfile.flush()

    def start(self, content_type: str) -> None:
        """Begin an answer whose end is the end of the connection."""
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Connection", "close")
        self.end_headers()

    def reply(self, code: int, body: bytes, **headers: str) -> None:
        """Send a whole answer."""
        self.send_response(code)
        for name, value in {"Content_Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the Date header of its own clock."""
        return super().date_time_string(self.fake.now() if timestamp is None else timestamp)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A watcher that hangs up is no fault of the fake."""


class _Server6(_Server):
    address_family = socket.AF_INET6


@contextlib.contextmanager
def running_fake(fake: Fake, port: int = 0, host: str = "127.0.0.1") -> Iterator[Fake]:
    """Serve *fake* on *port* (0: a free one) of *host* until the block ends."""
    handler = type("OneHandler", (Handler,), {"fake": fake})
    kind = _Server6 if ":" in host else _Server
    server = kind((host, port), handler)
    fake.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        fake.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
