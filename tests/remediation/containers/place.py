"""
A host as the operator's page makes it: a catalog, what is rendered from it, secrets, Compose, an engine.

The files are taken as they are generated, and the commands that make the secrets from the page itself.
What the test adds: the platform's own compose file (which the page asks for as well), where the daemon's
socket is, and a grace of a second in the catalog, since the daemon has just started. Nothing generated is
overridden; names are resolved by Docker's own name server, on the network that Compose makes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remediation.alertmanager.rfc3339 import format_time
from remediation.journal.errors import JournalError
from remediation.journal.reading import entry_of, reading, rows
from remediation.model import Entry
from tests.docs.markdown import blocks
from tests.exporters.agents.engine import Engine, running_engine
from tests.live.servers import need
from tests.remediation.containers import images
from tests.remediation.containers.images import ROOT

CATALOG = Path(__file__).parent / "catalog"
PROJECT = "shop"
NOBODY = 65534
SOCKET_GROUP = 64999  # as the group `docker` of a host: neither root's nor ours
_BASE = f"""\
services:
  backend:
    image: {images.SERVICE}
    container_name: {PROJECT}-backend
    command: ["/bin/sh", "-c", "echo ok > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]
  alertmanager:
    image: {images.ALERTMANAGER}
    container_name: {PROJECT}-alertmanager
    volumes: ["./rendered/alertmanager:/etc/alertmanager:ro", "./secrets/alertmanager:/etc/alertmanager/secrets:ro"]
"""
_FILES = ("compose.yml", "rendered/alertmanager/compose.yml", "rendered/remediation/compose.yml")
_COMPOSE_SECONDS = 400


@dataclass(frozen=True, slots=True)
class Place:
    """The project on *engine*; *folder* is where its files lie."""

    engine: Engine
    folder: Path

    def compose(self, *arguments: str) -> str:
        """Run Compose on the project, as `docker compose` in its folder would."""
        socket = Path(self.engine.url.removeprefix("unix://"))
        env = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "DOCKER_HOST": self.engine.url,
            "COMPOSE_PROJECT_NAME": PROJECT, "COMPOSE_FILE": ":".join(_FILES),
            "DOCKER_SOCKET": str(socket), "DOCKER_GID": str(socket.stat().st_gid),
        }  # fmt: skip
        run = subprocess.run(
            [need("docker-compose"), *arguments], cwd=self.folder, env=env,
            capture_output=True, text=True, check=False, timeout=_COMPOSE_SECONDS,
        )  # fmt: skip
        assert run.returncode == 0, f"{run.stdout}\n{run.stderr}\n{self._logs()}"
        return run.stdout

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what Docker tells of the container of *service*."""
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", f"{PROJECT}-{service}"))[0]
        return found

    def kill(self, service: str) -> None:
        """End the first process of *service* as a crash does."""
        pid = self.inspect(service)["State"]["Pid"]
        assert pid > 1, f"{service} does not run"  # 0 would be ourselves
        os.kill(pid, signal.SIGKILL)

    def status(self, service: str) -> dict[str, str]:
        """Return what the kernel tells of the first process of *service* (proc(5), `status`)."""
        pid = self.inspect(service)["State"]["Pid"]
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        pairs = (line.partition(":") for line in text.splitlines())
        return {name: value.strip() for name, _, value in pairs}

    def python(self, program: str, service: str = "remediator") -> Any:
        """Run *program* in the container of *service*, as what runs there; return what it prints as JSON."""
        told = self.engine.docker("exec", f"{PROJECT}-{service}", "python", "-c", program)
        return json.loads(told)

    def entries(self, kind: str) -> list[Entry]:
        """Return the entries of one *kind* in the journal, as it lies in its volume on the host."""
        path = Path(self.engine.docker("volume", "inspect", "-f", "{{.Mountpoint}}", f"{PROJECT}_remediation"))  # fmt: skip
        with contextlib.suppress(JournalError), reading(path / "remediation.db") as connection:
            found = [entry_of(row) for row in rows(connection, 0)]
            return [entry for entry in found if entry.kind == kind]
        return []

    def alert(self, *alerts: dict[str, str]) -> None:
        """Tell Alertmanager, as Prometheus would, that *alerts* (their labels) fire."""
        (network,) = self.inspect("alertmanager")["NetworkSettings"]["Networks"].values()
        now = time.time()
        body = [
            {"labels": labels, "startsAt": format_time(now - 60), "endsAt": format_time(now + 600)}
            for labels in alerts
        ]
        request = urllib.request.Request(
            f"http://{network['IPAddress']}:9093/api/v2/alerts", json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        urllib.request.urlopen(request, timeout=60).close()  # noqa: S310

    def told(self) -> str:
        """Return what is known, for a failed test."""
        decided = [str(dict(entry.body)) for entry in self.entries("decided")]
        return "\n".join([*decided[-10:], self._logs()[-6000:]])

    def _logs(self) -> str:
        found = self.engine.docker("ps", "-a", "--format", "{{.Names}} {{.Status}}")
        for name in ("remediator", "remediator-socket-proxy", "alertmanager"):
            if f"{PROJECT}-{name} " in found:
                run = subprocess.run(
                    [need("docker"), "-H", self.engine.url, "logs", f"{PROJECT}-{name}"],
                    capture_output=True, text=True, check=False,
                )  # fmt: skip
                found += f"\n--- {name}\n{run.stdout[-1500:]}{run.stderr[-1500:]}"
        return found


@contextlib.contextmanager
def running_place(folder: Path) -> Iterator[Place]:
    """Start the project on an engine of its own; yield once Compose calls it up and healthy."""
    with running_engine(folder / "docker") as engine:
        os.chown(engine.url.removeprefix("unix://"), 0, SOCKET_GROUP)
        images.make_images(engine, folder)
        place = Place(engine, _prepare(folder / "host"))
        try:
            place.compose("up", "-d", "--wait", "--pull", "never")
            yield place
        finally:
            place.compose("down", "--volumes", "--timeout", "5")


def _prepare(folder: Path) -> Path:
    """Do in *folder* what the page on these containers says, and return it."""
    tierwatch = Path(sys.executable).with_name("tierwatch")
    _run(tierwatch, "generate", "--catalog", CATALOG, "--out", folder / "rendered", cwd=ROOT)
    (folder / "compose.yml").write_text(_BASE, encoding="utf-8")
    page = ROOT / "docs" / "remediation-guard.md"
    (steps,) = [block.text for block in blocks(page) if "secrets/remediation" in block.text]
    _run("sh", "-eu", "-c", steps, cwd=folder)
    return folder


def _run(*command: str | Path, cwd: Path) -> None:
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
