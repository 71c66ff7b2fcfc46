"""
A real Docker Engine of the test's own: socket, data and state in a folder, no network, no root image.

Images come from `docker import` of a folder that holds nothing but busybox. Needs root and the
right to make namespaces and cgroups; where a daemon cannot start, the test is skipped and says
what the daemon said.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.servers import Server, need, running, until

IMAGE = "tierwatch-test-busybox"
PROJECT = "shop"
_APPLETS = ("sh", "sleep", "cat", "true", "false", "tail", "test", "touch", "rm", "httpd", "dd")


@dataclass(frozen=True, slots=True)
class Engine:
    """A daemon; *url* is how clients reach it."""

    url: str

    def docker(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run the docker client against this daemon and return what it prints."""
        run = subprocess.run(
            [need("docker"), "-H", self.url, *arguments],
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert run.returncode == 0, f"docker {' '.join(arguments)}: {run.stderr.decode()}"
        return run.stdout.decode().strip()

    def start(self, name: str, command: str, *options: str, project: str = PROJECT) -> None:
        """Start a container of the service *name* in *project*, as Compose would."""
        labels = [f"com.docker.compose.project={project}", f"com.docker.compose.service={name}"]
        given = [part for label in labels for part in ("--label", label)]
        self.docker(
            "run", "-d", "--network", "none", "--name", f"{project}-{name}", *given, *options,
            IMAGE, "/bin/sh", "-c", command,
        )  # fmt: skip


def _busybox() -> bytes:
    """Return the files of the image as a tar archive."""
    found = need("busybox")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(found.resolve(), "bin/busybox")
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o777
        tar.addfile(folder)
    return archive.getvalue()


@contextmanager
def running_engine(folder: Path) -> Iterator[Engine]:
    """Run a daemon while the block runs; its containers are removed before it ends."""
    if os.getuid() != 0:
        pytest.skip("dockerd is started by root only")
    daemon, client = need("dockerd"), need("docker")
    # Sockets have short names: the folder of a test is too long for one.
    with tempfile.TemporaryDirectory(prefix="tw") as short:
        url = f"unix://{short}/docker.sock"
        command = [
            daemon, "-H", url, "--data-root", f"{folder}/data", "--exec-root", f"{short}/exec",
            "--pidfile", f"{short}/pid", "--bridge=none", "--iptables=false", "--ip6tables=false",
            "--storage-driver", "vfs", "--log-level", "error",
        ]  # fmt: skip

        def answers(_: Server) -> bool:
            return (
                subprocess.run(
                    [client, "-H", url, "info"], capture_output=True, check=False
                ).returncode
                == 0
            )

        try:
            with running("dockerd", command, folder=folder, port=0, ready=answers):
                engine = Engine(url)
                engine.docker("import", "-", IMAGE, stdin=_busybox())
                try:
                    yield engine
                finally:
                    ids = engine.docker("ps", "-aq").split()
                    if ids:
                        engine.docker("rm", "-f", *ids)
        except pytest.fail.Exception as error:
            if "dockerd ended" in str(error):
                pytest.skip(f"dockerd does not run here: {error}")
            raise
        finally:
            _forget_networks(Path(short))


def _forget_networks(folder: Path) -> None:
    """Unmount what a daemon leaves behind when a container had the host's network."""
    for mounted in folder.glob("exec/netns/*"):
        subprocess.run(["umount", mounted], check=False, capture_output=True)


def wait_for(engine: Engine, name: str, what: str, wanted: str) -> None:
    """Wait until `docker inspect` says *wanted* for the template *what*."""

    def said() -> bool:
        return engine.docker("inspect", "-f", f"{{{{{what}}}}}", f"{PROJECT}-{name}") == wanted

    until(said, f"{name}: {what} is {wanted}", seconds=60)
