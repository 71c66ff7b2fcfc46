"""
Who must hear of what: the intent that the routing tree is held against.

`intended` says it straight from the catalog, in words of its own and without looking at the
tree that `alerts.routing` builds; `alerts.routing_check` (proof 4) compares the two, and amtool
compares the table with the rendered file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from alerts.kit import Alert, Pack, Remedy, Scope, Severity
from alerts.verdict import NEVER, counts, down_severity
from generator.model import Catalog, Service
from generator.names import NONE, WATCHDOG

SERVICE_DOWN = "ServiceDown"

# Alerts that say somebody or something is already at work on a service, whichever it is.
AT_WORK = ("RemediationInProgress", "ServiceInMaintenance")

HEARTBEAT = "heartbeat"
REMEDIATOR = "remediator"
NOBODY = "nobody"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What one firing of an alert speaks of; `none` where it speaks of nothing of that sort."""

    service: str
    tier: str
    kind: str
    owner: str


class Subjects(tuple[Subject, ...]):  # noqa: SLOT001 - what is cached needs a place
    """
    Subjects that several alerts may share as one object, with what is looked up in them.

    Alerts of one pack speak of the same services; what is worked out for one holds for all.
    """

    @cached_property
    def by_service(self) -> Mapping[str, tuple[Subject, ...]]:
        """Subjects by their service (`none` for those without one)."""
        found: dict[str, list[Subject]] = {}
        for subject in self:
            found.setdefault(subject.service, []).append(subject)
        return {service: tuple(subjects) for service, subjects in found.items()}

    @cached_property
    def ways(self) -> tuple[Subject, ...]:
        """The first subject of each (tier, owner): routing tells no more of them apart."""
        first: dict[tuple[str, str], Subject] = {}
        for subject in self:
            first.setdefault((subject.tier, subject.owner), subject)
        return tuple(first.values())


@dataclass(frozen=True, slots=True)
class RoutedAlert:
    """
    One alert as Alertmanager sees it: the labels it always has and the subjects it may have.

    *subjects* are unique, in catalog order. One name may stand for several of these, each with
    its own hold and subjects, as ServiceDown does. threshold is None where there is none.
    """

    name: str
    severity: str
    scope: str
    role: str
    family: str
    remedy: str
    hold: timedelta
    keep: timedelta
    threshold: float | None
    subjects: Subjects

    def labels(self, subject: Subject) -> dict[str, str]:
        """Return the labels of a firing about *subject*."""
        return {
            "alertname": self.name,
            "severity": self.severity,
            "scope": self.scope,
            "role": self.role,
            "family": self.family,
            "service": subject.service,
            "tier": subject.tier,
            "kind": subject.kind,
            "owner": subject.owner,
            "remedy": self.remedy,
        }


def routed(
    packs: Iterable[tuple[Pack, Sequence[Service]]], catalog: Catalog
) -> tuple[RoutedAlert, ...]:
    """Return every alert of *packs*, in order; each pack comes with the services it applies to."""
    everything = subjects_of(Scope.SERVICE.value, catalog.services, catalog)
    # Many packs speak of the very same services: one `Subjects` serves them all.
    shared = {tuple(catalog.by_name): everything}
    found: list[RoutedAlert] = []
    for pack, services in packs:
        names = tuple(service.name for service in services)
        if names not in shared:
            shared[names] = subjects_of(Scope.SERVICE.value, services, catalog)
        about = shared[names]
        for alert in pack.alerts:
            if alert.name == SERVICE_DOWN:
                judged = [service for service in services if _is_about(alert, service, catalog)]
                subjects = subjects_of(Scope.SERVICE.value, judged, catalog)
            elif alert.name in AT_WORK:
                subjects = everything  # told by the remediator, about others
            elif alert.scope is Scope.SERVICE:
                subjects = about
            else:
                subjects = subjects_of(alert.scope.value, services, catalog)
            found.append(_routed_alert(alert, subjects))
    return tuple(found)


def _routed_alert(alert: Alert, subjects: Subjects) -> RoutedAlert:
    return RoutedAlert(
        name=alert.name,
        severity=alert.severity.value,
        scope=alert.scope.value,
        role=alert.role.value,
        family=alert.family,
        remedy=alert.remedy.value,
        hold=alert.hold,
        keep=alert.keep,
        threshold=alert.threshold,
        subjects=subjects,
    )


