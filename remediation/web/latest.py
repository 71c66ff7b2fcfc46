"""
The engine's picture with what people have just wished: who presses a button sees what it did.

The engine makes a new picture with its next round, which may take seconds. Until then committed
wishes are laid over the last one; so nobody is told that nothing is paused a moment after pausing
it, and a wish against another one is not taken for needless.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace

from remediation.desk import Desk, View
from remediation.model import Entry, Record

MAX_WISHES = 64  # between two rounds; arbitrary


class Latest:
    """A desk in front of *desk*; `note` tells it of entries that were committed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._wishes: deque[Entry] = deque(maxlen=MAX_WISHES)
        self._lock = threading.Lock()

    def note(self, entries: Iterable[Entry]) -> None:
        """Show *entries* from now on, until the engine's own picture does."""
        with self._lock:
            self._wishes.extend(entries)

    def view(self) -> View:
        """Return the newest picture, with newer wishes in it."""
        view = self._desk.view()
        with self._lock:
            while self._wishes and self._wishes[0].number <= view.state.through:
                self._wishes.popleft()
            newer = tuple(self._wishes)
        if not newer:
            return view
        state = view.state.copy()
        for entry in newer:
            state.apply(entry)
        return replace(view, state=state)

    def accept(self, *records: Record) -> Future[tuple[Entry, ...]]:
        """Pass *records* on."""
        return self._desk.accept(*records)

    def alive(self) -> bool:
        """Whether the engine's thread still works."""
        return self._desk.alive()

    def hung(self) -> str:
        """Return why only a restart of the process helps."""
        return self._desk.hung()

    def trouble(self) -> str:
        """Return why nothing is healed although the engine lives."""
        return self._desk.trouble()
