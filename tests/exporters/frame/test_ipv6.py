"""IPv6: addresses in urls, names that have no other address, and our own pages on one."""

from __future__ import annotations

import http.server
import os
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporters import agents, ollama
from exporters.config import load_config
from exporters.deadline import Deadline
from exporters.service import Part, Site
from exporters.web_guard import Guard
from tests.exporters.agents.asking import values
from tests.exporters.ollama.fake import Fake, running_fake
from tests.live.servers import free_port

LOOPBACK = "::1"
NAME = "only-six.test"
SUBJECT = {"tier": "t", "kind": "k", "profile": "default"}


@pytest.fixture(autouse=True, scope="module")
def _ipv6() -> None:
    """Skip where this machine has no IPv6, and say so; TIERWATCH_REQUIRE_TOOLS makes that a failure."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind((LOOPBACK, 0))
    except OSError as error:
        say = pytest.fail if os.environ.get("TIERWATCH_REQUIRE_TOOLS") else pytest.skip
        say(
            f"NOT TESTED: nothing listens on {LOOPBACK} here ({error}); IPv6-only targets are untried"
        )


class _Server6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


class _Handler(http.server.BaseHTTPRequestHandler):
    hosts: list[str]

    def do_GET(self) -> None:
        """Answer as a healthy agent, or as a Docker that has nothing."""
        self.hosts.append(self.headers.get("Host", ""))
        body = b"[]" if "/containers/json" in self.path else b'{"status":"ok"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def six() -> Iterator[tuple[int, list[str]]]:
    """Serve on IPv6 alone; return the port, and the Host headers that came."""
    hosts: list[str] = []
    server = _Server6((LOOPBACK, 0), type("Handler", (_Handler,), {"hosts": hosts}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1], hosts
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def _only_six(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make NAME a name that has an IPv6 address only."""
    real = socket.getaddrinfo

    def find(host: Any, *args: Any, **more: Any) -> Any:
        return real(LOOPBACK if host == NAME else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", find)


def _file(path: Path, exporter: str, targets: list[dict[str, Any]], **more: Any) -> Path:
    entries = [{"container": t["service"], **SUBJECT, **t} for t in targets]
    content = {"version": 1, "exporter": exporter, "listen": "[::1]:1", "targets": entries, **more}
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.usefixtures("_only_six")
def test_agents_and_docker_that_speak_ipv6_only(six: tuple[int, list[str]], tmp_path: Path) -> None:
    """Addresses in brackets and names alike, HTTP and TCP, and Docker's proxy: all are reached."""
    port, hosts = six
    targets = [
        {"service": "address", "probe": "http", "url": f"http://[::1]:{port}/health"},
        {"service": "long", "probe": "http", "url": f"http://[0:0:0:0:0:0:0:1]:{port}/health"},
        {"service": "name", "probe": "http", "url": f"http://{NAME}:{port}/health"},
        {"service": "tcp", "probe": "tcp", "url": f"tcp://[::1]:{port}"},
        {"service": "nobody", "probe": "tcp", "url": f"tcp://[::1]:{free_port()}"},
    ]
    docker = {"url": f"tcp://[::1]:{port}", "project": "shop"}
    config = load_config(_file(tmp_path / "agents.yml", "agents", targets, docker=docker))
    exporter = agents.build(config)
    try:
        found = values(exporter.collect(Deadline.after(10)), "agent_up", "agent_docker_up")
    finally:
        exporter.close()

    assert found == {
        "agent_up{address}": 1, "agent_up{long}": 1, "agent_up{name}": 1, "agent_up{tcp}": 1,
        "agent_up{nobody}": 0, "agent_docker_up{}": 1,
    }  # fmt: skip
    assert {f"[::1]:{port}", f"[0:0:0:0:0:0:0:1]:{port}", f"{NAME}:{port}"} <= set(hosts)


@pytest.mark.usefixtures("_only_six")
@pytest.mark.parametrize("host", ["[::1]", NAME])
def test_an_ollama_that_speaks_ipv6_only(host: str, tmp_path: Path) -> None:
    """Its lists arrive, and another port is looked for at the same address when the promised one is silent."""
    with running_fake(Fake(), host=LOOPBACK) as have:
        drifted = {
            "service": "drifted", "probe": "http", "url": f"http://{host}:{free_port()}",
            "other_ports": [have.port],
        }  # fmt: skip
        here = {"service": "here", "probe": "http", "url": f"http://{host}:{have.port}"}
        exporter = ollama.build(
            load_config(_file(tmp_path / "ollama.yml", "ollama", [here, drifted]))
        )
        try:
            metrics = exporter.collect(Deadline.after(10))
        finally:
            exporter.close()

    assert values(metrics, "ollama_up", "ollama_models_installed", "ollama_port_answering") == {
        "ollama_up{here}": 1, "ollama_up{drifted}": 0, "ollama_models_installed{here}": 0,
        "ollama_port_answering{here}": have.port, "ollama_port_answering{drifted}": have.port,
    }  # fmt: skip


def test_our_own_pages_on_ipv6(six: tuple[int, list[str]], tmp_path: Path) -> None:
    """An exporter that listens on an IPv6 address serves there, and says so in brackets."""
    port = free_port()
    target = {"service": "a", "probe": "http", "url": f"http://[::1]:{six[0]}/"}
    path = _file(tmp_path / "agents.yml", "agents", [target], listen=f"[::1]:{port}")
    site = Site([Part(agents.build, path, "agents")], None, 0.5)
    site.start(Guard(None))
    try:
        with urllib.request.urlopen(f"http://[::1]:{port}/metrics", timeout=30) as answer:
            page = answer.read().decode()
    finally:
        site.stop()

    assert 'agent_up{kind="k",profile="default",service="a",tier="t"} 1.0' in page
