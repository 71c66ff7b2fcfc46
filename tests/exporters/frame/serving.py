"""Serve exporters inside the test's own process, and ask them as Prometheus and as curl would."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric

from exporters.app import App
from exporters.config import Address
from exporters.deadline import Deadline
from exporters.frame import Collector, Exporter
from exporters.http import Server
from exporters.web_guard import Guard


@dataclass(slots=True)
class Fake:
    """A collector that does what *act* says."""

    name: str
    act: Callable[[Deadline], Iterable[Metric]]

    def collect(self, deadline: Deadline) -> Iterable[Metric]:
        """Act."""
        return self.act(deadline)


def gives(*names: str) -> Callable[[Deadline], Iterable[Metric]]:
    """Return an act that yields one gauge per name, value 1."""
    return lambda _: [GaugeMetricFamily(name, "Given", value=1) for name in names]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs."""

    server: Server
    port: int

    def ask(
        self,
        path: str = "/metrics",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> Answer:
        """Ask once over a connection of its own."""
        if tls is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        else:
            connection = http.client.HTTPSConnection(
                "localhost", self.port, timeout=10, context=tls
            )
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()


@contextmanager
def serving(
    *collectors: Collector,
    prefix: str = "test",
    reasons: Sequence[str] = (),
    deadline_s: float = 3.0,
    web_config: Path | None = None,
) -> Iterator[Served]:
    """Serve one exporter of *collectors* while the block runs."""
    exporter = Exporter(prefix, collectors, tuple(reasons))
    app = App([exporter], deadline_s=deadline_s)
    server = Server(Address("127.0.0.1", 0), app, Guard(web_config))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Served(server, int(server.server_address[1]))
    finally:
        server.drain(5)
        exporter.close(wait_s=1)
        thread.join()
