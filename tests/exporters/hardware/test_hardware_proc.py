"""/proc as hardened hosts show it: read-only, or with other users' processes hidden (hidepid)."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporters.config import Docker
from exporters.hardware import GpuCollector
from exporters.hardware_containers import container_of_pid
from exporters.hardware_host import HostCollector
from exporters.hardware_names import Names
from exporters.nvml_driver import NvmlDriver
from tests.exporters.hardware.conftest import HERE, Make, scrape, target, values
from tests.exporters.hardware.docker_list import A, B, docker_list, listing

PROC = HERE / "proc"
TARGETS = (target("ollama"), target("redis"))
GPU = ("count 1", "value uuid GPU-1", "process 0 7 1000 0 C", "process 0 8 500 0 C")


def test_read_only_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's figures need nothing but reading: where every write is refused they are the same."""
    free = scrape(HostCollector(PROC))
    opened = io.open

    def refusing(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if mode not in {"r", "rb"}:
            raise OSError(errno.EROFS, "Read-only file system", str(file))
        return opened(file, mode, *args, **options)

    monkeypatch.setattr(io, "open", refusing)
    with pytest.raises(OSError, match="Read-only"):
        Path("any").write_text("the refusal works")
    assert free == scrape(HostCollector(PROC))
    assert free[0]


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "no"), FileNotFoundError()])
def test_hidepid(
    fake: Make,
    drivers: Callable[..., NvmlDriver],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
) -> None:
    """A process that hidepid=1 locks or hidepid=2 hides is nobody's; the one that shows keeps its name."""
    for pid, container in ((7, A), (8, B)):
        home = tmp_path / "proc" / str(pid) / "cgroup"
        home.parent.mkdir(parents=True)
        home.write_text(f"0::/docker/{container}\n")
    read = Path.read_text

    def hidden(path: Path, *args: Any, **options: Any) -> str:
        if path.match("proc/7/*"):
            raise error
        return read(path, *args, **options)

    monkeypatch.setattr(Path, "read_text", hidden)
    assert None is container_of_pid(tmp_path / "proc")(7)
    with docker_list(tmp_path, listing(**{A: "sutazai-ollama", B: "sutazai-redis"})) as docker:
        names = Names(TARGETS, Docker(docker.url, "sutazai"))
        gpus = GpuCollector(tmp_path, tmp_path / "proc", names, drivers(fake(GPU)))
        metrics, reason = scrape(gpus)
    held = values(metrics, "hw_container_gpu_memory_bytes")
    assert ("", {"": 1000.0, "sutazai-redis": 500.0}) == (
        reason, {labels[0]: value for labels, value in held.items()}
    )  # fmt: skip


def test_hidden_proc_is_told_by_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc itself may not be read the host's collector says `proc` and gives nothing."""

    def refused(path: Path, *_: Any, **__: Any) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refused)
    assert ([], "proc") == scrape(HostCollector(PROC))
