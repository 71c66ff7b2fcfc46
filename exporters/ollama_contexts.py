"""
The longest context of each installed model.

Newer servers say it in /api/tags. Of others each model is asked for once, by its digest, a few per
scrape: /api/show reads the file's head, loads nothing and cannot change for a digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from prometheus_client.core import Metric

from exporters.deadline import Deadline
from exporters.ollama_ask import MARGIN_S, Ask, Asker, Rounds, Server
from exporters.ollama_metrics import Page
from exporters.ollama_models import Tags, add_contexts
from exporters.ollama_parse import parse_context
from exporters.ollama_rosters import Rosters

PER_SCRAPE = 4  # of one server, so that hundreds of new models are no burst


class ContextsCollector:
    """Tells what is known and asks for what is not; what fails is asked again at the next scrape."""

    name = "contexts"
    reasons = ()

    def __init__(self, rounds: Rounds, rosters: Rosters) -> None:
        self._rounds = rounds
        self._rosters = rosters
        self._asker = Asker()
        self._told: dict[Server, dict[str, int | None]] = {s: {} for s in rounds.servers}

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """Yield ollama_model_max_context_tokens."""
        page = Page()
        until = deadline.less(MARGIN_S)
        found = {s: self._rounds.outcome(s, "tags", deadline) for s in self._rounds.servers}
        lists = {s: cast("Tags", o.value) for s, o in found.items() if o.reason is None}
        asks = {server: self._ask(server, installed, until) for server, installed in lists.items()}
        for server, installed in lists.items():
            for digest, ask in asks[server].items():
                outcome = ask.outcome(until)
                if outcome.reason is None:
                    self._told[server][digest] = outcome.value
            add_contexts(page, self._rosters.of(server), installed, self._told[server])
        yield from page

    def _ask(self, server: Server, installed: Tags, until: Deadline) -> dict[str, Ask[int | None]]:
        """Forget what is gone, and return a question for each of some that are new."""
        told = self._told[server]
        wanted = {
            model.digest: model.name.shown
            for model in self._rosters.of(server).listed(installed)
            if model.digest and not model.remote and not model.max_context_tokens
        }
        for digest in told.keys() - wanted.keys():
            del told[digest]
        new = [digest for digest in wanted if digest not in told][:PER_SCRAPE]
        return {
            digest: self._asker.start(
                (server, digest), server.url, "/api/show", parse_context, until,
                send={"model": wanted[digest]}, auth=server.auth,
            )
            for digest in new
        }  # fmt: skip
