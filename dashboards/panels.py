"""
Panels as values: what a board shows, before any of it becomes Grafana's JSON.

A board module states the question (title, description), the query, the unit and the
thresholds; `dashboards.kit` turns that into grafanalib objects and `dashboards.normalise`
into the classic schema. Nothing here knows grafanalib.

Colours mean one thing everywhere: green is fine, orange wants a look, red is broken,
blue is information without judgement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

PROMETHEUS = "prometheus"
LOKI = "loki"

GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"


class Viz(StrEnum):
    """Panel types of Grafana that boards use; the value is the plugin's id."""

    TIMESERIES = "timeseries"
    STAT = "stat"
    GAUGE = "gauge"
    BARGAUGE = "bargauge"
    TABLE = "table"
    STATES = "state-timeline"
    LOGS = "logs"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Step:
    """A colour from *value* upwards; None is the base step, below every number."""

    color: str
    value: float | None = None


Steps = tuple[Step, ...]


def plain(color: str = BLUE) -> Steps:
    """Return steps without judgement: one colour for every value."""
    return (Step(color),)


def above(warn: float, bad: float) -> Steps:
    """Return steps for values that get worse as they rise; warn < bad."""
    return (Step(GREEN), Step(ORANGE, warn), Step(RED, bad))


def below(warn: float, bad: float) -> Steps:
    """Return steps for values that get worse as they fall; bad < warn."""
    return (Step(RED), Step(ORANGE, bad), Step(GREEN, warn))


UP: Steps = (Step(RED), Step(GREEN, 1))  # 1 is good
ANY: Steps = (Step(GREEN), Step(RED, 1))  # every single one is bad
SOME: Steps = (Step(GREEN), Step(ORANGE, 1))  # one wants a look


@dataclass(frozen=True, slots=True)
class Word:
    """What a number is called and how it is coloured; for booleans and states."""

    text: str
    color: str


Words = Mapping[str, Word]

YES_NO: Words = {"0": Word("down", RED), "1": Word("up", GREEN)}
ON_OFF: Words = {"0": Word("no", GREEN), "1": Word("yes", ORANGE)}


@dataclass(frozen=True, slots=True)
class Link:
    """
    A way to another place: a board (`/d/<uid>?...`) or an absolute address.

    Args:
        fills: Where *url* holds `${__data.fields.NAME}` in its path: every value NAME can take,
            so that a proof can try them all. Empty where the path is fixed.
    """

    title: str
    url: str
    fills: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def targets(self) -> tuple[str, ...]:
        """Return every address this link can lead to, without its query string."""
        paths = [self.url.partition("?")[0]]
        for name, values in self.fills:
            mark = "${__data.fields." + name + "}"
            paths = [path.replace(mark, value) for path in paths for value in values]
        return tuple(paths)


@dataclass(frozen=True, slots=True)
class Query:
    """One expression. *instant* asks for now only: stats and tables of the present. *ref* is its letter."""

    expr: str
    legend: str = "{{service}}"
    datasource: str = PROMETHEUS
    instant: bool = False
    ref: str = "A"


@dataclass(frozen=True, slots=True)
class Column:
    """A table column. *field* is a label, or `#A`, `#B`, … for the value of the first, second, … query."""

    field: str
    title: str
    steps: Steps = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """
    One panel.

    Args (what types do not say):
        key: Stable within its board; the panel's id is made from it, so a title may change.
        unit: Grafana's unit id (`percentunit`, `bytes`, `s`, `reqps`, `short`, …).
        words: Names for numbers, for booleans and states.
        sort: Title of the column a table is sorted by, with `-` in front for descending.
        stacked: Areas on top of each other; for parts of a whole.
        content: Markdown; text panels only.
    """

    key: str
    title: str
    description: str
    viz: Viz
    queries: tuple[Query, ...]
    unit: str
    steps: Steps
    width: int
    height: int
    links: tuple[Link, ...] = ()
    words: Words | None = None
    columns: tuple[Column, ...] = ()
    sort: str = ""
    minimum: float | None = None
    maximum: float | None = None
    stacked: bool = False
    content: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A titled group of panels. *collapsed* rows run no query until they are opened."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False
