"""The rosters of all servers: who may have series, remembered from scrape to scrape."""

from __future__ import annotations

import time
from collections.abc import Sequence

from exporters.ollama_ask import Server
from exporters.ollama_models import Roster
from exporters.ollama_places import Places


class Rosters:
    """Two sets of places for each of *servers*, shared by the collectors."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._places = {server.labels: (Places(), Places()) for server in servers}

    def adopt(self, previous: Rosters) -> None:
        """Go on with the places of the servers that are still there."""
        for labels in self._places.keys() & previous._places.keys():
            self._places[labels] = previous._places[labels]

    def of(self, server: Server) -> Roster:
        """Return who may have series of *server* now."""
        return Roster(server, *self._places[server.labels], time.monotonic())
