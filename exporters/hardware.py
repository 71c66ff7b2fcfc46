"""
The hardware exporter: GPUs, and what every container takes of the machine.

`build` puts the collectors together; each lives in a module of its own. It runs as a process or in
a container; in a container it needs the host's /sys and /proc mounted, at the places that HOST_SYS
and HOST_PROC name, and the host's process numbers (`pid: host`) to say who holds GPU memory.
With HOST_METRICS=1 it also tells CPU and memory of the host, for those without node_exporter.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.core import Metric

from exporters import amd
from exporters.config import Config
from exporters.deadline import Deadline
from exporters.frame import Exporter
from exporters.hardware_containers import (
    CGROUP,
    DOCKER,
    ContainerCollector,
    container_of_pid,
    gpu_samples,
)
from exporters.hardware_gpus import Gpu, samples
from exporters.hardware_host import PROC, HostCollector
from exporters.hardware_metrics import Sample, emit
from exporters.hardware_names import Names
from exporters.nvml_codes import LOST, SUCCESS
from exporters.nvml_driver import DRIVER, NvmlDriver, State
from exporters.nvml_driver import REASONS as NVML_REASONS
from exporters.nvml_fleet import NvmlFleet
from exporters.worker import ScrapeError

NO_GPU = "no_gpu"  # the driver works and lists none
GPU_LOST = "gpu_lost"  # a GPU that was there does not answer
REASONS = (*NVML_REASONS, NO_GPU, GPU_LOST, CGROUP, DOCKER, PROC)

_MARGIN_S = 0.05  # for saying what was learned


def build(config: Config, env: Mapping[str, str] = os.environ) -> Exporter:
    """Return the hardware exporter of *config*; *env* is read for HOST_SYS, HOST_PROC, HOST_METRICS."""
    sysfs = Path(env.get("HOST_SYS") or "/sys")
    proc = Path(env.get("HOST_PROC") or "/proc")
    names = Names(config.targets, config.docker)
    host = (HostCollector(proc),) if env.get("HOST_METRICS") == "1" else ()
    return Exporter(
        "hw",
        (GpuCollector(sysfs, proc, names), ContainerCollector(sysfs / "fs/cgroup", names), *host),
        REASONS,
        title="Hardware exporter",
    )


class GpuCollector:
    """NVIDIA GPUs through the driver library, AMD GPUs through sysfs, and who uses them."""

    name = "gpu"

    def __init__(
        self, sysfs: Path, proc: Path, names: Names, driver: NvmlDriver | None = None
    ) -> None:
        self._sysfs = sysfs
        self._container_of = container_of_pid(proc)
        self._names = names
        self._driver: NvmlDriver | None = driver or NvmlDriver()
        self._fleet = NvmlFleet()

    def adopt(self, previous: GpuCollector) -> None:
        """Carry on with the child process and the counters of *previous*."""
        self.close()
        self._driver, previous._driver = previous._driver, None
        self._fleet = previous._fleet

    def close(self) -> None:
        """End the child process."""
        if self._driver is not None:
            self._driver.close()

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """
        Yield the families of all GPUs.

        Raises:
            ScrapeError: With what is wrong with the driver, or with a GPU; the rest was yielded.
        """
        driver = self._driver
        if driver is None:  # a scrape that began before a reload
            return
        within = deadline.less(_MARGIN_S)
        state = driver.read(self._fleet.seen(), within)
        nvidia, others = self._fleet.update(state), amd.read(self._sysfs)
        gpus = (*nvidia, *others)
        problem = None
        users: tuple[Sample, ...] = ()
        try:
            users = tuple(gpu_samples(gpus, self._container_of, self._names, within))
        except ScrapeError as error:
            problem = error
        yield from emit((*_driver_samples(state, len(others)), *samples(gpus), *users))
        problem = _gpu_problem(state, nvidia, others) or problem
        if problem is not None:
            raise problem


def _driver_samples(state: State, others: int) -> Iterator[Sample]:
    """Yield how many GPUs there are, where all were counted, and what the NVIDIA library said."""
    count = state.count
    if count is None and state.reason is None and others:
        count = 0  # without an NVIDIA library its share is known to be none
    if count is not None:
        yield Sample("hw_gpus", {}, count + others)
    if state.code is not None:
        yield Sample("hw_nvml_return_code", {}, state.code)


def _gpu_problem(
    state: State, nvidia: tuple[Gpu, ...], others: tuple[Gpu, ...]
) -> ScrapeError | None:
    if state.reason is not None:
        code = "" if state.code is None else f"NVML code {state.code}"
        return ScrapeError(state.reason, code)
    refused = {raw["code"] for raw in state.gpus.values()} - {SUCCESS, *LOST}
    if refused:
        return ScrapeError(DRIVER, f"a GPU answers with NVML code {min(refused)}")
    lost = [gpu.identity.uuid or gpu.identity.index for gpu in nvidia if not gpu.up]
    if lost:
        return ScrapeError(GPU_LOST, ", ".join(lost))
    if state.count == 0 and not others:
        return ScrapeError(NO_GPU, "the driver lists no GPU")
    return None
