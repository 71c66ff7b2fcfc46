"""A real Loki with the rendered configuration, for the tests of this room."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.catalog import load_catalog
from generator.model import Catalog
from loki import server

TOOLS = Path(__file__).parents[2] / ".tools" / "bin"
CATALOG = Path(__file__).parents[1] / "promtail" / "catalog"

PATIENCE_S = 240  # for what takes seconds on an idle machine

# (labels, [(nanoseconds, line), ...])
Stream = tuple[Mapping[str, str], Sequence[tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class Loki:
    """A running Loki, spoken to over HTTP."""

    url: str

    def get(self, path: str, **query: str) -> Any:
        """Return the JSON or YAML that *path* answers with."""
        suffix = f"?{urllib.parse.urlencode(query)}" if query else ""
        with urllib.request.urlopen(f"{self.url}{path}{suffix}", timeout=120) as answer:  # noqa: S310
            return yaml.safe_load(answer.read())

    def push(self, streams: Iterable[Stream]) -> None:
        """Send lines. Raises HTTPError with Loki's reason where it refuses one."""
        body = {
            "streams": [
                {"stream": dict(labels), "values": [[str(at), line] for at, line in lines]}
                for labels, lines in streams
            ]
        }
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/loki/api/v1/push",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120):  # noqa: S310
            pass

    def flush(self) -> None:
        """Make Loki write what it holds in memory to its store."""
        request = urllib.request.Request(f"{self.url}/flush", method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=120):  # noqa: S310
            pass

    def vector(self, expr: str, at: int) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the result of *expr* at *at* (nanoseconds): value per set of labels."""
        answer = self.get("/loki/api/v1/query", query=expr, time=str(at), limit="5000")
        return {
            tuple(sorted(sample["metric"].items())): float(sample["value"][1])
            for sample in answer["data"]["result"]
        }


def tool(name: str) -> str:
    """Return the path of a tool, or skip the test and name it."""
    path = TOOLS / name
    found = str(path) if path.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is missing: run `make tools`")
    return found


def free_port() -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def local_config(catalog: Catalog, folder: Path, port: int) -> dict[str, Any]:
    """Return the rendered configuration with the paths and ports of this machine."""
    text = json.dumps(server.config(catalog))
    text = text.replace(server.RULES_FOLDER, str(folder / "loki/rules"))
    text = text.replace(f'"{server.DATA}', f'"{folder}/data')
    data: dict[str, Any] = json.loads(text)
    data["server"] |= {
        "http_listen_port": port,
        "http_listen_address": "127.0.0.1",
        "grpc_listen_port": free_port(),
        "grpc_listen_address": "127.0.0.1",
    }
    # Test lines are hours old and not flushed yet; in production old lines are on disk.
    data["querier"] = {"query_ingesters_within": "24h"}
    data["ingester"]["lifecycler"] = {"min_ready_duration": "0s", "final_sleep": "0s"}
    return data


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """Return the small catalog that the log pipeline is tested with."""
    return load_catalog(CATALOG)


@pytest.fixture(scope="session")
def loki_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file that the running Loki writes its own log to."""
    return tmp_path_factory.mktemp("loki-log") / "loki.log"


@pytest.fixture(scope="session")
def loki(
    catalog: Catalog, loki_log: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loki]:
    """Yield a Loki that has read the rendered rules and takes lines; one for the whole run."""
    binary = tool("loki")
    folder = tmp_path_factory.mktemp("loki")
    for artifact in server.render(catalog):
        path = folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text, encoding="utf-8")
    port = free_port()
    path = folder / "local.yml"
    path.write_text(json.dumps(local_config(catalog, folder, port)), encoding="utf-8")
    with loki_log.open("w") as log:
        process = subprocess.Popen([binary, "-config.file", str(path)], stdout=log, stderr=log)
        try:
            running = Loki(f"http://127.0.0.1:{port}")
            wait_until_it_takes_lines(running, process, loki_log)
            yield running
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End *process*, politely at first."""
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_it_takes_lines(loki: Loki, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once a line has been taken; fail with the end of the log when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            loki.push([({"warm": "up"}, [(time.time_ns(), "x")])])
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
        else:
            return
    pytest.fail("Loki does not start:\n" + "\n".join(log.read_text().splitlines()[-20:]))
