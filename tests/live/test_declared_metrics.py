"""
Real servers against the kinds: what is declared must be exposed, with that type and those labels.

A metric may be missing only where its kind says so: `absent: true` (it needs an event or a
feature that is off here) or `versions:` (Debian's is not one of those). What is exposed counts
fully either way: a wrong type or a label that does not exist is wrong even in an optional metric.
"""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from generator.kinds import load_kinds
from generator.software import Kind, Metric
from tests.live import stack
from tests.live.exposition import Exposed, page_with, parse_exposition
from tests.live.servers import HOST, free_port, need

pytestmark = pytest.mark.live

KINDS = load_kinds()[0]

ROUTES = "route: {receiver: none}\nreceivers: [{name: none}]\n"
RULES = "groups: [{name: one, interval: 1s, rules: [{alert: Always, expr: vector(1)}]}]\n"
# Scrapes itself and tells an Alertmanager that is not there, so that these counters exist.
WATCHES_ITSELF = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs: [{{job_name: self, static_configs: [{{targets: ["localhost:1"]}}]}}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
"""
RULES_RUN = "prometheus_rule_evaluations_total"
TELLS = "prometheus_notifications_alertmanagers_discovered"
SECOND_SCRAPE = "prometheus_target_interval_length_seconds"
STREAM = "mesh:agents"


def disagreements(exposed: dict[str, Exposed], *kinds: Kind) -> list[str]:
    """Return, sorted, where the declarations of *kinds* and the *exposed* page disagree."""
    return sorted(
        f"{metric.name}: {problem}"
        for kind in kinds
        for metric in kind.declares.values()
        for problem in _problems(metric, exposed.get(metric.name))
    )


def _problems(metric: Metric, found: Exposed | None) -> Iterator[str]:
    if found is None:
        if not metric.absent and not metric.versions:
            yield "declared and not exposed"
        return
    renamed = {label.removeprefix("exported_") for label in metric.labels}
    missing = renamed - found.labels
    if missing:
        yield f"has no label {', '.join(sorted(missing))}"
    untyped = found.type == "untyped" and "untyped" in metric.versions
    if found.type != metric.type and not untyped:
        yield f"is a {found.type}, declared as {metric.type}"


@pytest.mark.parametrize("tool", ["prometheus", "prometheus3"])
def test_prometheus_exposes_what_is_declared(tmp_path: Path, tool: str) -> None:
    """Every metric of the kind prometheus is on the page of the oldest and the current Prometheus."""
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    config = WATCHES_ITSELF.format(rules=rules, alertmanager=f"{HOST}:{free_port()}")
    with stack.prometheus(tmp_path, config, tool=tool) as server:
        page = page_with(server, SECOND_SCRAPE, RULES_RUN, TELLS)

    assert disagreements(page, KINDS["prometheus"]) == []


@pytest.mark.parametrize("tool", ["alertmanager", "alertmanager-current"])
def test_alertmanager_exposes_what_is_declared(tmp_path: Path, tool: str) -> None:
    """Every metric of the kind alertmanager is on the page of old and current Alertmanager."""
    with stack.alertmanager(tmp_path, ROUTES, tool=tool) as server:
        page = parse_exposition(server.get())

    assert disagreements(page, KINDS["alertmanager"]) == []


def test_node_exporter_exposes_what_is_declared(tmp_path: Path) -> None:
    """Every metric of the kind node-exporter is on the page of this host's node exporter."""
    with stack.node_exporter(tmp_path) as server:
        page = parse_exposition(server.get())

    assert disagreements(page, KINDS["node-exporter"]) == []


def test_blackbox_exporter_exposes_what_is_declared(tmp_path: Path) -> None:
    """Every metric of the kind blackbox-exporter is on its own page or that of an HTTP probe."""
    modules = "modules: {http: {prober: http, http: {preferred_ip_protocol: ip4}}}\n"
    with _web_server() as port, stack.blackbox_exporter(tmp_path, modules) as server:
        page = parse_exposition(server.get())
        page |= parse_exposition(server.get(f"/probe?module=http&target=http://{HOST}:{port}/"))

    assert page["probe_success"].values == [1.0]
    assert disagreements(page, KINDS["blackbox-exporter"]) == []


def test_redis_exporter_exposes_what_is_declared(tmp_path: Path) -> None:
    """Every metric of redis, its exporter and worker streams is on the exporter's page."""
    client = need("redis-cli")
    with stack.redis(tmp_path) as redis:
        for command in (
            f"XADD {STREAM} * task one",
            f"XGROUP CREATE {STREAM} workers 0",
            f"XREADGROUP GROUP workers first COUNT 1 STREAMS {STREAM} >",
        ):
            subprocess.run(
                [client, "-p", str(redis.port), *command.split()], check=True, capture_output=True
            )
        with stack.redis_exporter(tmp_path, redis, streams=STREAM) as server:
            page = parse_exposition(server.get())

    assert page["redis_up"].values == [1.0]
    assert page["redis_stream_group_messages_pending"].values == [1.0]
    assert disagreements(page, KINDS["redis"], KINDS["redis-exporter"]) == []


def test_postgres_exporter_exposes_what_is_declared(tmp_path: Path) -> None:
    """Every metric of postgres and its exporter is on the exporter's page."""
    with (
        stack.postgres(tmp_path) as database,
        stack.postgres_exporter(tmp_path, database) as server,
    ):
        page = parse_exposition(server.get())

    assert page["pg_up"].values == [1.0]
    assert disagreements(page, KINDS["postgres"], KINDS["postgres-exporter"]) == []


def test_rabbitmq_exposes_what_is_declared(tmp_path: Path) -> None:
    """Every metric of the kind rabbitmq is on the page of its Prometheus plugin."""
    with stack.rabbitmq(tmp_path) as server:
        page = parse_exposition(server.get())

    assert disagreements(page, KINDS["rabbitmq"]) == []


def test_a_wrong_declaration_is_seen() -> None:
    """A declared metric that is missing, of another type, or without a label is reported."""
    page = parse_exposition('# TYPE pg_up counter\npg_up{server="a"} 1\n')
    kind = KINDS["postgres"]
    metrics = (
        Metric("pg_up", "gauge", "bool", "text", ("datname",)),
        Metric("pg_gone", "gauge", "bool", "text", ()),
    )

    problems = [(m.name, list(_problems(m, page.get(m.name)))) for m in metrics]

    assert kind.declares["pg_up"].type == "gauge"
    assert problems == [
        ("pg_up", ["has no label datname", "is a counter, declared as gauge"]),
        ("pg_gone", ["declared and not exposed"]),
    ]


@contextmanager
def _web_server() -> Iterator[int]:
    """Serve an empty page on a free port."""

    class Quiet(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with http.server.ThreadingHTTPServer((HOST, 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
