"""Every firing that can be, looked up by matchers: what a rule of Alertmanager really selects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alerts.routing_model import Matcher, all_match
from alerts.routing_table import RoutedAlert

Side = tuple[Matcher, ...]

_SUBJECT = frozenset(("service", "tier", "kind", "owner"))


@dataclass(frozen=True, slots=True, eq=False)
class Firing:
    """One alert about one subject, with its labels; each is made once and equals only itself."""

    alert: RoutedAlert
    service: str
    labels: Mapping[str, str]


class Firings:
    """All firings of some alerts; a look-up by services costs no more than there are about them."""

    def __init__(self, alerts: Sequence[RoutedAlert]) -> None:
        self._of = tuple(
            tuple(
                Firing(alert, subject.service, alert.labels(subject)) for subject in alert.subjects
            )
            for alert in alerts
        )
        self._about: dict[str, list[Firing]] = defaultdict(list)
        for firings in self._of:
            for firing in firings:
                self._about[firing.service].append(firing)
        self._seen: dict[Side, tuple[Firing, ...]] = {}

    def by(self, side: Side) -> tuple[Firing, ...]:
        """Return the firings that match all of *side*, in the alerts' order within a service."""
        if side not in self._seen:
            self._seen[side] = tuple(
                firing for firing in self._candidates(side) if all_match(side, firing.labels)
            )
        return self._seen[side]

    def _candidates(self, side: Side) -> Iterator[Firing]:
        services = exact(side, "service")
        if services:
            for service in sorted(services):
                yield from self._about[service]
            return
        # What speaks of the alert itself is the same for all its subjects.
        static = tuple(matcher for matcher in side if matcher.name not in _SUBJECT)
        for firings in self._of:
            if firings and all_match(static, firings[0].labels):
                yield from firings


def exact(side: Side, name: str) -> frozenset[str]:
    """Return the values that *side* allows label *name*, empty when it does not list them."""
    for matcher in side:
        if matcher.name == name and matcher.values and not matcher.op.startswith("!"):
            return matcher.values
    return frozenset()
