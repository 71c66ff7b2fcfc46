"""
Ask another server over HTTP within one deadline that holds for all of it, look-up of names included.

A socket's timeout is per read, so a server that drips bytes could hold the engine for ever; here
every wait gets what is left. Several calls may go over one connection: behind a name that leads to
several servers, they are then answered by the same one. No redirect is followed, no proxy asked, no
compression taken, and no message names address, path or header: these may be secrets.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import queue
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from exporters.agents_resolve import Addresses, Resolver, literal
from exporters.deadline import Deadline

MAX_BODY = 1024 * 1024  # of an answer, unless the caller says otherwise
_RESOLVER = Resolver()


class CallError(Exception):
    """No answer; the text says in a few words why (`refused`, `no answer in time`, ...)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whatever its *status*; header names in small letters."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Connection:
    """One connection to one server; opened by the first call, and again if the server closed it."""

    def __init__(self, url: str, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._secure else 80)
        self._prefix = parts.path.rstrip("/")
        self._query = f"?{parts.query}" if parts.query else ""
        self._deadline, self._context = deadline, context
        self._socket: socket.socket | None = None
        self._http = http.client.HTTPConnection(self._host, self._port)
        self._http.auto_open = 0

    def call(
        self,
        method: str,
        path: str = "",
        *,
        send: object = None,
        headers: Mapping[str, str] | None = None,
        max_body: int = MAX_BODY,
    ) -> Answer:
        """
        Return what is answered at *path* below the address; *send* goes along as JSON.

        Raises:
            CallError: Not answered in time, not HTTP, or more than *max_body* bytes.
        """
        body = None if send is None else json.dumps(send).encode()
        own = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        if body is not None:
            own["Content-Type"] = "application/json"
        with _reasons():
            if self._http.sock is None:
                self._open()
            self._http.request(method, f"{self._prefix}{path}{self._query}", body, own)
            return _read(self._http.getresponse(), max_body)

    def _open(self) -> None:
        self.close()
        self._socket = _connect(self._host, self._port, self._deadline)
        if self._secure:
            context = self._context or ssl.create_default_context()
            self._socket.settimeout(_left(self._deadline))
            self._socket = context.wrap_socket(self._socket, server_hostname=self._host)
        self._http.sock = _Timed(self._socket, self._deadline)

    def close(self) -> None:
        """Hang up."""
        self._http.close()
        if self._socket is not None:
            self._socket.close()


@contextlib.contextmanager
def connection(
    url: str, deadline: Deadline, context: ssl.SSLContext | None = None
) -> Iterator[Connection]:
    """Yield a connection to the server at *url*, all of whose calls end by *deadline*."""
    with _reasons():
        opened = Connection(url, deadline, context)
    try:
        yield opened
    finally:
        opened.close()


def _read(response: http.client.HTTPResponse, max_body: int) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise CallError("compressed, though not asked for")
    body = response.read(max_body + 1)
    if len(body) > max_body:
        raise CallError(f"an answer of more than {max_body} bytes")
    return Answer(response.status, body, headers)


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    """Turn every trouble of sockets, TLS and HTTP into a CallError, without what others wrote."""
    try:
        yield
    except TimeoutError as error:
        raise CallError("no answer in time") from error
    except ConnectionRefusedError as error:
        raise CallError("refused") from error
    except ssl.SSLCertVerificationError as error:
        raise CallError(f"its certificate is not trusted ({error.verify_message})") from error
    except ssl.SSLError as error:
        raise CallError(f"TLS fails ({error.reason or 'unknown'})") from error
    except OSError as error:
        raise CallError((error.strerror or type(error).__name__).lower()) from error
    except (http.client.HTTPException, ValueError) as error:
        raise CallError(f"not HTTP/1.1 ({type(error).__name__})") from error


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Return a connected socket; each address of *host* gets an equal part of what is left."""
    found: Any = literal(host, port) or _look_up(host, port, deadline)
    trouble: OSError = TimeoutError()
    for index, (family, address) in enumerate(found):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(max(0.001, deadline.remaining() / (len(found) - index)))
            sock.connect(address)
        except OSError as error:
            sock.close()
            trouble = error
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise trouble


def _look_up(host: str, port: int, deadline: Deadline) -> Addresses:
    """Return the addresses of *host*, found on another thread: a look-up cannot be cut short."""
    answers: queue.SimpleQueue[Addresses] = queue.SimpleQueue()
    if _RESOLVER.backlog():
        _RESOLVER.grow()

    def answer(_host: str, _port: int, found: Addresses) -> None:
        answers.put(found)

    _RESOLVER.look_up(host, port, answer)
    try:
        found = answers.get(timeout=_left(deadline))
    except queue.Empty:
        _RESOLVER.forget(answer)
        raise CallError("its name is not looked up in time") from None
    if isinstance(found, str) or not found:
        raise CallError("its name is not known")
    return found


def _left(deadline: Deadline) -> float:
    left = deadline.remaining()
    if left <= 0:
        raise TimeoutError
    return left


class _Timed:
    """The part of a socket that http.client uses, with the deadline in every wait."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left(self._deadline))
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002  # always "rb"
        return io.BufferedReader(_Reader(self._sock, self._deadline))

    def close(self) -> None:
        """Left to Connection.close: http.client closes before the body is read."""


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)
