"""
Containers as the kernel accounts for them: where their control groups are, and what these say.

In goes the folder where the control groups are mounted (`/sys/fs/cgroup`, or the host's, mounted
elsewhere), out come container ids and figures in base units. Version 2 is read where it is in
charge, version 1 elsewhere. A group may vanish between two reads: then it has no figures, which is
no error. Which service a container belongs to is not known here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

RESOURCES = ("cpu", "memory", "io")

# Docker with systemd: docker-<id>.scope; with cgroupfs: docker/<id>; podman and containerd alike.
# libpod-conmon-<id>.scope is the supervisor of a container, not the container.
_NAME = re.compile(r"(?:docker-|libpod-|cri-containerd-|crio-)?([0-9a-f]{64})(?:\.scope)?\Z")
_DEPTH = 6  # kubepods/burstable/pod…/container is 4; deeper is inside a container
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_NO_LIMIT = 1 << 60  # version 1 writes "no limit" as the largest number of whole pages
_MAX_FILE = 1 << 16


@dataclass(frozen=True, slots=True)
class Usage:
    """What a control group says; None: the kernel does not account for it."""

    user_s: float | None = None
    system_s: float | None = None
    throttled_s: float | None = None
    memory_bytes: int | None = None
    working_set_bytes: int | None = None
    limit_bytes: int | None = None  # None also when there is no limit
    oom_kills: int | None = None
    waiting_s: Mapping[str, float] = field(default_factory=dict)  # by RESOURCES


def mounted(root: Path) -> int | None:
    """Return the version in charge below *root*: 2, 1, or None when nothing is mounted there."""
    if (root / "cgroup.controllers").exists():
        return 2
    return 1 if (root / "memory").is_dir() or (root / "cpuacct").is_dir() else None


def find(root: Path) -> dict[str, Path]:
    """
    Return the path below the mount of each container's group, by container id.

    Groups inside a container (Docker in Docker) are part of it and not listed.
    """
    top = root if mounted(root) == 2 else root / "memory"
    if not top.is_dir():
        top = root / "cpuacct"
    return {name: path.relative_to(top) for name, path in _walk(top, _DEPTH)}


def container_of(text: str) -> str | None:
    """
    Return the id of the container that a process is in, from its /proc/<pid>/cgroup.

    Of containers inside containers it is the outermost, which is the one that the host runs.
    """
    for line in text.splitlines():
        for part in line.rpartition(":")[2].split("/"):
            found = _NAME.match(part)
            if found:
                return found[1]
    return None


def read(root: Path, group: Path) -> Usage | None:
    """Return the figures of *group* (a path of `find`); None when it is gone."""
    usage = _read_2(root / group) if mounted(root) == 2 else _read_1(root, group)
    return None if usage == Usage() else usage


def _walk(folder: Path, depth: int) -> Iterator[tuple[str, Path]]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
    except OSError:
        return
    for name in names:
        found = _NAME.match(name)
        if found:
            yield found[1], folder / name
        elif depth > 1:
            yield from _walk(folder / name, depth - 1)


def _read_2(folder: Path) -> Usage:
    cpu = _table(_text(folder / "cpu.stat"))
    memory = _number(_text(folder / "memory.current"))
    inactive = _table(_text(folder / "memory.stat")).get("inactive_file")
    pressure = {name: _waited(_text(folder / f"{name}.pressure")) for name in RESOURCES}
    return Usage(
        user_s=_seconds(cpu.get("user_usec"), 1e6),
        system_s=_seconds(cpu.get("system_usec"), 1e6),
        throttled_s=_seconds(cpu.get("throttled_usec"), 1e6),
        memory_bytes=memory,
        working_set_bytes=_working_set(memory, inactive),
        limit_bytes=_number(_text(folder / "memory.max")),  # "max" is no number
        oom_kills=_table(_text(folder / "memory.events")).get("oom_kill"),
        waiting_s={name: value for name, value in pressure.items() if value is not None},
    )


def _read_1(root: Path, group: Path) -> Usage:
    """Return what version 1 tells; it knows no pressure."""
    time = _table(_text(_controller(root, "cpuacct") / group / "cpuacct.stat"))
    held = _table(_text(_controller(root, "cpu") / group / "cpu.stat"))
    folder = root / "memory" / group
    memory = _number(_text(folder / "memory.usage_in_bytes"))
    inactive = _table(_text(folder / "memory.stat")).get("total_inactive_file")
    limit = _number(_text(folder / "memory.limit_in_bytes"))
    return Usage(
        user_s=_seconds(time.get("user"), _TICKS_PER_S),
        system_s=_seconds(time.get("system"), _TICKS_PER_S),
        throttled_s=_seconds(held.get("throttled_time"), 1e9),
        memory_bytes=memory,
        working_set_bytes=_working_set(memory, inactive),
        limit_bytes=None if limit is None or limit >= _NO_LIMIT else limit,
        oom_kills=_table(_text(folder / "memory.oom_control")).get("oom_kill"),
    )


def _working_set(memory: int | None, inactive: int | None) -> int | None:
    """Return what of *memory* is in use; unknown where either was not read."""
    return None if memory is None or inactive is None else max(0, memory - inactive)


def _controller(root: Path, name: str) -> Path:
    """Return where *name* is mounted; cpu and cpuacct often share one mount."""
    alone = root / name
    return alone if alone.is_dir() else root / "cpu,cpuacct"


def _text(path: Path) -> str:
    """Return the content of *path*; empty when it is not there, or its group has just been deleted."""
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return file.read(_MAX_FILE)
    except OSError:
        return ""


def _table(text: str) -> dict[str, int]:
    """Return the lines "name number" of *text*."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


def _seconds(value: int | None, per_s: float) -> float | None:
    return None if value is None else value / per_s


def _waited(text: str) -> float | None:
    """Return the seconds in which some process waited: `some avg10=0.00 … total=<microseconds>`."""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        total = rest.rpartition("total=")[2]
        if kind == "some" and total.isdigit():
            return int(total) / 1e6
    return None
