"""Place panels on Grafana's grid of 24 columns: as high as they fit, then as far left."""

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
    Return *rows* with places: a heading one unit high, its panels below.

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
    """Return *panels*, each as high and then as far left as it fits, and the first free line."""
    skyline = [top] * COLUMNS
    spots = []
    for panel in panels:
        starts = [
            x
            for x in range(COLUMNS - panel.width + 1)
            if x == 0 or skyline[x] != skyline[x - 1] or x == COLUMNS - panel.width
        ]
        y, x = min((max(skyline[start : start + panel.width]), start) for start in starts)
        skyline[x : x + panel.width] = [y + panel.height] * panel.width
        spots.append((panel, Spot(panel.height, panel.width, x, y)))
    return tuple(spots), max(skyline)
