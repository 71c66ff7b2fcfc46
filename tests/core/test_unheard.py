"""A catalog that tells nobody is told so."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from generator import summary
from generator.render import Rendered, render


def test_critical_alerts_that_nobody_hears_are_counted(shop: Rendered) -> None:
    """Without any owner's channel the summary says so; with one it says nothing."""
    mute = replace(shop.catalog.platform, owners=MappingProxyType({}))
    unheard = summary.unheard(render(replace(shop.catalog, platform=mute)))

    critical = {alert.name for alert in shop.routed if alert.severity == "critical"}
    assert summary.unheard(shop) == []
    assert unheard == [
        (
            f"  nobody is told of {len(critical)} critical alerts: "
            "give their owners a channel or an address (owners, notify)"
        )
    ]
