"""The guard and a real engine: what it restarts, by the engine's own events, called as a timer calls it."""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediation.commands import guard as cli_guard
from tests.exporters.agents.engine import IMAGE, PROJECT, Engine, running_engine, wait_for
from tests.live.servers import HOST, free_port, until
from tests.remediation.proxy.rig import FOREVER, events

pytestmark = pytest.mark.live

# A server in a container, which answers as long as it is not stopped.
SERVER = (
    "/bin/busybox mkdir -p /tmp/www/-; echo ready > /tmp/www/-/ready;"
    " exec httpd -f -p 127.0.0.1:{port} -h /tmp/www"
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One daemon for all tests of this file."""
    with running_engine(tmp_path_factory.mktemp("docker")) as found:
        yield found


@pytest.fixture
def pages() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Somebody who is called: the address, and what was sent there."""
    sent: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent.append({**json.loads(body), "authorization": self.headers["Authorization"]})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://{HOST}:{server.server_port}/hook", sent
    server.shutdown()
    server.server_close()


Guard = Callable[..., int]


@pytest.fixture
def guard(engine: Engine, tmp_path: Path, pages: tuple[str, list[Any]]) -> Guard:
    """Return the command: `guard(name=url, ...)` checks these containers once and gives its exit status."""
    token = tmp_path / "token"
    token.write_text("s3cret\n", encoding="utf-8")

    def run(
        *, failures: int = 2, dry_run: bool = False, docker: str = engine.url, **urls: str
    ) -> int:
        content = {
            "version": 1, "docker": docker, "project": PROJECT, "hold": f"{tmp_path}/hold",
            "failures": failures, "limit": {"window": "1h", "restarts": 3}, "ready_within": "1s",
            "page_after": "1h", "notify": {"url": pages[0], "token_file": str(token)},
            "watched": [
                {
                    "name": name, "container": f"{PROJECT}-{name}", "start_period": "0s",
                    "optional": False, **({"url": url} if url else {}),
                }
                for name, url in urls.items()
            ],
        }  # fmt: skip
        (tmp_path / "guard.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
        options = argparse.Namespace(
            config=tmp_path / "guard.yml", state=tmp_path / "guard.json", format="json",
            once=True, dry_run=dry_run, check=False,
        )  # fmt: skip
        return cli_guard.run(options)

    return run


def _serve(engine: Engine, name: str, port: int) -> None:
    """Start a server on *port* of this host, as a container of the project."""
    engine.docker(
        "run", "-d", "--network", "host", "--stop-timeout", "1", "--name", f"{PROJECT}-{name}",
        "--label", f"com.docker.compose.project={PROJECT}",
        "--label", f"com.docker.compose.service={name}",
        IMAGE, "/bin/sh", "-c", SERVER.format(port=port),
    )  # fmt: skip


def _restarts(engine: Engine, since: float) -> list[str]:
    return [name for action, name in events(engine, since) if action == "restart"]


def test_a_dead_server_is_restarted_once(
    engine: Engine, guard: Guard, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed and not started by Docker: the second check in a row restarts it, the third finds it well."""
    port = free_port()
    _serve(engine, "dead", port)
    engine.start("bystander", FOREVER)
    url = f"http://{HOST}:{port}/-/ready"
    until(lambda: guard(dead=url) == 0, "the server answers")
    engine.docker("kill", f"{PROJECT}-dead")
    wait_for(engine, "dead", ".State.Status", "exited")
    since = time.time()
    statuses = [guard(dead=url), guard(dead=url)]
    until(lambda: guard(dead=url, failures=100) == 0, "it answers again")

    assert statuses == [1, 0]
    assert _restarts(engine, since) == [f"{PROJECT}-dead"]
    assert '"is": "restarted"' in capsys.readouterr().out


def test_a_hung_server_is_restarted(engine: Engine, guard: Guard) -> None:
    """It runs, takes connections and does not answer any more: restarted, and the answer is back."""
    port = free_port()
    _serve(engine, "hung", port)
    url = f"http://{HOST}:{port}/-/ready"
    until(lambda: guard(hung=url) == 0, "the server answers")
    found = engine.docker("inspect", "-f", "{{.State.Pid}}", f"{PROJECT}-hung")
    os.kill(int(found), signal.SIGSTOP)
    since = time.time()
    statuses = [guard(hung=url), guard(hung=url)]
    until(lambda: guard(hung=url, failures=100) == 0, "it answers again")

    assert statuses == [1, 0]
    assert _restarts(engine, since) == [f"{PROJECT}-hung"]


def test_three_times_an_hour_and_then_a_human(
    engine: Engine, guard: Guard, pages: tuple[str, list[dict[str, Any]]]
) -> None:
    """What exits again at once is restarted three times; then somebody is called, once, with the token."""
    engine.start("hopeless", "exit 3")
    wait_for(engine, "hopeless", ".State.Status", "exited")
    since = time.time()
    statuses = []
    for _ in range(6):
        statuses.append(guard(hopeless="", failures=1))
        wait_for(engine, "hopeless", ".State.Status", "exited")

    assert _restarts(engine, since) == [f"{PROJECT}-hopeless"] * 3
    assert statuses[3:] == [1, 1, 1]
    (page,) = pages[1]
    assert (page["version"], page["status"], page["authorization"]) == (
        "4",
        "firing",
        "Bearer s3cret",
    )
    assert page["alerts"][0]["labels"] == {
        "alertname": "GuardGaveUp", "project": PROJECT, "service": "hopeless",
        "severity": "critical", "source": "tierwatch-guard", "tier": "none",
    }  # fmt: skip
    assert "restarted 3 times already" in page["alerts"][0]["annotations"]["description"]


def test_what_a_human_stopped_stays_stopped(engine: Engine, guard: Guard) -> None:
    """`docker stop` under `always` and `unless-stopped`: the engine does nothing for us."""
    for policy in ("always", "unless-stopped"):
        name = f"stopped-{policy}"
        engine.start(name, FOREVER, "--restart", policy)
        engine.docker("stop", "-t", "1", f"{PROJECT}-{name}")
    since = time.time()
    watched = {"stopped-always": "", "stopped-unless-stopped": ""}

    assert [guard(failures=1, **watched) for _ in range(3)] == [1, 1, 1]
    assert events(engine, since) == []


def test_foreign_containers_are_never_touched(engine: Engine, guard: Guard) -> None:
    """A container that has our name and another project's or service's labels: nothing happens to it."""
    engine.docker(
        "run", "-d", "--network", "none", "--name", f"{PROJECT}-borrowed",
        "--label", "com.docker.compose.project=other",
        "--label", "com.docker.compose.service=borrowed",
        IMAGE, "/bin/false",
    )  # fmt: skip
    engine.docker(
        "run", "-d", "--network", "none", "--name", f"{PROJECT}-renamed",
        "--label", f"com.docker.compose.project={PROJECT}",
        "--label", "com.docker.compose.service=database",
        IMAGE, "/bin/false",
    )  # fmt: skip
    for name in ("borrowed", "renamed"):
        wait_for(engine, name, ".State.Status", "exited")
    since = time.time()

    assert [guard(failures=1, borrowed="", renamed="", missing="") for _ in range(3)] == [1, 1, 1]
    assert events(engine, since) == []


def test_a_dry_run_and_a_hold_touch_nothing(
    engine: Engine, guard: Guard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both say what is down; the engine does nothing."""
    engine.start("down", "exit 1")
    wait_for(engine, "down", ".State.Status", "exited")
    since = time.time()
    dry = guard(failures=1, dry_run=True, down="")
    (tmp_path / "hold").write_text("upgrade", encoding="utf-8")
    held = [guard(failures=1, down="") for _ in range(3)]
    said = capsys.readouterr().out

    assert (dry, held) == (1, [1, 1, 1])
    assert events(engine, since) == []
    assert '"is": "restart"' in said
    assert "says to restart nothing: upgrade" in said


def test_a_torn_file_restarts_nothing(engine: Engine, guard: Guard, tmp_path: Path) -> None:
    """What it remembers is torn: it is put aside, and the engine does nothing."""
    engine.start("waiting", "exit 1")
    wait_for(engine, "waiting", ".State.Status", "exited")
    (tmp_path / "guard.json").write_text('{"version": 1, "anchor": {"boot_', encoding="utf-8")
    since = time.time()

    assert [guard(failures=1, waiting="") for _ in range(3)] == [1, 1, 1]
    assert events(engine, since) == []
    assert (tmp_path / "guard.json.corrupt").exists()


def test_an_engine_that_is_away_is_told(
    guard: Guard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No socket: exit 1 and the reason, no traceback; what it remembers is written all the same."""
    status = guard(failures=1, docker=f"unix://{tmp_path}/no.sock", gone="")

    assert status == 1
    assert "Docker cannot be asked" in capsys.readouterr().out
    assert (tmp_path / "guard.json").exists()
