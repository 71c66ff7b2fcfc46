"""Proof 2: only metrics that something scraped declares, used as their type allows."""

from __future__ import annotations

from difflib import get_close_matches

from generator import promql
from generator.errors import Finding
from generator.proofs.expressions import Expression, of_panels, of_rules
from generator.render import Rendered
from generator.universe import Universe


def check(rendered: Rendered) -> list[Finding]:
    """Return a finding per undeclared metric and per function that does not fit a metric's type."""
    found: list[Finding] = []
    for expression in (*of_rules(rendered), *of_panels(rendered)):
        for selector in dict.fromkeys(promql.selectors(expression.promql)):
            if not rendered.universe.known(selector.metric):
                if not rendered.universe.alive(expression.promql):
                    found.append(_undeclared(expression, selector, rendered.universe))
            elif not _fits(selector, rendered.universe):
                found.append(_misused(expression, selector, rendered.universe))
    return found


def _fits(selector: promql.Selector, universe: Universe) -> bool:
    types = universe.types(selector.metric)
    if not selector.wants or "untyped" in types:
        return True
    return selector.wants in types


def _undeclared(expression: Expression, selector: promql.Selector, universe: Universe) -> Finding:
    near = get_close_matches(selector.metric, universe.names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return Finding(
        expression.place,
        f"{expression.name}: nothing that is scraped declares the metric {selector.metric!r}",
        f"Declare it in the kind that exposes it.{hint}",
        "metrics",
    )


def _misused(expression: Expression, selector: promql.Selector, universe: Universe) -> Finding:
    types = " or ".join(sorted(universe.types(selector.metric)))
    return Finding(
        expression.place,
        f"{expression.name}: {selector.function}() wants a {selector.wants}, "
        f"{selector.metric!r} is a {types}",
        "Use a function for that type, or correct the declaration.",
        "metrics",
    )
