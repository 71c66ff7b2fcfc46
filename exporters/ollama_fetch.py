"""
Ask an Ollama server one thing over HTTP, within a deadline that holds for all of it.

A socket's timeout is per read, so a server that drips bytes could hold it for ever; here every
read gets what is left of the one deadline. Only the look-up of the host's name cannot be cut short:
callers ask on threads of their own. No redirect is followed: a login page is no Ollama.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from exporters.config import Auth
from exporters.deadline import Deadline
from exporters.ollama_credentials import CredentialsError, authorization

MAX_BODY = 2 * 1024 * 1024  # 5,000 of the largest entries recorded, 403 bytes, are 2.02 MB
MAX_LINE = 256 * 1024  # of a streamed answer; Ollama's own client takes 512 kB
REASONS = (
    "body",  # not the documented form
    "credentials",  # their file cannot be read, or has none in it
    "dns",  # the host has no address
    "protocol",  # no HTTP/1, or compressed though not asked for
    "redirect",
    "refused",
    "status",  # another than 200
    "timeout",
    "tls",
    "too_large",
    "unauthorized",  # 401 or 403: a proxy in front, or the host's name is not allowed
    "unavailable",  # 503
    "unreachable",  # any other trouble of the network
)


class FetchError(Exception):
    """No usable answer; *reason* is one of REASONS."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}" if detail else reason)


@dataclass(frozen=True, slots=True)
class Answer:
    """A body that came with 200; *server_time* is the server's clock (Unix time) or None."""

    body: bytes
    server_time: float | None = None


class Stop:
    """Ends what one connection waits for, from another thread."""

    def __init__(self) -> None:
        self.set = threading.Event()
        self._socket: socket.socket | None = None

    def hold(self, sock: socket.socket | None) -> None:
        """Remember *sock* as the one to cut."""
        self._socket = sock

    def stop(self) -> None:
        """Cut the connection, if there is one, and keep later waits from beginning."""
        self.set.set()
        sock = self._socket
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def fetch(
    url: str,
    path: str,
    deadline: Deadline,
    *,
    send: Mapping[str, Any] | None = None,
    auth: Auth | None = None,
    max_body: int = MAX_BODY,
) -> Answer:
    """
    Return what *url* answers at *path* below its own: GET, or POST of *send* as JSON; with *auth*.

    Raises:
        FetchError: No answer with status 200 of at most *max_body* bytes by *deadline*.
    """
    with _reasons(), _response(url, path, deadline, _message(send, auth), None) as response:
        body = response.read(max_body + 1)
        if len(body) > max_body:
            raise FetchError("too_large", f"more than {max_body} bytes")
        return Answer(body, _date(response.headers.get("Date")))


def fetch_lines(
    url: str,
    path: str,
    deadline: Deadline,
    *,
    send: Mapping[str, Any],
    auth: Auth | None,
    stop: Stop,
) -> Iterator[bytes]:
    """
    Yield the lines of a streamed answer, without empty ones, as they come; *stop* ends it early.

    Raises:
        FetchError: As for `fetch`; also when the stream breaks off or a line has no end.
    """
    with _reasons(), _response(url, path, deadline, _message(send, auth), stop) as response:
        while line := response.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise FetchError("too_large", f"a line of more than {MAX_LINE} bytes")
            if line.strip():
                yield line


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    """Turn every trouble of sockets, TLS and HTTP into a FetchError."""
    try:
        yield
    except CredentialsError as error:
        raise FetchError("credentials", str(error)) from error
    except TimeoutError as error:
        raise FetchError("timeout") from error
    except socket.gaierror as error:
        raise FetchError("dns", str(error)) from error
    except ConnectionRefusedError as error:
        raise FetchError("refused") from error
    except OSError as error:
        # ssl.SSLError by its name: ssl is loaded only where a target wants it.
        tls = any(kind.__module__ == "ssl" for kind in type(error).__mro__)
        raise FetchError("tls" if tls else "unreachable", str(error)) from error
    except (http.client.HTTPException, ValueError) as error:
        raise FetchError("protocol", f"{type(error).__name__}: {error}") from error


_Message = tuple[bytes | None, dict[str, str]]  # body, headers


def _message(send: Mapping[str, Any] | None, auth: Auth | None) -> _Message:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if auth is not None:
        headers["Authorization"] = authorization(auth)
    if send is None:
        return None, headers
    return json.dumps(send).encode(), headers | {"Content-Type": "application/json"}


@contextlib.contextmanager
def _response(
    url: str, path: str, deadline: Deadline, message: _Message, stop: Stop | None
) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    sock = _connect(host, port, deadline, secure=secure)
    if stop is not None:
        stop.hold(sock)
    connection = http.client.HTTPConnection(host, port)
    connection.sock = _Timed(sock, deadline)  # what http.client uses of one
    try:
        body, headers = message
        method = "GET" if body is None else "POST"
        connection.request(method, parts.path.rstrip("/") + path, body, headers)
        if stop is not None and stop.set.is_set():
            raise FetchError("unreachable", "stopped")
        response = connection.getresponse()
        _check(response)
        yield response
    finally:
        if stop is not None:
            stop.hold(None)
        connection.close()
        sock.close()


def _check(response: http.client.HTTPResponse) -> None:
    status = response.status
    if status in (401, 403):
        raise FetchError("unauthorized", str(status))
    if 300 <= status < 400:
        raise FetchError("redirect", str(status))
    if status == 503:
        raise FetchError("unavailable", str(status))
    if status != 200:
        raise FetchError("status", str(status))
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchError("protocol", "compressed, though not asked for")


def _connect(host: str, port: int, deadline: Deadline, *, secure: bool) -> socket.socket:
    """Return a connected socket; each address of *host* gets an equal part of what is left."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    trouble: OSError = TimeoutError("no time left")
    for index, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(0.001, deadline.remaining() / (len(found) - index)))
            sock.connect(address)
            if not secure:
                return sock
            import ssl

            sock.settimeout(max(0.001, deadline.remaining()))
            return ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        except OSError as error:
            sock.close()
            trouble = error
    raise trouble


class _Timed:
    """The part of a socket that http.client uses, with the deadline in every wait."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left(self._deadline))
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002  # always "rb"
        return io.BufferedReader(_Reader(self._sock, self._deadline))

    def close(self) -> None:
        """Left to _response: http.client closes before the body is read."""


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)


def _left(deadline: Deadline) -> float:
    """Return the seconds left; TimeoutError where nothing is, since 0 would mean no waiting."""
    if deadline.expired():
        raise TimeoutError
    return max(0.001, deadline.remaining())


def _date(text: str | None) -> float | None:
    """Return a Date header as Unix time; without one, or with nonsense, None."""
    if text is None:
        return None
    with contextlib.suppress(ValueError, OverflowError, TypeError):  # a zone can be too far
        return parsedate_to_datetime(text).timestamp()
    return None
