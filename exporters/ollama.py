"""
The Ollama exporter: which models are there, which are in memory, and whether they still answer.

In goes the configuration, out comes an `Exporter` with one collector per question. /api/version,
/api/tags and /api/ps of all servers are asked at once (exporters.ollama_ask), so that a hanging
one costs only what it would have told. A collector fails when one of its servers did not answer;
what the others said is on the page all the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import cast

from prometheus_client.core import Metric

from exporters.config import Config, ConfigError
from exporters.deadline import Deadline
from exporters.frame import Exporter, ScrapeError
from exporters.ollama_ask import HUNG, Outcome, Rounds, Server, server_of
from exporters.ollama_contexts import ContextsCollector
from exporters.ollama_features import FeaturesCollector, PortsCollector
from exporters.ollama_fetch import REASONS
from exporters.ollama_loads import Loads
from exporters.ollama_metrics import ENDPOINTS, Page
from exporters.ollama_models import Ps, Tags, add_ps, add_tags
from exporters.ollama_probe import ProbeCollector
from exporters.ollama_rosters import Rosters

PREFIX = "ollama"
# Prometheus refuses a whole page above its sample_limit, which is 1,000 for this exporter: 100 series
# are its own, 60 each server's, 7 an installed model's, 5 more if it is loaded and 5 if expected.
CAP = 80  # models that get series, of all servers together
LEAST = 10  # of one server
VERSIONS = 20  # that a process tells apart; a proxy may say a new one each time
OTHER = "other"


def build(config: Config) -> Exporter:
    """
    Return the exporter of *config*.

    Raises:
        ConfigError: A target is not asked over HTTP.
    """
    for target in config.targets:
        if target.probe != "http":
            fact = (
                f"service {target.service!r}: an Ollama is asked over HTTP, not by {target.probe}"
            )
            raise ConfigError(f"{fact}. Say probe: http, and give its url.")
    cap = max(LEAST, CAP // len(config.targets))
    rounds = Rounds(tuple(server_of(target, cap) for target in config.targets))
    rosters = Rosters(rounds.servers)
    return Exporter(
        PREFIX,
        (
            VersionCollector(rounds),
            EndpointsCollector(rounds),
            TagsCollector(rounds, rosters),
            ContextsCollector(rounds, rosters),
            PsCollector(rounds, rosters),
            PortsCollector(rounds),
            FeaturesCollector(rounds),
            ProbeCollector(rounds),
        ),
        (HUNG, *REASONS),
        title="Ollama exporter",
    )


def _fail_with(outcomes: dict[Server, Outcome[object]], endpoint: str) -> None:
    """Raise a ScrapeError if some server did not answer; the first one's reason counts."""
    failed = {server: o.reason for server, o in outcomes.items() if o.reason is not None}
    for reason in failed.values():
        names = ", ".join(f"{server.labels[0]} {why}" for server, why in failed.items())
        raise ScrapeError(reason, f"/api/{endpoint}: {names}")


class VersionCollector:
    """Whether the servers answer, and which version they are."""

    name = "version"

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds
        self._versions: set[str] = set()

    def adopt(self, previous: VersionCollector) -> None:
        """Go on with the versions that have been told."""
        self._versions = previous._versions

    def _bounded(self, version: str) -> str:
        """Return *version*, or OTHER once the label has had as many values as it may."""
        if len(self._versions) < VERSIONS:
            self._versions.add(version)
        return version if version in self._versions else OTHER

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """Yield ollama_up and ollama_build_info; see exporters.worker.Collector."""
        page = Page()
        outcomes = {s: self._rounds.outcome(s, self.name, deadline) for s in self._rounds.servers}
        for server, outcome in outcomes.items():
            page.add(server.labels, "ollama_up", float(outcome.reason is None))
            if outcome.reason is None:
                version = self._bounded(cast("str", outcome.value))
                page.add(server.labels, "ollama_build_info", 1, version)
        yield from page
        _fail_with(outcomes, self.name)


class EndpointsCollector:
    """How each of the three questions went; it tells of failures and has none of its own."""

    name = "endpoints"
    reasons = ()

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """Yield ollama_endpoint_up and ollama_endpoint_duration_seconds."""
        page = Page()
        for server in self._rounds.servers:
            for endpoint in ENDPOINTS:
                outcome = self._rounds.outcome(server, endpoint, deadline)
                up = float(outcome.reason is None)
                page.add(server.labels, "ollama_endpoint_up", up, endpoint)
                page.add(
                    server.labels, "ollama_endpoint_duration_seconds", outcome.seconds, endpoint
                )
        yield from page


class TagsCollector:
    """What is installed, and how that stands to what is expected."""

    name = "tags"

    def __init__(self, rounds: Rounds, rosters: Rosters) -> None:
        self._rounds = rounds
        self._rosters = rosters

    def adopt(self, previous: TagsCollector) -> None:
        """Go on with the names that have series already, for all collectors."""
        self._rosters.adopt(previous._rosters)

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """Yield the inventory; without an answer only what is expected."""
        page = Page()
        outcomes = {s: self._rounds.outcome(s, self.name, deadline) for s in self._rounds.servers}
        for server, outcome in outcomes.items():
            add_tags(page, self._rosters.of(server), cast("Tags | None", outcome.value))
        yield from page
        _fail_with(outcomes, self.name)


class PsCollector:
    """What is in memory, and how often models came and went."""

    name = "ps"

    def __init__(self, rounds: Rounds, rosters: Rosters) -> None:
        self._rounds = rounds
        self._rosters = rosters
        self._loads = {server.labels: Loads() for server in rounds.servers}

    def adopt(self, previous: PsCollector) -> None:
        """Carry on the counters of servers that are still there."""
        self._loads |= {k: v for k, v in previous._loads.items() if k in self._loads}

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """Yield what is loaded; a server without an answer has only its counters."""
        page = Page()
        outcomes = {s: self._rounds.outcome(s, self.name, deadline) for s in self._rounds.servers}
        for server, outcome in outcomes.items():
            loads = self._loads[server.labels]
            installed = cast("Tags | None", self._rounds.outcome(server, "tags", deadline).value)
            if outcome.reason is None:
                loaded, roster = cast("Ps", outcome.value), self._rosters.of(server)
                add_ps(page, roster, installed, loaded, time.time())
                names = None if installed is None else roster.known(installed)
                loads.see(roster.loaded(loaded), names, server.cap, time.monotonic())
            loads.add(page, server)
        yield from page
        _fail_with(outcomes, self.name)