def _is_about(down: Alert, service: Service, catalog: Catalog) -> bool:
    """Return whether *down*, one of the variants of ServiceDown, is the one that judges *service*."""
    facts = (service.down_hold, catalog.down_keep[service.name], down_severity(service, catalog))
    return counts(service) != NEVER and facts == (down.hold, down.keep, down.severity)


def routed_rule(
    rule: Mapping[str, Any], hold: timedelta, services: Sequence[Service], catalog: Catalog
) -> RoutedAlert:
    """Return a rule of a rule file (`alert:`, `labels:`; LogQL ones are such) as a routed alert."""
    labels = rule["labels"]
    return RoutedAlert(
        name=rule["alert"],
        severity=labels["severity"],
        scope=labels["scope"],
        role=labels["role"],
        family=labels["family"],
        remedy=labels["remedy"],
        hold=hold,
        keep=timedelta(0),
        threshold=None,
        subjects=subjects_of(labels["scope"], services, catalog),
    )


def subjects_of(scope: str, services: Iterable[Service], catalog: Catalog) -> Subjects:
    """Return the subjects of an alert of *scope*; only for scope service do *services* matter."""
    owner = catalog.platform.default_owner
    if scope == Scope.SERVICE.value:
        return Subjects(Subject(s.name, s.tier, s.kind, s.owner) for s in services)
    if scope == Scope.TIER.value:
        return Subjects(Subject(NONE, tier.name, NONE, owner) for tier in catalog.tiers)
    return Subjects((Subject(NONE, NONE, NONE, owner),))


def intended(catalog: Catalog, labels: Mapping[str, str]) -> tuple[str, ...]:
    """
    Return the receivers that must hear of an alert with *labels*, in order, never empty.

    The remediator hears of what a restart may cure, before anybody else; a critical alert pages
    its owner, a warning tells the owner, the rest is for looking up and goes to `nobody`.
    """
    if labels["alertname"] == WATCHDOG:
        return (HEARTBEAT if catalog.platform.notify.heartbeat_url else NOBODY,)
    receivers: list[str] = []
    if labels["remedy"] == Remedy.RESTART.value and catalog.of_kind(REMEDIATOR):
        receivers.append(REMEDIATOR)
    receivers.append(_people(catalog, labels))
    return tuple(receivers)


def _people(catalog: Catalog, labels: Mapping[str, str]) -> str:
    owner = addressee(catalog, labels["owner"])
    pager = bool(catalog.platform.notify.webhook_url)
    if not pager and not channels(catalog, owner):
        return NOBODY
    if labels["severity"] == Severity.CRITICAL.value:
        return f"page-{owner}"
    if labels["severity"] == Severity.WARNING.value:
        return f"tell-{owner}"
    return NOBODY


def addressee(catalog: Catalog, owner: str) -> str:
    """
    Return who answers for *owner*: itself if a message can reach it, else the default owner.

    When not even that one can be reached, the first owner by name who can.
    """
    platform = catalog.platform
    if channels(catalog, owner):
        return owner
    if platform.notify.webhook_url or channels(catalog, platform.default_owner):
        return platform.default_owner
    reachable = (name for name in sorted(platform.owners) if channels(catalog, name))
    return next(reachable, platform.default_owner)


def channels(catalog: Catalog, owner: str) -> tuple[tuple[str, str], ...]:
    """Return how *owner* can be reached: (`slack`, channel) and (`email`, address), maybe neither."""
    platform = catalog.platform
    known = platform.owners.get(owner)
    if known is None:
        return ()
    found: list[tuple[str, str]] = []
    if known.slack and platform.notify.slack_url_file:
        found.append(("slack", known.slack))
    if known.email and platform.notify.smtp_smarthost and platform.notify.smtp_from:
        found.append(("email", known.email))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: labels of a firing and the receivers that must get it, in order."""

    labels: dict[str, str]
    receivers: tuple[str, ...]


def rows(catalog: Catalog, alerts: Iterable[RoutedAlert]) -> Iterator[Row]:
    """Yield one row per alert and distinct (tier, owner); which service it is never matters."""
    for alert in alerts:
        for subject in alert.subjects.ways:
            labels = alert.labels(subject)
            yield Row(labels, intended(catalog, labels))
