"""Run a command in a process of its own and say what it cost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from generator import toolbox
from generator.errors import ToolError


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost: processor time (its own and its children's), wall time, most memory."""

    cpu_s: float
    wall_s: float
    rss_bytes: int

    def as_data(self) -> dict[str, float]:
        """Return the cost as plain data."""
        return {
            "cpu_s": round(self.cpu_s, 3),
            "wall_s": round(self.wall_s, 3),
            "rss_mb": round(self.rss_bytes / 1e6),
        }


def environment() -> dict[str, str]:
    """Return our environment as a user has it: Python keeps what it compiled, judges run as usual."""
    kept = toolbox.environment()
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


def run(command: Sequence[str], *, folder: Path, fine: tuple[int, ...] = (0,)) -> Cost:
    """Return what *command* cost. Raises ToolError when it exits otherwise than *fine*."""
    started = time.perf_counter()
    # The sum over children would hide how big one of them got: wait4 tells of this process alone.
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None  # noqa: S101 - it was asked for
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in fine:
        raise ToolError(f"{command[0]} exits {process.returncode}: {said.decode()[-2000:]}")
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - started, used.ru_maxrss * 1024)


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure of *costs*."""
    return Cost(
        median(cost.cpu_s for cost in costs),
        median(cost.wall_s for cost in costs),
        max(cost.rss_bytes for cost in costs),
    )
