"""Docker to Promtail to Loki with the rendered files: what containers write is what Loki holds."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from generator.model import Catalog
from promtail.agent import config
from tests.live.servers import until

from .conftest import PATIENCE_S, Loki, free_port, stop, tool
from .fake_docker import START, Daemon, pg

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def daemon() -> Iterator[int]:
    """Yield the port of a fake Docker daemon."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Daemon)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    Daemon.done.set()
    server.shutdown()


@pytest.fixture(scope="module")
def promtail(
    loki: Loki, daemon: int, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Yield the address of a Promtail that runs the rendered file and has sent what it read."""
    binary = tool("promtail")
    folder = tmp_path_factory.mktemp("promtail")
    port = free_port()
    data: dict[str, Any] = json.loads(json.dumps(config(catalog)))
    data["server"] = {"http_listen_port": port, "http_listen_address": "127.0.0.1"}
    data["server"] |= {"grpc_listen_port": 0, "grpc_listen_address": "127.0.0.1"}
    data["positions"]["filename"] = str(folder / "positions.yml")
    data["clients"][0]["url"] = f"{loki.url}/loki/api/v1/push"
    data["scrape_configs"][0]["docker_sd_configs"][0]["host"] = f"tcp://127.0.0.1:{daemon}"
    path = folder / "config.yml"
    path.write_text(json.dumps(data), encoding="utf-8")
    with (folder / "promtail.log").open("w") as log:
        process = subprocess.Popen([binary, "-config.file", str(path)], stdout=log, stderr=log)
        try:
            yield wait_until_sent(f"http://127.0.0.1:{port}/metrics", folder / "promtail.log")
        finally:
            stop(process)


EXPECTED_ENTRIES = 5


def wait_until_sent(url: str, log: Path) -> str:
    """Return *url* once Promtail has sent all entries; fail with its log when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            sent = total(metrics(url), "promtail_sent_entries_total")
        except OSError:
            sent = 0
        if sent >= EXPECTED_ENTRIES:
            return url
        time.sleep(0.2)
    pytest.fail("Promtail sends nothing:\n" + log.read_text()[-3000:])


def metrics(url: str) -> dict[str, float]:
    """Return the samples of a metrics page by series text."""
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {series: float(value) for series, value in pairs}


def total(samples: Mapping[str, float], name: str) -> float:
    """Return the sum of all series of *name*."""
    return sum(value for series, value in samples.items() if series.split("{")[0] == name)


def nanoseconds(seconds: int) -> str:
    """Return START plus *seconds* as Loki writes times."""
    return f"{int((START + timedelta(seconds=seconds)).timestamp())}000000000"


def test_loki_holds_what_containers_wrote(loki: Loki, promtail: str) -> None:
    """Labels, times and lines are exact: tabs, two streams at once, masks, noise and strangers."""
    assert promtail
    loki.flush()
    # Between memory and disk a loaded Loki may miss some of them for a moment.
    until(lambda: sum(map(len, _held(loki).values())) >= EXPECTED_ENTRIES, "all entries in Loki")
    held = _held(loki)

    assert held == {
        subject("db", "core", "postgres", "data", "error"): [
            (
                nanoseconds(10),
                f"{pg(10)} [7] ERROR:  bad\ttab\n{pg(10)} [7] STATEMENT:  SELECT\t1",
            )
        ],
        subject("db", "core", "postgres", "data", "info"): [
            (nanoseconds(20), f"{pg(20)} [8] LOG:  password='<masked>' given")
        ],
        subject("api", "app", "container", "data", "error"): [
            (
                nanoseconds(30),
                "ERROR:    Exception in ASGI application\nTraceback (most recent call last):\nValueError: no",
            )
        ],
        subject("api", "app", "container", "data", "info"): [
            (nanoseconds(30), 'INFO:     10.0.0.1:5 - "POST /ask HTTP/1.1" 500')
        ],
        subject("graph.db", "core", "neo4j", "data", "unknown"): [
            (nanoseconds(40), "Changed password for user 'neo4j'.")
        ],
    }


def _held(loki: Loki) -> dict[tuple[tuple[str, str], ...], list[tuple[str, str]]]:
    """Return the entries that Loki gives back, by the labels of their stream."""
    answer = loki.get(
        "/loki/api/v1/query_range",
        query='{service=~".+"}',
        start=nanoseconds(0),
        end=nanoseconds(3600),
        limit="100",
    )
    return {
        tuple(sorted(stream["stream"].items())): sorted(map(tuple, stream["values"]))
        for stream in answer["data"]["result"]
    }


def subject(
    service: str, tier: str, kind: str, owner: str, level: str
) -> tuple[tuple[str, str], ...]:
    """Return a stream's labels, sorted."""
    labels = {"service": service, "tier": tier, "kind": kind, "owner": owner, "level": level}
    return tuple(sorted(labels.items()))


def test_promtail_counts_lines_by_level(promtail: str) -> None:
    """The pipeline's own counter has exactly the stream's labels and counts what was sent."""
    prefix = "promtail_custom_log_lines_total"
    counted = {s: v for s, v in metrics(promtail).items() if s.startswith(prefix)}

    assert counted == {
        f'{prefix}{{kind="{k}",level="{level}",owner="data",service="{s}",tier="{t}"}}': 1.0
        for s, t, k, level in (
            ("db", "core", "postgres", "error"),
            ("db", "core", "postgres", "info"),
            ("api", "app", "container", "error"),
            ("api", "app", "container", "info"),
            ("graph.db", "core", "neo4j", "unknown"),
        )
    }


def test_what_is_dropped_is_counted(promtail: str) -> None:
    """A stranger's line and a health check's are dropped, each under its reason."""
    counted = {
        series: value
        for series, value in metrics(promtail).items()
        if series.startswith("logentry_dropped_lines_total")
    }

    assert counted == {
        'logentry_dropped_lines_total{reason="not_in_catalog"}': 1.0,
        'logentry_dropped_lines_total{reason="health_check"}': 1.0,
    }


def test_promtail_asks_docker_for_reads_only(promtail: str) -> None:
    """These are the paths that the read-only proxy has to allow, and no others."""
    assert promtail
    assert Daemon.asked | {"_ping"} == {
        "_ping",
        "containers/json",
        "containers/ID/json",
        "containers/ID/logs",
        "networks",
    }
