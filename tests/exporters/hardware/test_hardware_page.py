"""The whole page, from every source at once, against a file, and before promtool and a linter of ours."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from prometheus_client.core import Metric

from exporters.config import Docker
from exporters.deadline import Deadline
from exporters.frame import Exporter
from exporters.hardware import REASONS, GpuCollector
from exporters.hardware_containers import ContainerCollector
from exporters.hardware_host import HostCollector
from exporters.hardware_metrics import FAMILIES, HOST_FAMILIES
from exporters.hardware_names import Names
from exporters.nvml_driver import NvmlDriver, State
from exporters.nvml_process import Xid
from exporters.page import Page
from tests.exporters.frame.lint import complaints
from tests.exporters.hardware.conftest import (
    GENEROUS_S,
    HERE,
    TWO_GPUS,
    Make,
    ask,
    scrape,
    target,
    values,
)
from tests.exporters.hardware.docker_list import A, B, C, DockerList, docker_list, listing
from tests.live.servers import need, until

GOLDEN = HERE / "expected.prom"
MIG = ("value mig@1 1", "slice 1 MIG-a 7 20000 5000", "xid 0 79 1", "xid 0 79 2")
TARGETS = tuple(target(name) for name in ("ollama", "redis", "pytorch"))
Start = Callable[..., NvmlDriver]


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[DockerList]:
    """A Docker that knows the three containers of the fixtures."""
    names = {A: "sutazai-ollama", B: "sutazai-redis", C: "sutazai-pytorch"}
    with docker_list(tmp_path, listing(**names)) as found:
        yield found


def collectors(driver: NvmlDriver, docker: DockerList) -> tuple[GpuCollector, ContainerCollector]:
    """Return both collectors over the fixtures' folders."""
    names = Names(TARGETS, Docker(docker.url, "sutazai"))
    gpus = GpuCollector(HERE / "sysamd", HERE / "proc", names, driver)
    return gpus, ContainerCollector(HERE / "sys2" / "fs" / "cgroup", names)


class Heard(NvmlDriver):
    """
    A driver that answers once it has heard of so many driver errors, and tells of them together.

    They arrive when the child gets to it. A second scrape would ask only for what is new since the
    first, and then a container's use of a GPU is 0: how many scrapes there are must not be chance.
    """

    def __init__(self, driver: NvmlDriver, errors: int) -> None:
        self._driver = driver
        self._errors = errors

    def read(self, seen: Mapping[str, dict[str, int]], deadline: Deadline) -> State:
        """Return what the driver says to the same question when all errors have arrived."""
        states: list[State] = []

        def all_heard() -> bool:
            states.append(self._driver.read(seen, deadline))
            return len(self._xids(states)) >= self._errors

        until(all_heard, "all driver errors arrive")
        return replace(states[-1], xids=self._xids(states))

    @staticmethod
    def _xids(states: list[State]) -> tuple[Xid, ...]:
        return tuple(xid for state in states for xid in state.xids)


def whole(driver: NvmlDriver, docker: DockerList) -> list[Metric]:
    """Return all families of the first scrape in which everything is there, host included."""
    gpus, containers = collectors(Heard(driver, errors=2), docker)
    exporter = Exporter("hw", (gpus, containers, HostCollector(HERE / "proc")), REASONS)
    found = exporter.collect(Deadline.after(3 * GENEROUS_S))
    return [m for m in found if not m.name.startswith(("hw_exporter", "hw_collector"))]


def text_of(metrics: list[Metric]) -> str:
    """Return *metrics* as a page, with the moment of driver errors replaced."""
    text = Page(metrics).render("text/plain", "")[0].decode()
    return re.sub(r"(?m)^(hw_gpu_xid_last_timestamp_seconds\{.*\}) \S+$", r"\1 1.7e+09", text)


