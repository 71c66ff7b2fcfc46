"""
Who must hear of what: the intent that the routing tree is held against.

`intended` says it straight from the catalog, in words of its own and without looking at the
tree that `alerts.routing` builds; `check` (proof 4) compares the two through
`alerts.routing_model`, and amtool compares the table with the rendered file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from alerts.kit import Alert, Pack, Remedy, Scope, Severity
from alerts.routing_model import Route
from alerts.verdict import NEVER, counts, down_severity
from generator.errors import Finding, Place
from generator.model import Catalog, Service
from generator.names import ALERTMANAGER_DIR, NONE, WATCHDOG

SERVICE_DOWN = "ServiceDown"

# Alerts that say somebody or something is already at work on a service, whichever it is.
AT_WORK = ("RemediationInProgress", "ServiceInMaintenance")

HEARTBEAT = "heartbeat"
REMEDIATOR = "remediator"
NOBODY = "nobody"

_FILE = Place(f"{ALERTMANAGER_DIR}/alertmanager.yml")


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What one firing of an alert speaks of; `none` where it speaks of nothing of that sort."""

    service: str
    tier: str
    kind: str
    owner: str


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
    subjects: tuple[Subject, ...]

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
    return tuple(
        routed_alert(alert, services, catalog) for pack, services in packs for alert in pack.alerts
    )


def routed_alert(alert: Alert, services: Sequence[Service], catalog: Catalog) -> RoutedAlert:
    """Return *alert* with the subjects its scope gives it: *services*, all tiers, or none."""
    if alert.name == SERVICE_DOWN:
        services = [service for service in services if _is_about(alert, service, catalog)]
    elif alert.name in AT_WORK:
        # Told by the remediator, about others.
        services = catalog.services
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
        subjects=subjects_of(alert.scope.value, services, catalog),
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


def subjects_of(scope: str, services: Sequence[Service], catalog: Catalog) -> tuple[Subject, ...]:
    """Return the subjects of an alert of *scope*; only for scope service do *services* matter."""
    owner = catalog.platform.default_owner
    if scope == Scope.SERVICE.value:
        return tuple(Subject(s.name, s.tier, s.kind, s.owner) for s in services)
    if scope == Scope.TIER.value:
        return tuple(Subject(NONE, tier.name, NONE, owner) for tier in catalog.tiers)
    return (Subject(NONE, NONE, NONE, owner),)


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
        seen: set[tuple[str, str]] = set()
        for subject in alert.subjects:
            if (subject.tier, subject.owner) not in seen:
                seen.add((subject.tier, subject.owner))
                labels = alert.labels(subject)
                yield Row(labels, intended(catalog, labels))


def check(
    config: Mapping[str, Any], catalog: Catalog, alerts: Sequence[RoutedAlert]
) -> list[Finding]:
    """
    Return where *config* (content of alertmanager.yml) and the intent differ: proof 4.

    Every alert reaches exactly the receivers the catalog says, every receiver is reached by
    some alert and leads where the catalog says.
    """
    root = Route.read(config["route"])
    found: list[Finding] = []
    reached: set[str] = set()
    for row in rows(catalog, alerts):
        got = tuple(leaf.receiver for leaf in root.leaves(row.labels))
        reached.update(got)
        if got != row.receivers:
            found.append(_misrouted(row, got))
    for receiver in config["receivers"]:
        if receiver["name"] not in reached:
            found.append(_finding(
                f"receiver {receiver['name']!r} is reached by no alert",
                "Remove it, or route an alert to it.",
            ))  # fmt: skip
        found.extend(_misdirected(receiver, catalog))
    return found


def _misrouted(row: Row, got: tuple[str, ...]) -> Finding:
    labels = row.labels
    return _finding(
        f"alert {labels['alertname']!r} of tier {labels['tier']!r}, owner {labels['owner']!r}"
        f" reaches {', '.join(got) or 'nothing'} instead of {', '.join(row.receivers)}",
        "Change the route that takes it first.",
    )


def _misdirected(receiver: Mapping[str, Any], catalog: Catalog) -> Iterator[Finding]:
    expected = destinations(catalog, receiver["name"])
    got = _destinations_in(receiver)
    if expected != got:
        yield _finding(
            f"receiver {receiver['name']!r} sends to {sorted(got)} instead of {sorted(expected)}",
            "Compare it with `owners` and `notify` in the catalog.",
        )


def destinations(catalog: Catalog, receiver: str) -> frozenset[tuple[str, str]]:
    """Return where the *receiver* of that name must send, as (way, address) pairs."""
    notify = catalog.platform.notify
    if receiver == HEARTBEAT:
        return frozenset((("webhook", notify.heartbeat_url),))
    if receiver == REMEDIATOR:
        services = catalog.of_kind(REMEDIATOR)
        return frozenset(("webhook", f"http://{s.name}:{s.port}/v1/alerts") for s in services)
    if receiver == NOBODY:
        return frozenset()
    manner, _, owner = receiver.partition("-")
    reached = frozenset(channels(catalog, owner))
    if notify.webhook_url and (manner == "page" or not reached):
        reached |= {("webhook", notify.webhook_url)}
    return reached


def _destinations_in(receiver: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    keys = {"webhook": "url", "slack": "channel", "email": "to"}
    return frozenset(
        (way, entry[key])
        for way, key in keys.items()
        for entry in receiver.get(f"{way}_configs", ())
    )


def _finding(fact: str, cure: str) -> Finding:
    return Finding(_FILE, fact, cure, "routing")
