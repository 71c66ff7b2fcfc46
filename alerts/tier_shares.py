"""Which tier alerts a fault explains: those that the fallen services make fire all by themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from alerts.routing_table import RoutedAlert
from generator.model import Catalog, Service

# Alerts about the share of a tier that is unhealthy; other alerts of scope tier are not explained.
TIER_HEALTH = ("TierDegraded", "TierDown")

# Both want so many sick services: one alone is ServiceDown's business.
_AT_LEAST = 2


class TierShares:
    """
    The weights of a catalog's tiers, added up once.

    Services behind profiles are taken as all there or all absent, and either is enough.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._order = {tier.name: tier.order for tier in catalog.tiers}
        self._whole = self._weights(catalog.services)
        self._default = self._weights(s for s in catalog.services if not s.optional)

    def explained(self, alert: RoutedAlert, unhealthy: Collection[str]) -> tuple[str, ...]:
        """Return the tiers, in order, in which *unhealthy* services alone make *alert* fire."""
        if alert.name not in TIER_HEALTH:
            return ()
        sick = [self._catalog.by_name[name] for name in unhealthy]
        tiers = {
            *self._beyond(alert, sick, self._whole),
            *self._beyond(alert, [s for s in sick if not s.optional], self._default),
        }
        return tuple(sorted(tiers, key=self._order.__getitem__))

    def _beyond(
        self, alert: RoutedAlert, sick: Iterable[Service], whole: dict[str, tuple[int, int]]
    ) -> set[str]:
        threshold = alert.threshold or 0
        return {
            tier
            for tier, (weight, count) in self._weights(sick).items()
            if count >= _AT_LEAST and weight > threshold * whole[tier][0]
        }

    def _weights(self, services: Iterable[Service]) -> dict[str, tuple[int, int]]:
        """Return weight and number of *services* by tier; one-shot jobs never count."""
        found: dict[str, tuple[int, int]] = {}
        for service in services:
            if not service.oneshot:
                weight, count = found.get(service.tier, (0, 0))
                weight += 1 + len(self._catalog.hard_dependants[service.name])
                found[service.tier] = weight, count + 1
        return found
