"""
Short ways to write panels: one function per panel type, with sizes and defaults that fit it.

A query may be written as a string (legend: the service), as `(expression, legend)`, or whole.
Every builder demands a description and a unit; none lets a panel go without thresholds.
"""

from __future__ import annotations

from dataclasses import replace
from string import ascii_uppercase

from dashboards.panels import (
    BLUE,
    LOKI,
    YES_NO,
    Column,
    Link,
    Panel,
    Query,
    Step,
    Steps,
    Viz,
    Words,
)

Ask = str | tuple[str, str] | Query

_PLAIN: Steps = (Step(BLUE),)


def timeseries(
    key: str,
    title: str,
    description: str,
    *asks: Ask,
    unit: str,
    steps: Steps = _PLAIN,
    width: int = 8,
    height: int = 8,
    stacked: bool = False,
    minimum: float | None = 0,
    maximum: float | None = None,
    links: tuple[Link, ...] = (),
) -> Panel:
    """Return lines over time; *minimum* None lets the axis start anywhere."""
    return Panel(
        key=key, title=title, description=description, viz=Viz.TIMESERIES,
        queries=_queries(asks), unit=unit, steps=steps, width=width, height=height,
        stacked=stacked, minimum=minimum, maximum=maximum, links=links,
    )  # fmt: skip


def stat(
    key: str,
    title: str,
    description: str,
    *asks: Ask,
    unit: str,
    steps: Steps = _PLAIN,
    words: Words | None = None,
    width: int = 4,
    height: int = 4,
    links: tuple[Link, ...] = (),
) -> Panel:
    """Return big numbers of the present moment, one per series."""
    return Panel(
        key=key, title=title, description=description, viz=Viz.STAT,
        queries=_now(asks), unit=unit, steps=steps, words=words, width=width, height=height,
        links=links,
    )  # fmt: skip


def gauge(
    key: str,
    title: str,
    description: str,
    *asks: Ask,
    unit: str,
    steps: Steps,
    minimum: float = 0,
    maximum: float = 1,
    width: int = 6,
    height: int = 6,
) -> Panel:
    """Return dials for values that live between *minimum* and *maximum*."""
    return Panel(
        key=key, title=title, description=description, viz=Viz.GAUGE,
        queries=_now(asks), unit=unit, steps=steps, width=width, height=height,
        minimum=minimum, maximum=maximum,
    )  # fmt: skip


def bargauge(
    key: str,
    title: str,
    description: str,
    *asks: Ask,
    unit: str,
    steps: Steps = _PLAIN,
    minimum: float | None = 0,
    maximum: float | None = None,
    width: int = 12,
    height: int = 8,
    links: tuple[Link, ...] = (),
) -> Panel:
    """Return one horizontal bar per series, for comparing many at one moment."""
    return Panel(
        key=key, title=title, description=description, viz=Viz.BARGAUGE,
        queries=_now(asks), unit=unit, steps=steps, width=width, height=height,
        minimum=minimum, maximum=maximum, links=links,
    )  # fmt: skip


def table(
    key: str,
    title: str,
    description: str,
    *asks: Ask,
    columns: tuple[Column, ...],
    unit: str = "none",
    steps: Steps = _PLAIN,
    sort: str = "",
    width: int = 24,
    height: int = 9,
    links: tuple[Link, ...] = (),
) -> Panel:
    """
    Return a table of the present moment; rows are label sets, queries are joined on them.

    Only the fields named in *columns* are shown. A link works on every cell of its row.
    """
    return Panel(
        key=key, title=title, description=description, viz=Viz.TABLE,
        queries=_now(asks), unit=unit, steps=steps, width=width, height=height,
        columns=columns, sort=sort, links=links,
    )  # fmt: skip


def states(
    key: str,
    title: str,
    description: str,
    *asks: Ask,
    steps: Steps,
    words: Words = YES_NO,
    unit: str = "none",
    width: int = 24,
    height: int = 8,
    links: tuple[Link, ...] = (),
) -> Panel:
    """Return one coloured band per series over time, for verdicts and states."""
    return Panel(
        key=key, title=title, description=description, viz=Viz.STATES,
        queries=_queries(asks), unit=unit, steps=steps, words=words, width=width,
        height=height, links=links,
    )  # fmt: skip


def logs(key: str, title: str, description: str, expr: str, *, height: int = 10) -> Panel:
    """Return log lines, newest first. *expr* is a LogQL stream query."""
    return Panel(
        key=key, title=title, description=description, viz=Viz.LOGS,
        queries=(Query(expr, "", LOKI),), unit="none", steps=_PLAIN, width=24, height=height,
    )  # fmt: skip


def text(key: str, title: str, description: str, content: str, *, height: int = 4) -> Panel:
    """Return Markdown *content*, full width; it asks no data source."""
    return Panel(
        key=key, title=title, description=description, viz=Viz.TEXT,
        queries=(), unit="none", steps=_PLAIN, width=24, height=height, content=content,
    )  # fmt: skip


def _queries(asks: tuple[Ask, ...], *, instant: bool = False) -> tuple[Query, ...]:
    return tuple(
        replace(_query(ask), instant=instant, ref=ref)
        for ask, ref in zip(asks, ascii_uppercase, strict=False)
    )


def _now(asks: tuple[Ask, ...]) -> tuple[Query, ...]:
    return _queries(asks, instant=True)


def _query(ask: Ask) -> Query:
    if isinstance(ask, Query):
        return ask
    if isinstance(ask, tuple):
        return Query(*ask)
    return Query(ask)
