"""
When alerts arrive, and how long Alertmanager must wait so that a root is there before its victims.

A root inhibits only while it fires. It fires after its hold; a dependant's alert leaves after its
own hold plus the group wait of its route. So the wait of a route follows from the holds of what
it carries, and `check` (proof 5) reads the waits back from the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from alerts.kit import Role, Scope
from alerts.routing_model import Route
from alerts.routing_table import NOBODY, SERVICE_DOWN, RoutedAlert, Subject
from alerts.tier_shares import TIER_HEALTH, TierShares
from generator.errors import Finding, Place
from generator.model import Catalog
from generator.names import ALERTMANAGER_DIR
from generator.quantities import read_duration

# How much later than a dependant's the root's fault may be seen: one scrape and one evaluation,
# 30 s each (the slowest that `ServiceDown` depends on).
DETECTION = timedelta(seconds=60)

# Below the first, alerts of one cause do not yet arrive together (Alertmanager's own default);
# beyond the second a person waits too long: then an alert's hold must grow instead.
SHORTEST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=5)

# What routing tells apart of an alert's subjects: tier and owner.
Way = tuple[str, str]

_Key = TypeVar("_Key", str, tuple[str, str])

_FILE = Place(f"{ALERTMANAGER_DIR}/alertmanager.yml")


class Roots:
    """For each subject of an alert, how late the slowest root fires that inhibits it."""

    def __init__(self, catalog: Catalog, alerts: Sequence[RoutedAlert]) -> None:
        self._own: dict[str, timedelta] = {}
        self._above: dict[str, timedelta] = {}
        self._of_tier: dict[tuple[str, str], timedelta] = {}
        self._latest: dict[tuple[int, str], dict[Way, tuple[timedelta, Subject]]] = {}
        # Subjects are told apart by identity: they must live as long as this does.
        self._alerts = alerts
        for alert in alerts:
            if alert.name == SERVICE_DOWN:
                for subject in alert.subjects:
                    _raise(self._own, subject.service, alert.hold)
        tier_alerts = [alert for alert in alerts if alert.name in TIER_HEALTH]
        shares = TierShares(catalog)
        for root, late in self._own.items():
            fallen = catalog.hard_dependants[root]
            for dependant in fallen:
                _raise(self._above, dependant, late)
            for alert in tier_alerts if fallen else ():
                for tier in shares.explained(alert, (root, *fallen)):
                    _raise(self._of_tier, (alert.name, tier), late)

    def latest(self, alert: RoutedAlert) -> Mapping[Way, tuple[timedelta, Subject]]:
        """
        Return the slowest root that inhibits *alert*, per way it can be routed.

        Its hold, and the subject it is the slowest for; nothing for ways without such a root.
        """
        sort = alert.name if alert.name in (SERVICE_DOWN, *TIER_HEALTH) else alert.role
        key = (id(alert.subjects), sort)
        if key not in self._latest:
            found: dict[Way, tuple[timedelta, Subject]] = {}
            for subject in alert.subjects:
                late = self._slowest(alert, subject)
                way = (subject.tier, subject.owner)
                if late is not None and (way not in found or late > found[way][0]):
                    found[way] = (late, subject)
            self._latest[key] = found
        return self._latest[key]

    def _slowest(self, alert: RoutedAlert, subject: Subject) -> timedelta | None:
        if alert.name in TIER_HEALTH:
            return self._of_tier.get((alert.name, subject.tier))
        above = self._above.get(subject.service)
        if alert.name == SERVICE_DOWN or alert.role != Role.SYMPTOM.value:
            return above if alert.name == SERVICE_DOWN else None
        known = (late for late in (above, self._own.get(subject.service)) if late is not None)
        return max(known, default=None)


def group_wait(roots: Roots, alerts: Iterable[RoutedAlert]) -> timedelta:
    """
    Return how long a route must wait that carries *alerts*, in whole 10 s.

    Between SHORTEST_WAIT and LONGEST_WAIT; where that is not enough, `check` finds it.
    """
    wait = SHORTEST_WAIT
    for alert in alerts:
        for late, _ in roots.latest(alert).values():
            wait = max(wait, late + DETECTION - alert.hold)
    tens = -(-int(wait.total_seconds()) // 10)
    return min(timedelta(seconds=tens * 10), LONGEST_WAIT)


def check(
    config: Mapping[str, Any], catalog: Catalog, alerts: Sequence[RoutedAlert]
) -> list[Finding]:
    """
    Return where an alert could leave before the root that inhibits it fires, or outlive it.

    One finding per alert, for the worst of its subjects; the waits are read from *config*.
    """
    tree = Route.read(config["route"])
    roots = Roots(catalog, alerts)
    found: list[Finding] = []
    for alert in alerts:
        late = _latest(alert, tree, roots)
        if late is not None:
            found.append(late)
    return found + _short_keeps(catalog, alerts)


def _latest(alert: RoutedAlert, tree: Route, roots: Roots) -> Finding | None:
    worst: tuple[timedelta, Subject, Route] | None = None
    for late, subject in roots.latest(alert).values():
        for leaf in tree.leaves(alert.labels(subject)):
            # What restarts services asks Alertmanager's API and groups by the graph itself.
            if leaf.continues or leaf.receiver == NOBODY:
                continue
            missing = late + DETECTION - alert.hold - read_duration(leaf.group_wait)
            if missing > timedelta(0) and (worst is None or missing > worst[0]):
                worst = (missing, subject, leaf)
    if worst is None:
        return None
    missing, subject, leaf = worst
    subject_name = subject.service if alert.scope == Scope.SERVICE.value else subject.tier
    return _finding(
        f"alert {alert.name!r} of {subject_name!r} leaves {int(missing.total_seconds())} s before"
        f" the root that inhibits it fires (group_wait {leaf.group_wait} to {leaf.receiver!r})",
        "Lengthen the alert's hold.",
    )


def _short_keeps(catalog: Catalog, alerts: Sequence[RoutedAlert]) -> list[Finding]:
    """Return the roots whose ServiceDown ends before what they inhibit has ended."""
    keeps = {
        subject.service: alert.keep
        for alert in alerts
        if alert.name == SERVICE_DOWN
        for subject in alert.subjects
    }
    tier_alerts = [alert for alert in alerts if alert.name in TIER_HEALTH]
    shares = TierShares(catalog)
    found: list[Finding] = []
    for root, keep in sorted(keeps.items()):
        fallen = catalog.hard_dependants[root]
        ends = {
            name: keeps[name] + catalog.by_name[name].recovery for name in fallen if name in keeps
        }
        for alert in tier_alerts if fallen else ():
            for tier in shares.explained(alert, (root, *fallen)):
                slowest = (
                    catalog.by_name[n].recovery for n in fallen if catalog.by_name[n].tier == tier
                )
                ends[alert.name] = max(slowest, default=timedelta(0)) + alert.keep
        if ends and max(ends.values()) > keep:
            last = max(ends, key=ends.__getitem__)
            found.append(
                _finding(
                    f"alert {SERVICE_DOWN!r} of {root!r} is kept {int(keep.total_seconds())} s after"
                    f" recovery, the end of {last!r} may take {int(ends[last].total_seconds())} s",
                    "Keep the root longer (`Catalog.down_keep`), or the other shorter.",
                )
            )
    return found


def _raise(values: dict[_Key, timedelta], key: _Key, value: timedelta) -> None:
    values[key] = max(values.get(key, value), value)


def _finding(fact: str, cure: str) -> Finding:
    return Finding(_FILE, fact, cure, "inhibition-timing")
