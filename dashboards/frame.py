"""
What every board has in common: variables, annotations, links, and the folder it lies in.

Variables carry the same names everywhere (`tier`, `service`), so a link that passes them on
keeps the choice: from home to a tier, from there to a kind, from anywhere to the logs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dashboards.board import Annotation, Board, Variable
from dashboards.panels import Link, Panel, Row
from generator.model import Catalog
from generator.names import CATALOG_INFO, board_uid

FOLDER_PLATFORM = "platform"
FOLDER_TIERS = "tiers"
FOLDER_KINDS = "kinds"

# A series must name its subject to be chosen; `All` becomes `.+`.
CHOSEN = 'tier=~"$tier", service=~"$service"'

# Boards of the whole platform, in the order in which a person would look at them.
PLATFORM_BOARDS = (
    ("home", "Home"),
    ("slo", "Objectives"),
    ("remediation", "Remediation"),
    ("logs", "Logs"),
    ("agents", "Agents and containers"),
    ("models", "Models"),
    ("hardware", "Hardware"),
    ("stack", "The stack itself"),
)


def variables(where: str = "") -> tuple[Variable, ...]:
    """Return the choice of tiers and services, among those that match *where* (`kind="postgres"`)."""
    before = f"{where}, " if where else ""
    return (
        Variable("tier", "Tier", f"label_values({CATALOG_INFO}{{{where}}}, tier)"),
        Variable(
            "service", "Service", f'label_values({CATALOG_INFO}{{{before}tier=~"$tier"}}, service)'
        ),
    )


def tier_variables(tier: str) -> tuple[Variable, ...]:
    """Return the choice of services within *tier*; the tier itself is fixed and carried along."""
    return (
        Variable("tier", "Tier", value=tier),
        Variable("service", "Service", f'label_values({CATALOG_INFO}{{tier="{tier}"}}, service)'),
    )


def marks(chosen: str = CHOSEN) -> tuple[Annotation, ...]:
    """Return the marks over every graph: starts, restarts by the remediator, alerts, of *chosen*."""
    return (
        Annotation(
            "Container starts",
            # Grafana takes the value as the moment, in milliseconds.
            f"agent_container_started_timestamp_seconds{{{chosen}}} * 1000",
            "{{service}} started",
            "The container of {{service}} (tier {{tier}}) started.",
            "blue",
            at_value=True,
        ),
        Annotation(
            "Restarts by remediation",
            f"sum by (service, rung, outcome) (increase(remediation_actions_total{{{chosen}}}[2m])) > 0",
            "Remediation: {{service}} {{outcome}}",
            "Restarted on rung {{rung}}: {{outcome}}.",
            "purple",
        ),
        Annotation(
            "Firing alerts",
            f'ALERTS{{alertstate="firing", severity=~"critical|warning", {chosen}}}',
            "{{alertname}}",
            "{{severity}}: {{service}} (tier {{tier}}, {{kind}})",
            "red",
        ),
    )


def board_path(board: str, query: str = "") -> str:
    """Return the address of *board* within Grafana, with *query* (`var-service=…`) if given."""
    return f"/d/{board_uid(board)}" + (f"?{query}" if query else "")


def runbook(catalog: Catalog) -> tuple[Link, ...]:
    """Return the link from a row with an `alertname` to its runbook page."""
    return (Link("Runbook", f"{catalog.platform.links.runbooks}/${{__data.fields.alertname}}.md"),)


def finish(boards: Iterable[Board], catalog: Catalog) -> tuple[Board, ...]:
    """
    Return *boards* with their links at the top, empty ones left out.

    A board without a single panel (its metrics are not in this catalog) is not rendered, and
    nothing links to it.
    """
    kept = [board.with_rows(_filled(board.rows)) for board in boards]
    kept = [board for board in kept if board.rows]
    known = {board.uid: board.title for board in kept}
    return tuple(_linked(board, known, catalog) for board in kept)


def _filled(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.panels)


def _linked(board: Board, known: dict[str, str], catalog: Catalog) -> Board:
    """Return *board* with links to the boards around it; links to boards that do not exist go."""
    rows = tuple(
        replace(row, panels=tuple(_reachable(panel, known) for panel in row.panels))
        for row in board.rows
    )
    around = [
        Link(title, board_path(name))
        for name, title in PLATFORM_BOARDS
        if name != board.id and board_uid(name) in known
    ]
    around += [
        Link(tier.title or tier.name, board_path(f"tier-{tier.name}"))
        for tier in catalog.tiers
        if f"tier-{tier.name}" in board.near and board_uid(f"tier-{tier.name}") in known
    ]
    around.append(Link("Runbooks", f"{catalog.platform.links.runbooks}/"))
    return replace(board, rows=rows, navigation=tuple(around))


def _reachable(panel: Panel, known: dict[str, str]) -> Panel:
    links = tuple(
        link
        for link in panel.links
        if all(not is_board(path) or path.removeprefix("/d/") in known for path in link.targets())
    )
    return panel if links == panel.links else replace(panel, links=links)


def is_board(path: str) -> bool:
    """Return whether *path* is the address of a board within Grafana."""
    return path.startswith("/d/")
