"""
Which alert keeps which other from people: the inhibit rules, built only where both sides exist.

One root fault shall be one page. The catalog knows who hangs on whom, so every service with hard
dependants gets two rules over them, all of them and not only the next ones: over their symptoms,
and over their own ServiceDown. Why two, why ServiceDown also covers the tier's alerts, and why
nothing is equal on `service="none"`: docs/decisions/0002-inhibition.md.

Inhibited alerts still stand in Alertmanager's API, where the remediator reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alerts.kit import Role, Scope, Severity
from alerts.routing_table import AT_WORK, SERVICE_DOWN, RoutedAlert
from alerts.tier_shares import TIER_HEALTH, TierShares
from generator.model import Catalog
from generator.names import NONE

# Matches subjects that exist: neither `none` nor, for alerts of others, a missing label.
_SOME_SERVICE = f'service!~"|{NONE}"'


@dataclass(frozen=True, slots=True)
class InhibitRule:
    """One rule; *name* goes into the file for Alertmanagers that know the key (0.30 and newer)."""

    name: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    equal: tuple[str, ...] = ()


def rules(catalog: Catalog, alerts: Sequence[RoutedAlert]) -> tuple[InhibitRule, ...]:
    """Return the inhibit rules that *alerts* give a source and a target to; empty without any."""
    return (*_root_rules(catalog, alerts), *_pair_rules(alerts))


def matcher(name: str, values: Sequence[str]) -> str:
    """Return a matcher for one or several exact *values*, as both matcher parsers read it."""
    if len(values) == 1:
        text = values[0].replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}="{text}"'
    # Names hold no other character that a regular expression knows; `[.]` needs no escaping.
    return f'{name}=~"{"|".join(value.replace(".", "[.]") for value in values)}"'


def _root_rules(catalog: Catalog, alerts: Sequence[RoutedAlert]) -> Iterator[InhibitRule]:
    down = {s.service for a in alerts if a.name == SERVICE_DOWN for s in a.subjects}
    symptomatic = {
        subject.service for alert in alerts if _is_symptom(alert) for subject in alert.subjects
    }
    shares = TierShares(catalog)
    for root in catalog.services:
        if root.name not in down:
            continue
        source = (matcher("alertname", (SERVICE_DOWN,)), matcher("service", (root.name,)))
        dependants = catalog.hard_dependants[root.name]
        hit = tuple(name for name in dependants if name in symptomatic)
        if hit:
            target = (matcher("role", (Role.SYMPTOM.value,)), matcher("service", hit))
            yield InhibitRule(f"{root.name} down: symptoms of its dependants", source, target)
        hit = tuple(name for name in dependants if name in down)
        if hit:
            target = (matcher("alertname", (SERVICE_DOWN,)), matcher("service", hit))
            yield InhibitRule(f"{root.name} down: its dependants down", source, target)
        for alert in alerts:
            if alert.name in TIER_HEALTH and dependants:
                tiers = shares.explained(alert, (root.name, *dependants))
                if tiers:
                    target = (matcher("alertname", (alert.name,)), matcher("tier", tiers))
                    yield InhibitRule(f"{root.name} down: {alert.name}", source, target)


def _pair_rules(alerts: Sequence[RoutedAlert]) -> Iterator[InhibitRule]:
    names = {alert.name for alert in alerts}
    symptoms = any(map(_is_symptom, alerts))
    yield from _down_over_symptoms(alerts)
    if _paired(alerts, Scope.SERVICE):
        yield InhibitRule(
            "critical over warning",
            (_CRITICAL, _SOME_SERVICE, _SOME_FAMILY),
            (_WARNING, _SOME_SERVICE, _SOME_FAMILY),
            ("family", "service"),
        )
    if _paired(alerts, Scope.TIER):
        tier = matcher("scope", (Scope.TIER.value,))
        yield InhibitRule(
            "critical over warning of a tier",
            (_CRITICAL, tier, _SOME_FAMILY),
            (_WARNING, tier, _SOME_FAMILY),
            ("family", "tier"),
        )
    at_work = tuple(name for name in AT_WORK if name in names)
    if at_work and symptoms:
        source = (matcher("alertname", at_work), _SOME_SERVICE)
        # Its own name is left out, so that the two sides stay apart whatever role it has.
        target = (*_SYMPTOM, f'alertname!~"{"|".join(at_work)}"')
        yield InhibitRule("at work: symptoms", source, target, ("service",))


def _down_over_symptoms(alerts: Sequence[RoutedAlert]) -> Iterator[InhibitRule]:
    """Yield up to two rules, because a page may only give way to a page."""
    downs = [alert for alert in alerts if alert.name == SERVICE_DOWN]
    pages = [alert for alert in downs if alert.severity == Severity.CRITICAL]
    symptoms = [alert for alert in alerts if _is_symptom(alert)]
    quiet = [alert for alert in symptoms if alert.severity != Severity.CRITICAL]
    down = matcher("alertname", (SERVICE_DOWN,))
    quieter = matcher("severity", (Severity.WARNING.value, Severity.INFO.value))
    if _meet(pages, symptoms):
        yield InhibitRule("service down: its symptoms", (down, _CRITICAL), _SYMPTOM, ("service",))
    if _meet(downs, quiet):
        yield InhibitRule(
            "service down, no page: its quieter symptoms",
            (down,),
            (*_SYMPTOM, quieter),
            ("service",),
        )


def _meet(sources: Sequence[RoutedAlert], targets: Sequence[RoutedAlert]) -> bool:
    """Return whether some service is a subject on both sides."""
    services = {subject.service for alert in sources for subject in alert.subjects}
    return any(subject.service in services for alert in targets for subject in alert.subjects)


def _is_symptom(alert: RoutedAlert) -> bool:
    return alert.role == Role.SYMPTOM.value and alert.scope == Scope.SERVICE.value


def _paired(alerts: Sequence[RoutedAlert], scope: Scope) -> bool:
    """Return whether a family of *scope* warns and pages about one and the same subject."""
    pages = [a for a in alerts if (a.scope, a.severity) == (scope, Severity.CRITICAL)]
    warnings = [a for a in alerts if (a.scope, a.severity) == (scope, Severity.WARNING)]
    return any(
        page.family == warning.family and not set(page.subjects).isdisjoint(warning.subjects)
        for page in pages
        for warning in warnings
    )


_CRITICAL = matcher("severity", (Severity.CRITICAL.value,))
_WARNING = matcher("severity", (Severity.WARNING.value,))
_SOME_FAMILY = 'family!=""'
_SYMPTOM = (matcher("role", (Role.SYMPTOM.value,)), matcher("scope", (Scope.SERVICE.value,)))
