"""
What a run of the guard touches: Docker, the servers it asks, its file, its clock, people.

Each is given to it from outside, so that a test can stand for any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from exporters.deadline import Deadline
from remediation.alertmanager.http_call import CallError, connection
from remediation.clock import Anchor, HostClock, Moment
from remediation.drivers.seen import Seen
from remediation.guard.rules import Reply
from remediation.guard.state import Store
from remediation.model import Restarted

ASK_S = 5.0  # an answer of /-/ready takes milliseconds
_MAX_HOLD_BYTES = 500
_MAX_HOLD_WORDS = 200


class Docker(Protocol):
    """What the guard needs of Docker (remediation.drivers.named_restart)."""

    def look(self, container: str) -> Seen | None:
        """Return the container of that name, None if there is none; DriverError."""

    def drift(self, seen: Seen, service: str, container: str) -> str:
        """Return why *seen* is not the one that is meant; "" when it is."""

    def restart(self, seen: Seen) -> Restarted:
        """Restart it, once, by its name."""


class Clock(Protocol):
    """A clock that goes on from an anchor (remediation.clock)."""

    anchor: Anchor

    def now(self) -> Moment:
        """Return this moment."""


class Tell(Protocol):
    """Calls people."""

    def __call__(self, name: str, text: str, *, over: bool) -> bool:
        """Say of *name* that *text*; return whether it got through. *over*: it is not so any more."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Everything that a run touches; *clock* makes one of an anchor and the last steady time."""

    docker: Docker
    store: Store
    ask: Callable[[str], Reply]
    tell: Tell
    clock: Callable[[Anchor | None, float], Clock] = HostClock


def ask_server(url: str) -> Reply:
    """Return what is answered at *url*, within its deadline."""
    try:
        with connection(url, Deadline.after(ASK_S)) as opened:
            return Reply(opened.call("GET").status)
    except CallError as error:
        return Reply(trouble=str(error))


def read_hold(path: Path) -> str | None:
    """Return what stands in the hold file *path*, short and on one line; None when it is not there."""
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_HOLD_BYTES).decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # it is there: better held than not
        return (error.strerror or str(error)).lower()
    words = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(words.split())[:_MAX_HOLD_WORDS]
