"""
Docker through two doors: one to look, one that restarts. Nothing else is ever asked for.

Asked are, at the read door, GET /_ping, and below the version that its answer names (or, where a
proxy drops that header, GET /version): containers/json, containers/NAME/json, events, and for the
evidence containers/NAME/logs and /stats. At the other one POST containers/NAME/restart, nothing else.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Protocol
from urllib.parse import quote

from exporters.deadline import Deadline
from remediation.drivers import wire
from remediation.drivers.wire import CONNECT_S, ApiError

MAX_BYTES = 16 * 1024 * 1024  # a list of 10,000 containers; arbitrary
_NO_VERSION = "1.41"  # the SDK wants one before it has asked; nothing is sent with it
_VERSION = re.compile(r"1\.[0-9]{1,2}")  # as proxies let through


class Stream(Protocol):
    """Lines as they come; *close* ends the iteration, from any thread."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield lines until they end, or ApiError."""

    def close(self) -> None:
        """End them."""


class Api:
    """One engine. *read* and *restart* are its doors: `unix:///path` or `tcp://host:port`."""

    def __init__(self, read: str, restart: str) -> None:
        self._read_url, self._restart_url = read, restart
        self._lock = threading.Lock()
        self._client: Any = None  # docker.APIClient of the read door

    def json(self, path: str, deadline: Deadline, params: Mapping[str, str] | None = None) -> Any:
        """Return the JSON at *path* of the read door; ApiError when it does not come, or is none."""
        found = self.bytes(path, deadline, params)
        try:
            return json.loads(found)
        except (ValueError, RecursionError) as error:
            raise ApiError(f"the answer to {path} is no JSON: {error}") from error

    def bytes(
        self,
        path: str,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        most: int = MAX_BYTES,
    ) -> bytes:
        """Return the body, of *most* bytes, at *path* of the read door; ApiError as above."""
        client = self._reader(deadline)
        try:
            with closing(wire.get(client, path, params, deadline)) as response:
                return wire.body(response, deadline, most)
        except ApiError as error:
            self._doubt(client, error)
            raise

    def lines(self, path: str, params: Mapping[str, str], idle_s: float) -> Stream:
        """
        Return the lines at *path* of the read door as they come.

        ApiError, also while they are read; a *late* one when none came for *idle_s*.
        """
        from docker.types import CancellableStream

        client = self._reader(Deadline.after(CONNECT_S))
        try:
            response = wire.get(client, path, params, Deadline.after(idle_s))
        except ApiError as error:
            self._doubt(client, error)
            raise
        stream: Stream = CancellableStream(wire.lines(response), response)
        return stream

    def restart(self, name: str, stop_s: float, answer_s: float) -> None:
        """
        Ask, once, for a restart of the container *name*; return when the engine says that it is done.

        It has *stop_s* to stop by itself before it is killed; the engine has *answer_s* on top of
        that to answer.

        Raises:
            ApiError: Refused, failed, or no answer.
        """
        try:
            version = self._reader(Deadline.after(CONNECT_S)).api_version
        except ApiError as error:
            raise ApiError(str(error), status=error.status, sent=False) from error
        with closing(wire.new_client(self._restart_url, version, answer_s)) as client:
            wire.post_restart(client, name, stop_s)

    def _reader(self, deadline: Deadline) -> Any:
        """Return the client of the read door, which speaks the engine's version."""
        with self._lock:
            if self._client is not None:
                return self._client
        with closing(wire.new_client(self._read_url, _NO_VERSION, CONNECT_S)) as asking:
            version = _ask_version(asking, deadline)
        with self._lock:
            if self._client is None:
                self._client = wire.new_client(self._read_url, version, CONNECT_S)
            return self._client

    def _doubt(self, client: Any, error: ApiError) -> None:
        """Ask for the version again where another engine may answer next time."""
        if error.status not in (0, 400) or error.late:
            return
        with self._lock:
            if self._client is client:
                self._client = None


def path_of(name: str, what: str = "json") -> str:
    """Return the path of container *name*."""
    return f"/containers/{quote(name, safe='')}/{what}"


def _ask_version(client: Any, deadline: Deadline) -> str:
    with closing(wire.get(client, "/_ping", None, deadline, version=False)) as response:
        found = str(response.headers.get("Api-Version", ""))
    if not _VERSION.fullmatch(found):
        with closing(wire.get(client, "/version", None, deadline, version=False)) as response:
            found = _version_in(wire.body(response, deadline, MAX_BYTES))
    if not _VERSION.fullmatch(found):
        raise ApiError("does not say which version of Docker's API it speaks")
    return found


def _version_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["ApiVersion"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""
