"""
Measure the exporters beside Go ones on the same work: `python -m bench.exporters`.

Sixty healthy agents in one scrape of ours, and sixty scrapes of the blackbox exporter, one for each
as it wants it; the same with a third of them hanging; memory at rest; the hardware exporter beside
the node exporter. All in one run, each exporter a process of its own, asked as Prometheus asks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.live.servers import HOST, TOOLS, free_port, listens

ROOT = Path(__file__).resolve().parent.parent
FLEET = ROOT / "tests" / "exporters" / "agents" / "fleet.py"
COUNT = 60
HANGING = 20
SCRAPES = 20
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"
_TICKS = os.sysconf("SC_CLK_TCK")
_MODULES = """modules:
  http: {prober: http, timeout: 3s, http: {fail_if_body_not_matches_regexp: ['"status": ?"(ok|healthy)"']}}
"""


class Process:
    """A running exporter, with what it has cost so far."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self._pid = process.pid

    def cpu_s(self) -> float:
        """Return its processor time."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_mb(self) -> float:
        """Return the memory that it holds."""
        return int(Path(f"/proc/{self._pid}/statm").read_text().split()[1]) * 4096 / 1e6


@contextmanager
def _process(command: Sequence[object], port: int) -> Iterator[Process]:
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
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
    lines = [f"version: 1\nlisten: {HOST}:{port}\ntargets:"]
    lines += [
        f"- {{service: a{number}, tier: agents, kind: http-agent, profile: default, container: c{number},"
        f" probe: http, url: 'http://{HOST}:{fleet}/{path}',"
        ' expect: {status: 200, body: \'"status": ?"(ok|healthy)"\'}}'
        for number, path in enumerate(paths)
    ]
    path = folder / f"agents-{port}.yml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _exporter(stack: ExitStack, name: str, config: Path, port: int) -> Process:
    command = [sys.executable, "-m", "generator.cli", "exporter", name, "--config", config]
    listen = ["--listen", f"{HOST}:{port}", "--log-level", "error"]
    return stack.enter_context(_process([*command, *listen], port))


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
        port = free_port()
        rendered = ROOT / "rendered" / "exporters" / "hardware.yml"
        hardware = _exporter(stack, "hardware", rendered, port)
        row = _measured(hardware, lambda: _get(f"{hardware.url}/metrics"), SCRAPES)
        yield f"{'hardware exporter, this machine':44} {row}"
        yield from _node(stack)


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
