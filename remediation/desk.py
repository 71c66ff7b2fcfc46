"""
What the web part knows of the engine: a picture to look at, and a slot for what is to be taken in.

The engine makes a new `View` with every tick; pages, metrics and commands read it and never the
engine's own state. Everything that comes in becomes a journal entry before anybody says yes to it.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from remediation.clock import Moment
from remediation.config import Config
from remediation.model import Entry, Record, World
from remediation.state import State


@dataclass(frozen=True, slots=True)
class View:
    """
    How things stood at *moment*. *state* and *world* are nobody's to change.

    *world* is the last one seen; *reconciled_wall* says when Alertmanager last answered (0: never).
    """

    config: Config
    state: State
    world: World
    moment: Moment
    blind: bool
    alertmanager_up: bool
    docker_up: bool
    reconciled_wall: float
    committed_wall: float
    dry_run: bool = False


class Desk(Protocol):
    """The engine as the web part sees it. Safe to call from any thread."""

    def view(self) -> View:
        """Return the newest picture."""

    def accept(self, *records: Record) -> Future[tuple[Entry, ...]]:
        """
        Write *records* into the journal, then let the engine take them in and wake up.

        The future fails with JournalError when nothing was written.
        """

    def alive(self) -> bool:
        """Whether the engine's thread still works."""

    def hung(self) -> str:
        """Return why only a restart of the process helps; "" while rounds end."""

    def trouble(self) -> str:
        """Return why nothing is healed although the engine lives; "" while its rounds end well."""
