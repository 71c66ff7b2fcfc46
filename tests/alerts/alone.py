"""
A pack cut down to what one alert needs: promtool evaluates every rule of a file at every step.

A case looks at one alert for hours of samples; with all its neighbours in the file most of the
time would go into rules that nobody looks at.
"""

from __future__ import annotations

from dataclasses import replace

from alerts.kit import Pack
from generator import promql


def alone(pack: Pack, alert: str) -> Pack:
    """Return *pack* with the alert of that name (one or more rules) and the records it reads."""
    alerts = tuple(one for one in pack.alerts if one.name == alert)
    assert alerts, f"{pack.name} has no alert {alert}"
    wanted = {name for one in alerts for name in promql.metrics(one.promql)}
    # Records read others; as many rounds as there are records reach the last of a chain.
    for _ in pack.records:
        for record in pack.records:
            if record.name in wanted:
                wanted |= set(promql.metrics(record.expr))
    records = tuple(record for record in pack.records if record.name in wanted)
    return replace(pack, alerts=alerts, records=records)
