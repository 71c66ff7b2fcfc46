"""
The routing tree, built from the alerts that there are, so that no route or receiver is idle.

    Watchdog          -> heartbeat outside the host, alone
    remedy="restart"  -> remediator, then on to people; nothing mutes this route
    info, none        -> nobody: looked up, never sent
    critical          -> page-<owner>, at any hour
    warning           -> tell-<owner>, outside the tier's quiet hours
    anything else     -> the pager: an alert that nobody foresaw still reaches somebody

What the tree must do is said a second time, independently, in `alerts.routing_table`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from alerts.inhibition_rules import matcher
from alerts.inhibition_timing import Roots, group_wait
from alerts.kit import Remedy, Role, Severity
from alerts.quiet_hours import interval_name
from alerts.routing_table import (
    HEARTBEAT,
    NOBODY,
    REMEDIATOR,
    RoutedAlert,
    addressee,
    channels,
)
from generator.model import Catalog
from generator.names import WATCHDOG

Node = dict[str, Any]

# A heartbeat about every minute: a group repeats at the first tick after repeat_interval, so ticks
# of 30 s give one after 60 to 90 s, where two equal intervals give one every other minute.
_HEARTBEAT: Node = {
    "receiver": HEARTBEAT,
    "group_by": ["alertname"],
    "group_wait": "0s",
    "group_interval": "30s",
    "repeat_interval": "1m",
}

# The remediator wants to know early and to be reminded (reference remediation, section 7).
_REMEDIATION: Node = {
    "receiver": REMEDIATOR,
    "group_by": ["tier"],
    "group_wait": "10s",
    "group_interval": "1m",
    "repeat_interval": "5m",
    "continue": True,
}

# Pages gather by tier, so that a storm is a few messages; warnings by service, because a group
# that already talks takes new alerts without waiting for their root (docs/decisions/0002).
_PAGE: Node = {"receiver": "page", "group_by": ["scope", "tier"], "repeat_interval": "4h"}
_TELL: Node = {
    "receiver": "tell",
    "group_by": ["scope", "tier", "service"],
    "repeat_interval": "12h",
}


def tree(catalog: Catalog, alerts: Sequence[RoutedAlert]) -> Node:
    """Return the root of the routing tree; every receiver in it is reached by one of *alerts*."""
    roots = Roots(catalog, alerts)
    people = [*_critical(catalog, alerts, roots), *_warning(catalog, alerts, roots)]
    return {
        "receiver": _loudest(catalog, people),
        "group_by": _PAGE["group_by"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": _PAGE["repeat_interval"],
        "routes": [*_machinery(catalog, alerts), *people],
    }


def receivers_in(node: Node) -> Iterator[str]:
    """Yield the receivers that *node* and the routes below it name, with repetitions."""
    yield node["receiver"]
    for child in node.get("routes", ()):
        yield from receivers_in(child)


def _loudest(catalog: Catalog, people: Sequence[Node]) -> str:
    """Return the receiver for alerts nobody foresaw: the default owner's pager if it is in use."""
    used = [name for node in people for name in receivers_in(node)]
    page = f"page-{addressee(catalog, catalog.platform.default_owner)}"
    return page if page in used else next(iter(used), NOBODY)


def _can_tell(catalog: Catalog) -> bool:
    """Return whether the catalog names any way at all to reach a person."""
    default = addressee(catalog, catalog.platform.default_owner)
    return bool(channels(catalog, default) or catalog.platform.notify.webhook_url)


def _machinery(catalog: Catalog, alerts: Sequence[RoutedAlert]) -> Iterator[Node]:
    restart = Remedy.RESTART.value
    quiet: tuple[str, ...] = (Severity.INFO.value, Severity.NONE.value)
    if not _can_tell(catalog):
        quiet = tuple(severity.value for severity in Severity)
    if any(alert.name == WATCHDOG for alert in alerts):
        beats = bool(catalog.platform.notify.heartbeat_url)
        to = _HEARTBEAT if beats else {"receiver": NOBODY}
        yield {"matchers": [matcher("alertname", (WATCHDOG,))], **to}
    if catalog.of_kind(REMEDIATOR) and any(alert.remedy == restart for alert in alerts):
        yield {"matchers": [matcher("remedy", (restart,))], **_REMEDIATION}
    if any(alert.severity in quiet and alert.name != WATCHDOG for alert in alerts):
        yield {"matchers": [matcher("severity", quiet)], "receiver": NOBODY}


def _critical(catalog: Catalog, alerts: Sequence[RoutedAlert], roots: Roots) -> Iterator[Node]:
    """Yield the pages: causes after a short wait, symptoms once their cause had time to show."""
    severity = Severity.CRITICAL.value
    for role in (Role.ROOT.value, Role.SYMPTOM.value):
        chosen = [alert for alert in alerts if (alert.severity, alert.role) == (severity, role)]
        matchers = [matcher("severity", (severity,)), matcher("role", (role,))]
        yield from _people(catalog, chosen, roots, {"matchers": matchers, **_PAGE})


def _warning(catalog: Catalog, alerts: Sequence[RoutedAlert], roots: Roots) -> Iterator[Node]:
    """Yield the warnings: first those of tiers with quiet hours, one route per set of hours."""
    severity = matcher("severity", (Severity.WARNING.value,))
    chosen = [alert for alert in alerts if alert.severity == Severity.WARNING.value]
    quiet: dict[str, list[str]] = {}
    for tier in catalog.tiers:
        if tier.quiet_hours:
            quiet.setdefault(interval_name(tier.quiet_hours), []).append(tier.name)
    for interval, tiers in quiet.items():
        node = {"matchers": [severity, matcher("tier", tiers)], **_TELL}
        node["mute_time_intervals"] = [interval]
        yield from _people(catalog, chosen, roots, node, tiers)
    muted = {tier for tiers in quiet.values() for tier in tiers}
    others = {s.tier for alert in chosen for s in alert.subjects.ways} - muted
    yield from _people(catalog, chosen, roots, {"matchers": [severity], **_TELL}, others)


def _people(
    catalog: Catalog,
    chosen: Sequence[RoutedAlert],
    roots: Roots,
    node: Node,
    tiers: Collection[str] | None = None,
) -> Iterator[Node]:
    """
    Yield *node* completed with receivers, one child per owner who is told elsewhere than the rest.

    Its receiver says how (`page` or `tell`) and becomes how and whom. Nothing when none of the
    *chosen* alerts occurs in *tiers* (None: anywhere), or when nobody can be reached at all.
    """
    owners: dict[str, set[str]] = {}
    for alert in chosen:
        for subject in alert.subjects.ways:
            if tiers is None or subject.tier in tiers:
                owners.setdefault(addressee(catalog, subject.owner), set()).add(subject.owner)
    default = addressee(catalog, catalog.platform.default_owner)
    if not owners or not _can_tell(catalog):
        return
    main = default if default in owners else min(owners)
    manner = node["receiver"]
    mute = {key: node[key] for key in ("mute_time_intervals",) if key in node}
    children = [
        {"matchers": [matcher("owner", sorted(told))], "receiver": f"{manner}-{owner}", **mute}
        for owner, told in sorted(owners.items())
        if owner != main
    ]
    wait = int(group_wait(roots, chosen).total_seconds())
    whole = {**node, "receiver": f"{manner}-{main}", "group_wait": f"{wait}s"}
    yield {**whole, "routes": children} if children else whole
