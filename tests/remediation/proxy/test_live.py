"""The rendered allow-lists before a real engine: what passes, what does not, by the engine's own events."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from exporters.agents_containers import Containers
from exporters.agents_docker import DockerApi
from exporters.agents_resolve import Resolver
from exporters.config import Docker
from exporters.deadline import Deadline
from generator.catalog import load_catalog
from generator.socket_proxy import accesses
from remediation.drivers.api import Api, path_of
from tests.exporters.agents.asking import container_target, values
from tests.exporters.agents.engine import PROJECT, Engine
from tests.live.servers import free_port, need, running, until
from tests.remediation.proxy.rig import Proxy, events, running_proxy

pytestmark = pytest.mark.live

V = "/v1.41"
CREATE = json.dumps({"Image": "tierwatch-test-busybox", "HostConfig": {"Binds": ["/:/host"]}})

# Of any container, by any proxy.
NEVER = (
    ("POST", "/containers/create?name=intruder"),
    ("POST", "/containers/shop-backend/exec"),
    ("POST", "/containers/shop-backend/stop?t=0"),
    ("POST", "/containers/shop-backend/kill"),
    ("POST", "/containers/shop-backend/start"),
    ("POST", "/containers/shop-backend/pause"),
    ("POST", "/containers/shop-backend/rename?name=gone"),
    ("POST", "/containers/shop-backend/update"),
    ("POST", "/containers/shop-backend/attach?stream=1"),
    ("POST", "/containers/prune"),
    ("POST", "/images/create?fromImage=x"),
    ("POST", "/build"),
    ("PUT", "/containers/shop-backend/archive?path=/tmp"),
    ("DELETE", "/containers/shop-backend?force=1"),
    ("DELETE", "/images/tierwatch-test-busybox?force=1"),
    ("PATCH", "/containers/shop-backend/restart"),
    ("OPTIONS", "/containers/shop-backend/restart"),
    ("GET", "/containers/shop-backend/archive?path=/etc"),
    ("HEAD", "/containers/shop-backend/archive?path=/etc"),
    ("GET", "/containers/shop-backend/export"),
    ("GET", "/containers/shop-backend/attach/ws"),
    ("GET", "/containers/shop-backend/top"),
    ("GET", "/images/json"),
    ("GET", "/images/tierwatch-test-busybox/get"),
    ("GET", "/volumes"),
    ("GET", "/secrets"),
    ("GET", "/containers/shop-backend/../../images/json"),
    ("GET", "/containers/%2e%2e/images/json"),
    ("GET", "/containers/shop-backend%2F..%2F..%2Fimages/json"),
)
# Restarts that are not those which the list names.
OTHER_RESTARTS = (
    "/containers/other-stranger/restart?t=0",
    "/containers/shop-prometheus/restart?t=0",
    "/containers/shop-restart-proxy/restart?t=0",
    "/containers/shop-report/restart?t=0",
    "/containers/shop-agentxone/restart?t=0",
    "/containers/{id}/restart?t=0",
    "/containers/{short}/restart?t=0",
    "/containers/shop-backend/../shop-prometheus/restart",
    "/containers/shop-backend/%2e%2e/shop-prometheus/restart",
    "/containers/shop-backend%2F..%2Fshop-prometheus/restart",
    "/containers/shop-prometheus/restart?x=/v1.41/containers/shop-backend/restart",
    "/containers/shop-prometheus%3F/v1.41/containers/shop-backend/restart",
    "/containers/shop-prometheus/restart%0A/v1.41/containers/shop-backend/restart",
    "/containers//shop-backend/restart",
    "//containers/shop-backend/restart",
    "/containers/shop-backend//restart",
    "/containers/shop-backend/restart/",
    "/containers/SHOP-BACKEND/restart",
    "/containers/shop-backend,shop-prometheus/restart",
    "/containers/shop-backend/restart/../../shop-prometheus/stop",
)


def _refused(proxy: Proxy, asked: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return what got through, or was not answered by the proxy itself; empty when all was refused."""
    answers = {each: proxy.ask(*each, body=CREATE).status for each in asked}
    return {each: status for each, status in answers.items() if status not in (403, 405)}


