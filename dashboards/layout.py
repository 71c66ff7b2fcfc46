"""Place panels on Grafana's grid of 24 columns: left to right, a new line when one is full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dashboards.panels import Panel, Row

COLUMNS = 24


class Spot(NamedTuple):
    """Size and place in grid units, in grafanalib's order of arguments."""

    h: int
    w: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A row and where it and its panels stand."""

    row: Row
    spot: Spot
    panels: tuple[tuple[Panel, Spot], ...]


def place(rows: tuple[Row, ...]) -> tuple[Placed, ...]:
    """
    Return *rows* with places: a heading one unit high, its panels in lines below.

    No two panels overlap. Panels of a collapsed row are placed as if it were open, but the
    next row follows its heading at once, as Grafana stores it.
    """
    y = 0
    placed = []
    for row in rows:
        panels, below = _flow(row.panels, y + 1)
        placed.append(Placed(row, Spot(1, COLUMNS, 0, y), panels))
        y = y + 1 if row.collapsed else below
    return tuple(placed)


def _flow(panels: tuple[Panel, ...], top: int) -> tuple[tuple[tuple[Panel, Spot], ...], int]:
    x, y, line_height = 0, top, 0
    spots = []
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, line_height = 0, y + line_height, 0
        spots.append((panel, Spot(panel.height, panel.width, x, y)))
        x += panel.width
        line_height = max(line_height, panel.height)
    return tuple(spots), y + line_height
