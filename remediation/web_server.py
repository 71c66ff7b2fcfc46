"""
Runs the web part on a thread of its own: uvicorn, with an end to every kind of waiting.

uvicorn waits for ever for a request that does not come; whoever opens a connection and says nothing,
or says it one byte at a time, is cut off here, and so is who comes when there are too many.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading

import uvicorn
from h11 import IDLE
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from exporters.config import Address
from exporters.yaml_read import ConfigError
from remediation.web_tls import Tls

log = logging.getLogger(__name__)

HEAD_S = 5.0  # for the first line and the headers of a request, from when it could begin
IDLE_S = 75.0  # between requests: Prometheus comes every 15 to 60 s
MAX_CONNECTIONS = 512
MAX_HEAD_BYTES = 16 * 1024
STOP_S = 5  # for answers that are being given
START_S = 30.0
_BACKLOG = 512


class WebServer:
    """
    Serves *app* on *address* until stopped.

    Args:
        address: Where; port 0 takes a free one (`port` tells which).
        app: The ASGI application.
        tls: Certificates; None: plain HTTP.
        head_s: How long the head of a request may take.

    Raises:
        ConfigError: The address cannot be had.
    """

    def __init__(
        self, address: Address, app: ASGIApp, tls: Tls | None = None, *, head_s: float = HEAD_S
    ) -> None:
        self._socket = _listen(address)
        context = tls.context() if tls else None
        config = uvicorn.Config(
            app,
            http=_protocol(tls, head_s),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(IDLE_S),
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            backlog=_BACKLOG,
            ssl_context_factory=(lambda *_: context) if context else None,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Serve; return once connections are accepted."""
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(START_S * 100)):
            if self._server.started or not self._thread.is_alive():
                break
            waited.wait(0.01)
        if not self._server.started:
            raise ConfigError("the web server did not start; the log says why. Correct that.")

    def alive(self) -> bool:
        """Whether it still serves."""
        return self._thread.is_alive()

    def stop(self, wait_s: float = STOP_S + 1.0) -> None:
        """Take no more, give the answers that are under way, and end."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(wait_s)
        self._socket.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except BaseException:
            log.exception("the web server broke")


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
    except (OSError, OverflowError) as error:
        listener.close()
        cure = "Correct `listen`, or end who has the port"
        raise ConfigError(f"cannot listen on {address}: {error}. {cure}.") from error
    return listener


def _protocol(tls: Tls | None, head_s: float) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with the deadlines that it lacks."""

    class Patient(H11Protocol):
        _cut: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            certificate = transport.get_extra_info("peercert")
            if len(self.connections) > MAX_CONNECTIONS or (tls and not tls.knows(certificate)):
                transport.abort()
                return
            self._cut = self.loop.call_later(head_s, transport.abort)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            waits_for_head = self.conn.their_state is IDLE
            if not waits_for_head:
                self._uncut()
            elif self._cut is None and not self.transport.is_closing():
                # The head of another request has begun on a kept connection.
                self._cut = self.loop.call_later(head_s, self.transport.abort)

        def timeout_keep_alive_handler(self) -> None:
            # Closing would wait for a reader who does not read.
            self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            self._uncut()
            super().connection_lost(exc)

        def _uncut(self) -> None:
            if self._cut is not None:
                self._cut.cancel()
                self._cut = None

    return Patient