def test_a_restart_by_name_passes(engine: Engine, restarts: Proxy) -> None:
    """Each container that may be restarted is, dots in names included, and no other one notices."""
    since = time.time()
    answers = [
        restarts.ask("POST", f"{V}/containers/shop-{name}/restart?t=0").status
        for name in ("backend", "agent.one")
    ]
    did = events(engine, since)

    assert answers == [204, 204]
    assert [each for each in did if each[0] == "restart"] == [
        ("restart", "shop-backend"),
        ("restart", "shop-agent.one"),
    ]
    assert {name for _, name in did} - {"none"} == {"shop-backend", "shop-agent.one"}  # a network


def test_restarts_of_others_and_by_other_ways_are_refused(engine: Engine, restarts: Proxy) -> None:
    """Foreign containers, exceptions, one-shots, IDs and crooked paths: the engine does nothing at all."""
    found = engine.docker("inspect", "-f", "{{.Id}}", f"{PROJECT}-backend")
    paths = [path.format(id=found, short=found[:12]) for path in OTHER_RESTARTS]
    since = time.time()
    asked = [("POST", V + path) for path in paths]
    asked += [("POST", "/containers/shop-backend/restart"), ("POST", f"/v2{paths[0]}")]

    assert _refused(restarts, asked) == {}
    assert events(engine, since) == []


@pytest.mark.parametrize("name", ["restarts", "reads"])
def test_everything_else_is_refused(
    engine: Engine, name: str, request: pytest.FixtureRequest
) -> None:
    """Create, exec, stop, kill, delete, images, archive, export, attach: by both proxies, with no effect."""
    proxy: Proxy = request.getfixturevalue(name)
    since = time.time()

    assert _refused(proxy, [(method, V + path) for method, path in NEVER]) == {}
    assert _refused(proxy, list(NEVER)) == {}
    assert events(engine, since) == []


def test_a_reader_may_not_restart(engine: Engine, reads: Proxy) -> None:
    """What one proxy lets through is no business of the other's clients."""
    since = time.time()

    assert _refused(reads, [("POST", f"{V}/containers/shop-backend/restart?t=0")]) == {}
    assert events(engine, since) == []


def test_the_proxy_for_restarts_reads_no_more_than_it_needs(restarts: Proxy) -> None:
    """Ping, version and the containers it may restart; no list, no log, no stranger."""
    own = ("/_ping", "/version", "/containers/shop-backend/json", "/containers/shop-agent.one/json")
    others = (
        "/containers/json", "/events", "/containers/shop-backend/logs?stdout=1", "/networks",
        "/containers/other-stranger/json", "/containers/shop-prometheus/json", "/info",
    )  # fmt: skip

    assert [restarts.ask("GET", V + path).status for path in own] == [200] * len(own)
    assert restarts.ask("HEAD", "/_ping").status == 200
    assert _refused(restarts, [("GET", V + path) for path in others]) == {}


def test_reading_passes(engine: Engine, reads: Proxy) -> None:
    """List, inspect, logs, stats, events, version and ping, with the version in the path and without."""
    found = engine.docker("inspect", "-f", "{{.Id}}", f"{PROJECT}-backend")
    now = int(time.time())
    paths = (
        "/_ping", "/version", "/containers/json?all=1", "/containers/shop-backend/json",
        f"/containers/{found}/json", f"/containers/{found}/logs?stdout=1&tail=1",
        "/containers/shop-backend/stats?stream=false&one-shot=1",
        f"/events?since={now - 1}&until={now}",
    )  # fmt: skip

    answers = {path: reads.ask("GET", version + path) for path in paths for version in (V, "")}

    assert {path: each.status for path, each in answers.items()} == dict.fromkeys(paths, 200)
    assert b"backend is here" in answers[paths[5]].body
    assert reads.ask("HEAD", f"{V}/_ping").status == 200


