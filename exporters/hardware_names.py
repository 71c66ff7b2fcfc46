"""
Which container is which service: Docker's list of containers, by id.

The kernel knows containers by id only, the configuration knows them by name; Docker alone knows
both. It is asked with a plain HTTP call on a thread of its own, and only when an id turns up that was
not there before: a Docker that is slow, hangs or is gone costs a scrape little, and containers that
are already known keep their names.
"""

from __future__ import annotations

import http.client
import io
import json
import math
import socket
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from exporters.config import Docker, Target
from exporters.deadline import Deadline

_TIMEOUT_S = 5.0  # of the whole call; a scrape waits less, see `lookup`
_LONGEST_WAIT_S = 1.0
_RENAMED_AFTER_S = 60.0  # a name can change while the id stays
_MAX_BODY = 16 << 20
_WITH_PROCESSES = ("running", "paused")


class NamesError(Exception):
    """Docker did not say which container is which."""


class _Connection(http.client.HTTPConnection):
    """HTTP over tcp://host:port or unix:///path, all of it within one deadline."""

    def __init__(self, url: str, deadline: Deadline) -> None:
        scheme, _, self._place = url.partition("://")
        self._unix = scheme == "unix"
        self._deadline = deadline
        super().__init__("docker" if self._unix else self._place)

    def connect(self) -> None:
        """Open the socket."""
        self.sock: Any = _Timed(self._open(), self._deadline)  # what http.client uses of one

    def _open(self) -> socket.socket:
        if self._unix:
            return _connected(socket.AF_UNIX, self._place, self._deadline)
        trouble = OSError("the name has no address")
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        for family, _, _, _, address in found:
            try:
                return _connected(family, address, self._deadline)
            except OSError as error:
                trouble = error
        raise trouble


def _connected(family: int, address: Any, deadline: Deadline) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(_left(deadline))
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


class _Timed:
    """A socket, as far as http.client uses it, with the deadline in every wait."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left(self._deadline))
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - always "rb"
        return io.BufferedReader(_Reader(self._sock, self._deadline))

    def close(self) -> None:
        self._sock.close()  # in truth when the last reader is closed


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._deadline))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


def _left(deadline: Deadline) -> float:
    """Return the seconds left; TimeoutError where nothing is, since 0 would mean no waiting."""
    if deadline.expired():
        raise TimeoutError("timed out")
    return max(0.001, deadline.remaining())


def fetch_containers(docker: Docker, deadline: Deadline) -> Any:
    """
    Return Docker's list of the running containers of the project, by *deadline*.

    Raises:
        NamesError: Docker could not be asked, or did not answer with JSON in time.
    """
    filters = json.dumps({"label": [f"com.docker.compose.project={docker.project}"]})
    connection = _Connection(docker.url, deadline)
    try:
        connection.request("GET", f"/containers/json?filters={quote(filters)}")
        with connection.getresponse() as response:
            body = response.read(_MAX_BODY)
        if response.status != http.client.OK:
            raise NamesError(f"{docker.url} answers {response.status}")
        return json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NamesError(f"{docker.url}: {error}") from error
    finally:
        connection.close()


def parse_containers(payload: Any) -> dict[str, str]:
    """
    Return the name of each container by id.

    A container has several names when others link to it; its own is the one without a second slash.

    Raises:
        NamesError: *payload* is no answer of GET /containers/json.
    """
    if not isinstance(payload, list):
        raise NamesError("the list of containers is no list")
    found = {}
    for entry in payload:
        try:
            names = [str(name).removeprefix("/") for name in entry["Names"]]
            own = next((name for name in names if "/" not in name), None)
            if own is not None:
                found[str(entry["Id"])] = own
        except (KeyError, TypeError) as error:
            raise NamesError("a container in the list has no id or no names") from error
    return found


def at_work(payload: Any) -> frozenset[str]:
    """
    Return the ids of the containers in *payload* whose processes exist.

    Docker lists a container that waits to be started again among the running ones.
    """
    return frozenset(
        str(entry["Id"]) for entry in payload if entry.get("State", "running") in _WITH_PROCESSES
    )


class Names:
    """The targets by container id, remembered between scrapes; several collectors may ask."""

    def __init__(self, targets: Iterable[Target], docker: Docker | None) -> None:
        self._targets = {target.container: target for target in targets}
        self._docker = docker
        self._names: Mapping[str, str] = {}
        self._at_work: frozenset[str] = frozenset()
        self._asked_for: frozenset[str] = frozenset()
        self._asked_at = -math.inf
        self._error = "no Docker is configured" if docker is None else ""
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def lookup(self, ids: Collection[str], deadline: Deadline) -> tuple[dict[str, Target], str]:
        """
        Return the target of each of *ids* that is the container of one, and what is wrong.

        The text is empty unless Docker could not be asked about some of *ids*: then whether
        these belong to a target is not known.
        """
        wanted = frozenset(ids)
        # What Docker was asked for and does not list belongs to another project.
        missing = not wanted <= self._asked_for
        if wanted and (missing or time.monotonic() - self._asked_at > _RENAMED_AFTER_S):
            thread = self._refresh(wanted)
            if missing and thread is not None:
                thread.join(min(_LONGEST_WAIT_S, deadline.remaining() / 2))
        names = self._names
        found = {
            name: self._targets[names[name]]
            for name in sorted(wanted)
            if names.get(name) in self._targets
        }
        if wanted <= self._asked_for:
            return found, ""
        return found, self._error or "Docker has not answered yet"

    def unseen(self, ids: Collection[str], deadline: Deadline) -> tuple[frozenset[str], str]:
        """
        Return the ids of targets' containers that run and are none of *ids*, and what is wrong.

        What was learned earlier may have ended since, so that Docker is asked before a container
        is said to be unseen; and always when there are no *ids* at all. With an empty text all is known.
        """
        if not self._targets or (ids and not self._running() - set(ids)):
            return frozenset(), ""
        began = time.monotonic()
        thread = self._refresh(frozenset(ids))
        if thread is not None:
            thread.join(min(_LONGEST_WAIT_S, deadline.remaining() / 2))
        if self._asked_at < began:
            return frozenset(), self._error or "Docker has not answered yet"
        return self._running() - set(ids), ""

    def _running(self) -> frozenset[str]:
        names = self._names
        return frozenset(name for name in self._at_work if names.get(name) in self._targets)

    def _refresh(self, wanted: frozenset[str]) -> threading.Thread | None:
        """Ask Docker, unless that is being done; return the thread that asks."""
        with self._lock:
            if self._docker is not None and (self._thread is None or not self._thread.is_alive()):
                args = (self._docker, wanted)
                self._thread = threading.Thread(target=self._ask, args=args, daemon=True)
                self._thread.start()
            return self._thread

    def _ask(self, docker: Docker, wanted: frozenset[str]) -> None:
        try:
            payload = fetch_containers(docker, Deadline.after(_TIMEOUT_S))
            self._names = parse_containers(payload)
            self._at_work = at_work(payload)
        except NamesError as error:
            self._error = str(error)
            return
        self._error = ""
        self._asked_at = time.monotonic()
        self._asked_for = wanted | (self._asked_for & self._names.keys())
