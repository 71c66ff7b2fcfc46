"""Real containers of a real Docker: the kernel's figures arrive under the service's name."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporters.cgroup import mounted
from exporters.config import Docker
from exporters.hardware_containers import ContainerCollector, container_of_pid
from exporters.hardware_names import Names
from tests.exporters.hardware.conftest import scrape, target, values
from tests.live.servers import TOOLS, running, until

pytestmark = pytest.mark.live

CGROUPS = Path("/sys/fs/cgroup")
LABEL = "com.docker.compose.project"
Run = Callable[..., str]


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Docker, Run]]:
    """A Docker daemon of our own with one image, and a function that calls its client."""
    daemon, client, busybox = map(_tool, ("dockerd", "docker", "busybox"))
    if os.geteuid() != 0 or daemon is None or client is None or busybox is None:
        pytest.skip("needs root, Docker (docker.io) and a shell for containers (busybox-static)")
    folder = tmp_path_factory.mktemp("d")
    url = f"unix://{folder}/docker.sock"

    def call(*arguments: str, stdin: bytes | None = None) -> str:
        command = [str(client), "--host", url, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=120)
        return done.stdout.decode().strip()

    def ready(_: object) -> bool:
        probe = [str(client), "--host", url, "version"]
        return subprocess.run(probe, capture_output=True, check=False, timeout=30).returncode == 0

    command = (
        daemon, "--data-root", folder / "data", "--exec-root", folder / "exec",
        "--pidfile", folder / "pid", "--host", url, "--storage-driver", "vfs",
        "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none",
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(running("dockerd", command, folder=folder, port=0, ready=ready))
        except pytest.fail.Exception as error:  # in a container without the rights, for one
            pytest.skip(f"Docker does not start here: {error}")
        call("import", "-", "busybox", stdin=_root(busybox))
        try:
            yield Docker(url, "sutazai"), call
        finally:
            names = call("ps", "-aq").split()
            if names:
                call("rm", "--force", *names)


def _tool(name: str) -> Path | None:
    """Return the path of *name*, from .tools/bin or PATH."""
    found = TOOLS / name if (TOOLS / name).exists() else shutil.which(name)
    return Path(found) if found else None


def _root(busybox: Path) -> bytes:
    """Return the archive of a root with a shell in it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(busybox.resolve(), "bin/busybox")
        for name in ("sh", "sleep", "tail"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return packed.getvalue()


def start(run: Run, service: str, script: str, *limits: str, project: str = "sutazai") -> str:
    """Start a container of *service* and return its id."""
    return run(
        "run", "--detach", "--name", f"sutazai-{service}", "--network", "none",
        "--label", f"{LABEL}={project}", *limits, "busybox", "/bin/sh", "-c", script,
    )  # fmt: skip


def test_real_containers(docker: tuple[Docker, Run]) -> None:
    """CPU held at its limit, a memory limit and a kill for memory are told of the right service."""
    where, run = docker
    if mounted(CGROUPS) is None:
        pytest.skip("no control groups are mounted here")
    start(run, "ollama", "while :; do :; done", "--cpus", "0.2")
    redis = start(
        run, "redis", "tail /dev/zero; sleep 1000", "--memory", "32m", "--memory-swap", "32m"
    )
    start(run, "kong", "sleep 1000", project="another")
    names = Names([target("ollama"), target("redis"), target("kong")], where)
    collector = ContainerCollector(CGROUPS, names)
    pages: list[dict[str, dict[tuple[str, ...], float]]] = []

    def told() -> bool:
        metrics, reason = scrape(collector)
        assert not reason
        pages.append({m.samples[0].name: values(metrics, m.samples[0].name) for m in metrics})
        held = pages[-1].get("hw_container_cpu_throttled_seconds_total", {})
        kills = pages[-1].get("hw_container_oom_kills_total", {})
        return held.get(_who("ollama"), 0) > 0 and kills.get(_who("redis"), 0) > 0

    until(told, "throttling and the kill are told")
    last = pages[-1]
    limit = {_who("redis"): 32 * 2**20}
    assert limit == last["hw_container_memory_limit_bytes"]
    assert {_who("ollama"), _who("redis")} == last["hw_container_memory_usage_bytes"].keys()
    pid = int(run("inspect", "--format", "{{.State.Pid}}", redis))
    assert redis == container_of_pid(Path("/proc"))(pid)
    run("rm", "--force", redis)
    metrics, reason = scrape(collector)
    assert ("", {_who("ollama")}) == (
        reason, values(metrics, "hw_container_memory_usage_bytes").keys()
    )  # fmt: skip


def _who(service: str) -> tuple[str, ...]:
    """Return the label values of *service*, by the names' order: container, kind, profile, service, tier."""
    return (f"sutazai-{service}", service, "default", service, "ai")
