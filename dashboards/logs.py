"""Logs: how loud every service is, at which level, and the lines; the last stop of every search."""

from __future__ import annotations

from dashboards.board import Board, Variable
from dashboards.builders import bargauge, logs, stat, timeseries
from dashboards.frame import marks, variables
from dashboards.panels import LOKI, Query, Row, above
from generator.model import Catalog

_STREAMS = 'tier=~"$tier", service=~"$service"'


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Return the log board; none where no Loki runs."""
    if not catalog.of_kind("loki"):
        return ()
    return (
        Board(
            id="logs",
            title="Logs",
            description="Lines of the chosen tiers and services, by level. Links from other boards keep the choice.",
            rows=(_volume(), _lines()),
            variables=(*variables(), Variable("level", "Level", f"label_values({{{_STREAMS}}}, level)", source=LOKI)),
            annotations=marks(),
            since="now-1h",
        ),
    )  # fmt: skip


def _volume() -> Row:
    everything = f'{_STREAMS}, level=~"$level"'
    return Row(
        "Volume",
        (
            timeseries("levels", "Lines by level", "Lines per second.", _ask(f"sum by (level) (rate({{{everything}}} [$__auto]))", "{{level}}"), unit="cps", stacked=True, width=12),
            timeseries("services", "Loudest services", "Lines per second of the ten loudest.", _ask(f"topk(10, sum by (service) (rate({{{everything}}} [$__auto])))", "{{service}}"), unit="cps", width=12),
            timeseries("errors", "Errors by service", "Lines of level error and critical per second, ten worst.", _ask(f'topk(10, sum by (service) (rate({{{_STREAMS}, level=~"error|critical"}} [$__auto])))', "{{service}}"), unit="cps", steps=above(0.1, 1), width=12),
            bargauge("bytes", "Bytes by tier", "Per second, over the last hour: what fills the disk.", _ask(f"sum by (tier) (bytes_rate({{{_STREAMS}}} [1h]))", "{{tier}}"), unit="Bps", width=6),
            stat("unknown", "Lines without a level", "Share of lines of the last hour in which no level was found: a format that does not fit.",
                 _ask(f'sum(rate({{{_STREAMS}, level="unknown"}} [1h])) / sum(rate({{{_STREAMS}}} [1h]))', "unknown"), unit="percentunit", steps=above(0.2, 0.5), width=6, height=8),
        ),
    )  # fmt: skip


def _lines() -> Row:
    return Row(
        "Lines",
        (
            logs("errors-lines", "Errors", "Error and critical, newest first.", f'{{{_STREAMS}, level=~"error|critical"}}', height=12),
            logs("lines", "All lines", "Of the chosen levels, newest first.", f'{{{_STREAMS}, level=~"$level"}}', height=18),
        ),
    )  # fmt: skip


def _ask(expr: str, legend: str) -> Query:
    return Query(expr, legend, LOKI)
