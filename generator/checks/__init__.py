"""Semantic checks: what the schema cannot see. One module per concern, each check yields findings."""

from __future__ import annotations

from collections.abc import Iterator

from generator.checks.conflicts import check_containers, check_host_ports, check_subnet
from generator.checks.dependencies import check_cycles, check_profiles
from generator.checks.draft import Draft
from generator.checks.models import (
    check_expected_models,
    check_ollama_ports,
    check_ollama_settings,
)
from generator.checks.names import check_reserved
from generator.checks.observers import check_observed, check_observers, check_shared
from generator.checks.people import check_never_restart, check_owners, check_timezones
from generator.checks.promises import (
    check_health_timing,
    check_memory,
    check_slo_ceiling,
    check_slo_window,
)
from generator.checks.secrets import check_secrets
from generator.errors import Finding

# Checks that stay right when part of the catalog is missing.
_ANYTIME = (
    check_reserved,
    check_cycles,
    check_profiles,
    check_host_ports,
    check_containers,
    check_subnet,
    check_ollama_ports,
    check_ollama_settings,
    check_owners,
    check_timezones,
    check_health_timing,
    check_memory,
    check_slo_ceiling,
    check_slo_window,
    check_secrets,
)
# Checks that speak of what is absent.
_COMPLETE_ONLY = (
    check_expected_models,
    check_observed,
    check_observers,
    check_shared,
    check_never_restart,
)

__all__ = ["Draft", "run_checks"]


def run_checks(draft: Draft) -> Iterator[Finding]:
    """Yield everything the checks find in *draft*, in no particular order."""
    for check in _ANYTIME:
        yield from check(draft)
    if draft.complete:
        for check in _COMPLETE_ONLY:
            yield from check(draft)
