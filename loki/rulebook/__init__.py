"""
The alerts on log lines: what software says when no metric speaks of it.

Patterns look at the line, whatever its format, since streams are bounded to service and level.
Lines that quote a query are left out everywhere: Loki, Grafana and a ruler log the queries they
run, and a rule would otherwise find its own pattern there and fire on itself for ever.
A crash, a full disk and a broken certificate have metric alerts of their own; these say what the
software itself reports, which is often the cause and often minutes earlier.
"""

from __future__ import annotations

from loki.kit import LogRule
from loki.rulebook import access, errors, flow, resources

RULES: tuple[LogRule, ...] = (
    *errors.RULES,
    *resources.RULES,
    *access.RULES,
    *flow.RULES,
)