def test_only_clients_that_are_named_are_served(
    engine: Engine, flags: dict[str, list[str]], binary: Path, tmp_path: Path
) -> None:
    """From an address that belongs to no client, not even a ping is answered."""
    since = time.time()
    with running_proxy(
        binary, flags["restart-proxy"], engine, tmp_path, clients="remediator.invalid"
    ) as proxy:
        asked = [("GET", "/_ping"), ("POST", f"{V}/containers/shop-backend/restart?t=0")]
        assert _refused(proxy, asked) == {}
    assert events(engine, since) == []


def test_our_own_clients_get_what_they_ask(engine: Engine, reads: Proxy, restarts: Proxy) -> None:
    """The agents exporter and the remediator's driver work through the proxies and are refused nothing."""
    docker = DockerApi(Docker(reads.url, PROJECT), Resolver())
    page = values(Containers((container_target("backend"),), docker).collect(Deadline.after(30)))
    api = Api(reads.url, restarts.url)
    since = time.time()
    names = {
        name
        for each in api.json("/containers/json", Deadline.after(30), {"all": "1"})
        for name in each["Names"]
    }
    seen = api.json(path_of("shop-backend"), Deadline.after(30))
    log = api.bytes(path_of("shop-backend", "logs"), Deadline.after(30), {"stdout": "1"})
    api.restart("shop-backend", 0, 60)

    assert page["agent_container_running{backend}"] == 1
    assert "/other-stranger" in names
    assert seen["Name"] == "/shop-backend"
    assert b"backend is here" in log
    assert ("restart", "shop-backend") in events(engine, since)


PROMTAIL = """\
server: {{http_listen_address: 127.0.0.1, http_listen_port: {port}, grpc_listen_port: 0}}
positions: {{filename: {folder}/positions.yml}}
clients: [{{url: "http://127.0.0.1:9/loki/api/v1/push"}}]
scrape_configs:
  - job_name: docker
    docker_sd_configs: [{{host: "{docker}", refresh_interval: 1s}}]
    relabel_configs:
      - {{source_labels: [__meta_docker_container_name], target_label: container}}
"""


def test_promtail_discovers_and_reads(engine: Engine, binary: Path, tmp_path: Path) -> None:
    """The real Promtail finds containers and reads their logs by the paths that its proxy is given."""
    (tmp_path / "platform.yml").write_text("platform: shop\n", encoding="utf-8")
    (tmp_path / "1-core.yml").write_text(
        "tier: core\nservices: {loki: {kind: loki}, logs: {kind: promtail},"
        " door: {kind: docker-socket-proxy}}\n",
        encoding="utf-8",
    )
    (access,) = accesses(load_catalog(tmp_path, "catalog"))
    port, config = free_port(), tmp_path / "promtail.yml"
    with running_proxy(binary, access.flags, engine, tmp_path) as proxy:
        config.write_text(PROMTAIL.format(port=port, folder=tmp_path, docker=proxy.url))
        command = [need("promtail"), f"-config.file={config}"]
        with running(
            "promtail", command, folder=tmp_path, port=port, ready=lambda each: each.answers()
        ) as promtail:
            until(lambda: _read(promtail.get()) > 0, "Promtail reads a line")
        said = proxy.server.log.read_text(encoding="utf-8")

    assert access.clients == ("logs", "blackbox-exporter")
    assert "/logs" in said
    assert [line for line in said.splitlines() if " 403 " in line or " 405 " in line] == []


def _read(metrics: str) -> float:
    """Return how many lines Promtail has read from Docker."""
    return sum(
        float(line.rpartition(" ")[2])
        for line in metrics.splitlines()
        if line.startswith("promtail_docker_target_entries_total")
    )
