"""
What a fault sounds like: "postgres down: 61 messages without inhibition, 1 with, 1 page".

The executable model of `alerts.routing_model` is given everything that can fire because of one
root: its ServiceDown and symptoms, those of all its hard dependants, and the tier alerts that
these make fire. It is the worst case, all of them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.kit import Role, Scope
from alerts.routing_model import Notification, notifications
from alerts.routing_table import AT_WORK, SERVICE_DOWN, RoutedAlert
from alerts.tier_shares import TIER_HEALTH, TierShares
from generator.model import Catalog


@dataclass(frozen=True, slots=True)
class Outage:
    """What the fault of *root* makes: alerts, messages to people without and with inhibition, pages."""

    root: str
    alerts: int
    messages_without: int
    messages: int
    pages: tuple[Notification, ...]

    def __str__(self) -> str:
        pages = f"{len(self.pages)} page{'' if len(self.pages) == 1 else 's'}"
        return (
            f"{self.root} down: {self.alerts} alerts, {self.messages_without} messages without"
            f" inhibition, {self.messages} with, {pages}"
        )


def simulate(
    config: Mapping[str, Any], catalog: Catalog, alerts: Sequence[RoutedAlert], root: str
) -> Outage:
    """Return the outage of service *root* under *config* (content of alertmanager.yml)."""
    active = firing(catalog, alerts, root)
    before = _to_people(notifications(config, active, inhibit=False))
    after = _to_people(notifications(config, active))
    pages = tuple(note for note in after if note.receiver.startswith("page-"))
    return Outage(root, len(active), len(before), len(after), pages)


def firing(
    catalog: Catalog, alerts: Sequence[RoutedAlert], root: str
) -> tuple[dict[str, str], ...]:
    """Return the labels of everything that can fire when *root* is down, in the alerts' order."""
    fallen = {root, *catalog.hard_dependants[root]}
    shares = TierShares(catalog)
    active: list[dict[str, str]] = []
    for alert in alerts:
        if alert.name in TIER_HEALTH:
            tiers = shares.explained(alert, fallen)
            active += [alert.labels(s) for s in alert.subjects if s.tier in tiers]
        elif _follows(alert):
            active += [alert.labels(s) for s in alert.subjects if s.service in fallen]
    return tuple(active)


def _follows(alert: RoutedAlert) -> bool:
    if alert.scope != Scope.SERVICE.value or alert.name in AT_WORK:
        return False
    return alert.role == Role.SYMPTOM.value or alert.name == SERVICE_DOWN


def _to_people(sent: Mapping[Notification, object]) -> tuple[Notification, ...]:
    return tuple(note for note in sent if note.receiver.startswith(("page-", "tell-")))
