"""
Measure the exporters beside Go ones on the same work: `python -m bench.exporters`.

Sixty healthy agents in one scrape of ours, and sixty scrapes of the blackbox exporter, one for each
as it wants it; the same with a third of them hanging; memory at rest; the hardware exporter over
sixty containers' control groups and, where there is a C compiler, two GPUs of the fake driver, beside
the node exporter over this machine; the Ollama exporter over a server with a hundred models; a page
of 1,000 series rendered. All in one run, each exporter a process of its own with its children counted
in, asked as Prometheus asks; only the rendering is measured in this process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily

from exporters.page import Page
from tests.exporters.hardware.docker_list import B, docker_list, listing
from tests.exporters.nvml import fake as nvml
from tests.exporters.ollama.fake import Fake, model, running_fake
from tests.live.servers import HOST, TOOLS, free_port, listens

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "exporters"
FLEET = ROOT / "tests" / "exporters" / "agents" / "fleet.py"
COUNT = 60
HANGING = 20
SCRAPES = 20
SERIES = 1000
MODELS = 100
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MODULES = """modules:
  http: {prober: http, timeout: 3s, http: {fail_if_body_not_matches_regexp: ['"status": ?"(ok|healthy)"']}}
"""


class Process:
    """A running exporter, with what it has cost so far."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self._pid = process.pid

    def cpu_s(self) -> float:
        """Return its processor time, and that of its children."""
        ticks = 0
        for pid in self._pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / _TICKS

    def rss_mb(self) -> float:
        """Return the memory that it and its children hold; what they share counts in each."""
        pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self._pids())
        return sum(pages) * _PAGE / 1e6

    def _pids(self) -> list[int]:
        found = [self._pid]
        for pid in found:  # which grows
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        return found


@contextmanager
def _process(
    command: Sequence[object], port: int, env: Mapping[str, str] | None = None
) -> Iterator[Process]:
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            end = time.monotonic() + 30
            while not listens(port) and time.monotonic() < end and process.poll() is None:
                time.sleep(0.05)
            yield Process(process, port)
        finally:
            process.terminate()


