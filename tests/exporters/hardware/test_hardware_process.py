"""The exporter as the process that people run: memory, leaks, reload, end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exporters.hardware.conftest import HERE, TWO_GPUS, Make
from tests.exporters.hardware.docker_list import A, B, C, docker_list, listing
from tests.exporters.hardware.process import CONFIG, Running, exporter
from tests.live.servers import until

NAMES = {A: "sutazai-ollama", B: "sutazai-redis", C: "sutazai-pytorch"}
MAX_RSS = 90 * 1000 * 1000  # issue 3: 90 MB for hardware with its child


@pytest.fixture
def running(fake: Make, tmp_path: Path) -> Iterator[Running]:
    """The exporter over the fixtures, with two GPUs and Docker."""
    said = fake((*TWO_GPUS, "xid 0 79 1"))
    with docker_list(tmp_path, listing(**NAMES)) as docker:
        config = tmp_path / "hardware.yml"
        text = CONFIG.read_text(encoding="utf-8")
        config.write_text(text.replace("tcp://docker-socket-proxy:2375", docker.url))
        env = {**said.env(), "HOST_SYS": str(HERE / "sys2"), "HOST_PROC": str(HERE / "proc")}
        with exporter(tmp_path, config, env) as found:
            yield found


def rss(pid: int) -> int:
    """Return the bytes of memory that *pid* holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """Return how many files *pid* has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    """Return how many threads *pid* has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@pytest.mark.live
def test_a_thousand_scrapes_leak_nothing(running: Running) -> None:
    """After 1,000 scrapes exporter and child hold the same descriptors and threads, and 90 MB in all."""
    for _ in range(100):  # until caches, arenas and lazy imports are there
        running.server.get()
    (child,) = running.children()
    pids = (running.process.pid, child)
    before = {pid: (descriptors(pid), rss(pid)) for pid in pids}
    for _ in range(1000):
        running.server.get()
    assert [child] == running.children()
    until(
        lambda: all(descriptors(pid) <= before[pid][0] for pid in pids),
        "connections that were closed are gone",
    )
    assert threads(running.process.pid) < 20
    assert threads(child) < 8
    grown = {pid: rss(pid) - before[pid][1] for pid in pids}
    assert max(grown.values()) < 2_000_000, grown
    assert sum(rss(pid) for pid in pids) < MAX_RSS


@pytest.mark.live
def test_a_reload_keeps_child_and_counters(running: Running) -> None:
    """SIGHUP changes what is watched, not the child process nor what was counted."""
    until(lambda: 'xid="79"} 1.0' in running.server.get(), "the driver error is counted")
    children = running.children()
    running.process.send_signal(signal.SIGHUP)
    log = running.server.log
    until(lambda: ' again"' in log.read_text(), "the configuration is read again")
    page = running.server.get()
    assert (True, children) == ('xid="79"} 1.0' in page, running.children())


@pytest.mark.live
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGKILL, -9)])
def test_the_end_of_the_exporter_is_the_end_of_the_child(
    running: Running, number: signal.Signals, status: int
) -> None:
    """SIGTERM ends both in order, with status 0; SIGKILL of the exporter ends the child, too."""
    running.server.get()
    (child,) = running.children()
    running.process.send_signal(number)
    assert status == running.process.wait(20)
    until(lambda: not Path(f"/proc/{child}").exists(), "the child is gone", seconds=20)


@pytest.mark.live
def test_parallel_scrapes_use_one_child(running: Running) -> None:
    """Ten Prometheus servers at once start no second child and get the same."""
    pages: list[str] = []
    askers = [
        threading.Thread(target=lambda: pages.append(running.server.get())) for _ in range(10)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert 10 == len([page for page in pages if "hw_gpus 2.0" in page])
    assert 1 == len(running.children())


@pytest.mark.live
def test_the_rendered_configuration_serves(fake: Make, tmp_path: Path) -> None:
    """With rendered/exporters/hardware.yml as it is, and no Docker to reach, GPUs are told all the same."""
    env = {**fake().env(), "HOST_SYS": str(HERE / "sys2"), "HOST_PROC": str(HERE / "proc")}
    with exporter(tmp_path, CONFIG, env) as found:
        page = found.server.get()
    assert 'hw_collector_errors_total{collector="containers",reason="docker"} ' in page
    assert "hw_gpus 2.0" in page
