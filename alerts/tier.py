"""
A whole tier in trouble: the share of its enabled services that are unhealthy, weighted by
how many others need each of them.

Both alerts want at least two unhealthy services: one alone is ServiceDown's business, and
says more. Nothing public does this per tier; cluster-level "more than N % of targets down"
rules (kube-prometheus' TargetDown) count targets unweighted and per job.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Record, Remedy, Scope, Severity
from generator.model import TIER_KEEP, Catalog
from generator.names import HEALTHY, TIER_HEALTHY, TIER_WEIGHT

_AT_LEAST_TWO = f"and on (tier) count by (tier) ({HEALTHY} == 0) >= 2"


def pack(catalog: Catalog) -> Pack:
    """Return the tier alerts; the same for every catalog."""
    del catalog
    return Pack(
        name="tier", title="Tiers", always=True, records=(HEALTHY_SHARE,), alerts=(DEGRADED, DOWN)
    )


def _members(healthy: int, weight_of_two: str) -> dict[str, str]:
    """Return test series of a tier with *healthy* members of weight 1 and two sick ones."""
    found = {}
    for index in range(healthy + 2):
        well = index < healthy
        found[f'{HEALTHY}{{service="member-{index}"}}'] = "1" if well else "0"
        found[f'{TIER_WEIGHT}{{service="member-{index}"}}'] = "1" if well else weight_of_two
    return found


HEALTHY_SHARE = Record(
    name=TIER_HEALTHY,
    expr=(
        f"sum by (tier) ({HEALTHY} * on (service, tier) group_left () {TIER_WEIGHT})\n"
        f"/ sum by (tier) ({TIER_WEIGHT} and on (service, tier) {HEALTHY})"
    ),
    inputs={
        f'{HEALTHY}{{service="a",tier="core"}}': "1",
        f'{HEALTHY}{{service="b",tier="core"}}': "0",
        f'{HEALTHY}{{service="c",tier="ai"}}': "1",
        f'{TIER_WEIGHT}{{service="a",tier="core"}}': "3",
        f'{TIER_WEIGHT}{{service="b",tier="core"}}': "1",
        f'{TIER_WEIGHT}{{service="c",tier="ai"}}': "5",
        f'{TIER_WEIGHT}{{service="absent",tier="ai"}}': "9",
    },
    expect={f'{TIER_HEALTHY}{{tier="ai"}}': 1.0, f'{TIER_HEALTHY}{{tier="core"}}': 0.75},
)

DEGRADED = Alert(
    name="TierDegraded",
    severity=Severity.WARNING,
    scope=Scope.TIER,
    remedy=Remedy.RESTART,
    family="tier-health",
    expr=f"1 - {TIER_HEALTHY}",
    op=">",
    threshold=0.25,
    where=_AT_LEAST_TWO,
    hold=timedelta(minutes=3),
    keep=TIER_KEEP,
    board="tier",
    summary="Tier {{ $labels.tier }} is degraded: {{ $value | humanizePercentage }} of its weight is unhealthy",
    description=(
        "Two or more services of tier {{ $labels.tier }} are unhealthy at once. Look for what "
        "they share (a dependency, the host, a network) before restarting them one by one."
    ),
    fires=_members(11, "2"),  # 4 of 15 = 26.7 %
    quiet=_members(11, "1.7"),  # 3.4 of 14.4 = 23.6 %
    value=4 / 15,
)

DOWN = Alert(
    name="TierDown",
    severity=Severity.CRITICAL,
    scope=Scope.TIER,
    remedy=Remedy.RESTART,
    family="tier-health",
    expr=f"1 - {TIER_HEALTHY}",
    op=">",
    threshold=0.5,
    where=_AT_LEAST_TWO,
    hold=timedelta(minutes=3),
    keep=TIER_KEEP,
    board="tier",
    summary="Tier {{ $labels.tier }} is down: {{ $value | humanizePercentage }} of its weight is unhealthy",
    description=(
        "Most of tier {{ $labels.tier }}, weighted by what depends on it, is unhealthy. "
        "Everything above this tier is affected."
    ),
    fires=_members(9, "5"),  # 10 of 19 = 52.6 %
    quiet=_members(9, "4.3"),  # 8.6 of 17.6 = 48.9 %
    value=10 / 19,
)
