"""Proof 6: boards and runbooks that people are sent to are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dashboards.available import filled_in
from dashboards.provisioning import FOLDER
from generator import promql
from generator.errors import Finding, Place, RenderError
from generator.names import DATASOURCE_LOKI, DATASOURCE_PROMETHEUS, board_uid
from generator.render import Rendered

_SOURCES = {"prometheus": DATASOURCE_PROMETHEUS, "loki": DATASOURCE_LOKI}
RUNBOOKS = Path(__file__).resolve().parent.parent.parent / "alerts" / "runbooks"


def check(rendered: Rendered) -> list[Finding]:
    """Return a finding per query that nothing answers, per link to nowhere, per missing runbook."""
    return [
        *_unparsable(rendered),
        *_unknown_sources(rendered),
        *_dead_links(rendered),
        *_alert_boards(rendered),
        *_runbooks(rendered),
    ]


def _unparsable(rendered: Rendered) -> Iterator[Finding]:
    for board in rendered.boards:
        place = Place(f"grafana/dashboards/{board.uid}")
        for query in board.queries():
            if query.datasource != "prometheus":
                continue
            try:
                promql.parse(filled_in(query.expr))
            except RenderError as error:
                fact = f"panel {query.title!r}: {error}"
                yield Finding(place, fact, "Correct the expression.", "boards")


def _unknown_sources(rendered: Rendered) -> Iterator[Finding]:
    """A panel asks a data source by uid: one that is not provisioned shows an error to everybody."""
    provisioned = rendered.files.get(f"{FOLDER}/datasources/tierwatch.yml", "")
    for board in rendered.boards:
        for source in sorted({query.datasource for query in board.queries()}):
            if f"uid: {_SOURCES.get(source, '')}\n" not in provisioned:
                yield Finding(
                    Place(f"grafana/dashboards/{board.uid}"),
                    f"panels ask the data source {source!r}, which is not provisioned",
                    "Ask one that is, or add the service that it needs.",
                    "boards",
                )


def _dead_links(rendered: Rendered) -> Iterator[Finding]:
    links = rendered.catalog.platform.links
    known = {board.uid for board in rendered.boards}
    outside = tuple(
        text
        for text in (links.grafana, links.runbooks, links.prometheus, links.alertmanager)
        if text
    )
    for board in rendered.boards:
        place = Place(f"grafana/dashboards/{board.uid}")
        for link in board.links():
            uid = _uid(link.url)
            if uid is not None:
                if uid not in known and "$" not in uid:
                    yield Finding(
                        place,
                        f"link {link.title!r} leads to the board {uid!r}, which is not rendered",
                        "Link to a board that is.",
                        "boards",
                    )
            elif not link.url.startswith(outside) and not link.url.startswith("/"):
                yield Finding(
                    place,
                    f"link {link.title!r} leads to {link.url!r}, which is none of the catalog's links",
                    "Use platform.links.",
                    "boards",
                )


def _uid(url: str) -> str | None:
    _, found, rest = url.partition("/d/")
    if not found:
        return None
    return rest.split("?", 1)[0].split("/", 1)[0]


def _alert_boards(rendered: Rendered) -> Iterator[Finding]:
    known = {board.uid for board in rendered.boards}
    tiers = {board_uid(f"tier-{tier.name}") for tier in rendered.catalog.tiers}
    for pack in rendered.packs:
        for alert in pack.alerts:
            wanted = tiers if alert.board == "tier" else {board_uid(alert.board)}
            for uid in sorted(wanted - known):
                yield Finding(
                    Place(f"alerts/{pack.name}.py"),
                    f"alert {alert.name!r}: its board {uid!r} is not rendered",
                    "Name a board that is.",
                    "boards",
                )


def _runbooks(rendered: Rendered) -> Iterator[Finding]:
    for alert in rendered.alerts:
        path = RUNBOOKS / f"{alert.name}.md"
        if not path.is_file():
            yield Finding(
                Place(f"alerts/runbooks/{alert.name}.md"),
                f"alert {alert.name!r} has no runbook",
                "Write what it means, what is hurt, what to look at, what to do.",
                "boards",
            )
