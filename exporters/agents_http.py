"""
Speak TCP, TLS and just enough HTTP/1.1 to ask once and read the answer, step by step.

Every function is a generator for the loop. An answer is read as it is framed (length, chunks,
close) and refused where it is not framed as it should be; never more than a limit is held.
Redirects are not followed.

Longer than other modules: one answer goes through all of it, and its limits and framing are read together.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
import time
import zlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from exporters.agents_loop import READ, WRITE, Io, Lookup, Pause
from exporters.agents_resolve import literal

MAX_HEAD_BYTES = 16 * 1024  # looked through again with every packet
MAX_CHUNKS = 4096  # a body in single bytes would cost seconds; arbitrary
MAX_INTERIM = 8  # 1xx answers before the real one; arbitrary
_RECEIVE_BYTES = 64 * 1024
_AGAIN_S = 0.005
_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9]{2})(?: |\r?\n)")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,1000})?\r?\n")
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)

Steps = Generator[Io | Lookup | Pause, Any, Any]


class ProbeError(Exception):
    """The target did not do its part; *reason* is one of agents_probe.REASONS."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}" if detail else reason)


class ResourceError(Exception):
    """We have run out of something (descriptors, ports): says nothing about the target."""


@dataclass(slots=True)
class Reply:
    """An answer. *status* is 0 until its head has come; header names in small letters."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Phases:
    """How long each phase took, in seconds, as far as it came; *name* is the one under way."""

    name: str = "resolve"
    seconds: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)

    def enter(self, name: str) -> None:
        """End the phase under way and begin *name* ("" for none)."""
        now = time.monotonic()
        if self.name:
            self.seconds[self.name] = now - self.since
        self.name, self.since = name, now


def find(host: str, port: int) -> Steps:
    """Return the addresses of *host*; ProbeError dns if there are none."""
    found = literal(host, port) or (yield Lookup(host, port))
    if isinstance(found, str) or not found:
        raise ProbeError("dns", str(found))
    return found


def connect(addresses: Sequence[tuple[int, Any]]) -> Steps:
    """Return a connection to the first of *addresses* that takes one; each has a second at least."""
    error: ProbeError | None = None
    for number, (family, address) in enumerate(addresses, start=1):
        sock = _open(family)
        until = time.monotonic() + 1.0 if number < len(addresses) else None
        try:
            yield from _finish(sock, address, until)
        except ProbeError as raised:
            sock.close()
            error = raised
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise error or ProbeError("dns", "no address")


def _finish(sock: socket.socket, address: Any, until: float | None) -> Steps:
    code = sock.connect_ex(address)
    while code == errno.EAGAIN:  # a unix socket whose backlog is full
        yield Pause(time.monotonic() + _AGAIN_S)
        code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        if not (yield Io(sock, WRITE, until)):
            raise ProbeError("connect_timeout")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code in _OUT_OF_RESOURCES:
        raise ResourceError(errno.errorcode[code])
    if code:
        reason = "connect_timeout" if code == errno.ETIMEDOUT else "refused"
        raise ProbeError(reason, errno.errorcode.get(code, str(code)))


def _open(family: int) -> socket.socket:
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno in _OUT_OF_RESOURCES:
            raise ResourceError(str(error)) from error
        raise ProbeError("refused", str(error)) from error
    sock.settimeout(0)
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def encrypt(sock: socket.socket, context: ssl.SSLContext, name: str) -> Steps:
    """Return *sock* with TLS spoken over it; ProbeError tls if that fails. Takes *sock* over."""
    try:
        secure = context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
    except (ssl.SSLError, ValueError, OSError) as error:
        sock.close()
        raise ProbeError("tls", str(error)) from error
    try:
        while True:
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                yield Io(secure, READ)
            except ssl.SSLWantWriteError:
                yield Io(secure, WRITE)
            else:
                return secure
    except (ssl.SSLError, OSError) as error:
        secure.close()
        raise ProbeError("tls", str(error)) from error
    except BaseException:
        secure.close()
        raise


def send(sock: socket.socket, data: bytes) -> Steps:
    """Send all of *data*; ProbeError protocol if the connection breaks."""
    view = memoryview(data)
    while view:
        try:
            view = view[sock.send(view) :]
        except ssl.SSLWantReadError:
            yield Io(sock, READ)
        except (BlockingIOError, ssl.SSLWantWriteError):
            yield Io(sock, WRITE)
        except OSError as error:
            raise ProbeError("protocol", str(error)) from error


def request(path: str, host: str, *, keep: bool = False) -> bytes:
    """Return the bytes of a GET."""
    connection = "keep-alive" if keep else "close"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tierwatch\r\nAccept: */*\r\n"
        f"Accept-Encoding: identity\r\nConnection: {connection}\r\n\r\n"
    ).encode()


class Reader:
    """Reads answers from *sock*; *limit* bytes of body at most, or ProbeError too_large."""

    def __init__(self, sock: socket.socket, limit: int) -> None:
        self._sock = sock
        self._limit = limit
        self._buffer = bytearray()
        self._ended = False

    def read(self, reply: Reply, phases: Phases | None = None) -> Steps:
        """Fill *reply*; the head first, so that it is known even if the body never comes."""
        status, head = yield from self._head(phases)
        for _ in range(MAX_INTERIM):
            if status >= 200:
                break  # before: 100 Continue, 103 Early Hints
            status, head = yield from self._head(phases)
        else:
            raise ProbeError("protocol", "100 Continue, and no end of it")
        reply.status = status
        reply.headers = _headers(head)
        if status in (204, 304):
            return
        if reply.headers.get(b"transfer-encoding", b"identity").lower() != b"identity":
            yield from self._chunks(reply)
        elif b"content-length" in reply.headers:
            length = reply.headers[b"content-length"]
            if not length.isdigit() or len(length) > 18:
                raise ProbeError("protocol", "Content-Length is no number")
            reply.body = yield from self._exactly(int(length))
        else:
            reply.body = yield from self._rest()
        self._unpack(reply)

    def _fill(self) -> Steps:
        """Read once more; return whether anything came."""
        while not self._ended:
            try:
                data = self._sock.recv(_RECEIVE_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                yield Io(self._sock, READ)
            except ssl.SSLWantWriteError:
                yield Io(self._sock, WRITE)
            except ssl.SSLEOFError:
                self._ended = True  # closed without farewell, as many servers do
            except OSError as error:
                raise ProbeError("protocol", str(error)) from error
            else:
                self._buffer += data
                self._ended = not data
                return bool(data)
        return False

    def _head(self, phases: Phases | None) -> Steps:
        if not self._buffer and not (yield from self._fill()):
            raise ProbeError("protocol", "closed without an answer")
        if phases is not None and phases.name == "processing":
            phases.enter("transfer")
        while (end := _end_of_head(self._buffer)) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise ProbeError("too_large", "the head of the answer")
            if self._buffer[:5] != b"HTTP/"[: len(self._buffer)]:
                raise ProbeError("protocol", "not HTTP")
            if not (yield from self._fill()):
                raise ProbeError("protocol", "closed amid the head")
        head = bytes(self._buffer[:end])
        del self._buffer[:end]
        found = _STATUS_LINE.match(head)
        if found is None:
            raise ProbeError("protocol", "no HTTP status")
        return int(found[1]), head

    def _exactly(self, length: int) -> Steps:
        if length > self._limit:
            raise ProbeError("too_large", f"{length} bytes")
        while len(self._buffer) < length:
            if not (yield from self._fill()):
                raise ProbeError("protocol", "closed before its Content-Length")
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _rest(self) -> Steps:
        while (yield from self._fill()):
            if len(self._buffer) > self._limit:
                raise ProbeError("too_large", "an endless body")
        return bytes(self._buffer)

    def _chunks(self, reply: Reply) -> Steps:
        if reply.headers[b"transfer-encoding"].lower() != b"chunked":
            raise ProbeError("protocol", "an unknown Transfer-Encoding")
        body = bytearray()
        for _ in range(MAX_CHUNKS):
            if not (size := (yield from self._chunk_size())):
                break
            if len(body) + size > self._limit:
                raise ProbeError("too_large", "its chunks")
            body += yield from self._exactly(size)
            if (yield from self._line()) not in (b"\r\n", b"\n"):
                raise ProbeError("protocol", "a chunk that does not end")
        else:
            raise ProbeError("too_large", "too many chunks")
        for _ in range(MAX_CHUNKS):
            if (yield from self._line()) in (b"\r\n", b"\n"):
                break  # before: trailers, which tell nothing
        reply.body = bytes(body)

    def _chunk_size(self) -> Steps:
        found = _CHUNK.fullmatch((yield from self._line()))
        if found is None:
            raise ProbeError("protocol", "no size of a chunk")
        return int(found[1], 16)

    def _line(self) -> Steps:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise ProbeError("too_large", "a line")
            if not (yield from self._fill()):
                raise ProbeError("protocol", "closed amid a chunk")
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line

    def _unpack(self, reply: Reply) -> None:
        """Undo gzip, which nobody asked for and some send; never beyond the limit."""
        if reply.headers.get(b"content-encoding", b"").lower() not in (b"gzip", b"x-gzip"):
            return
        unpacker = zlib.decompressobj(wbits=31)
        try:
            reply.body = unpacker.decompress(reply.body, self._limit)
        except zlib.error as error:
            raise ProbeError("protocol", f"gzip: {error}") from error
        if unpacker.unconsumed_tail:
            raise ProbeError("too_large", "unpacked")


def _end_of_head(buffer: bytearray) -> int:
    """Return where the body begins; -1 while the head is not whole."""
    end = buffer.find(b"\r\n\r\n")
    if end >= 0:
        return end + 4
    end = buffer.find(b"\n\n")
    return end + 2 if end >= 0 else -1


def _headers(head: bytes) -> dict[bytes, bytes]:
    """
    Return the headers, in time linear in *head*; lines that are none are passed over.

    ProbeError protocol where two lengths contradict each other.
    """
    found: dict[bytes, bytes] = {}
    for line in head.split(b"\n")[1:]:
        name, colon, rest = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            continue
        key, value = name.lower(), rest.strip(b" \t\r")
        if key == b"content-length" and found.get(key, value) != value:
            raise ProbeError("protocol", "two lengths")
        found[key] = value
    return found
