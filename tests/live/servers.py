"""
Start and stop real servers for live tests: on 127.0.0.1, on free ports, in a temporary folder.

Each starter is a context manager that yields a `Server` once it answers, and ends that very
process (and its children, by its own process group) afterwards. Waiting is for a condition, never
for a time; a server that dies early fails the test with the end of its log. A missing tool skips
the test and names itself; with TIERWATCH_REQUIRE_TOOLS set, as in CI, it fails instead.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from generator.toolbox import find, install_hint

HOST = "127.0.0.1"
# Not resolved: redis-server is a link to a program that asks by which name it was called.
TOOLS = Path(__file__).resolve().parents[2] / ".tools" / "bin"
START_SECONDS = 240  # RabbitMQ takes 15 s on an idle machine; two cores are shared
UNTIL_SECONDS = 180  # a condition comes true in seconds; others may use all cores for a while
STOP_SECONDS = 30
LOG_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: *port* is the one tests talk to, *log* the file with its output."""

    name: str
    port: int
    log: Path

    @property
    def address(self) -> str:
        """Host and port, as a scrape target is written."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """Address without a trailing slash."""
        return f"http://{self.address}"

    def get(self, path: str = "/metrics") -> str:
        """Return the body at *path*; raises HTTPError on a status that is not 2xx."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=120) as answer:  # noqa: S310
            return str(answer.read().decode())

    def answers(self, path: str = "/metrics") -> bool:
        """Whether *path* answers 2xx now."""
        try:
            self.get(path)
        except (OSError, urllib.error.URLError):
            return False
        return True


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody accepts connections on *port*."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def need(tool: str, *also: str) -> Path:
    """Return the path of *tool*, looked for at *also* (globs) first; skip the test if it is missing."""
    own = TOOLS / tool
    path = next(iter(sorted(_matches(also))), None) or (own if own.exists() else find(tool))
    if path is None:
        say = pytest.fail if os.environ.get("TIERWATCH_REQUIRE_TOOLS") else pytest.skip
        say(f"{tool} is missing: {install_hint(tool)}")
    return Path(path)


def _matches(globs: Sequence[str]) -> list[Path]:
    return [path for pattern in globs for path in Path("/").glob(pattern.lstrip("/"))]


def as_user(user: str) -> list[str]:
    """Return the command prefix that runs as *user* when we are root, as some servers insist."""
    if os.getuid() != 0:
        return []
    with contextlib.suppress(KeyError):
        pwd.getpwnam(user)
        return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def give_to(user: str, folder: Path) -> None:
    """Let *user* write in *folder*, and pass through the folders above it that are ours."""
    if os.getuid() != 0:
        return
    with contextlib.suppress(LookupError):
        shutil.chown(folder, user=user)
    for parent in folder.parents:
        if parent.owner() != "root" or parent in (Path("/"), Path("/tmp")):
            break
        parent.chmod(parent.stat().st_mode | 0o011)


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str | Path],
    *,
    folder: Path,
    port: int,
    ready: Callable[[Server], bool],
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """
    Run *command* until the block ends; yield once *ready* says so.

    *folder* is where it runs and logs; *env* comes on top of our own variables.
    """
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(name, port, folder / f"{name}.log")
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_ready(server, process, ready)
        yield server
    finally:
        _stop(process)


def _wait_until_ready(
    server: Server, process: subprocess.Popen[bytes], ready: Callable[[Server], bool]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready(server):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
            pytest.fail(f"{server.name} ended with {process.returncode}:\n{_tail(server)}")
        if time.monotonic() > deadline:
            pytest.fail(f"{server.name} is not ready after {START_SECONDS} s:\n{_tail(server)}")


def until(
    condition: Callable[[], bool],
    what: str,
    *,
    seconds: float = UNTIL_SECONDS,
    instead: Callable[[], str] | None = None,
) -> None:
    """Wait until *condition* holds; fail the test with *what* was waited for and what is there *instead*."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            found = f"; there is {instead()}" if instead else ""
            pytest.fail(f"waited {seconds:.0f} s in vain: {what}{found}")
        time.sleep(0.1)


def _tail(server: Server) -> str:
    return server.log.read_text(errors="replace")[-LOG_TAIL:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End *process* politely, and for good whatever of its group is left then."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
