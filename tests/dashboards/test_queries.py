"""Every expression on every board parses, selects what exists, and treats it by its type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from alerts import packs
from dashboards import render
from dashboards.available import metrics_of
from dashboards.board import Board, BoardQuery
from dashboards.builders import stat
from dashboards.panels import Row
from generator import promql
from generator.errors import RenderError
from generator.model import Catalog
from generator.universe import Universe

GRAFANA = {"$__rate_interval": "2m", "$__range": "1h", "$tier": ".+", "$service": ".+"}
RECORDING = ("constants", "service", "tier", "slo")


@pytest.fixture(scope="module")
def universe(catalog: Catalog) -> Universe:
    """Return all series that the shipped catalog produces."""
    found = Universe(catalog)
    found.trim(packs.build(name, catalog) for name in RECORDING)
    return found


def plain(expr: str) -> str:
    """Return *expr* with Grafana's variables replaced by what Prometheus would get."""
    for name, value in GRAFANA.items():
        expr = expr.replace(name, value)
    return expr


def complaints(query: BoardQuery, universe: Universe) -> Iterator[str]:
    """Yield what is wrong with a Prometheus *query*: syntax, series, labels, types."""
    expr = plain(query.expr)
    if "$" in expr:
        yield f"{query.title}: unknown variable in {expr}"
    try:
        selectors = promql.selectors(expr)
    except RenderError:
        yield f"{query.title}: not PromQL"
        return
    if {selector.metric for selector in selectors} != metrics_of(query.expr):
        yield f"{query.title}: a selector without braces"
    for selector in selectors:
        if not universe.known(selector.metric):
            yield f"{query.title}: {selector.metric} is not exported"
            continue
        if not universe.exists(selector):
            yield f"{query.title}: no series of {selector.metric} has these labels"
        labels = universe.labels(selector.metric)
        strange = {match.label for match in selector.matchers} - (labels or set())
        if labels is not None and strange:
            yield f"{query.title}: {selector.metric} has no label {sorted(strange)}"
        types = universe.types(selector.metric)
        if types == {"gauge"} and selector.wants == "counter":
            yield f"{query.title}: {selector.function} on the gauge {selector.metric}"


def test_every_prometheus_query_can_give_a_result(
    platform: tuple[Board, ...], universe: Universe
) -> None:
    """On the shipped catalog no query names a series, a label or a type that is not there."""
    found = [
        f"{board.id}: {text}"
        for board in platform
        for query in board.queries()
        if query.datasource == "prometheus"
        for text in complaints(query, universe)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        ("pg_upp{}", "Q: pg_upp is not exported"),
        ("sum by (service (up{})", "Q: not PromQL"),
        ("pg_up", "Q: a selector without braces"),
        ("rate(pg_up{}[5m])", "Q: rate on the gauge pg_up"),
        ('pg_up{datname="x"}', "Q: pg_up has no label ['datname']"),
        ('pg_up{kind="redis"}', "Q: no series of pg_up has these labels"),
        ('up{service=~"$host"}', 'Q: unknown variable in up{service=~"$host"}'),
    ],
)
def test_a_dead_query_is_found(universe: Universe, expr: str, text: str) -> None:
    """Each way in which a query can be dead gives its complaint."""
    assert text in list(complaints(BoardQuery(1, "Q", "prometheus", expr), universe))


def test_nothing_written_for_the_platform_is_left_out(
    catalog: Catalog, platform: tuple[Board, ...]
) -> None:
    """Every query of a board that is no tier's and no kind's has data on the shipped catalog."""
    written = {
        (board.id, query)
        for make in render._MAKERS
        for board in make(catalog)
        # Tiers and kinds share rows: a tier without agents loses the agents' panels.
        if not board.id.startswith(("tier-", "kind-"))
        for query in board.queries()
    }
    kept = {(board.id, query) for board in platform for query in board.queries()}

    assert written - kept == set()


def test_counters_are_never_shown_raw(platform: tuple[Board, ...], universe: Universe) -> None:
    """No panel shows a counter's absolute value; counting its series is fine."""
    found = [
        (board.id, query.title, selector.metric)
        for board in platform
        for query in board.queries()
        if query.datasource == "prometheus"
        for selector in promql.selectors(plain(query.expr))
        if universe.types(selector.metric) == {"counter"} and not selector.window
    ]

    # `count by (...) (node_cpu_seconds_total{mode="idle"})` is how one counts cores.
    assert found == [("kind-node-exporter", "CPU", "node_cpu_seconds_total")]


def test_log_queries_select_bounded_labels_and_a_stream(platform: tuple[Board, ...]) -> None:
    """Every LogQL query selects by tier, service and level only, and never every stream."""
    for board in platform:
        for query in board.queries():
            if query.datasource == "loki":
                selectors = re.findall(r"\{([^}]*)\}", query.expr)
                labels = {name for each in selectors for name in re.findall(r"(\w+)=", each)}
                assert selectors, (board.id, query.title)
                assert labels <= {"tier", "service", "level"}
                assert labels & {"tier", "service"}


def test_every_variable_used_is_a_variable_of_the_board(platform: tuple[Board, ...]) -> None:
    """A board's expressions use only its own variables and Grafana's."""
    builtin = {"__rate_interval", "__range", "__auto"}
    for board in platform:
        used = {
            name for query in board.queries() for name in re.findall(r"\$(\w+)", query.expr)
        } - builtin

        assert used <= {variable.name for variable in board.variables}, board.id


def test_the_metric_reader_agrees_with_the_parser(platform: tuple[Board, ...]) -> None:
    """The quick reader finds exactly the metrics the parser finds, on every expression."""
    for board in platform:
        for query in board.queries():
            if query.datasource == "prometheus":
                assert metrics_of(query.expr) == promql.metrics(plain(query.expr))


def test_a_panel_whose_metric_nobody_exports_is_left_out(platform: tuple[Board, ...]) -> None:
    """Pruning removes the query without series, then the panel, then the row; nothing else."""
    alive = stat("alive", "Alive", "There.", "up{}", unit="none")
    dead = stat("dead", "Dead", "Not there.", "nobody_exports_this{}", unit="none")
    half = stat("half", "Half", "Half there.", "up{}", "nobody_exports_this{}", unit="none")
    board = replace(platform[0], rows=(Row("A", (alive, dead, half)), Row("B", (dead,))))
    pruned = render.prune(board, lambda expr: metrics_of(expr) <= {"up"}, logs=True)
    kept = replace(half, queries=half.queries[:1])

    assert pruned.rows == (Row("A", (alive, kept)),)
