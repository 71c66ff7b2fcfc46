"""
From a checked catalog to every artifact of the rendered tree, in memory.

Each room renders its own; this module only lists them. Nothing here reads a clock, the
environment or the network: the same catalog gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from alerts import packs as alert_packs
from alerts import routing, routing_table
from alerts.kit import Alert, Pack
from alerts.routing_table import RoutedAlert
from dashboards import render as board_files
from dashboards.available import filled_in
from dashboards.board import Board
from generator import compose, contracts, rules, ruletests
from generator.artifacts import Artifact
from generator.aside import Aside, here
from generator.errors import RenderError
from generator.model import Catalog, Service
from generator.scrape import modules, prometheus
from generator.scrape.estimate import Estimate, estimate
from generator.scrape.jobs import Job
from generator.universe import Universe
from loki import rules as log_rules
from loki import server
from promtail import agent


@dataclass(frozen=True)
class Rendered:
    """Everything made from one catalog. artifacts are sorted by path, paths are unique."""

    catalog: Catalog
    packs: tuple[Pack, ...]
    jobs: tuple[Job, ...]
    boards: tuple[Board, ...]
    alertmanager: Mapping[str, Any]  # the content of alertmanager.yml
    artifacts: tuple[Artifact, ...]
    universe: Universe
    routed: tuple[RoutedAlert, ...]
    left_out: tuple[str, ...]  # alerts and rules for software this catalog has not

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts of all packs, in the order of the rule files."""
        return tuple(alert for pack in self.packs for alert in pack.alerts)

    @cached_property
    def estimate(self) -> Estimate:
        """What scraping and evaluating all this costs."""
        rules_ = sum(len(pack.records) + len(pack.alerts) for pack in self.packs)
        return estimate(self.catalog, rules_)

    @cached_property
    def files(self) -> dict[str, str]:
        """Text by path."""
        return {artifact.path: artifact.text for artifact in self.artifacts}


def render(catalog: Catalog, aside: Aside[tuple[Artifact, ...]] = here) -> Rendered:
    """
    Return everything that follows from *catalog*; *aside* may do a part of it meanwhile.

    Raises RenderError when two rooms claim one path or an artifact is empty: bugs of ours.
    """
    universe = Universe(catalog)
    packs, left_out = universe.trim(alert_packs.active(catalog))
    tests = aside(lambda: ruletests.render(packs, catalog))
    routed = routing_table.routed(_with_subjects(packs, universe), catalog)
    routed += _routed_log_rules(catalog)
    boards = board_files.boards(catalog, lambda expr: universe.alive(filled_in(expr)))
    alertmanager = routing.config(catalog, routed)
    found = (
        *prometheus.render(catalog),
        *modules.render(catalog),
        *compose.render(catalog),
        *rules.render(packs, catalog),
        *routing.render(catalog, routed, alertmanager),
        *board_files.render(catalog, boards),
        *server.render(catalog),
        *agent.render(catalog),
        *contracts.render(catalog),
        *tests(),
    )
    _refuse_clashes(found)
    return Rendered(
        catalog=catalog,
        packs=packs,
        jobs=universe.jobs,
        boards=boards,
        alertmanager=alertmanager,
        artifacts=tuple(sorted(found)),
        universe=universe,
        routed=routed,
        left_out=left_out,
    )


def _with_subjects(
    packs: tuple[Pack, ...], universe: Universe
) -> Iterator[tuple[Pack, tuple[Service, ...]]]:
    """Yield every alert as a pack of its own with the services it can be about."""
    for pack in packs:
        services = alert_packs.subjects(pack, universe.catalog)
        for alert in pack.alerts:
            yield replace(pack, alerts=(alert,)), universe.subjects(alert, services)


def _routed_log_rules(catalog: Catalog) -> tuple[RoutedAlert, ...]:
    """Return Loki's alerts as Alertmanager will see them; none where nothing evaluates them."""
    if not catalog.of_kind(server.KIND):
        return ()
    return tuple(
        routing_table.routed_rule(
            log_rules.alert_rule(rule, catalog), rule.hold, catalog.services, catalog
        )
        for rule in log_rules.rules(catalog)
    )


def _refuse_clashes(found: tuple[Artifact, ...]) -> None:
    paths = [artifact.path for artifact in found]
    twice = (
        sorted({path for path in paths if paths.count(path) > 1})
        if len(set(paths)) < len(paths)
        else []
    )
    if twice:
        raise RenderError(f"two rooms render the same file: {', '.join(twice)}")
    empty = [artifact.path for artifact in found if not artifact.text.strip()]
    if empty:
        raise RenderError(f"rendered nothing into: {', '.join(empty)}")
