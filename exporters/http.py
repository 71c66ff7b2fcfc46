"""
HTTP/1.1 for a few askers: one thread per connection, as many as there may be and no more.

Prometheus keeps its connection, so a thread per connection is a thread per Prometheus. Slow or
silent askers are cut off; too many are answered 503 at once. HTTP/2 is not spoken.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from exporters.app import App
from exporters.config import Address
from exporters.web import Request, Response
from exporters.web_guard import Guard

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 100  # 40 waiting scrapes, people's browsers, and room; arbitrary
FIRST_S = 10.0  # who has connected has something to ask; the silent must not keep the places
IDLE_S = 120.0  # between requests: Prometheus scrapes again within a minute or two
PATIENCE_S = 10.0  # for the handshake, and for a request that has begun
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens on *address*; *app* may be replaced while it serves."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: Address, app: App, guard: Guard) -> None:
        self.app = app
        self.guard = guard
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._busy = 0
        self._idle = threading.Condition()
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        super().__init__((address.host, address.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, or turn it away."""
        if not self._places.acquire(blocking=False):
            with contextlib.suppress(OSError):
                request.settimeout(0)
                if not self.guard.encrypts:
                    request.send(_FULL)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve the connection on its own thread, then free its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log what a connection died of; a client that goes away is nothing."""
        log.debug("connection of %s ended: %r", client_address, sys.exc_info()[1])

    @contextlib.contextmanager
    def answering(self) -> Any:
        """Count one answer that is being given."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def drain(self, seconds: float) -> None:
        """Stop accepting and wait, at most *seconds*, until the answers under way are given."""
        self.shutdown()
        self.server_close()
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, timeout=seconds)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "tierwatch"
    sys_version = ""
    timeout = PATIENCE_S
    wbufsize = -1  # head and body in one packet
    disable_nagle_algorithm = True
    _asked = False  # whether the connection has brought a request

    def setup(self) -> None:
        """Shake hands before anything is read; on this thread, so that a slow client waits alone."""
        context = self.server.guard.context()
        if context is not None:
            self.request.settimeout(PATIENCE_S)
            secure = context.wrap_socket(self.request, server_side=True)
            self.request = secure
            if not self.server.guard.knows(secure.getpeercert() or {}):
                raise ssl.SSLError("no name of the client's certificate is allowed")
        super().setup()

    def finish(self) -> None:
        """End the connection; also the encrypted one, which the server does not know of."""
        with contextlib.suppress(OSError):
            super().finish()
        if isinstance(self.request, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                self.request.shutdown(socket.SHUT_WR)
            self.request.close()

    def handle_one_request(self) -> None:
        """Wait shortly for the first request, long for the next, and shortly for the rest of each."""
        self.connection.settimeout(IDLE_S if self._asked else FIRST_S)
        try:
            if not self.rfile.peek(1):  # type: ignore[attr-defined] # a BufferedReader
                self.close_connection = True
                return
        except OSError:
            self.close_connection = True
            return
        self._asked = True
        self.connection.settimeout(PATIENCE_S)
        super().handle_one_request()

    def do_GET(self) -> None:
        """Answer; the name is http.server's."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        deadline = self.server.app.deadline(headers)
        try:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=20))
        except ValueError:
            self._send(Response(400, b"not an address\n"))
            return
        request = Request(parts.path, query, headers, deadline)
        with self.server.answering():
            self._send(self._answer(request))

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _answer(self, request: Request) -> Response:
        guard = self.server.guard
        if not guard.in_time():
            return Response(429, b"too many requests\n")
        if not guard.admits(request.headers.get("authorization", "")):
            return Response(401, b"unauthorized\n", headers={"WWW-Authenticate": "Basic"})
        return self.server.app.answer(request)

    def _refuse_method(self) -> None:
        self.close_connection = True
        headers = {"Allow": "GET, HEAD", "Connection": "close"}
        self._send(Response(405, b"only GET and HEAD\n", headers=headers))

    do_POST = do_PUT = do_DELETE = do_PATCH = _refuse_method  # noqa: N815 - as above

    def _send(self, response: Response) -> None:
        if "content-length" in self.headers or "transfer-encoding" in self.headers:
            self.close_connection = True  # a body nobody reads would be taken for a request
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in {**self.server.guard.headers, **response.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Requests are no news."""
        log.debug(format, *args)
