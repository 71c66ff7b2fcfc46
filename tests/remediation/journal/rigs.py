"""What the tests of the journal share: a clock that stands, a way into the file, mounts, child processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from remediation.clock import Moment
from remediation.model import Record

DEADLINE_S = 60.0  # for what takes milliseconds on an idle machine


class Standing:
    """A clock that stands until it is moved."""

    def __init__(self, steady: float = 1000.0, wall: float = 2000.0) -> None:
        self.steady, self.wall = steady, wall

    def now(self) -> Moment:
        """Return where it stands."""
        return Moment(self.steady, self.wall)


def standing(steady: float = 1000.0, wall: float = 2000.0) -> Callable[..., Standing]:
    """Return what `Journal.open` makes a standing clock with."""
    return lambda _anchor, _last: Standing(steady, wall)


def record(number: int, kind: str = "decided", **more: object) -> Record:
    """Return a small record that can be told from others."""
    return Record(kind, {"n": number, **more})


@contextmanager
def inside(path: Path, *, guards: bool = False) -> Iterator[sqlite3.Connection]:
    """Open the file as somebody who may do anything; without its triggers unless *guards*."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in names.fetchall():
            if not guards:
                connection.execute(f"DROP TRIGGER {name}")
        yield connection
        connection.execute("COMMIT")


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until *true* says so; fail after the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < end, "it has not come"
        time.sleep(0.01)


@contextmanager
def mounted(folder: Path, *arguments: object) -> Iterator[Path]:
    """Mount on *folder* what mount(8) makes of *arguments*; skips the test where that is refused."""
    folder.mkdir()
    command = ["mount", *map(str, arguments), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"NOT PROVEN: needs a mount, which is refused here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def disk(folder: Path, *, megabytes: int = 64) -> Iterator[tuple[Path, Path]]:
    """Yield (image, mounted folder) of an ext4 disk of its own, in a file; skips where that is refused."""
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    try:
        command = ["mkfs.ext4", "-q", "-F", str(image)]
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"NOT PROVEN: needs mkfs.ext4: {error}")
    with mounted(folder / "disk", "-o", "loop", image) as mount:
        yield image, mount


def in_child(work: Callable[[], None]) -> int:
    """Do *work* in a forked process, wait for its end and return how it ended (as waitpid says it)."""
    child = os.fork()
    if child == 0:
        status = 1
        with suppress(BaseException):
            work()
            status = 0
        os._exit(status)
    end = time.monotonic() + DEADLINE_S
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError("the child has not ended")
        time.sleep(0.005)
