"""Proof 11: what the catalog wants otherwise exists: a typo would switch off or change nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from alerts import packs
from alerts.kit import Alert
from alerts.thresholds import is_tunable
from generator.errors import Finding
from generator.render import Rendered
from loki import rules

_PERCENT = re.compile(r"\$value\s*\|\s*humanizePercentage")


def check(rendered: Rendered) -> list[Finding]:
    """Return a finding per name under `alerts` that is no alert, or has no threshold to set."""
    platform = rendered.catalog.platform
    if not (platform.disabled_alerts or platform.thresholds):
        return []
    ours = {
        alert.name: alert
        for name in packs.PACKS
        for alert in packs.build(name, rendered.catalog).alerts
    }
    names = {*ours, *(rule.name for rule in rules.RULES)}
    return [
        *_unknown("disabled", platform.disabled_alerts, names, rendered),
        *_unknown("thresholds", platform.thresholds, names, rendered),
        *(
            Finding(
                platform.place_of_wish("thresholds", name),
                f"alerts.thresholds names {name!r}, whose threshold cannot be set: no proof could follow",
                "Disable it and write a rule of your own beside ours.",
                "wishes",
            )
            for name in platform.thresholds
            if name in names and (name not in ours or not is_tunable(ours[name]))
        ),
        *(
            Finding(
                platform.place_of_wish("thresholds", name),
                f"alerts.thresholds sets {name!r} to {threshold:g}, but it is a share of 1",
                "Write 0.9 for 90 %.",
                "wishes",
            )
            for name, threshold in platform.thresholds.items()
            if threshold >= 1 and name in ours and is_tunable(ours[name]) and _is_share(ours[name])
        ),
    ]


def _is_share(alert: Alert) -> bool:
    """Whether *alert* compares a share: below 1 as we ship it, and shown in percent."""
    shown = _PERCENT.search(f"{alert.summary} {alert.description}") is not None
    return shown and alert.threshold is not None and alert.threshold < 1


def _unknown(
    key: str, wished: Iterable[str], names: set[str], rendered: Rendered
) -> Iterator[Finding]:
    for name in wished:
        if name not in names:
            near = get_close_matches(name, sorted(names), n=1)
            cure = f"Did you mean {near[0]!r}?" if near else "Remove it."
            fact = f"alerts.{key} names {name!r}, which is no alert"
            yield Finding(rendered.catalog.platform.place_of_wish(key, name), fact, cure, "wishes")
