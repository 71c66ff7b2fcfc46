"""Proof 7: log labels are bounded and every LogQL rule selects a stream that a pipeline makes."""

from __future__ import annotations

from generator.errors import Finding
from generator.render import Rendered
from loki import rules


def check(rendered: Rendered) -> list[Finding]:
    """Return what the room loki/ finds wrong with its own rules on this catalog."""
    return rules.check_streams(rendered.catalog)
