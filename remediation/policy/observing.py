"""
What would have been done: the report about tiers that have only been observed for a while.

Pure. A tier that observes and nobody looks at is as good as no remediation; so after `report_after`
(14 days), and again after as long, people are told which restarts there would have been.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from remediation import records
from remediation.clock import Moment
from remediation.config import Config
from remediation.model import Entry, Mode
from remediation.state import State


def due(config: Config, state: State, now: Moment) -> list[str]:
    """Return the tiers that have observed for so long, and were not told of for so long; sorted."""
    return sorted(
        name
        for name, tier in config.tiers.items()
        if tier.mode is Mode.OBSERVE
        and now.steady - state.observed_since.get(name, now.steady) >= config.report_after_s
        and now.steady - state.reported_at.get(name, 0.0) >= config.report_after_s
    )


def would_have_done(
    entries: Iterable[Entry], tiers: Collection[str], since_at: float
) -> Mapping[str, Mapping[str, int]]:
    """
    Return what would have been restarted since then: by tier, the services and how often.

    A tier in which nothing would have been done has an empty mapping: that is news, too.
    """
    found: dict[str, Counter[str]] = {tier: Counter() for tier in sorted(tiers)}
    for entry in entries:
        body = entry.body
        if entry.kind == records.DECIDED and entry.at >= since_at and body["reason"] == "observe":
            tier = str(body["tier"])
            if tier in found:
                found[tier][str(body["restart"] or body["service"])] += 1
    return {tier: dict(sorted(counts.items())) for tier, counts in found.items()}
