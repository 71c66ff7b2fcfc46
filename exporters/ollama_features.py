"""
What is asked besides the lists: on which port Ollama really answers, and what it can.

The platform once ran for weeks with callers at port 10104 and Ollama at 11434. When the promised
port is silent, the other ones that the catalog knows are asked, on the same host; while it
answers, they are left alone, since something else may listen there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from prometheus_client.core import Metric

from exporters.deadline import Deadline
from exporters.ollama_ask import MARGIN_S, Ask, Asker, Rounds, Server
from exporters.ollama_metrics import Page
from exporters.ollama_parse import parse_status, parse_version

HEAD_START = 1 / 3  # of the deadline, for the promised port, before the others are asked
REFRESH_S = (
    600.0  # each question is a line in Ollama's log, and a 404 there where it knows no answer
)


def at_port(url: str, port: int) -> str:
    """Return *url* with another *port*."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0]  # with the brackets of an IPv6 address
    return f"{parts.scheme}://{host}:{port}{parts.path}"


def _port_of(url: str) -> int:
    return urlsplit(url).port or 0


class PortsCollector:
    """Where Ollama is promised, and where it answers."""

    name = "ports"
    reasons = ()

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds
        self._asker = Asker()

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """Yield ollama_port_expected and ollama_port_answering."""
        page = Page()
        patience = Deadline(deadline.at - deadline.remaining() * (1 - HEAD_START))
        asks = {s: self._ask_others(s, deadline, patience) for s in self._rounds.servers}
        for server, others in asks.items():
            page.add(server.labels, "ollama_port_expected", server.port)
            answering = self._answering(server, others, deadline)
            page.add(server.labels, "ollama_port_answering", answering)
        yield from page

    def _ask_others(
        self, server: Server, deadline: Deadline, patience: Deadline
    ) -> dict[int, Ask[str]]:
        """
        Return the questions to all other ports, none if the promised one answers soon.

        Credentials are for the promised one: who listens on the others is not known.
        """
        early = self._rounds.outcome(server, "version", deadline, until=patience)
        if early.reason is None:
            return {}
        until = deadline.less(MARGIN_S)
        ports = dict.fromkeys((server.port, *server.other_ports))
        return {
            port: self._asker.start(
                (server, port), at_port(server.url, port), "/api/version", parse_version, until
            )
            for port in ports
            if port != _port_of(server.url)
        }

    def _answering(self, server: Server, others: dict[int, Ask[str]], deadline: Deadline) -> int:
        if self._rounds.outcome(server, "version", deadline).reason is None:
            return _port_of(server.url)  # only slower than our patience
        until = deadline.less(MARGIN_S / 2)
        return next((port for port, ask in others.items() if not ask.outcome(until).reason), 0)


@dataclass(slots=True)
class _Features:
    asked_at: float  # monotonic
    native: bool
    cloud: bool | None


class FeaturesCollector:
    """Whether Ollama has metrics of its own and may use its cloud; asked every REFRESH_S."""

    name = "features"
    reasons = ()

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds
        self._asker = Asker()
        self._known: dict[Server, _Features] = {}

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """Yield ollama_native_metrics_available and ollama_cloud_enabled."""
        page = Page()
        until = deadline.less(MARGIN_S)
        now = time.monotonic()
        asks = {s: self._ask(s, until) for s in self._rounds.servers if self._due(s, now)}
        for server, (metrics, status) in asks.items():
            native, cloud = metrics.outcome(until), status.outcome(until)
            self._known[server] = _Features(now, native.reason is None, cloud.value)
        for server in self._rounds.servers:
            if self._rounds.outcome(server, "version", deadline).reason is not None:
                self._known.pop(server, None)  # a server that is down has not lost its metrics
                continue
            known = self._known[server]
            page.add(server.labels, "ollama_native_metrics_available", float(known.native))
            if known.cloud is not None:
                page.add(server.labels, "ollama_cloud_enabled", float(known.cloud))
        yield from page

    def _due(self, server: Server, now: float) -> bool:
        known = self._known.get(server)
        return known is None or now - known.asked_at >= REFRESH_S

    def _ask(self, server: Server, until: Deadline) -> tuple[Ask[bytes], Ask[bool | None]]:
        url, auth = server.url, server.auth
        return (
            self._asker.start((server, "metrics"), url, "/metrics", bytes, until, auth=auth),
            self._asker.start(
                (server, "status"), url, "/api/status", parse_status, until, auth=auth
            ),
        )
