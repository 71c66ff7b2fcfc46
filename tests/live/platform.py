"""
A whole platform in one process: an HTTP proxy that answers in every service's name.

Prometheus asks `http://postgres-exporter:9187/metrics` as it will in production; it is only told
to ask through this proxy. A port, path or parameter that the software does not serve gets 404 (a
blackbox module that was not rendered gets 400), so a wrong scrape config has a target that is down.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import yaml

from generator.model import Catalog, Service
from generator.names import BLACKBOX_KIND
from tests.live.pages import World, page, probe, write
from tests.live.servers import HOST

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Platform:
    """The services of *catalog* as *world* has them; *modules* is the rendered blackbox.yml."""

    def __init__(self, catalog: Catalog, modules: str) -> None:
        self.catalog = catalog
        self.world = World()
        self.port = 0
        self.asked: set[str] = set()  # services whose metrics endpoint was asked
        self._modules: dict[str, Any] = yaml.safe_load(modules)["modules"]
        self._start = time.time()
        self._released = threading.Event()

    @property
    def url(self) -> str:
        """Address for `proxy_url`."""
        return f"http://{HOST}:{self.port}"

    def answer(self, url: str) -> tuple[int, str]:
        """Return status and body of GET *url*."""
        parts = urlsplit(url)
        service = self.catalog.by_name.get(parts.hostname or "")
        if service is None or service.name in self.world.gone:
            return 502, "no such host"
        if service.name in self.world.hanging:
            self._released.wait()
        if service.name in self.world.broken or service.name in self.world.down:
            return 500, "broken"
        if service.kind == BLACKBOX_KIND and parts.path == "/probe":
            return self._probe(parse_qs(parts.query))
        if (parts.port, parts.path, parts.query) not in self._served(service):
            return 404, "not served here"
        self.asked.add(service.name)
        now = time.time()
        return 200, write(page(service, self.catalog, self.world), self._start, now)

    def _served(self, service: Service) -> set[tuple[int | None, str, str]]:
        """Return port, path and query of the metrics endpoint of *service*; empty if it has none."""
        own = self.catalog.kinds[service.kind].metrics
        if own is None or own.source != "native":
            return set()
        query = "&".join(f"{name}={value}" for name, value in own.params.items())
        return {(service.metrics_port or own.port, service.metrics_path or own.path, query)}

    def _probe(self, query: dict[str, list[str]]) -> tuple[int, str]:
        module = self._modules.get(query["module"][0])
        target = query["target"][0]
        host = urlsplit(target if "//" in target else f"//{target}").hostname or ""
        if module is None:
            return 400, "unknown module"
        if (module["prober"] == "http") != target.startswith("http"):
            return 400, "a target of another sort"
        sick = host not in self.catalog.by_name or self.world.sick(host)
        found = probe(BLACKBOX_KIND, module["prober"], sick, self.catalog)
        now = time.time()
        return 200, write(found, self._start, now)

    @contextlib.contextmanager
    def hanging(self, service: str) -> Iterator[None]:
        """Let whoever scrapes *service* wait until the block ends."""
        self._released.clear()
        self.world.hanging.add(service)
        try:
            yield
        finally:
            self.world.hanging.discard(service)
            self._released.set()


@contextlib.contextmanager
def serving(platform: Platform) -> Iterator[Platform]:
    """Serve *platform* on a free port until the block ends."""

    class Handler(_Handler):
        owner = platform

    server = _Server((HOST, 0), Handler)
    platform.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # Prometheus keeps its connections open until it ends
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a scraper that gives up, or ends, cuts its connection."""


class _Handler(BaseHTTPRequestHandler):
    owner: ClassVar[Platform]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer as the service that the absolute address names."""
        status, text = self.owner.answer(self.path)
        body = text.encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", _TEXT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: Prometheus says what it got."""
