"""
CPU, memory and pressure per container, and who holds the GPUs' memory.

Reads control groups (exporters.cgroup), asks which of them is which service
(exporters.hardware_names) and says it in the words of the metric table. Containers that are nobody's
in the configuration have no series of their own; the GPU memory that they hold goes to the empty
container, with that of the host's processes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client.core import Metric

from exporters import cgroup
from exporters.config import LABELS, Target
from exporters.deadline import Deadline
from exporters.hardware_gpus import Gpu
from exporters.hardware_metrics import Sample, emit
from exporters.hardware_names import Names
from exporters.worker import ScrapeError

CGROUP = (
    "cgroup"  # no control groups are mounted, or those of running containers are not among them
)
DOCKER = "docker"  # Docker did not say which container is which

# All of the subject's labels are given and empty: else Prometheus would put the exporter's own there.
NOBODY = {"container": "", **dict.fromkeys(LABELS, "")}


class ContainerCollector:
    """The figures of every target's container below *root*, where control groups are mounted."""

    name = "containers"

    def __init__(self, root: Path, names: Names) -> None:
        self._root = root
        self._names = names

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """
        Yield the families of all containers that run.

        Raises:
            ScrapeError: `cgroup` or `docker`; what is known without Docker is yielded before.
        """
        if cgroup.mounted(self._root) is None:
            raise ScrapeError(CGROUP, f"no control groups are mounted at {self._root}")
        groups = cgroup.find(self._root)
        targets, problem = self._names.lookup(groups, deadline)
        usages = (
            (target, cgroup.read(self._root, groups[name]))
            for name, target in sorted(targets.items(), key=lambda pair: pair[1].service)
        )
        yield from emit(
            sample
            for target, usage in usages
            if usage is not None
            for sample in samples(target, usage)
        )
        if not problem:
            unseen, problem = self._names.unseen(groups, deadline)
            # A container may have been started since the groups were listed.
            if unseen and not unseen <= cgroup.find(self._root).keys():
                raise ScrapeError(CGROUP, f"{len(unseen)} running containers have no control group")
        if problem:
            raise ScrapeError(DOCKER, problem)


def samples(target: Target, usage: cgroup.Usage) -> Iterator[Sample]:
    """Yield the series of one container; what the kernel does not account for has none."""
    labels = subject(target)
    figures: tuple[tuple[str, Mapping[str, str], float | None], ...] = (
        ("cpu_seconds_total", {"mode": "user"}, usage.user_s),
        ("cpu_seconds_total", {"mode": "system"}, usage.system_s),
        ("cpu_throttled_seconds_total", {}, usage.throttled_s),
        ("memory_usage_bytes", {}, usage.memory_bytes),
        ("memory_working_set_bytes", {}, usage.working_set_bytes),
        ("memory_limit_bytes", {}, usage.limit_bytes),
        ("oom_kills_total", {}, usage.oom_kills),
        *(
            ("pressure_waiting_seconds_total", {"resource": resource}, seconds)
            for resource, seconds in usage.waiting_s.items()
        ),
    )
    for name, more, value in figures:
        if value is not None:
            yield Sample(f"hw_container_{name}", {**labels, **more}, value)


def subject(target: Target) -> dict[str, str]:
    """Return the labels of every series about *target*'s container."""
    return {"container": target.container, **dict(zip(LABELS, target.labels, strict=True))}


def container_of_pid(proc: Path) -> Callable[[int], str | None]:
    """Return a function from a process number to its container's id; None: no container, or unseen."""

    def find(pid: int) -> str | None:
        try:
            text = (proc / str(pid) / "cgroup").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        return cgroup.container_of(text)

    return find


def gpu_samples(
    gpus: Iterable[Gpu], container_of: Callable[[int], str | None], names: Names, deadline: Deadline
) -> Iterator[Sample]:
    """
    Yield who holds the memory of *gpus*, and who computes on them.

    Raises:
        ScrapeError: `docker`, before anything is yielded: a container's memory would else be said
            to be the host's.
    """
    gpus = [gpu for gpu in gpus if gpu.processes is not None]
    pids = {process.pid for gpu in gpus for process in gpu.processes or ()}
    homes = {pid: container_of(pid) for pid in pids}
    targets, problem = names.lookup({home for home in homes.values() if home}, deadline)
    if problem:
        raise ScrapeError(DOCKER, problem)
    owners = {pid: targets.get(home) if home else None for pid, home in homes.items()}
    for gpu in gpus:
        yield from _users(gpu, owners)


def _users(gpu: Gpu, owners: Mapping[int, Target | None]) -> Iterator[Sample]:
    labels: dict[str, dict[str, str]] = {}
    processes: dict[str, int] = defaultdict(int)
    memory: dict[str, int] = defaultdict(int)
    for process in gpu.processes or ():
        owner = owners[process.pid]
        who = owner.container if owner else ""
        labels[who] = {"uuid": gpu.identity.uuid, **(subject(owner) if owner else NOBODY)}
        processes[who] += 1
        if process.memory_bytes is not None:
            memory[who] += process.memory_bytes
    use = dict(gpu.sm_use or ())
    for who in sorted(labels):
        yield Sample("hw_container_gpu_processes", labels[who], processes[who])
        if who in memory:
            yield Sample("hw_container_gpu_memory_bytes", labels[who], memory[who])
        if gpu.sm_use is not None:
            mine = (use.get(p.pid, 0.0) for p in gpu.processes or () if _name(owners[p.pid]) == who)
            share = min(1.0, sum(mine))
            yield Sample("hw_container_gpu_sm_utilization_ratio", labels[who], share)


def _name(owner: Target | None) -> str:
    return owner.container if owner else ""
