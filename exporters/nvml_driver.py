"""
Keep a child process that talks to the NVIDIA driver, and say clearly what state the driver is in.

Decides when a child is started, given up and started again:
- no library: the answer is "no NVIDIA driver here"; looked at again every five minutes.
- the library refuses (module not loaded, versions differ, ...) or crashes: again after 1, 2, 4 ... 60 s.
- a call hangs: the GPU that it hangs in is reported silent, the others are exact. After ten seconds the
  child is killed and the next one gets double the time, so that a GPU that hangs for good does
  not take the others' figures away again and again.
- a killed child that does not die (the kernel waits for the driver): no other is started beside it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exporters.deadline import Deadline
from exporters.nvml_codes import LIBRARY_NOT_FOUND, LOST, SUCCESS
from exporters.nvml_process import Answer, NvmlProcess, Xid

REASONS = DRIVER, BINDINGS, STARTING, HANG, CRASH = (
    "driver",  # the library answers with an error
    "bindings",  # the library is there, the Python package nvidia-ml-py is not
    "starting",  # the library has not started yet
    "hang",  # a call into the driver does not come back
    "crash",  # the child process died
)

_FIRST_DELAY_S, _LONGEST_DELAY_S = 1.0, 60.0
_NO_LIBRARY_DELAY_S = 300.0
_LONGEST_PATIENCE_S = 320.0
_START_PATIENCE_S = 60.0  # without persistence mode the driver wakes every GPU: seconds for each


@dataclass(frozen=True, slots=True)
class State:
    """
    What one scrape learned of the NVIDIA driver.

    Args:
        reason: One of REASONS, or None when everything was answered (also by "no library").
        code: NVML's return code, None when it said nothing.
        count: How many GPUs the driver lists, None when it could not be asked.
        gpus: What the child said, by index. Only those that answered.
        silent: Indices of those that did not.
        watched: UUIDs of the GPUs whose driver errors are listened to.
    """

    reason: str | None
    code: int | None = None
    count: int | None = None
    system: Mapping[str, Any] = field(default_factory=dict)
    gpus: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    silent: frozenset[int] = frozenset()
    xids: tuple[Xid, ...] = ()
    watched: frozenset[str] = frozenset()


def child_command() -> tuple[str, ...]:
    """Return the command of the child; -P keeps our http.py and the like off the library's path."""
    return (sys.executable, "-P", "-m", "exporters.nvml_child")


def child_env() -> dict[str, str]:
    """Return the child's environment: ours, and where the package exporters is."""
    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MALLOC_ARENA_MAX": "1"}


class NvmlDriver:
    """The NVIDIA driver, asked through a child process that is started at the first scrape."""

    def __init__(
        self,
        *,
        patience_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        command: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._clock = clock
        self._command = tuple(command) or child_command()
        self._env = env
        self._first_patience_s = self._patience_s = patience_s
        self._child: NvmlProcess | None = None
        self._dying: NvmlProcess | None = None
        self._not_before = 0.0
        self._delay_s = _FIRST_DELAY_S
        self._last = State(STARTING)
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Return the number of the child process, None while there is none."""
        return self._child.pid if self._child is not None else None

    def read(self, seen: Mapping[str, Mapping[str, int]], deadline: Deadline) -> State:
        """
        Ask the driver and return what is known by *deadline*; *seen* is told to the child.

        One at a time: around a reload two collectors may hold the same driver.
        """
        if not self._lock.acquire(timeout=deadline.remaining()):
            return State(STARTING)
        try:
            return self._read(seen, deadline)
        finally:
            self._lock.release()

    def _read(self, seen: Mapping[str, Mapping[str, int]], deadline: Deadline) -> State:
        self._give_up_if_stuck()
        for _ in range(2):  # the second time after a child that asked to be started anew
            child = self._running()
            if child is None:
                return replace(self._last, xids=())
            answer = child.ask(seen, deadline)
            if not child.again:
                self._last = self._judge(child, answer)
                return self._last
            self._retire(child)
        return State(STARTING)

    def close(self) -> None:
        """End the child."""
        for process in (self._child, self._dying):
            if process is not None:
                process.kill()
                process.gone(1.0)
        self._child = self._dying = None

    def _running(self) -> NvmlProcess | None:
        """Return the child, started if it is time to; None (and `_last` says why) if not."""
        if self._dying is not None and self._dying.gone():
            self._dying = None
        if self._child is None and self._dying is None and self._clock() >= self._not_before:
            self._child = NvmlProcess(self._command, self._env or child_env())
        return self._child

    def _judge(self, child: NvmlProcess, answer: Answer) -> State:
        if child.fatal is not None or child.ended or answer.code is not None:
            return self._over(child, answer)
        said: dict[str, Any] = {
            "system": child.system or {},
            "xids": tuple(child.xids()),
            "watched": child.watched,
        }
        if child.system is None:
            return State(STARTING)
        if answer.count is None:
            return State(HANG, **said)
        if not answer.silent:
            self._delay_s, self._patience_s = _FIRST_DELAY_S, self._first_patience_s
        gpus = answer.gpus or {}
        codes = {gpu["code"] for gpu in gpus.values()}
        # All refuse: it is not a GPU that is wrong but the driver, or our right to use it.
        refused = min(codes - LOST, default=SUCCESS) if SUCCESS not in codes else SUCCESS
        reason = HANG if answer.silent else DRIVER if refused else None
        return State(reason, refused, answer.count, gpus=gpus, silent=answer.silent, **said)

    def _over(self, child: NvmlProcess, answer: Answer) -> State:
        """Return what the end of *child* means, and set the time of the next one."""
        said: dict[str, Any] = {"xids": tuple(child.xids()), "watched": child.watched}
        code = child.fatal if child.fatal is not None else answer.code
        self._retire(child)
        if code == LIBRARY_NOT_FOUND:
            self._not_before = self._clock() + _NO_LIBRARY_DELAY_S
            return State(None, LIBRARY_NOT_FOUND)
        self._not_before = self._clock() + self._delay_s
        self._delay_s = min(2 * self._delay_s, _LONGEST_DELAY_S)
        if isinstance(code, int):
            return State(DRIVER, code, **said)
        return State(BINDINGS if code == BINDINGS else CRASH, **said)

    def _give_up_if_stuck(self) -> None:
        child = self._child
        if child is None:
            return
        patience = self._patience_s if child.system is not None else _START_PATIENCE_S
        if child.stuck_s() >= patience:
            self._retire(child)
            self._patience_s = min(2 * self._patience_s, _LONGEST_PATIENCE_S)
            self._last = State(HANG)

    def _retire(self, child: NvmlProcess) -> None:
        """Let go of *child*; the last of its driver errors were asked for before."""
        child.kill()
        self._child = None
        self._dying = None if child.gone(0.05) else child
