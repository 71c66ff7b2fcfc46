"""
What the lists of one server mean, as samples on a page. Pure.

In go what /api/tags and /api/ps said (None: could not be had) and what is expected. A list that
could not be had leaves its series out: no model is called missing or unloaded by guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporters.ollama_ask import Server
from exporters.ollama_metrics import STATUSES, Page
from exporters.ollama_names import Name
from exporters.ollama_parse import Installed, Loaded
from exporters.ollama_places import Places

PINNED_S = 10 * 365.25 * 86400  # keep_alive -1 ends in some 292 years

Tags = tuple[Installed, ...]
Ps = tuple[Loaded, ...]


@dataclass(frozen=True, slots=True)
class Stock:
    """What is installed, to be asked for by name: keys with tag, keys without."""

    keys: frozenset[str]
    repositories: frozenset[str]

    @classmethod
    def of(cls, installed: Tags) -> Stock:
        """Return the stock that *installed* makes."""
        names = [model.name for model in installed]
        return cls(frozenset(n.key for n in names), frozenset(n.repository for n in names))

    def status(self, expected: Name) -> str:
        """Return which of STATUSES *expected* is in."""
        if expected.key in self.keys:
            return "installed"
        return "other_tag" if expected.repository in self.repositories else "missing"


@dataclass(frozen=True, slots=True)
class Roster:
    """Which models of *server* may have series, at *now* (monotonic): of its list, and of those loaded."""

    server: Server
    of_list: Places
    of_loaded: Places
    now: float

    def listed(self, installed: Tags) -> Tags:
        """Return the installed models that get series: the expected ones first, then by name."""
        wanted = {name.key for name in self.server.expected}
        order = sorted(installed, key=lambda m: (m.name.key not in wanted, m.name.key))
        keys = self.of_list.admitted((m.name.key for m in order), wanted, self.server.cap, self.now)
        return tuple(model for model in order if model.name.key in keys)

    def loaded(self, models: Ps) -> Ps:
        """Return the loaded models that get series, in the order of Ollama's list."""
        wanted = {name.key for name in self.server.expected}
        keys = (model.name.key for model in models)
        places = self.of_loaded.admitted(keys, wanted, self.server.cap, self.now)
        return tuple(model for model in models if model.name.key in places)

    def known(self, installed: Tags) -> Sequence[Name]:
        """Return the names of listed and expected models, each once."""
        names = {model.name.key: model.name for model in self.listed(installed)}
        for name in self.server.expected:
            names.setdefault(name.key, name)
        return tuple(names.values())


def add_tags(page: Page, roster: Roster, installed: Tags | None) -> None:
    """Add what /api/tags tells: the inventory, and how it stands to what is expected."""
    server = roster.server
    for name in server.expected:
        page.add(server.labels, "ollama_model_expected", 1, name.shown)
    if installed is None:
        return
    stock = Stock.of(installed)
    states = {name: stock.status(name) for name in server.expected}
    for name, state in states.items():
        for status in STATUSES:
            value = float(status == state)
            page.add(server.labels, "ollama_model_expected_status", value, name.shown, status)
    wanted = {name.key for name in server.expected}
    missing = sum(state != "installed" for state in states.values())
    page.add(server.labels, "ollama_models_installed", len(installed))
    listed = roster.listed(installed)
    page.add(server.labels, "ollama_models_truncated", float(len(installed) > len(listed)))
    page.add(server.labels, "ollama_models_missing", missing)
    page.add(server.labels, "ollama_models_unexpected", len(stock.keys - wanted))
    for model in listed:
        _add_model(page, roster, model)


def _add_model(page: Page, roster: Roster, model: Installed) -> None:
    labels, shown = roster.server.labels, model.name.shown
    *facts, host = roster.of_list.bounded(model.name.key, (
        model.family, model.format, model.parameter_size, model.quantization_level, model.digest,
        model.remote_host,
    ))  # fmt: skip
    page.add(labels, "ollama_model_info", 1, shown, *facts)
    numbers = (
        ("ollama_model_size_bytes", model.size_bytes),
        ("ollama_model_modified_timestamp_seconds", model.modified),
    )
    for name, value in numbers:
        if value is not None:
            page.add(labels, name, value, shown)
    if model.remote_host or model.remote_model:
        page.add(labels, "ollama_model_remote_info", 1, shown, host)


def add_contexts(
    page: Page, roster: Roster, installed: Tags, told: Mapping[str, int | None]
) -> None:
    """Add the longest contexts: what /api/tags says itself, else what was *told* of the digest."""
    for model in roster.listed(installed):
        longest = model.max_context_tokens or told.get(model.digest)
        if longest:
            page.add(
                roster.server.labels, "ollama_model_max_context_tokens", longest, model.name.shown
            )


def add_ps(page: Page, roster: Roster, installed: Tags | None, loaded: Ps, now: float) -> None:
    """Add what /api/ps tells at *now* (Unix time); *installed* only says who else is not loaded."""
    server = roster.server
    page.add(server.labels, "ollama_models_loaded", len(loaded))
    present = {model.name.key for model in loaded}
    for model in roster.loaded(loaded):
        page.add(server.labels, "ollama_model_loaded", 1, model.name.shown)
        _add_loaded(page, server, model, now)
    for name in roster.known(installed or ()):
        if name.key not in present:
            page.add(server.labels, "ollama_model_loaded", 0, name.shown)


def _add_loaded(page: Page, server: Server, model: Loaded, now: float) -> None:
    labels, shown = server.labels, model.name.shown
    for name, value in _loaded_numbers(model):
        if value is not None:
            page.add(labels, name, value, shown)
    if model.expires is not None:
        endless = pinned(model, now)
        page.add(labels, "ollama_model_pinned", float(endless), shown)
        if not endless:
            page.add(labels, "ollama_model_expires_timestamp_seconds", model.expires, shown)


def _loaded_numbers(model: Loaded) -> Iterator[tuple[str, int | None]]:
    yield "ollama_model_memory_bytes", model.size_bytes
    yield "ollama_model_vram_bytes", model.vram_bytes
    yield "ollama_model_context_tokens", model.context_tokens


def pinned(model: Loaded, now: float) -> bool:
    """Whether *model* stays in memory for ever, as far as anybody can see at *now*."""
    return model.expires is not None and model.expires > now + PINNED_S
