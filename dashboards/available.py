"""
Leave out what a catalog cannot fill: queries whose metrics nobody exports there.

A panel without data reads like a healthy one. Boards are written for everything that the kinds
declare; a catalog without cAdvisor simply has no container panels, and says so by their absence.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import replace

from dashboards.board import Annotation, Board
from dashboards.panels import PROMETHEUS, Panel, Query, Row
from dashboards.windows import slo_series
from generator.kinds.everywhere import BUILTIN_METRICS
from generator.model import Catalog, Service
from generator.names import CATALOG_INFO, HEALTHY, PRESENT, TIER_HEALTHY

# Every selector on a board is written with braces (a test holds us to it), so this finds all
# metrics at a hundredth of a parser's price.
_METRIC = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{")

_RECORDED = frozenset({CATALOG_INFO, HEALTHY, PRESENT, TIER_HEALTHY})


def available(catalog: Catalog) -> frozenset[str]:
    """Return the names of all series that this catalog's scrape jobs and rules produce."""
    names = set(BUILTIN_METRICS) | _RECORDED | slo_series(catalog)
    for kind in {service.kind for service in catalog.services if _scraped(service, catalog)}:
        for metric in catalog.kinds[kind].declares.values():
            names.update(metric.series_names)
    return frozenset(names)


def _scraped(service: Service, catalog: Catalog) -> bool:
    metrics = catalog.kinds[service.kind].metrics
    if metrics is None:
        return False
    return metrics.source == "native" or bool(catalog.observers.get(service.name))


def metrics_of(expr: str) -> frozenset[str]:
    """Return the metrics that *expr* selects; every selector in it has braces."""
    return frozenset(_METRIC.findall(expr))


def prune(board: Board, names: AbstractSet[str]) -> Board:
    """Return *board* without the queries, panels and annotations that *names* cannot fill."""
    rows = tuple(replace(row, panels=tuple(_kept(row, names))) for row in board.rows)
    marks = tuple(mark for mark in board.annotations if _fits(mark, names))
    return replace(board, rows=tuple(row for row in rows if row.panels), annotations=marks)


def _kept(row: Row, names: AbstractSet[str]) -> list[Panel]:
    kept = []
    for panel in row.panels:
        queries = tuple(query for query in panel.queries if _fits(query, names))
        if queries == panel.queries:
            kept.append(panel)
        elif queries:
            refs = {query.ref for query in queries}
            columns = tuple(
                column
                for column in panel.columns
                if not column.field.startswith("#") or column.field[1:] in refs
            )
            kept.append(replace(panel, queries=queries, columns=columns))
    return kept


def _fits(asked: Query | Annotation, names: AbstractSet[str]) -> bool:
    if isinstance(asked, Query) and asked.datasource != PROMETHEUS:
        return True
    return metrics_of(asked.expr) <= names
