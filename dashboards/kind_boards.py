"""
One board per kind that has metrics of its own.

Kinds we know have rows written for them (`dashboards.kinds`); any other, a stranger's own kind
among them, gets rows made from the metrics it declares (`dashboards.generic`). Several kinds may
share a board by naming the same one.
"""

from __future__ import annotations

from dataclasses import replace

from dashboards.board import Board
from dashboards.frame import FOLDER_KINDS, PLATFORM_BOARDS, marks, variables
from dashboards.generic import generic_rows
from dashboards.kinds import ROWS
from dashboards.panels import Panel, Row
from dashboards.service_rows import container_row, health_row, log_row, probe_row
from generator.model import Catalog
from generator.software import Kind

# What a row's expressions write in place of the selector of their board.
SELECTOR = "<sel>"

_PLATFORM = frozenset(name for name, _ in PLATFORM_BOARDS)


def board_id(kind: Kind) -> str:
    """Return the id of the board that shows *kind*: a platform board, `kind-…`, or empty if none."""
    if not kind.board or kind.board in _PLATFORM:
        return kind.board
    return f"kind-{kind.board}"


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Return the boards of all kinds in use, by name of the board."""
    shared: dict[str, list[Kind]] = {}
    for kind in catalog.kinds.values():
        if board_id(kind).startswith("kind-") and catalog.of_kind(kind.name):
            shared.setdefault(kind.board, []).append(kind)
    return tuple(_board(name, shared[name], catalog) for name in sorted(shared))


def _board(name: str, kinds: list[Kind], catalog: Catalog) -> Board:
    names = sorted(kind.name for kind in kinds)
    where = f'kind="{names[0]}"' if len(names) == 1 else f'kind=~"{"|".join(names)}"'
    chosen = f'{where}, tier=~"$tier", service=~"$service"'
    rows = ROWS.get(name) or generic_rows(kinds)
    services = catalog.of_kind(*names)
    return Board(
        id=f"kind-{name}",
        title=" / ".join(kind.title or kind.name for kind in kinds),
        description=_description(kinds),
        folder=FOLDER_KINDS,
        rows=(
            health_row(chosen, catalog),
            *(filled(row, chosen) for row in rows),
            probe_row(chosen, services, catalog),
            container_row(chosen),
            # Log streams carry no kind: the choice of services is that of this board.
            log_row('tier=~"$tier", service=~"$service"'),
        ),
        near=tuple(dict.fromkeys(f"tier-{service.tier}" for service in services)),
        variables=variables(where),
        annotations=marks(chosen),
    )


def filled(row: Row, chosen: str) -> Row:
    """Return *row* with the selector put into its expressions."""
    return replace(row, panels=tuple(_filled(panel, chosen) for panel in row.panels))


def _filled(panel: Panel, chosen: str) -> Panel:
    queries = tuple(
        replace(query, expr=query.expr.replace(SELECTOR, chosen)) for query in panel.queries
    )
    return replace(panel, queries=queries)


def _description(kinds: list[Kind]) -> str:
    texts = []
    for kind in kinds:
        texts.append(kind.title or kind.name)
        if kind.metrics is not None and kind.metrics.needs:
            texts.append(f"(metrics need: {kind.metrics.needs})")
        if kind.restart_note:
            texts.append(f"- on restart: {kind.restart_note}")
    return " ".join(texts)
