"""
The socket proxy of the rendered command line, between a client and a real Docker Engine.

wollomatic/socket-proxy itself where it is on PATH, else the stand-in beside this file, built with the
Go that is there (docs/tools.md says why). What happened is told by the engine's events alone.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.exporters.agents.engine import Engine
from tests.live.servers import HOST, Server, free_port, listens, need, running

_STANDIN = Path(__file__).parent / "standin"
FOREVER = "trap 'exit 0' TERM; while true; do sleep 0.2; done"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy."""

    server: Server

    @property
    def url(self) -> str:
        """As a client of Docker is told."""
        return f"tcp://{self.server.address}"

    def ask(self, method: str, path: str, body: str = "") -> Answer:
        """Send exactly *path*, undecoded and uncleaned, and return the answer."""
        connection = http.client.HTTPConnection(HOST, self.server.port, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            connection.close()


def build(folder: Path) -> Path:
    """Return the proxy to run: the real one if it is on PATH, else the stand-in, built in *folder*."""
    found = shutil.which("socket-proxy")
    return Path(found) if found else build_standin(folder)


def build_standin(folder: Path) -> Path:
    """Return the stand-in, built in *folder*."""
    built = folder / "standin"
    command = ["build", "-buildvcs=false", "-trimpath", "-o", str(built), "."]
    env_flags = ["env", "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0"]
    run = subprocess.run(
        [*env_flags, str(need("go", "/usr/local/go/bin/go")), *command],
        cwd=_STANDIN, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return built


@contextmanager
def running_proxy(
    binary: Path, flags: Sequence[str], engine: Engine, folder: Path, *, clients: str = "localhost"
) -> Iterator[Proxy]:
    """
    Run *binary* with the rendered *flags* while the block runs.

    Port, address and socket are those of the test, and *clients* stands for the clients' names.
    """
    port = free_port()
    ours = ("-proxyport=", "-listenip=", "-allowfrom=", "-allowhealthcheck")
    kept = [flag for flag in flags if not flag.startswith(ours)]
    command = [
        binary, *kept, f"-proxyport={port}", f"-listenip={HOST}", f"-allowfrom={clients}",
        f"-socketpath={engine.url.removeprefix('unix://')}",
    ]  # fmt: skip
    with running(
        "socket-proxy", command, folder=folder, port=port, ready=lambda each: listens(each.port)
    ) as server:
        yield Proxy(server)


def events(engine: Engine, since: float) -> list[tuple[str, str]]:
    """Return what the engine did since the Unix time *since*: action and name, in order."""
    until = f"{time.time():.6f}"
    told = engine.docker(
        "events", "--since", f"{since:.6f}", "--until", until, "--format", "{{json .}}"
    )
    found: list[dict[str, Any]] = [json.loads(line) for line in told.splitlines()]
    return [
        (str(each["Action"]).partition(":")[0], str(each["Actor"]["Attributes"].get("name", "")))
        for each in found
    ]
