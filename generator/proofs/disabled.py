"""Proof 11: what the catalog switches off is an alert that exists; a typo would switch off nothing."""

from __future__ import annotations

from difflib import get_close_matches

from alerts import packs
from generator.errors import Finding
from generator.render import Rendered
from loki import rules


def check(rendered: Rendered) -> list[Finding]:
    """Return a finding per disabled name that no pack and no log rule has."""
    disabled = rendered.catalog.platform.disabled_alerts
    if not disabled:
        return []
    known = {
        alert.name for name in packs.PACKS for alert in packs.build(name, rendered.catalog).alerts
    }
    known |= {rule.name for rule in rules.RULES}
    return [
        Finding(
            rendered.catalog.platform.place,
            f"alerts.disabled names {name!r}, which is no alert",
            _cure(name, known),
            "disabled",
        )
        for name in disabled
        if name not in known
    ]


def _cure(name: str, known: set[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else "Remove it."
