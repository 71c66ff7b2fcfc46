"""Proofs 4 and 5: Alertmanager's configuration against every firing that can be."""

from __future__ import annotations

from alerts import inhibition, routing_check
from generator.errors import Finding
from generator.render import Rendered


def check_receivers(rendered: Rendered) -> list[Finding]:
    """Return where routing differs from what the catalog says."""
    return routing_check.check(rendered.alertmanager, rendered.catalog, rendered.routed)


def check_inhibition(rendered: Rendered) -> list[Finding]:
    """Return inhibit rules that are dead, hide a page, or come too late."""
    return inhibition.check(rendered.alertmanager, rendered.catalog, rendered.routed)
