"""
How many restarts are left: per service, per tier, in all, in several windows at once.

Pure. What counts are intents, written before each restart: one whose outcome was never learnt counts
like any other, and our own crash opens no budget. Ages are measured on the steady line.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from remediation.config import Config, Limit
from remediation.state import State
from remediation.state_parts import Act

PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Left:
    """What is *left* of one limit; never below 0. *free_at* is when the next restart is allowed."""

    scope: str  # service, tier, platform
    name: str
    window: str
    left: int
    free_at: float


def spent(config: Config, state: State, service: str, now_at: float) -> Left | None:
    """Return the limit that forbids to restart *service* now, the one that lasts longest; None if none does."""
    tier = config.services[service].tier
    found = []
    for scope, name in (("service", service), ("tier", tier), ("platform", PLATFORM)):
        times = [act.at for act in state.acts if _counts(act, scope, name)]
        found += [_left(scope, name, limit, times, now_at) for limit in config.budgets[scope]]
    empty = [each for each in found if each.left == 0]
    return max(empty, key=lambda each: each.free_at) if empty else None


def remaining(config: Config, state: State, now_at: float) -> list[Left]:
    """Return what is left of every limit, of all services and tiers, in the order of the configuration."""
    by_service: dict[str, list[float]] = {}
    by_tier: dict[str, list[float]] = {}
    for act in state.acts:
        by_service.setdefault(act.service, []).append(act.at)
        by_tier.setdefault(act.tier, []).append(act.at)
    everything = [act.at for act in state.acts]
    names = [("service", name, by_service.get(name, [])) for name in config.services]
    names += [("tier", name, by_tier.get(name, [])) for name in config.tiers]
    names.append(("platform", PLATFORM, everything))
    return [
        _left(scope, name, limit, times, now_at)
        for scope, name, times in names
        for limit in config.budgets[scope]
    ]


def tries_by_service(state: State, since_at: float) -> Counter[str]:
    """Return how often each service was restarted since *since_at*."""
    return Counter(act.service for act in state.acts if act.at > since_at)


def _counts(act: Act, scope: str, name: str) -> bool:
    return scope == "platform" or name == (act.service if scope == "service" else act.tier)


def _left(scope: str, name: str, limit: Limit, times: list[float], now_at: float) -> Left:
    # A time ahead of us cannot be; were there one, it counts: a budget never opens by mistake.
    inside = sorted(at for at in times if now_at - at < limit.window_s)
    left = max(0, limit.count - len(inside))
    free_at = now_at
    if not left:
        # With a limit of 0 there is no such moment; inf says so.
        oldest = inside[len(inside) - limit.count] if limit.count else float("inf")
        free_at = oldest + limit.window_s
    return Left(scope, name, limit.window, left, free_at)
