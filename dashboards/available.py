"""
Leave out what a catalog cannot fill: queries whose metrics nobody exports there.

A panel without data reads like a healthy one. Boards are written for everything that the kinds
declare; a catalog without cAdvisor simply has no container panels, and says so by their absence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from dashboards.board import Board
from dashboards.panels import LOKI, Panel, Query
from dashboards.windows import slo_series
from generator.kinds.everywhere import BUILTIN_METRICS
from generator.model import Catalog, Service
from generator.names import CATALOG_INFO, HEALTHY, PRESENT, TIER_HEALTHY

# Every selector on a board is written with braces (a test holds us to it), so this finds all
# metrics at a hundredth of a parser's price.
_METRIC = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{")

_RECORDED = frozenset({CATALOG_INFO, HEALTHY, PRESENT, TIER_HEALTHY})


# Whether this catalog can give an expression any data.
Fills = Callable[[str], bool]

# What Grafana fills in; any value of the right sort lets an expression parse.
_VARIABLES = (
    (re.compile(r"\$__(?:rate_)?interval\b|\$\{__(?:rate_)?interval\}"), "5m"),
    (re.compile(r"\$__range\b"), "1h"),
    (re.compile(r"\$\{?[a-zA-Z_][a-zA-Z0-9_]*(?::[a-z]+)?\}?"), ".*"),
)


def filled_in(expr: str) -> str:
    """Return *expr* with Grafana's variables replaced, so that it is PromQL."""
    for pattern, value in _VARIABLES:
        expr = pattern.sub(value, expr)
    return expr


def by_name(catalog: Catalog) -> Fills:
    """Return the cheap answer: an expression is filled when every metric in it exists somewhere."""
    names = available(catalog)
    return lambda expr: metrics_of(expr) <= names


def available(catalog: Catalog) -> frozenset[str]:
    """Return the names of all series that this catalog's scrape jobs and rules produce."""
    names = set(BUILTIN_METRICS) | _RECORDED | slo_series(catalog)
    for name in {service.kind for service in catalog.services if _scraped(service, catalog)}:
        kind = catalog.kinds[name]
        series = {each for metric in kind.declares.values() for each in metric.series_names}
        dropped = re.compile("|".join(kind.metrics.drop)) if kind.metrics else None
        names |= {each for each in series if not (dropped and dropped.fullmatch(each))}
    return frozenset(names)


def _scraped(service: Service, catalog: Catalog) -> bool:
    metrics = catalog.kinds[service.kind].metrics
    if metrics is None:
        return False
    return metrics.source == "native" or bool(catalog.observers.get(service.name))


def metrics_of(expr: str) -> frozenset[str]:
    """Return the metrics that *expr* selects; every selector in it has braces."""
    return frozenset(_METRIC.findall(expr))


def prune(board: Board, fills: Fills, *, logs: bool) -> Board:
    """
    Return *board* without the queries, panels and annotations that *fills* says stay empty.

    *logs* says whether there is a Loki to ask; without one no log panel is kept.
    """
    rows = tuple(
        replace(row, panels=tuple(_kept(row.panels, fills, logs=logs))) for row in board.rows
    )
    marks = tuple(mark for mark in board.annotations if fills(mark.expr))
    return replace(board, rows=tuple(row for row in rows if row.panels), annotations=marks)


def _kept(panels: tuple[Panel, ...], fills: Fills, *, logs: bool) -> Iterator[Panel]:
    for panel in panels:
        queries = tuple(query for query in panel.queries if _fits(query, fills, logs=logs))
        if queries == panel.queries:
            yield panel
        elif any(query.datasource == LOKI or metrics_of(query.expr) for query in queries):
            # What is left besides constants is still worth a look; a table loses its columns.
            refs = {query.ref for query in queries}
            columns = tuple(
                column
                for column in panel.columns
                if not column.field.startswith("#") or column.field[1:] in refs
            )
            yield replace(panel, queries=queries, columns=columns)


def _fits(query: Query, fills: Fills, *, logs: bool) -> bool:
    if query.datasource == LOKI:
        return logs
    return fills(query.expr)
