"""Proof 8: what remediation may restart exists, under the name Compose gives it, in an order."""

from __future__ import annotations

from generator import contracts
from generator.errors import Finding
from generator.render import Rendered


def check(rendered: Rendered) -> list[Finding]:
    """Return what is wrong with the files that our own processes read."""
    return contracts.check(rendered.catalog)
