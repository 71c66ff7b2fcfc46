"""Containers in control groups, version 2 and 1, from folders as the kernel shows them."""

from __future__ import annotations

import errno
import io
import shutil
from pathlib import Path
from typing import Any

import pytest

from exporters import cgroup
from exporters.cgroup import Usage
from tests.exporters.hardware.conftest import HERE
from tests.exporters.hardware.docker_list import A, B, C, D

V2 = HERE / "sys2" / "fs" / "cgroup"
V1 = HERE / "sys1" / "fs" / "cgroup"


@pytest.mark.parametrize(
    ("root", "version"), [(V2, 2), (V1, 1), (HERE / "proc", None), (HERE / "nowhere", None)]
)
def test_which_version_is_in_charge(root: Path, version: int | None) -> None:
    """Version 2 shows itself by its list of controllers, version 1 by their folders."""
    assert version == cgroup.mounted(root)


def test_groups_of_version_2() -> None:
    """Docker under systemd and under cgroupfs and podman are found; what is inside or beside is not."""
    expected = {
        A: Path(f"system.slice/docker-{A}.scope"),
        B: Path(f"docker/{B}"),
        C: Path(f"machine.slice/libpod-{C}.scope"),
    }
    assert expected == cgroup.find(V2)


def test_figures_of_version_2() -> None:
    """Times become seconds, the working set is usage less inactive files, "max" is no limit."""
    found = {name: cgroup.read(V2, path) for name, path in cgroup.find(V2).items()}
    assert {
        A: Usage(
            user_s=12.5,
            system_s=3.25,
            throttled_s=0.75,
            memory_bytes=4_294_967_296,
            working_set_bytes=3_294_967_296,
            limit_bytes=8_589_934_592,
            oom_kills=2,
            waiting_s={"cpu": 4.0, "memory": 0.25, "io": 1.5},
        ),
        B: Usage(
            user_s=1.0,
            system_s=0.5,
            throttled_s=0.0,
            memory_bytes=52_428_800,
            working_set_bytes=0,
            limit_bytes=None,
            oom_kills=0,
            waiting_s={"cpu": 0.001, "memory": 0.0, "io": 0.0},
        ),
        C: Usage(user_s=2e-05, system_s=1e-05),
    } == found


def test_figures_of_version_1() -> None:
    """Version 1 gives the same without pressure; its largest number is no limit."""
    found = {name: cgroup.read(V1, path) for name, path in cgroup.find(V1).items()}
    whole = Usage(
        user_s=123.45,
        system_s=6.78,
        throttled_s=1.5,
        memory_bytes=1_073_741_824,
        working_set_bytes=1_000_000_000,
        limit_bytes=2_147_483_648,
        oom_kills=3,
    )
    assert {A: whole, B: Usage(**{**_fields(whole), "limit_bytes": None})} == found  # type: ignore[arg-type]


def _fields(usage: Usage) -> dict[str, object]:
    return {name: getattr(usage, name) for name in Usage.__slots__}


def test_a_group_that_was_deleted_has_no_figures(tmp_path: Path) -> None:
    """A container that ends between listing and reading is no error and has no zeros."""
    root = tmp_path / "cgroup"
    shutil.copytree(V2, root)
    groups = cgroup.find(root)
    shutil.rmtree(root / groups[A])
    assert (None, True) == (cgroup.read(root, groups[A]), cgroup.read(root, groups[B]) is not None)


@pytest.mark.parametrize("root", [V2, V1])
def test_without_memory_stat_there_is_no_working_set(
    monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    """A group deleted while reading (ENODEV): usage that was read stays, the working set is not guessed."""
    group = cgroup.find(root)[A]
    whole = cgroup.read(root, group)
    assert whole is not None
    opened = Path.open

    class Gone(io.StringIO):
        def read(self, *_: object) -> str:
            raise OSError(errno.ENODEV, "No such device")

    def opener(path: Path, *args: Any, **options: Any) -> Any:
        return Gone() if path.name == "memory.stat" else opened(path, *args, **options)

    monkeypatch.setattr(Path, "open", opener)
    expected = Usage(**{**_fields(whole), "working_set_bytes": None})  # type: ignore[arg-type]
    assert expected == cgroup.read(root, group)


@pytest.mark.parametrize(
    "text", ["", "usage_usec\n", "user_usec minus\n", "user_usec -5\n", "\0\n"]
)
def test_a_file_with_nonsense_has_no_figures(tmp_path: Path, text: str) -> None:
    """A file that cannot be read as the kernel writes it gives nothing."""
    folder = tmp_path / "docker" / A
    folder.mkdir(parents=True)
    (tmp_path / "cgroup.controllers").touch()
    for name in ("cpu.stat", "memory.current", "memory.events", "cpu.pressure"):
        (folder / name).write_text(text)
    assert cgroup.read(tmp_path, Path("docker", A)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"0::/system.slice/docker-{A}.scope\n", A),
        (f"0::/docker/{A}\n", A),
        (f"0::/../docker-{A}.scope\n", A),
        (f"0::/docker/{A}/docker/{B}\n", A),
        (f"0::/machine.slice/libpod-{C}.scope/container\n", C),
        (f"12:memory:/docker/{A}\n11:cpu,cpuacct:/docker/{A}\n0::/\n", A),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{B}.scope\n", B),
        (f"0::/machine.slice/libpod-conmon-{D}.scope\n", None),
        ("0::/user.slice/session-2.scope\n", None),
        ("0::/\n", None),
        ("", None),
        (f"0::/docker/{A[:63]}\n", None),
        (f"0::/docker/{A}0\n", None),
    ],
)
def test_the_container_of_a_process(text: str, expected: str | None) -> None:
    """A process belongs to the outermost container in its path, if there is one."""
    assert expected == cgroup.container_of(text)