@pytest.fixture
def page(fake: Make, drivers: Start, docker: DockerList) -> list[Metric]:
    """What the exporter says when everything is there."""
    said = fake((*TWO_GPUS, *MIG[:2]))
    driver = drivers(said)
    until(lambda: len(ask(driver).watched) == 2, "both GPUs are watched")
    said.say(*MIG[2:])
    return whole(driver, docker)


def test_the_page(page: list[Metric]) -> None:
    """Every series of every source is as in expected.prom, no more and no less."""
    text = text_of(page)
    if os.environ.get("TIERWATCH_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    assert GOLDEN.read_text(encoding="utf-8") == text


def test_everything_that_is_declared_is_exported(page: list[Metric]) -> None:
    """The page has every family of the table, with the labels of the table and the subject's."""
    expected = {f.name: set(f.labels) for f in (*FAMILIES, *HOST_FAMILIES)}
    found: dict[str, set[str]] = {}
    for metric in page:
        for sample in metric.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    subject = {"service", "tier", "kind", "profile"}
    assert expected == {name: labels - subject for name, labels in found.items()}
    about = {name for name, labels in found.items() if labels >= subject}
    assert {name for name in expected if name.startswith("hw_container_")} == about


def test_promtool_accepts_the_page() -> None:
    """Promtool's linter has nothing to say about the page."""
    promtool = need("promtool")
    done = subprocess.run(
        [str(promtool), "check", "metrics"],
        input=GOLDEN.read_bytes(), capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)


def test_container_series_of_no_service_name_nobody(page: list[Metric]) -> None:
    """GPU memory of host processes has empty labels of a subject, so that Prometheus adds none."""
    empty = [
        sample.labels
        for metric in page
        for sample in metric.samples
        if sample.labels.get("container") == ""
    ]
    nobody = {"service": "", "tier": "", "kind": "", "profile": "", "container": ""}
    assert [{**nobody, "uuid": "GPU-11111111-1111-1111-1111-111111111111"}] * 3 == empty


def test_gpu_memory_is_summed_once(page: list[Metric]) -> None:
    """The containers' shares add up to what the processes hold, compute and graphics counted once."""
    found = values(page, "hw_container_gpu_memory_bytes")
    held = {labels[0]: value for labels, value in found.items()}
    assert {"sutazai-ollama": 15e9, "sutazai-redis": 4e9, "": 1e9} == held


def test_without_docker_gpu_memory_is_nobodys(
    fake: Make, drivers: Start, docker: DockerList
) -> None:
    """While Docker does not answer, a container's GPU memory is not said to be the host's."""
    docker.status = 500
    gpus, containers = collectors(drivers(fake()), docker)
    metrics, reason = scrape(gpus)
    assert ("docker", {}) == (reason, values(metrics, "hw_container_gpu_memory_bytes"))
    assert 2 == values(metrics, "hw_gpus")[()] - 2  # the AMD cards are two more
    assert ([], "docker") == scrape(containers)


def test_a_process_number_that_is_used_again(
    fake: Make, drivers: Start, docker: DockerList, tmp_path: Path
) -> None:
    """A number that belongs to another container in the next scrape is that one's."""
    names = Names(TARGETS, Docker(docker.url, "sutazai"))
    said = fake(("count 1", "value uuid GPU-1", "process 0 7 1000 0 C"))
    gpus = GpuCollector(tmp_path, tmp_path / "proc", names, drivers(said))
    home = tmp_path / "proc" / "7" / "cgroup"
    home.parent.mkdir(parents=True)
    found = []
    for group in (f"0::/docker/{A}\n", f"0::/docker/{B}\n", "0::/init.scope\n"):
        home.write_text(group)
        found.append([key[0] for key in values(scrape(gpus)[0], "hw_container_gpu_memory_bytes")])
    home.unlink()
    found.append([key[0] for key in values(scrape(gpus)[0], "hw_container_gpu_memory_bytes")])
    assert [["sutazai-ollama"], ["sutazai-redis"], [""], [""]] == found


@pytest.mark.parametrize(
    ("line", "reason", "gpus", "code", "ups"),
    [
        ("code nvmlInitWithFlags 9", "driver", None, 9, []),
        ("count 0", "no_gpu", 0, 0, []),
        ("code nvmlDeviceGetPowerUsage@1 15", "gpu_lost", 2, 0, [1, 0]),
        ("code nvmlDeviceGetHandleByIndex_v2@1 15", "gpu_lost", 2, 0, [1, 0]),
        ("code nvmlDeviceGetHandleByIndex_v2@1 4", "driver", 2, 0, [1]),
        ("", "", 2, 0, [1, 1]),
    ],
)  # fmt: skip
def test_states_on_the_page(  # noqa: PLR0917 - pytest names them
    fake: Make, drivers: Start, tmp_path: Path, line: str, reason: str, gpus: int | None,
    code: int, ups: list[int],
) -> None:  # fmt: skip
    """A driver in trouble is a reason and a code; GPUs are counted, and 0, only when they were asked."""
    said = fake()
    said.say(line)
    collector = GpuCollector(tmp_path, tmp_path, Names(TARGETS, None), drivers(said))
    metrics, found = scrape(collector)
    assert (reason, gpus, code, ups) == (
        found,
        values(metrics, "hw_gpus").get(()),
        values(metrics, "hw_nvml_return_code")[()],
        list(values(metrics, "hw_gpu_up").values()),
    )


def test_a_machine_without_any_gpu_is_fine(tmp_path: Path) -> None:
    """Without driver library and AMD cards the collector works, and no GPU is counted, not even 0."""
    driver = NvmlDriver(command=("/bin/echo", '{"fatal": 12}'))
    collector = GpuCollector(tmp_path, tmp_path, Names(TARGETS, None), driver)
    metrics, reason = scrape(collector)
    assert ("", {"hw_nvml_return_code": 12}) == (
        reason, {s.name: s.value for metric in metrics for s in metric.samples}
    )  # fmt: skip


@pytest.mark.parametrize("line", ["hang nvmlDeviceGetFanSpeed@0", "hang nvmlDeviceGetCount_v2"])
def test_a_scrape_over_a_driver_that_hangs_ends_in_time(
    fake: Make, drivers: Start, tmp_path: Path, line: str
) -> None:
    """The collector ends before its deadline, so that the frame keeps what the other GPU said."""
    said = fake()
    collector = GpuCollector(tmp_path, tmp_path, Names(TARGETS, None), drivers(said))
    scrape(collector)
    said.say(line)
    deadline = Deadline.after(0.8)
    found: list[Metric] = []
    with pytest.raises(Exception, match="hang"):
        found.extend(collector.collect(deadline))
    assert not deadline.expired()


def test_no_control_groups_are_told(tmp_path: Path) -> None:
    """Where no control groups are mounted the collector says so, and gives nothing."""
    assert ([], "cgroup") == scrape(ContainerCollector(tmp_path, Names(TARGETS, None)))


def test_an_unreadable_proc_is_told(tmp_path: Path) -> None:
    """Where /proc is not mounted the host's collector says so."""
    assert ([], "proc") == scrape(HostCollector(tmp_path))


def test_our_own_linter_accepts_the_page(page: list[Metric]) -> None:
    """As OpenMetrics, too, the page has base units, help, bounded labels, no doubles and no PIDs."""
    text = Page(page).render("application/openmetrics-text; version=1.0.0", "")[0].decode()
    assert [] == complaints(text, prefixes=("hw",))
    assert 'pid="' not in text


def test_the_declared_budget_of_series_holds() -> None:
    """A host with two GPUs stays within a few times what the kind promises per target."""
    kind = HERE.parents[2] / "generator" / "kinds" / "hardware-exporter.yml"
    promised = yaml.safe_load(kind.read_text(encoding="utf-8"))["metrics"]["series"]
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line[0] != "#"]) < 2 * promised
