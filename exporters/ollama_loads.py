"""
Count how often models come into memory and leave it, by what one scrape sees and the next.

Only what differs between two scrapes is seen: a model that came and went in between is not, so the
counts are lower bounds. Between scrapes that failed nothing is lost but the number of turns.
"""

from __future__ import annotations

from collections.abc import Iterable

from exporters.ollama_ask import Server
from exporters.ollama_metrics import Page
from exporters.ollama_models import Ps
from exporters.ollama_names import Name


class Loads:
    """Loads and unloads of one server's models since the exporter began to watch it."""

    def __init__(self) -> None:
        self._present: dict[str, Name] | None = None
        self._counts: dict[str, tuple[Name, int, int]] = {}  # by key: name, loads, unloads

    def see(self, loaded: Ps, listed: Iterable[Name], cap: int) -> None:
        """Take note of an answer of /api/ps; *listed* begin with 0. At most *cap* are counted."""
        present = {model.name.key: model.name for model in loaded}
        for name in (*listed, *present.values()):
            if len(self._counts) < cap:
                self._counts.setdefault(name.key, (name, 0, 0))
        if self._present is not None:
            self._count(present.keys() - self._present.keys(), 1, 0)
            self._count(self._present.keys() - present.keys(), 0, 1)
        self._present = present

    def _count(self, keys: Iterable[str], loads: int, unloads: int) -> None:
        for key in keys:
            if key in self._counts:
                name, before, after = self._counts[key]
                self._counts[key] = (name, before + loads, after + unloads)

    def add(self, page: Page, server: Server) -> None:
        """Add the two counters of every model."""
        for name, loads, unloads in self._counts.values():
            page.add(server.labels, "ollama_model_loads_observed_total", loads, name.shown)
            page.add(server.labels, "ollama_model_unloads_observed_total", unloads, name.shown)
