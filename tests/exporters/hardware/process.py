"""Run `tierwatch exporter hardware` as a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.exporters.hardware.conftest import HERE
from tests.live.servers import Server, free_port, until

ROOT = HERE.parents[2]
CONFIG = ROOT / "rendered" / "exporters" / "hardware.yml"


@dataclass(frozen=True, slots=True)
class Running:
    """An exporter that runs: its process, and its page."""

    process: subprocess.Popen[bytes]
    server: Server

    def children(self) -> list[int]:
        """Return the process numbers of its children."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return sorted(int(pid) for task in tasks for pid in task.read_text().split())


@contextlib.contextmanager
def exporter(folder: Path, config: Path, env: dict[str, str]) -> Iterator[Running]:
    """Run `tierwatch exporter hardware` with *config* until the block ends."""
    server = Server("hardware-exporter", free_port(), folder / "exporter.log")
    command = (
        sys.executable, "-m", "generator.cli", "exporter", "hardware",
        "--config", str(config), "--listen", server.address,
    )  # fmt: skip
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **env}, stdout=log, stderr=log
        )
    try:
        until(lambda: process.poll() is not None or server.answers(), "the exporter answers")
        yield Running(process, server)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
