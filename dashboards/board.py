"""
A board as a value: rows of panels, the variables its queries use, its links and annotations.

This is what the proofs read (`queries`, `links`); Grafana's form of it is `dashboards.kit`'s.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from dashboards.panels import PROMETHEUS, Link, Panel, Row
from generator.errors import RenderError
from generator.names import board_uid


class BoardQuery(NamedTuple):
    """One expression of a panel. *datasource* is `prometheus` or `loki`."""

    panel_id: int
    title: str
    datasource: str
    expr: str


class BoardLink(NamedTuple):
    """One address a board leads to; panel_id 0 for the links at the top of the board."""

    panel_id: int
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Variable:
    """
    A choice at the top of a board, the same name with the same meaning on every board.

    Args:
        query: `label_values(<selector>, <label>)`; empty for a variable with one fixed *value*.
        value: The fixed value, carried along by links; such a variable is not shown.
        source: The data source that is asked.
    """

    name: str
    label: str
    query: str = ""
    value: str = ""
    source: str = PROMETHEUS


@dataclass(frozen=True, slots=True)
class Annotation:
    """Marks over every graph. at_value: the series' value is the moment, in milliseconds."""

    name: str
    expr: str
    title: str
    text: str
    color: str
    at_value: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """
    One dashboard. *id* is the word of the catalog (`home`, `tier-core`, `kind-postgres`).

    Args:
        near: Ids of the tier boards that its top links to, beside the boards of the platform.
    """

    id: str
    title: str
    description: str
    rows: tuple[Row, ...]
    folder: str = "platform"
    near: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    navigation: tuple[Link, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    since: str = "now-3h"

    @property
    def uid(self) -> str:
        """Grafana's uid, the same for ever."""
        return board_uid(self.id)

    def panels(self) -> Iterator[Panel]:
        """Yield all panels in reading order; rows themselves are not panels."""
        for row in self.rows:
            yield from row.panels

    def queries(self) -> tuple[BoardQuery, ...]:
        """Return every expression of every panel, and of the annotations (as panel 0)."""
        found = [
            BoardQuery(panel_id(panel.key), panel.title, query.datasource, query.expr)
            for panel in self.panels()
            for query in panel.queries
        ]
        found += [BoardQuery(0, mark.name, PROMETHEUS, mark.expr) for mark in self.annotations]
        return tuple(found)

    def links(self) -> tuple[BoardLink, ...]:
        """Return every address this board leads to, with its query string cut off."""
        found = [
            BoardLink(0, link.title, target)
            for link in self.navigation
            for target in link.targets()
        ]
        for panel in self.panels():
            found += [
                BoardLink(panel_id(panel.key), link.title, target)
                for link in panel.links
                for target in link.targets()
            ]
        return tuple(found)

    def with_rows(self, rows: tuple[Row, ...]) -> Board:
        """Return this board with other rows."""
        return replace(self, rows=rows)


def panel_id(key: str) -> int:
    """Return the id of the panel (or row) *key*: 1 to 2³¹-1, independent of its place on the board."""
    return (zlib.crc32(key.encode()) & 0x7FFFFFFF) or 1


def check_keys(board: Board) -> None:
    """Raise RenderError when two panels of *board* would get one id."""
    seen: dict[int, str] = {}
    keys = [panel.key for panel in board.panels()] + [row_key(row.title) for row in board.rows]
    for key in keys:
        other = seen.setdefault(panel_id(key), key)
        if other != key or keys.count(key) > 1:
            raise RenderError(f"board {board.id!r}: panels {other!r} and {key!r} have one id")


def row_key(title: str) -> str:
    """Return the key of a row; rows are told apart by title."""
    return f"row {title}"
