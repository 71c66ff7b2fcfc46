"""Proof 9: burn rates that an objective can reach, and a retention that covers the windows."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from alerts.slo import burns
from generator import promql
from generator.errors import Finding, Place
from generator.model import Catalog
from generator.proofs.expressions import of_rules
from generator.quantities import say_percent, write_duration
from generator.render import Rendered
from generator.scrape import estimate


def check(rendered: Rendered) -> list[Finding]:
    """Return objectives whose alerts cannot fire, windows beyond the retention, a disk too small."""
    return [
        *_unreachable(rendered.catalog),
        *_too_long(rendered),
        *estimate.check(rendered.catalog, rendered.estimate),
    ]


def _unreachable(catalog: Catalog) -> Iterator[Finding]:
    """A burn rate times the budget above 1 asks for more failures than there are requests."""
    for service in catalog.services:
        if service.slo is None:
            continue
        for burn in burns(catalog.platform.slo_window):
            if burn.rate * (1 - service.slo) >= 1:
                least = 1 - 1 / burn.rate
                yield Finding(
                    service.place,
                    f"service {service.name!r}: {burn.name} can never fire: {burn.rate} times a budget "
                    f"of {say_percent(1 - service.slo)} is more than everything failing",
                    f"Raise the slo above {say_percent(_rounded(least))}, or drop it.",
                    "objectives",
                )
                break


def _rounded(ratio: Decimal) -> Decimal:
    return ratio.quantize(Decimal("0.0001"))


def _too_long(rendered: Rendered) -> Iterator[Finding]:
    kept = rendered.catalog.platform.retention.metrics
    for expression in of_rules(rendered):
        needed = promql.lookback(expression.promql)
        if needed > kept:
            yield Finding(
                Place(rendered.catalog.platform.place.file),
                f"{expression.name} looks back {write_duration(needed)}, "
                f"retention.metrics keeps {write_duration(kept)}",
                "Keep metrics longer, or shorten slo_window.",
                "objectives",
            )
