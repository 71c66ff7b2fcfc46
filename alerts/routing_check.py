"""The routing table as `amtool config routes test` arguments: one case per way through the tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alerts import routing, routing_table
from alerts.routing_model import Matcher, Route
from alerts.routing_table import RoutedAlert
from generator.model import Catalog


def routing_cases(catalog: Catalog, alerts: Sequence[RoutedAlert]) -> Iterator[tuple[str, ...]]:
    """
    Yield amtool's arguments for every row that some matcher tells from the rows before it.

    amtool takes some 30 ms a case; two alerts that no matcher distinguishes take the same way.
    """
    matchers = tuple(_matchers(Route.read(routing.config(catalog, alerts)["route"])))
    seen: set[tuple[bool, ...]] = set()
    for row in routing_table.rows(catalog, alerts):
        way = tuple(matcher.matches(row.labels) for matcher in matchers)
        if way not in seen:
            seen.add(way)
            labels = [f"{name}={value}" for name, value in row.labels.items()]
            yield (f"--verify.receivers={','.join(row.receivers)}", *labels)


def _matchers(route: Route) -> Iterator[Matcher]:
    yield from route.matchers
    for child in route.routes:
        yield from _matchers(child)