def _get(url: str) -> int:
    request = urllib.request.Request(url, headers={"Accept": ACCEPT, "Accept-Encoding": "gzip"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return len(answer.read())


def _checked(process: Process, *wanted: str) -> None:
    """End the run unless the page has every one of *wanted*: idle work would look fast."""
    with urllib.request.urlopen(f"{process.url}/metrics", timeout=30) as answer:  # noqa: S310
        page = answer.read().decode()
    missing = [text for text in wanted if text not in page]
    if missing:
        raise SystemExit(f"{process.url}/metrics lacks {', '.join(missing)}")


def _measured(process: Process, scrape: Callable[[], object], times: int) -> str:
    """Return wall time (middle), processor time per round, and memory, as cells of a table."""
    scrape()
    walls, cpu = [], process.cpu_s()
    for _ in range(times):
        started = time.monotonic()
        scrape()
        walls.append(time.monotonic() - started)
    spent = (process.cpu_s() - cpu) / times
    return f"{sorted(walls)[times // 2] * 1000:8.0f} ms {spent * 1000:8.1f} ms {process.rss_mb():8.1f} MB"


def _agents_file(folder: Path, port: int, fleet: int, paths: Sequence[str]) -> Path:
    lines = [f"version: 1\nexporter: agents\nlisten: {HOST}:{port}\ntargets:"]
    lines += [
        f"- {{service: a{number}, tier: agents, kind: http-agent, profile: default, container: c{number},"
        f" probe: http, url: 'http://{HOST}:{fleet}/{path}',"
        ' expect: {status: 200, body: \'"status": ?"(ok|healthy)"\'}}'
        for number, path in enumerate(paths)
    ]
    path = folder / f"agents-{port}.yml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _exporter(
    stack: ExitStack, name: str, config: Path, port: int, env: Mapping[str, str] | None = None
) -> Process:
    command = [sys.executable, "-m", "generator.cli", "exporter", name, "--config", config]
    listen = ["--listen", f"{HOST}:{port}", "--log-level", "error"]
    return stack.enter_context(_process([*command, *listen], port, env))


def figures(folder: Path) -> Iterator[str]:
    """Yield the table, line by line."""
    yield f"{'':44} {'wall':>11} {'CPU':>11} {'memory':>11}"
    with ExitStack() as stack:
        fleet = free_port()
        stack.enter_context(_process([sys.executable, FLEET, str(fleet)], fleet))
        for title, paths in (
            (f"{COUNT} healthy agents", ["good"] * COUNT),
            (
                f"{COUNT} agents, {HANGING} of them hang",
                ["hang"] * HANGING + ["good"] * (COUNT - HANGING),
            ),
        ):
            times = SCRAPES if "hang" not in paths else 3
            port = free_port()
            ours = _exporter(stack, "agents", _agents_file(folder, port, fleet, paths), port)
            row = _measured(ours, lambda ours=ours: _get(f"{ours.url}/metrics"), times)  # type: ignore[misc]
            yield f"{title + ', one scrape of ours':44} {row}"
            yield from _blackbox(stack, folder, fleet, title=title, paths=paths, times=times)
        yield _hardware(stack, folder)
        yield from _node(stack)
        yield _ollama(stack, folder)
        yield _rendering()


def _blackbox(
    stack: ExitStack, folder: Path, fleet: int, *, title: str, paths: Sequence[str], times: int
) -> Iterator[str]:
    tool, port = TOOLS / "blackbox_exporter", free_port()
    if not tool.exists():
        yield f"{title}: blackbox_exporter is missing; tools/get blackbox_exporter"
        return
    (folder / "blackbox.yml").write_text(_MODULES)
    command = [tool, f"--config.file={folder}/blackbox.yml", f"--web.listen-address={HOST}:{port}"]
    process = stack.enter_context(_process(command, port))
    urls = [
        f"{process.url}/probe?module=http&target=http://{HOST}:{fleet}/{path}" for path in paths
    ]
    with ThreadPoolExecutor(COUNT) as pool:
        row = _measured(process, lambda: list(pool.map(_get, urls)), times)
    yield f"{title + f', {COUNT} of blackbox':44} {row}"


def _hardware(stack: ExitStack, folder: Path) -> str:
    """Return the row of the hardware exporter; every container is a copy of one of the fixtures."""
    names = {f"{number:064x}": f"sutazai-c{number}" for number in range(COUNT)}
    root = folder / "sys" / "fs" / "cgroup"
    root.mkdir(parents=True)
    (root / "cgroup.controllers").touch()
    for name in names:
        fixture = FIXTURES / "hardware" / "sys2" / "fs" / "cgroup" / "docker" / B
        shutil.copytree(fixture, root / "docker" / name)
    env = {"HOST_SYS": str(folder / "sys"), "HOST_PROC": str(FIXTURES / "hardware" / "proc")}
    gpus = "no compiler, no GPUs"
    if nvml.compiler() is not None:
        lines = (FIXTURES / "nvml" / "two-gpus.txt").read_text(encoding="utf-8").splitlines()
        env |= nvml.FakeDriver(folder / "driver.txt", nvml.build(folder / "nvml"), lines).env()
        gpus = "2 GPUs"
    docker = stack.enter_context(docker_list(folder, listing(**names)))
    targets = [
        {"service": f"c{number}", "tier": "agents", "kind": "container", "profile": "default",
         "container": name, "probe": "container"}
        for number, name in enumerate(names.values())
    ]  # fmt: skip
    process = _configured(
        stack,
        folder,
        "hardware",
        {"docker": {"url": docker.url, "project": "sutazai"}, "targets": targets},
        env,
    )
    up = ("containers", "gpu") if "NVML_FAKE" in env else ("containers",)
    last = f'hw_container_memory_usage_bytes{{container="sutazai-c{COUNT - 1}"'
    _checked(process, last, *(f'hw_collector_up{{collector="{name}"}} 1.0' for name in up))
    row = _measured(process, lambda: _get(f"{process.url}/metrics"), SCRAPES)
    return f"{f'hardware exporter, {COUNT} containers, {gpus}':44} {row}"


def _ollama(stack: ExitStack, folder: Path) -> str:
    """Return the row of the Ollama exporter, with no model to probe."""
    server = Fake(installed=[model(f"m{number}:latest") for number in range(MODELS)])
    server.use("m0:latest")
    stack.enter_context(running_fake(server))
    target = {
        "service": "ollama", "tier": "ai", "kind": "ollama", "profile": "default",
        "container": "sutazai-ollama", "probe": "http", "url": server.url, "port": server.port,
    }  # fmt: skip
    process = _configured(stack, folder, "ollama", {"targets": [target]}, {})
    labels = 'kind="ollama",profile="default",service="ollama",tier="ai"'
    _checked(process, f"ollama_models_installed{{{labels}}} {MODELS}.0")
    row = _measured(process, lambda: _get(f"{process.url}/metrics"), SCRAPES)
    return f"{f'Ollama exporter, {MODELS} models':44} {row}"


def _configured(
    stack: ExitStack, folder: Path, name: str, config: Mapping[str, object], env: Mapping[str, str]
) -> Process:
    """Return the running exporter *name* with *config*; JSON is YAML."""
    port = free_port()
    path = folder / f"{name}.yml"
    own = {"version": 1, "exporter": name, "listen": f"{HOST}:{port}"}
    path.write_text(json.dumps({**own, **config}, indent=1))
    return _exporter(stack, name, path, port, env)


def _rendering() -> str:
    """Return the row of a page of SERIES series, as OpenMetrics and packed; memory has no cell."""
    metric = GaugeMetricFamily("bench_figure", "A figure.", labels=("service", "tier", "kind"))
    for number in range(SERIES):
        metric.add_metric((f"s{number}", "agents", "http-agent"), number / 7)
    walls, cpu = [], time.process_time()
    for _ in range(SCRAPES):
        started = time.monotonic()
        Page([metric]).render(ACCEPT, "gzip")
        walls.append(time.monotonic() - started)
    spent = (time.process_time() - cpu) / SCRAPES
    wall = sorted(walls)[SCRAPES // 2]
    return f"{f'rendering {SERIES} series':44} {wall * 1000:8.0f} ms {spent * 1000:8.1f} ms"


def _node(stack: ExitStack) -> Iterator[str]:
    tool, port = TOOLS / "node_exporter", free_port()
    if not tool.exists():
        yield "node_exporter is missing; tools/get node_exporter"
        return
    process = stack.enter_context(_process([tool, f"--web.listen-address={HOST}:{port}"], port))
    row = _measured(process, lambda: _get(f"{process.url}/metrics"), SCRAPES)
    yield f"{'node exporter, this machine':44} {row}"


def main() -> int:
    """Print the table; the exit status is 0, whatever the figures are."""
    with tempfile.TemporaryDirectory(prefix="tierwatch-bench-") as name:
        for line in figures(Path(name)):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
