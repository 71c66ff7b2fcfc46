"""
A server that misbehaves in every way that is known: the path says how.

Run as a process of its own (`python fleet.py PORT [CERT KEY]`), so that what it does costs the
exporter's process nothing. Every port of `127.x.x.x` reaches it: many targets, one server.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable

LATE_S = 0.9  # how long `ok-late` thinks
GOOD = b'{"status": "healthy"}'
Act = Callable[[StreamWriter], Awaitable[None]]


def _whole(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""])
    return head.encode() + body


def _sends(*parts: bytes) -> Act:
    async def act(writer: StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return act


def _drips(start: bytes, part: bytes, pause: float = 0.02) -> Act:
    async def act(writer: StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return act


async def _hang(_: StreamWriter) -> None:
    await asyncio.Event().wait()


async def _late(writer: StreamWriter) -> None:
    await asyncio.sleep(LATE_S)
    writer.write(_whole(GOOD))
    await writer.drain()


async def _reset(writer: StreamWriter) -> None:
    writer.transport.abort()


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_OPEN = b"HTTP/1.1 200 OK\r\n\r\n"
_ZIPPED = gzip.compress(GOOD)
_BOMB = gzip.compress(b"0" * 50_000_000)
_DEPENDENCIES = b"""{"status": "healthy", "version": "1.7.3", "ready": true,
  "services": {"db": "up", "cache": "down", "a/b": ["x", "good"]}}"""

ACTS: dict[str, Act] = {
    "good": _sends(_whole(GOOD)),
    "ok-late": _late,
    "ok-open": _sends(_OPEN, GOOD),
    "ok-chunks": _sends(_CHUNKED, b'8;x=y\r\n{"status\r\n', b'D\r\n": "healthy"}\r\n0\r\nTrailer: x\r\n\r\n'),
    "ok-continue": _sends(b"HTTP/1.1 100 Continue\r\n\r\n", _whole(GOOD)),
    "ok-gzip": _sends(_whole(_ZIPPED, "200 OK", "Content-Encoding: gzip")),
    "ok-bare-newlines": _sends(b"HTTP/1.0 200 OK\nContent-Length: 21\n\n" + GOOD),
    "empty-204": _sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "dependencies": _sends(_whole(_DEPENDENCIES)),
    "dependencies-500": _sends(_whole(_DEPENDENCIES, "500 Internal Server Error")),
    "status-503": _sends(_whole(b"busy", "503 Service Unavailable")),
    "status-403": _sends(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    "redirect": _sends(_whole(b"", "302 Found", "Location: /redirect")),
    "body-error": _sends(_whole(b'{"status": "error"}')),
    "body-html": _sends(_whole(b"<html>Please log in</html>")),
    "body-cut-json": _sends(_whole(b'{"status": "hea')),
    "body-nested": _sends(_whole(b"[" * 500_000)),
    "large-length": _sends(_whole(GOOD).replace(b"21", b"100000000")),
    "large-endless": _drips(_OPEN, b"x" * 65536, 0.0),
    "large-head": _sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000),
    "large-gzip": _sends(_whole(_BOMB, "200 OK", "Content-Encoding: gzip")),
    "large-chunks": _sends(_CHUNKED, b"1\r\nx\r\n" * 100_000),
    "protocol-09": _sends(b"<html>healthy</html>"),
    "protocol-ssh": _sends(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "protocol-closed": _sends(),
    "protocol-reset": _reset,
    "protocol-short": _sends(_whole(GOOD).replace(b"21", b"22")),
    "protocol-chunk": _sends(_CHUNKED, b"zz\r\n" + GOOD),
    "protocol-coding": _sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n\r\n"),
    "protocol-lengths": _sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "protocol-negative": _sends(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
    "protocol-gzip": _sends(_whole(b"no gzip", "200 OK", "Content-Encoding: gzip")),
    "protocol-continue": _sends(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "hang": _hang,
    "hang-head": _drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "hang-body": _drips(_whole(GOOD).replace(b"21", b"90000"), b"x"),
    "hang-open": _drips(_OPEN, b"x"),
    "hang-chunk": _drips(_CHUNKED, b"1\r\nx\r\n"),
    "hang-length": _sends(_whole(b"half").replace(b"4", b"8")),  # and keeps the connection
}  # fmt: skip
KEEPS_OPEN = frozenset({"hang-length"})


async def _serve(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        name = head.split(b" ", 2)[1].strip(b"/").split(b"?")[0].decode()
        await ACTS[name](writer)
        if name in KEEPS_OPEN:
            await asyncio.Event().wait()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def _main(port: int, *pair: str) -> None:
    context = None
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
    server = await asyncio.start_server(_serve, "0.0.0.0", port, ssl=context, backlog=512)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), *sys.argv[2:]))
