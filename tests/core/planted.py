"""Plant faults into a rendered stack: one alert, record or panel that ought to be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from alerts.kit import Alert, Pack, Record, Severity
from dashboards.panels import Link, Panel, Query
from generator.errors import Finding
from generator.proofs import prove
from generator.render import Rendered

PANEL_BOARD = "stack"


# Packs whose tests depend on the catalog's services; those of the others are alike everywhere.
CATALOG_PACKS = ("absence", "service", "slo", "tier")


def with_tests_of(rendered: Rendered, *packs: str) -> Rendered:
    """Return *rendered* with the promtool tests of *packs* only: the others take the judge's time."""
    kept = tuple(
        artifact
        for artifact in rendered.artifacts
        if not artifact.path.startswith("prometheus/tests/")
        or artifact.path.removeprefix("prometheus/tests/").removesuffix(".yml").split("-")[0]
        in packs
    )
    return replace(rendered, artifacts=kept)


def alert(expr: str = "max by (service) (pg_up)", **changes: Any) -> Alert:
    """Return an alert that every proof accepts but for *expr* and *changes*."""
    # A name that has a runbook: what is planted here is never a missing page.
    sound: dict[str, Any] = {
        "name": "ProbeSlow",
        "severity": Severity.WARNING,
        "expr": expr,
        "op": "==",
        "threshold": 0,
        "hold": timedelta(minutes=2),
        "family": "planted",
        "board": "tier",
        "summary": "{{ $labels.service }} is planted",
        "description": "Nothing is wrong with it.",
        "fires": {"pg_up": "0"},
        "quiet": {"pg_up": "1"},
    }
    return Alert(**{**sound, **changes})


def with_alert(rendered: Rendered, planted: Alert) -> Rendered:
    """Return *rendered* with one more pack that holds *planted*."""
    pack = Pack(name="planted", title="Planted", alerts=(planted,))
    return replace(rendered, packs=(*rendered.packs, pack))


def with_record(rendered: Rendered, planted: Record) -> Rendered:
    """Return *rendered* with one more pack that holds *planted*."""
    pack = Pack(name="planted", title="Planted", records=(planted,))
    return replace(rendered, packs=(*rendered.packs, pack))


def with_panel(rendered: Rendered, change: Callable[[Panel], Panel]) -> Rendered:
    """Return *rendered* with the first panel of one board changed."""
    boards = list(rendered.boards)
    at = next(index for index, board in enumerate(boards) if board.id == PANEL_BOARD)
    first, *rows = boards[at].rows
    panel, *panels = first.panels
    changed = replace(first, panels=(change(panel), *panels))
    boards[at] = boards[at].with_rows((changed, *rows))
    return replace(rendered, boards=tuple(boards))


def asking(*exprs: str, datasource: str = "prometheus") -> Callable[[Panel], Panel]:
    """Return a change that gives a panel the title `Planted` and these queries."""
    queries = tuple(Query(expr, datasource=datasource) for expr in exprs)
    return lambda panel: replace(panel, title="Planted", queries=queries)


def leading(title: str, url: str) -> Callable[[Panel], Panel]:
    """Return a change that gives a panel one more link."""
    return lambda panel: replace(panel, links=(*panel.links, Link(title, url)))


def new_findings(before: Rendered, after: Rendered) -> list[Finding]:
    """Return what all proofs say of *after* that they did not say of *before*, sorted."""
    return sorted(set(prove(after)) - set(prove(before)))
