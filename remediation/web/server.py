"""
Runs the web part on a thread of its own: uvicorn, with what we want of it.

No waiting of it lasts for ever (remediation.web.patience). Signals stay with the main thread.
"""

from __future__ import annotations

import logging
import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from exporters.config import Address
from exporters.yaml_read import ConfigError
from remediation.web.patience import protocol
from remediation.web.tls import Tls

log = logging.getLogger(__name__)

HEAD_S = 5.0  # for the head of a request; for the rest of one that is answered already
IDLE_S = 75.0  # between requests: Prometheus comes every 15 to 60 s
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
        head_s: How long the head of a request may take, and the rest of one that is answered.

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
            http=protocol(tls, head_s),
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
    # Named as TCP: asyncio switches the waiting for acknowledgements (Nagle) off only then.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
    except (OSError, OverflowError) as error:
        listener.close()
        cure = "Correct `listen`, or end who has the port"
        raise ConfigError(f"cannot listen on {address}: {error}. {cure}.") from error
    return listener
