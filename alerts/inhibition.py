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
from alerts.firings import SUBJECT_LABELS, Block, Firings, exact
from alerts.kit import Severity
from alerts.routing_model import Inhibition
from alerts.routing_table import AT_WORK, SERVICE_DOWN, RoutedAlert
from generator.errors import Finding, Place
from generator.model import Catalog
from generator.names import ALERTMANAGER_DIR, NONE

_FILE = Place(f"{ALERTMANAGER_DIR}/alertmanager.yml")

# What is wrong, and what to do about it.
Fault = tuple[str, str]


def check(
    config: Mapping[str, Any], catalog: Catalog, alerts: Sequence[RoutedAlert]
) -> list[Finding]:
    """
    Return what is wrong with the inhibit rules of *config* (content of alertmanager.yml).

    Every rule is alive and keeps its sides apart, none hides a page behind something quieter,
    every hard dependency is covered, and the timing of design 5.3 holds.
    """
    all_firings = Firings(alerts)
    found: list[Finding] = []
    covered: dict[str, set[str]] = defaultdict(set)
    for index, entry in enumerate(config.get("inhibit_rules", ())):
        rule = Inhibition.read(entry)
        sources, targets = all_firings.by(rule.source), all_firings.by(rule.target)
        for fact, cure in _faults(rule, sources, targets):
            found.append(_finding(f"inhibit rule {index + 1} {fact}", cure))
        if any(alert.name == SERVICE_DOWN for block in targets for alert in block.alerts):
            for root in exact(rule.source, "service"):
                covered[root] |= exact(rule.target, "service")
    found.extend(_uncovered(catalog, alerts, covered))
    return found + inhibition_timing.check(config, catalog, alerts)


def _faults(
    rule: Inhibition, sources: Sequence[Block], targets: Sequence[Block]
) -> Iterator[Fault]:
    """Yield everything wrong with one rule."""
    for side, blocks in (("source", sources), ("target", targets)):
        if not blocks:
            yield f"has no {side}: no alert emits such labels", "Remove it, or mend its matchers."
    if sources and targets:
        yield from _equal_faults(rule, sources, targets)
        yield from _two_sided(sources, targets)
        yield from _hidden_pages(rule, sources, targets)


def _equal_faults(
    rule: Inhibition, sources: Sequence[Block], targets: Sequence[Block]
) -> Iterator[Fault]:
    for label in rule.equal:
        for side, blocks in (("source", sources), ("target", targets)):
            if any(_may_lack(block, label) for block in blocks):
                fact = f"compares label {label!r}, which a {side} may lack or have as {NONE!r}"
                yield fact, f'Match {label}!~"|{NONE}" on both sides.'
    if next(_pairs(rule, sources, targets), None) is None:
        fact = f"can never apply: no source and target share {', '.join(rule.equal)}"
        yield fact, "Remove it, or compare other labels."


def _may_lack(block: Block, label: str) -> bool:
    if label in SUBJECT_LABELS:
        return any(getattr(subject, label) in ("", NONE) for subject in block.subjects)
    return any(block.values(alert, (label,))[0] in ("", NONE) for alert in block.alerts)


def _pairs(
    rule: Inhibition, sources: Sequence[Block], targets: Sequence[Block]
) -> Iterator[tuple[RoutedAlert, RoutedAlert]]:
    """Yield pairs of alerts of which the first can mute the second, as far as `equal` goes."""
    for source in sources:
        ours = source.subject_values(rule.equal)
        for target in targets:
            if ours.isdisjoint(target.subject_values(rule.equal)):
                continue
            by_values: dict[tuple[str, ...], RoutedAlert] = {}
            for alert in source.alerts:
                by_values.setdefault(source.values(alert, rule.equal), alert)
            for alert in target.alerts:
                muting = by_values.get(target.values(alert, rule.equal))
                if muting is not None:
                    yield muting, alert


def _two_sided(sources: Sequence[Block], targets: Sequence[Block]) -> Iterator[Fault]:
    both = {
        alert.name
        for source in sources
        for target in targets
        for common in target.where(source.alerts)
        if not set(source.subjects).isdisjoint(common.subjects)
        for alert in common.alerts
    }
    if both:
        fact = f"has alert {min(both)!r} on both sides, which exempts it"
        yield fact, "Add a matcher that keeps source and target apart."


def _hidden_pages(
    rule: Inhibition, sources: Sequence[Block], targets: Sequence[Block]
) -> Iterator[Fault]:
    """Yield at most one page that something quieter may hide."""
    quiet = [
        left
        for block in sources
        # What is at work ends within minutes, and says so itself when it does not.
        for left in block.where(
            alert
            for alert in block.alerts
            if alert.severity != Severity.CRITICAL and alert.name not in AT_WORK
        )
    ]
    pages = [
        left
        for block in targets
        for left in block.where(a for a in block.alerts if a.severity == Severity.CRITICAL)
    ]
    for source, page in _pairs(rule, quiet, pages):
        fact = f"lets {source.name!r} ({source.severity}) hide the page {page.name!r}"
        yield fact, "Match on severity, so that a page gives way to a page only."
        return


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
