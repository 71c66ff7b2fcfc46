"""Proof 1: no expression names a job, a label or a label value that no scraped series has."""

from __future__ import annotations

from generator import promql
from generator.errors import Finding
from generator.proofs.expressions import Expression, of_panels, of_rules
from generator.render import Rendered
from generator.universe import Universe


def check(rendered: Rendered) -> list[Finding]:
    """Return a finding per expression that can never give a result, or names an unknown label."""
    found: list[Finding] = []
    for expression in (*of_rules(rendered), *of_panels(rendered)):
        found.extend(_unknown_labels(expression, rendered.universe))
        found.extend(_dead(expression, rendered.universe))
    return found


def _unknown_labels(expression: Expression, universe: Universe) -> list[Finding]:
    return [
        Finding(
            expression.place,
            f"{expression.name}: label {label!r} in {where} is on no such series",
            "Use a label that the metric declares or that scraping sets.",
            "labels",
        )
        for label, where in promql.missing_labels(expression.promql, universe.labels)
    ]


def _dead(expression: Expression, universe: Universe) -> list[Finding]:
    if universe.alive(expression.promql):
        return []
    dead = sorted(
        {
            written(selector)
            for selector in promql.selectors(expression.promql)
            if universe.known(selector.metric) and not universe.exists(selector)
        }
    )
    if not dead:
        return []  # an undeclared metric is proof 2's finding
    fact = f"{expression.name}: no target exposes {', '.join(dead)}"
    return [
        Finding(expression.place, fact, "Match a job, kind or service that is scraped.", "labels")
    ]


def written(selector: promql.Selector) -> str:
    """Return *selector* as PromQL."""
    matchers = ", ".join(f'{m.label}{m.op}"{m.value}"' for m in selector.matchers)
    return f"{selector.metric}{{{matchers}}}" if matchers else selector.metric
