"""Containers that run and cannot be seen: the collector says so instead of being fine with nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporters.config import Docker
from exporters.hardware_containers import ContainerCollector
from exporters.hardware_names import Names
from tests.exporters.hardware.conftest import HERE, scrape, target, values
from tests.exporters.hardware.docker_list import A, B, D, DockerList, docker_list, listing

TARGETS = (target("ollama"), target("redis"))


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[DockerList]:
    """A Docker that runs one container of a target."""
    with docker_list(tmp_path, listing(**{A: "sutazai-ollama"})) as found:
        yield found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Control groups of version 2 in which there is no container."""
    folder = tmp_path / "cgroup"
    (folder / "system.slice" / "ssh.service").mkdir(parents=True)
    (folder / "cgroup.controllers").touch()
    return folder


def collector(root: Path, docker: DockerList) -> ContainerCollector:
    """Return the collector of *root* that asks *docker*."""
    return ContainerCollector(root, Names(TARGETS, Docker(docker.url, "sutazai")))


def test_a_running_container_without_any_group_is_told(root: Path, docker: DockerList) -> None:
    """With a container's own /sys, where no other container shows, the reason is `cgroup`."""
    assert ([], "cgroup") == scrape(collector(root, docker))


def test_a_running_container_without_its_group_is_told(root: Path, docker: DockerList) -> None:
    """Where one container has a group and another has none, the one is exported and the other told."""
    shutil.copytree(HERE / "sys2" / "fs" / "cgroup" / "docker", root / "docker")  # B
    docker.body = listing(**{A: "sutazai-ollama", B: "sutazai-redis"})
    metrics, reason = scrape(collector(root, docker))
    assert ("cgroup", ["sutazai-redis"]) == (
        reason, [key[0] for key in values(metrics, "hw_container_memory_usage_bytes")]
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        listing(),
        listing(**{D: "sutazai-unknown"}),
        listing("restarting", **{A: "sutazai-ollama"}),
    ],
)
def test_nothing_that_runs_needs_no_group(root: Path, docker: DockerList, body: bytes) -> None:
    """No containers, none of ours, or one that waits to be started again: the collector is fine."""
    docker.body = body
    assert ([], "") == scrape(collector(root, docker))


def test_a_container_that_ended_is_not_missed(root: Path, docker: DockerList) -> None:
    """Docker is asked anew before a container that was there is said to have no group."""
    shutil.copytree(HERE / "sys2" / "fs" / "cgroup" / "docker", root / "docker")  # B
    docker.body = listing(**{B: "sutazai-redis"})
    containers = collector(root, docker)
    assert scrape(containers)[1] == ""
    shutil.rmtree(root / "docker")
    docker.body = listing()
    assert ([], "") == scrape(containers)


def test_a_silent_docker_is_told_without_groups(root: Path, docker: DockerList) -> None:
    """While Docker does not answer it is not known whether anything runs: the reason is `docker`."""
    docker.stall.clear()
    assert ([], "docker") == scrape(collector(root, docker), within_s=0.4)


def test_a_docker_that_fell_silent_is_told(root: Path, docker: DockerList) -> None:
    """That Docker once listed nothing does not count later."""
    docker.body = listing()
    containers = collector(root, docker)
    assert ([], "") == scrape(containers)
    docker.status = 500
    assert ([], "docker") == scrape(containers)


def test_without_targets_docker_is_not_asked(root: Path, docker: DockerList) -> None:
    """Who configured no container needs no Docker."""
    containers = ContainerCollector(root, Names((), Docker(docker.url, "sutazai")))
    assert (([], ""), []) == (scrape(containers), docker.asked)
