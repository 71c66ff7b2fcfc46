"""
One run of the child process (exporters.nvml_child): its pipes, what it said, how it ended.

`NvmlProcess` never waits longer than it is told to, and never waits for a killed process to die: in
a call that the kernel cannot interrupt it may not die for hours. Who starts it, when it is given
up and when the next one starts is exporters.nvml_driver's business.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporters.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Xid:
    """A driver error: of which GPU, its number, when (Unix time)."""

    uuid: str
    number: int
    at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What the child said to one request until the deadline.

    `count` is None when not even the list came; `silent` are the GPUs that gave no answer.
    """

    code: int | None = None
    count: int | None = None
    gpus: Mapping[int, Mapping[str, Any]] | None = None
    silent: frozenset[int] = frozenset()


class NvmlProcess:
    """A started child; one thread reads what it says until its output ends."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        # A session of its own: Ctrl-C is for the exporter, which then ends the child in order.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(env),
            start_new_session=True,
        )
        self._said = threading.Condition()
        self._seq = 0
        self._count: int | None = None
        self._gpus: dict[int, Mapping[str, Any]] = {}
        self._waiting: dict[int | None, float] = {}  # since when, by GPU; None: for the list
        self._xids: list[Xid] = []
        self.code: int | None = None
        self.system: Mapping[str, Any] | None = None
        self.fatal: int | str | None = None
        self.again = False
        self.ended = False
        self.watched: frozenset[str] = frozenset()
        self.started = time.monotonic()
        threading.Thread(target=self._listen, name="nvml-child", daemon=True).start()

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._process.pid

    def ask(self, seen: Mapping[str, Mapping[str, int]], deadline: Deadline) -> Answer:
        """Return what the child answers by *deadline*, waiting for no GPU that is stuck anyway."""
        with self._said:
            self._said.wait_for(self._settled, deadline.remaining())
            if self.system is None or self.ended:
                return Answer()
            stuck = frozenset(self._waiting)
            self._seq += 1
            self._count, self._gpus = None, {}
            if None not in stuck:
                self._waiting[None] = time.monotonic()
            self._send({"seq": self._seq, "seen": seen})
            self._said.wait_for(lambda: self._complete(stuck), deadline.remaining())
            missing = frozenset(range(self._count or 0)) - set(self._gpus)
            return Answer(self.code, self._count, dict(self._gpus), missing)

    def xids(self) -> list[Xid]:
        """Return the driver errors since the last call."""
        with self._said:
            found, self._xids = self._xids, []
            return found

    def stuck_s(self) -> float:
        """Return for how long the oldest unanswered question has been waiting."""
        with self._said:
            if self.system is None and not self.ended:
                return time.monotonic() - self.started
            return max((time.monotonic() - since for since in self._waiting.values()), default=0.0)

    def kill(self) -> None:
        """End it; it may take its time to be gone."""
        self._process.kill()
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def gone(self, patience_s: float = 0.0) -> bool:
        """Return whether the process is no more, waiting for that up to *patience_s*."""
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _settled(self) -> bool:
        return self.system is not None or self.fatal is not None or self.ended

    def _complete(self, stuck: frozenset[int | None]) -> bool:
        if self.ended or self.code is not None or None in stuck:
            return True
        if self._count is None:
            return False
        return set(range(self._count)) <= self._gpus.keys() | stuck

    def _send(self, message: Mapping[str, Any]) -> None:
        # A child that has just ended is noticed by the thread that listens.
        with contextlib.suppress(OSError, ValueError):
            assert self._process.stdin is not None  # noqa: S101 - told to Popen above
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - told to Popen above
        with self._process.stdout as lines:
            for line in lines:
                # A child that dies in the middle of a line leaves half of one.
                with contextlib.suppress(ValueError), self._said:
                    self._take(json.loads(line))
                    self._said.notify_all()
        with self._said:
            self.ended = True
            self._said.notify_all()

    def _take(self, message: Mapping[str, Any]) -> None:
        if "gpu" in message:
            self._take_gpu(message)
        elif "count" in message:
            self._take_list(message)
        elif "xid" in message:
            uuid, number, at = message["xid"]
            self._xids.append(Xid(str(uuid), int(number), float(at)))
        elif "ready" in message:
            self.system = message["ready"]
        elif "watched" in message:
            self.watched = frozenset(message["watched"])
        self.fatal = message.get("fatal", self.fatal)
        self.code = message.get("code", self.code)
        self.again = message.get("again", self.again)

    def _take_list(self, message: Mapping[str, Any]) -> None:
        self._waiting.pop(None, None)
        if message["seq"] == self._seq:
            self._count = message["count"]
            for index in range(message["count"]):
                self._waiting.setdefault(index, time.monotonic())

    def _take_gpu(self, message: Mapping[str, Any]) -> None:
        gpu = message["gpu"]
        # A late answer shows that the GPU is not stuck; its figures are of an earlier scrape.
        self._waiting.pop(gpu["index"], None)
        if message["seq"] == self._seq:
            self._gpus[gpu["index"]] = gpu
