"""Who asks and does not read the answer keeps a connection for so long and no longer; who reads slowly gets it all."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from remediation.web.patience import HEADS, protocol

SIZE = 8_000_000  # more than the kernel's buffers of a connection take
HEAD_S = 0.3
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n"
REQUESTS = {
    "a kept connection": ASK + b"\r\n",
    "one that is closed": ASK + b"Connection: close\r\n\r\n",
    "two requests at once": (ASK + b"\r\n") * 2,
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
}


async def _large(_scope: Any, _receive: Any, send: Any) -> None:
    headers = [(b"content-length", str(SIZE).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * SIZE})


def _config() -> uvicorn.Config:
    config = uvicorn.Config(
        _large, http=protocol(None, HEAD_S), ws="none", lifespan="off", log_config=None,
        access_log=False, timeout_keep_alive=20,
    )  # fmt: skip
    config.load()
    return config


def _pair() -> tuple[socket.socket, socket.socket]:
    """Return a client with small buffers, and its server's end."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
    client.settimeout(0.0)
    accepted.settimeout(0.0)
    return client, accepted


class _Served:
    """One connection to `_large`."""

    def __init__(self) -> None:
        self.state = ServerState()
        self.client, self._accepted = _pair()

    async def ask(self, request: bytes) -> None:
        """Serve the connection; send *request*."""
        loop, config = asyncio.get_running_loop(), _config()

        def made() -> asyncio.Protocol:
            kind: Any = config.http_protocol_class
            connection: asyncio.Protocol = kind(
                config=config, server_state=self.state, app_state={}
            )
            return connection

        await loop.connect_accepted_socket(made, self._accepted)
        await loop.sock_sendall(self.client, request)

    async def ended(self) -> float:
        """Wait until the server has ended the connection; return how long that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(30):
            while self.state.connections:  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(0.01)
        return loop.time() - began


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_who_does_not_read_is_cut_off(request_: bytes) -> None:
    """Whatever the client asked for, and however its connection was to end."""

    async def story() -> float:
        served = _Served()
        with served.client:
            await served.ask(request_)
            return await served.ended()

    assert HEADS * HEAD_S * 0.9 < asyncio.run(story()) < 15


def test_who_reads_gets_it_all() -> None:
    """A client that rests for less than the time loses nothing, though its connection is closing."""

    async def story() -> int:
        loop, size = asyncio.get_running_loop(), 0
        served = _Served()
        with served.client:
            await served.ask(REQUESTS["one that is closed"])
            await asyncio.sleep(HEAD_S)
            while part := await loop.sock_recv(served.client, 1 << 20):
                size += len(part)
        return size

    assert asyncio.run(story()) > SIZE
