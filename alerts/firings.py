"""
Every firing that can be, selected by matchers: what a rule of Alertmanager really meets.

Alerts of one pack share their subjects, so firings are kept as blocks, some alerts times some
subjects: a million firings of ten thousand services are a few dozen blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from alerts.routing_model import Matcher, all_match
from alerts.routing_table import RoutedAlert, Subject, Subjects

Side = tuple[Matcher, ...]

SUBJECT_LABELS = frozenset(("service", "tier", "kind", "owner"))
_NOBODY = Subject("", "", "", "")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """All firings of *alerts* about *subjects*; neither is empty."""

    alerts: tuple[RoutedAlert, ...]
    subjects: tuple[Subject, ...]

    def values(self, alert: RoutedAlert, names: Iterable[str]) -> tuple[str, ...]:
        """Return what *alert* always has of the labels *names*, empty for those it never has."""
        labels = _static(alert)
        return tuple(labels.get(name, "") for name in names if name not in SUBJECT_LABELS)

    def subject_values(self, names: Iterable[str]) -> frozenset[tuple[str, ...]]:
        """Return the combinations of the subject labels among *names* that occur."""
        wanted = [name for name in names if name in SUBJECT_LABELS]
        return frozenset(tuple(getattr(s, name) for name in wanted) for s in self.subjects)

    def where(self, alerts: Iterable[RoutedAlert]) -> Iterator[Block]:
        """Yield this block with only those of its alerts that are among *alerts*, unless none is."""
        kept = {id(alert) for alert in alerts}
        left = tuple(alert for alert in self.alerts if id(alert) in kept)
        if left:
            yield Block(left, self.subjects)


class Firings:
    """All firings of some alerts."""

    def __init__(self, alerts: Sequence[RoutedAlert]) -> None:
        groups: dict[int, tuple[Subjects, list[RoutedAlert]]] = {}
        for alert in alerts:
            if alert.subjects:
                groups.setdefault(id(alert.subjects), (alert.subjects, []))[1].append(alert)
        self._groups = tuple(groups.values())
        self._chosen: dict[Side, tuple[tuple[Subjects, tuple[RoutedAlert, ...]], ...]] = {}
        self._seen: dict[Side, tuple[Block, ...]] = {}

    def by(self, side: Side) -> tuple[Block, ...]:
        """Return the firings that match all of *side*, disjoint, in the alerts' order."""
        if side not in self._seen:
            self._seen[side] = tuple(self._find(side))
        return self._seen[side]

    def _find(self, side: Side) -> Iterator[Block]:
        moving = tuple(matcher for matcher in side if matcher.name in SUBJECT_LABELS)
        for subjects, alerts in self._static_matches(side):
            matched = tuple(s for s in _candidates(subjects, moving) if _fits(moving, s))
            if matched:
                yield Block(alerts, matched)

    def _static_matches(self, side: Side) -> tuple[tuple[Subjects, tuple[RoutedAlert, ...]], ...]:
        """Return the alerts that match what *side* says of them, whatever the subject."""
        static = tuple(matcher for matcher in side if matcher.name not in SUBJECT_LABELS)
        if static not in self._chosen:
            chosen = (
                (subjects, tuple(a for a in alerts if all_match(static, _static(a))))
                for subjects, alerts in self._groups
            )
            self._chosen[static] = tuple(entry for entry in chosen if entry[1])
        return self._chosen[static]


def exact(side: Side, name: str) -> frozenset[str]:
    """Return the values that *side* allows label *name*, empty when it does not list them."""
    for matcher in side:
        if matcher.name == name and matcher.values and not matcher.op.startswith("!"):
            return matcher.values
    return frozenset()


def _static(alert: RoutedAlert) -> Mapping[str, str]:
    return alert.labels(_NOBODY)


def _candidates(subjects: Subjects, moving: Side) -> Iterable[Subject]:
    services = exact(moving, "service")
    if not services:
        return subjects
    return [s for service in sorted(services) for s in subjects.by_service.get(service, ())]


def _fits(moving: Side, subject: Subject) -> bool:
    return all(
        matcher.matches({matcher.name: getattr(subject, matcher.name)}) for matcher in moving
    )
