"""
Proof that inhibition works (design 6, proof 5), read from the configuration that ships.

Syntax checkers call an inhibit rule fine that matches nothing; in the platform's former
configuration all of them were such. Here a rule needs a source and a target that real alerts
emit, `equal` labels that both sides carry and can share, and the two sides apart.
The rules themselves are made in `alerts.inhibition_rules`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alerts import inhibition_timing
from alerts.inhibition_rules import AT_WORK
from alerts.kit import Severity
from alerts.routing_model import Inhibition, Matcher, all_match
from alerts.routing_table import SERVICE_DOWN, RoutedAlert, Subject
from generator.errors import Finding, Place
from generator.model import Catalog
from generator.names import ALERTMANAGER_DIR, NONE

_FILE = Place(f"{ALERTMANAGER_DIR}/alertmanager.yml")
_SUBJECT = frozenset(("service", "tier", "kind", "owner"))

Side = tuple[Matcher, ...]
Emitted = tuple[RoutedAlert, Subject]


def check(
    config: Mapping[str, Any], catalog: Catalog, alerts: Sequence[RoutedAlert]
) -> list[Finding]:
    """
    Return what is wrong with the inhibit rules of *config* (content of alertmanager.yml).

    Every rule is alive and keeps its sides apart, none hides a page behind something quieter,
    every hard dependency is covered, and the timing of design 5.3 holds.
    """
    emitted = _Emitted(alerts)
    found: list[Finding] = []
    covered: dict[str, set[str]] = defaultdict(set)
    for index, entry in enumerate(config.get("inhibit_rules", ())):
        rule = Inhibition.read(entry)
        name = f"inhibit rule {index + 1}"
        found.extend(_finding(f"{name} {fact}", cure) for fact, cure in _faults(rule, emitted))
        if any(alert.name == SERVICE_DOWN for alert, _ in emitted.by(rule.target)):
            for root in _exact(rule.source, "service"):
                covered[root] |= _exact(rule.target, "service")
    found.extend(_uncovered(catalog, alerts, covered))
    return found + inhibition_timing.check(config, catalog, alerts)


class _Emitted:
    """All firings that can be, looked up by one side of a rule; linear for rules on services."""

    def __init__(self, alerts: Sequence[RoutedAlert]) -> None:
        self._alerts = alerts
        self._about: dict[str, list[Emitted]] = defaultdict(list)
        for alert in alerts:
            for subject in alert.subjects:
                self._about[subject.service].append((alert, subject))
        self._seen: dict[Side, tuple[Emitted, ...]] = {}

    def by(self, side: Side) -> tuple[Emitted, ...]:
        """Return the firings that match all of *side*."""
        if side not in self._seen:
            self._seen[side] = tuple(self._find(side))
        return self._seen[side]

    def _find(self, side: Side) -> Iterator[Emitted]:
        services = _exact(side, "service")
        if services:
            for service in sorted(services):
                for alert, subject in self._about[service]:
                    if all_match(side, alert.labels(subject)):
                        yield alert, subject
            return
        for alert in self._alerts:
            if any(
                all_match(_static(side), alert.labels(subject)) for subject in alert.subjects[:1]
            ):
                for subject in alert.subjects:
                    if all_match(side, alert.labels(subject)):
                        yield alert, subject


def _static(side: Side) -> Side:
    """Return the matchers that speak of the alert itself, the same for all its subjects."""
    return tuple(matcher for matcher in side if matcher.name not in _SUBJECT)


def _exact(side: Side, name: str) -> frozenset[str]:
    """Return the values that *side* allows label *name*, empty when it does not list them."""
    for matcher in side:
        if matcher.name == name and matcher.values and not matcher.op.startswith("!"):
            return matcher.values
    return frozenset()


def _faults(rule: Inhibition, emitted: _Emitted) -> Iterator[tuple[str, str]]:
    """Yield fact and cure of everything wrong with one rule."""
    sources, targets = emitted.by(rule.source), emitted.by(rule.target)
    for side, firings in (("source", sources), ("target", targets)):
        if not firings:
            yield (
                f"has no {side}: no alert emits such labels",
                "Remove it, or correct its matchers.",
            )
    if not sources or not targets:
        return
    yield from _equal_faults(rule, sources, targets)
    both = sorted({alert.name for alert, _ in set(sources) & set(targets)})
    if both:
        yield (
            f"has alert {both[0]!r} on both sides, which exempts it",
            "Add a matcher that keeps source and target apart.",
        )
    yield from _hidden_pages(rule, sources, targets)


def _hidden_pages(
    rule: Inhibition, sources: Sequence[Emitted], targets: Sequence[Emitted]
) -> Iterator[tuple[str, str]]:
    """Yield at most one page that something quieter may hide."""
    quiet = {
        _values(rule.equal, alert, subject): alert
        for alert, subject in sources
        # What is at work ends within minutes, and says so itself when it does not.
        if alert.severity != Severity.CRITICAL and alert.name not in AT_WORK
    }
    for alert, subject in targets:
        source = quiet.get(_values(rule.equal, alert, subject))
        if source and alert.severity == Severity.CRITICAL:
            yield (
                f"lets {source.name!r} ({source.severity}) hide the page {alert.name!r}",
                "Match on severity, so that a page gives way to a page only.",
            )
            return


def _equal_faults(
    rule: Inhibition, sources: Sequence[Emitted], targets: Sequence[Emitted]
) -> Iterator[tuple[str, str]]:
    for label in rule.equal:
        for side, firings in (("source", sources), ("target", targets)):
            if any(
                alert.labels(subject).get(label, "") in ("", NONE) for alert, subject in firings
            ):
                yield (
                    f"compares label {label!r}, which a {side} may lack or have as {NONE!r}",
                    f'Match {label}!~"|{NONE}" on both sides.',
                )
    shared = {_values(rule.equal, *firing) for firing in sources}
    if shared.isdisjoint(_values(rule.equal, *firing) for firing in targets):
        yield (
            f"can never apply: no source and target share {', '.join(rule.equal)}",
            "Remove it, or compare other labels.",
        )


def _values(names: Sequence[str], alert: RoutedAlert, subject: Subject) -> tuple[str, ...]:
    labels = alert.labels(subject)
    return tuple(labels.get(name, "") for name in names)


def _uncovered(
    catalog: Catalog, alerts: Sequence[RoutedAlert], covered: Mapping[str, set[str]]
) -> Iterator[Finding]:
    """Yield a finding per service whose fault would page for its dependants too."""
    down = {s.service for alert in alerts if alert.name == SERVICE_DOWN for s in alert.subjects}
    for root in catalog.services:
        if root.name not in down:
            continue
        missing = (down & set(catalog.hard_dependants[root.name])) - covered.get(root.name, set())
        if missing:
            yield _finding(
                f"no inhibit rule of {root.name!r} covers {', '.join(sorted(missing))}",
                "Add its hard dependants, the indirect ones too.",
            )


def _finding(fact: str, cure: str) -> Finding:
    return Finding(_FILE, fact, cure, "inhibition")
