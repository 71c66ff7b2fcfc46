"""Every PromQL expression of a rendered stack, with the place a person would look for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dashboards.available import filled_in
from generator.errors import Place
from generator.render import Rendered


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression; *name* is its alert, recording rule or panel."""

    place: Place
    name: str
    promql: str


def of_rules(rendered: Rendered) -> Iterator[Expression]:
    """Yield the expressions of all alerts and recording rules."""
    for pack in rendered.packs:
        place = Place(f"alerts/{pack.name}.py")
        for record in pack.records:
            if not record.constant:
                yield Expression(place, f"rule {record.name!r}", record.expr)
        for alert in pack.alerts:
            yield Expression(place, f"alert {alert.name!r}", alert.promql)


def of_panels(rendered: Rendered) -> Iterator[Expression]:
    """Yield the Prometheus expressions of all panels, Grafana's variables filled in."""
    for board in rendered.boards:
        place = Place(f"grafana/dashboards/{board.uid}")
        for query in board.queries():
            if query.datasource == "prometheus":
                yield Expression(place, f"panel {query.title!r}", filled_in(query.expr))
