"""
Count how often models come into memory and leave it, by what one scrape sees and the next.

Only what differs between two scrapes is seen: a model that came and went in between is not, so the
counts are lower bounds. Between scrapes that failed nothing is lost but the number of turns.

Names come from outside, so they are bounded: of a model that is neither installed, expected nor
loaded for an hour the counters go, and their places are free for others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from exporters.ollama_ask import Server
from exporters.ollama_metrics import Page
from exporters.ollama_models import Ps
from exporters.ollama_names import Name

FORGOTTEN_S = 3600.0


class Loads:
    """Loads and unloads of one server's models since the exporter began to watch it."""

    def __init__(self) -> None:
        self._present: dict[str, Name] | None = None
        self._counts: dict[str, tuple[Name, int, int]] = {}  # by key: name, loads, unloads
        self._seen_at: dict[str, float] = {}  # by key of _counts

    def see(self, loaded: Ps, listed: Collection[Name] | None, cap: int, now: float) -> None:
        """
        Take note of an answer of /api/ps at *now*, in seconds of a monotonic clock.

        *listed* begin with 0; None: the list could not be had, and nobody is taken for gone.
        At most *cap* are counted.
        """
        present = {model.name.key: model.name for model in loaded}
        names = {name.key: name for name in listed or ()} | present
        for key in self._counts if listed is None else self._counts.keys() & names.keys():
            self._seen_at[key] = now
        for key in [k for k, seen in self._seen_at.items() if now - seen >= FORGOTTEN_S]:
            del self._counts[key], self._seen_at[key]
        for key, name in names.items():
            if key not in self._counts and len(self._counts) < cap:
                self._counts[key], self._seen_at[key] = (name, 0, 0), now
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
