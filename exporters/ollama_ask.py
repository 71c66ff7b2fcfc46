"""
Ask all servers at once: every question on a thread of its own, every wait with a deadline.

A thread that hangs (only a look-up of a name can) is never joined by a second one for the same
question: until it is back, the answer is the reason `hung`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporters.config import Auth, Inference, Target
from exporters.deadline import Deadline
from exporters.ollama_fetch import FetchError, fetch
from exporters.ollama_names import Name, parse_name
from exporters.ollama_parse import BodyError, parse_ps, parse_tags, parse_version

log = logging.getLogger(__name__)

MARGIN_S = 0.05  # what answers get less than the scrape, so that their failure can still be told
HUNG = "hung"
T = TypeVar("T")

_PARSE: Mapping[str, Callable[[bytes], object]] = {
    "version": parse_version,
    "tags": parse_tags,
    "ps": parse_ps,
}


@dataclass(frozen=True, slots=True)
class Server:
    """An Ollama server as the configuration tells of it; *labels* are the values of LABELS."""

    labels: tuple[str, ...]
    url: str
    port: int
    other_ports: tuple[int, ...] = ()
    expected: tuple[Name, ...] = ()
    inference: Inference | None = None
    auth: Auth | None = None
    cap: int = 80  # models that get series


def server_of(target: Target, cap: int) -> Server:
    """Return *target* as a server of which *cap* models get series; its url has a port."""
    answering = int(target.url.rpartition("://")[2].split("/")[0].rpartition(":")[2])
    names = {name.key: name for name in map(parse_name, reversed(target.expected_models))}
    return Server(
        labels=target.labels,
        url=target.url.rstrip("/"),
        port=target.port or answering,
        other_ports=target.other_ports,
        expected=tuple(reversed(names.values())),
        inference=target.inference,
        auth=target.auth,
        cap=cap,
    )


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What came of a question: a *value*, or the *reason* why there is none; and how long it took."""

    value: T | None
    reason: str | None
    seconds: float
    server_time: float | None = None


class Ask(Generic[T]):
    """A question on its way."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._done = threading.Event()
        self._outcome: Outcome[T] | None = None

    def finish(self, value: T | None, reason: str | None, server_time: float | None = None) -> None:
        """Give the answer; called once."""
        seconds = time.monotonic() - self._started
        self._outcome = Outcome(value, reason, seconds, server_time)
        self._done.set()

    def outcome(self, deadline: Deadline) -> Outcome[T]:
        """Return what came by *deadline*."""
        self._done.wait(deadline.remaining())
        if self._outcome is None:
            return Outcome(None, "timeout", time.monotonic() - self._started)
        return self._outcome


class Asker:
    """Starts questions, at most one per key at a time."""

    def __init__(self) -> None:
        self._threads: dict[object, threading.Thread] = {}
        self._parsing = threading.Lock()  # one at a time, since a long list takes much memory

    def start(
        self,
        key: object,
        url: str,
        path: str,
        parse: Callable[[bytes], T],
        deadline: Deadline,
        *,
        send: Mapping[str, str] | None = None,
        auth: Auth | None = None,
    ) -> Ask[T]:
        """
        Ask *url* for *path*, or POST *send* there, with *auth*.

        The outcome carries what *parse* makes of the answer.
        """
        ask: Ask[T] = Ask()
        self._threads = {k: thread for k, thread in self._threads.items() if thread.is_alive()}
        if key in self._threads:
            ask.finish(None, HUNG)
            return ask

        def work() -> None:
            try:
                answer = fetch(url, path, deadline, send=send, auth=auth)
                with self._parsing:
                    value, reason = _parsed(url + path, parse, answer.body)
                ask.finish(value, reason, answer.server_time)
            except FetchError as error:
                log.info("%s%s: %s", url, path, error)
                ask.finish(None, error.reason)
            except Exception:
                log.exception("%s%s", url, path)
                ask.finish(None, "internal")

        thread = threading.Thread(target=work, name=f"ask {path}", daemon=True)
        self._threads[key] = thread
        thread.start()
        return ask


def _parsed(where: str, parse: Callable[[bytes], T], body: bytes) -> tuple[T | None, str | None]:
    """Return what *parse* makes of *body*, or why nothing; of the error only its text is left."""
    try:
        return parse(body), None
    except BodyError as error:  # kept by somebody, it would keep all that has been parsed
        log.warning("%s: %s", where, str(error))
        return None, "body"


class Rounds:
    """
    One round of questions per scrape, shared by the collectors.

    The frame hands one deadline object to all collectors of a scrape: whoever comes first starts
    the round, the others find it.
    """

    def __init__(self, servers: tuple[Server, ...]) -> None:
        self.servers = servers
        self._asker = Asker()
        self._lock = threading.Lock()
        self._deadline: Deadline | None = None
        self._asks: dict[tuple[Server, str], Ask[object]] = {}

    def outcome(
        self, server: Server, endpoint: str, deadline: Deadline, *, until: Deadline | None = None
    ) -> Outcome[object]:
        """Return what *server* said at /api/*endpoint* in the scrape of *deadline*, or *until* then."""
        with self._lock:
            if self._deadline is not deadline:
                self._deadline = deadline
                self._asks = self._start(deadline.less(MARGIN_S))
            ask = self._asks[server, endpoint]
        return ask.outcome(until or deadline.less(MARGIN_S / 2))

    def _start(self, deadline: Deadline) -> dict[tuple[Server, str], Ask[object]]:
        return {
            (server, endpoint): self._asker.start(
                (server, endpoint),
                server.url,
                f"/api/{endpoint}",
                parse,
                deadline,
                auth=server.auth,
            )
            for server in self.servers
            for endpoint, parse in _PARSE.items()
        }
