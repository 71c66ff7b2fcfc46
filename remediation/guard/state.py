"""
What the guard remembers from one run to the next: a small file, written whole or not at all.

One run holds the lock; what it is about to do stands on the disk before it does it. A file that cannot be
read as ours is put aside, and for one window nothing is restarted: how many restarts there were is
not known. Times are steady ones (remediation.clock), so that a clock that is set opens no budget.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from remediation.clock import Anchor

MAX_BYTES = 1024 * 1024  # a hundred containers with twenty restarts each take 50 KB
_VERSION = 1
_POLL_S = 0.1


class StateError(Exception):
    """The state cannot be kept; the text has place, fact and cure."""


@dataclass(slots=True)
class Memory:
    """What is remembered of one container. *down_at* None: it is well; *acted_wall* 0: never restarted."""

    failures: int = 0
    restarts: list[float] = field(default_factory=list)
    acted_wall: float = 0.0
    down_at: float | None = None
    paged: bool = False


@dataclass(slots=True)
class State:
    """
    All of it.

    Until *blocked_until* nothing is restarted; *lost* says why, in the run that found it out. *steady* and
    *anchor* are those of the last run (remediation.clock).
    """

    memories: dict[str, Memory] = field(default_factory=dict)
    blocked_until: float = 0.0
    lost: str = ""
    steady: float = 0.0
    anchor: Anchor | None = None

    def of(self, name: str) -> Memory:
        """Return what is remembered of *name*, to be changed in place."""
        return self.memories.setdefault(name, Memory())


class Store:
    """The file at *path*, locked while in use."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def locked(self, wait_s: float) -> Iterator[None]:
        """
        Hold the lock beside the file.

        Raises:
            StateError: Another one holds it for longer than *wait_s*, or it cannot be made.
        """
        lock = self.path.with_name(f"{self.path.name}.lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _unusable(lock, error) from error
        try:
            _lock(handle, lock, wait_s)
            yield
        finally:
            os.close(handle)

    def read(self) -> State:
        """
        Return what is remembered; a new state where there is no file.

        A file that is not ours is put aside as `<name>.corrupt`; the new state says so in *lost*.

        Raises:
            StateError: There is one and it cannot be read.
        """
        return self.peek() or self._lost()

    def peek(self) -> State | None:
        """Return what `read` would, without putting anything aside: None for a file that is not ours."""
        try:
            with self.path.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return State()
        except OSError as error:
            raise _unusable(self.path, error) from error
        try:
            return _state(json.loads(content) if len(content) <= MAX_BYTES else None)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def _lost(self) -> State:
        aside = self.path.with_name(f"{self.path.name}.corrupt")
        try:
            self.path.replace(aside)
        except OSError as error:
            raise _unusable(self.path, error) from error
        return State(lost=f"{self.path} was not readable as ours and is called {aside.name} now")

    def write(self, state: State) -> None:
        """
        Put *state* on the disk; return when it is there.

        Raises:
            StateError: It is not; the old one is still in place.
        """
        text = json.dumps(_plain(state), indent=1, sort_keys=True) + "\n"
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(new, flags, 0o600), "wb") as stream:
                stream.write(text.encode())
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(self.path)
            _sync(self.path.parent)
        except OSError as error:
            raise _unusable(self.path, error) from error


def _lock(handle: int, path: Path, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= until:
                text = f"{path}: another guard is at work. Wait for it to end."
                raise StateError(text) from error
            time.sleep(_POLL_S)
        else:
            return


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unusable(path: Path, error: OSError) -> StateError:
    reason = (error.strerror or str(error)).lower()
    return StateError(
        f"{path}: {reason}. Nothing is restarted without it: make the folder writable."
    )


def _plain(state: State) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "anchor": None if state.anchor is None else asdict(state.anchor),
        "steady": state.steady,
        "blocked_until": state.blocked_until,
        "watched": {name: asdict(each) for name, each in state.memories.items()},
    }


def _state(data: Mapping[str, Any] | None) -> State:
    """Return the state that *data* holds; ValueError, KeyError or TypeError when it holds none."""
    if data is None or data["version"] != _VERSION:
        raise ValueError
    anchor = data["anchor"]
    return State(
        memories={name: _memory(**each) for name, each in data["watched"].items()},
        blocked_until=_number(data["blocked_until"]),
        steady=_number(data["steady"]),
        anchor=None if anchor is None else _anchor(**anchor),
    )


def _memory(*, failures: Any, restarts: Any, acted_wall: Any, down_at: Any, paged: Any) -> Memory:
    if type(failures) is not int or type(paged) is not bool or type(restarts) is not list:
        raise TypeError
    return Memory(
        failures,
        [_number(each) for each in restarts],
        _number(acted_wall),
        None if down_at is None else _number(down_at),
        paged,
    )


def _anchor(*, boot_id: Any, boot_s: Any, steady: Any) -> Anchor:
    if type(boot_id) is not str:
        raise TypeError
    return Anchor(boot_id, _number(boot_s), _number(steady))


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError
    return float(value)
