"""
Ask Docker for the containers of one Compose project: a list, then each one that matters in detail.

Reads only, over a socket or a filtering proxy, by paths without a version, which every daemon
serves in its own. What a daemon cannot say stays unknown (None) instead of becoming a zero.

Source: Docker Engine API, ContainerList and ContainerInspect.
"""

from __future__ import annotations

import json
import logging
import re
import socket
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from exporters.agents_http import (
    ProbeError,
    Reader,
    Reply,
    ResourceError,
    Steps,
    connect,
    find,
    request,
    send,
)
from exporters.agents_loop import Expired, Task, run_all
from exporters.agents_resolve import Resolver
from exporters.config import Docker
from exporters.deadline import Deadline
from exporters.frame import ScrapeError
from exporters.worker import TIMEOUT

log = logging.getLogger(__name__)

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTHS = ("healthy", "unhealthy", "starting", "none")
REASONS = ("answer", "denied", "refused", "resources")
CONNECTIONS = 8  # details are asked for side by side; dockerd takes a millisecond for each
MAX_BYTES = 16 * 1024 * 1024  # a list of 10,000 containers; arbitrary
_HEALTH_WORD = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")


@dataclass(slots=True)
class Container:
    """What Docker says of one container; None where it does not say."""

    id: str
    name: str
    service: str  # as Compose labelled it
    one_off: bool  # made by `docker compose run`: not the service, though labelled so
    created: float
    state: str
    health: str
    failing_streak: int | None = None
    exit_code: int | None = None
    oom_killed: bool | None = None
    restarts: int | None = None
    started: float | None = None  # Unix time

    @property
    def is_running(self) -> bool:
        """Whether it runs and its health check, if any, does not say otherwise."""
        return self.state == "running" and self.health != "unhealthy"


@dataclass(slots=True)
class _Talk:
    """What is asked, and what came of it: the paths left, an answer per path, the first error."""

    paths: deque[str]
    answers: dict[str, Any] = field(default_factory=dict)
    error: ScrapeError | None = None


class DockerApi:
    """One daemon, by *docker*'s address; no connection is kept between scrapes."""

    def __init__(self, docker: Docker, resolver: Resolver) -> None:
        self._url = docker.url
        filters = json.dumps({"label": [f"com.docker.compose.project={docker.project}"]})
        self._list_path = f"/containers/json?all=1&filters={quote(filters)}"
        self._resolver = resolver

    def list(self, deadline: Deadline) -> list[Container]:
        """
        Return the project's containers, running or not.

        Raises:
            ScrapeError: They could not be had.
        """
        talk = self._ask([self._list_path], deadline)
        if talk.error is not None:
            raise talk.error
        answer = talk.answers.get(self._list_path)
        if not isinstance(answer, list):
            raise ScrapeError("answer", "the list of containers is none")
        return [_listed(each) for each in answer if isinstance(each, dict)]

    def inspect(self, containers: Sequence[Container], deadline: Deadline) -> ScrapeError | None:
        """Fill in the details of *containers*; return the first error, the others are filled all the same."""
        by_path = {
            f"/containers/{quote(each.id, errors='replace')}/json": each for each in containers
        }
        talk = self._ask(by_path, deadline)
        for path, answer in talk.answers.items():
            if isinstance(answer, dict):  # None: it went away in between
                _fill(by_path[path], answer)
        return talk.error

    def _ask(self, paths: Iterable[str], deadline: Deadline) -> _Talk:
        talk = _Talk(deque(paths))
        count = min(CONNECTIONS, len(talk.paths))
        run_all([self._talk(talk) for _ in range(count)], deadline, self._resolver)
        return talk

    def _talk(self, talk: _Talk) -> Task:
        """Take paths and ask for them, one after the other, over a connection that is kept."""
        sock: socket.socket | None = None
        reader: Reader | None = None
        try:
            while talk.paths:
                path = talk.paths.popleft()
                if sock is None or reader is None:
                    sock = yield from self._connect()
                    reader = Reader(sock, MAX_BYTES)
                yield from send(sock, request(path, "docker", keep=True))
                reply = Reply()
                yield from reader.read(reply)
                talk.answers[path] = _parsed(reply)
                if reply.headers.get(b"connection", b"").lower() == b"close":
                    sock.close()
                    sock = None
        except Expired:
            talk.error = talk.error or ScrapeError(TIMEOUT, "Docker did not answer in time")
        except ProbeError as error:
            talk.error = talk.error or _as_scrape_error(error)
        except ResourceError as error:
            talk.error = talk.error or ScrapeError("resources", str(error))
        except ScrapeError as error:
            talk.error = talk.error or error
        finally:
            if sock is not None:
                sock.close()

    def _connect(self) -> Steps:
        if self._url.startswith("unix://"):
            path = self._url.removeprefix("unix://")
            return (yield from connect([(socket.AF_UNIX, path)]))
        host, _, port = self._url.removeprefix("tcp://").rpartition(":")
        addresses = yield from find(host.removeprefix("[").removesuffix("]"), int(port))
        return (yield from connect(addresses))


def _as_scrape_error(error: ProbeError) -> ScrapeError:
    if "EACCES" in str(error) or "EPERM" in str(error):
        return ScrapeError("denied", "may not open Docker's socket: give the process its group")
    if error.reason in ("refused", "dns", "connect_timeout"):
        return ScrapeError("refused", f"Docker cannot be reached: {error}")
    return ScrapeError("answer", str(error))


def _parsed(reply: Reply) -> Any:
    """Return the answer's JSON; None for 404; ScrapeError otherwise."""
    if reply.status == 404:
        return None
    if reply.status in (401, 403):
        raise ScrapeError("denied", f"Docker or its proxy answers {reply.status}: allow CONTAINERS")
    if reply.status != 200:
        raise ScrapeError("answer", f"Docker answers {reply.status}: {reply.body[:200]!r}")
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError) as error:
        raise ScrapeError("answer", f"no JSON: {error}") from error


def _listed(data: Mapping[str, Any]) -> Container:
    names = data.get("Names")
    labels = _object(data.get("Labels"))
    health = _object(data.get("Health"))  # since API 1.52; before, only in the text for people
    found = _HEALTH_WORD.search(str(data.get("Status", "")))
    return Container(
        id=str(data.get("Id", "")),
        name=str(names[0]).removeprefix("/") if isinstance(names, list) and names else "",
        service=str(labels.get("com.docker.compose.service", "")),
        one_off=str(labels.get("com.docker.compose.oneoff", "")).lower() == "true",
        created=float(_whole(data.get("Created")) or 0),
        state=str(data.get("State", "")).lower(),
        health=_health(health.get("Status") or (found[1] if found else "none")),
    )


def _fill(container: Container, data: Mapping[str, Any]) -> None:
    state = _object(data.get("State"))
    health = _object(state.get("Health"))
    container.state = str(state.get("Status") or container.state).lower()
    container.health = _health(health.get("Status") or "none")
    if container.health != "none":
        container.failing_streak = _whole(health.get("FailingStreak"))
    container.exit_code = _whole(state.get("ExitCode"))
    killed = state.get("OOMKilled")
    container.oom_killed = killed if isinstance(killed, bool) else None
    container.restarts = _whole(data.get("RestartCount"))
    container.started = _moment(state.get("StartedAt"))


def _health(word: object) -> str:
    return str(word) if word in HEALTHS else "none"


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    """Return a whole number of 64 bits; None for all else, a larger one has no place in a metric."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        return None
    return value


def _moment(text: object) -> float | None:
    """Return Docker's time as Unix time; None for the year 1, which means never."""
    try:
        found = datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return None
    return found if found > 0 else None
