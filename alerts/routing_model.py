"""
Alertmanager's routing and inhibition as a small executable model.

It reads the configuration as Alertmanager does (the content of `alertmanager.yml`, not our own
objects), so that a proof which asks it looks at what is shipped. amtool judges its routing in
the tests; nothing upstream can judge inhibition (alertmanager pull request 4822), so that part
follows `inhibit/inhibit.go` line by line: a missing label equals the empty one, and an alert
that matches both sides of a rule is exempt from sources that do so too.

Not modelled: silences, clustering, notification retries, grouping over time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from alerts.quiet_hours import WEEK

Labels = Mapping[str, str]

_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*')
_LITERAL = re.compile(r"(?:[a-zA-Z0-9_-]|\[\.\])*")


@dataclass(frozen=True, slots=True)
class Matcher:
    """
    One label matcher, `name op "value"`.

    *values* holds the alternatives when the pattern is a plain list of names (`a|b[.]c`): a set
    look-up instead of a regular expression, which keeps big catalogs linear.
    """

    name: str
    op: str
    value: str
    values: frozenset[str] | None = field(default=None, compare=False)
    pattern: re.Pattern[str] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> Matcher:
        """Return the matcher that *text* spells. Raises ValueError if Alertmanager might read it otherwise."""
        match = _MATCHER.fullmatch(text)
        if not match:
            raise ValueError(f"not a matcher with a quoted value: {text!r}")
        name, op, value = match.group(1), match.group(2), re.sub(r"\\(.)", r"\1", match.group(3))
        if op in ("=", "!="):
            return cls(name, op, value, frozenset((value,)))
        parts = value.split("|")
        if all(_LITERAL.fullmatch(part) for part in parts):
            return cls(name, op, value, frozenset(part.replace("[.]", ".") for part in parts))
        return cls(name, op, value, None, re.compile(value))

    def matches(self, labels: Labels) -> bool:
        """Return whether *labels* satisfy this matcher; a missing label counts as empty."""
        found = labels.get(self.name, "")
        if self.values is not None:
            hit = found in self.values
        else:
            hit = self.pattern is not None and self.pattern.fullmatch(found) is not None
        return hit is not self.op.startswith("!")


def parse_all(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Return the matchers of a list as it stands in the configuration, in order."""
    return tuple(Matcher.parse(text) for text in texts)


def all_match(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Return whether *labels* satisfy every one of *matchers*; True for none."""
    return all(matcher.matches(labels) for matcher in matchers)


@dataclass(frozen=True, slots=True)
class Route:
    """One node of the routing tree with what it inherits already filled in."""

    receiver: str
    matchers: tuple[Matcher, ...]
    group_by: tuple[str, ...]
    group_wait: str
    mute: tuple[str, ...]
    continues: bool
    routes: tuple[Route, ...]

    @classmethod
    def read(cls, node: Mapping[str, Any], parent: Route | None = None) -> Route:
        """Return the tree under *node*. Muting is not inherited, all else is (dispatch/route.go)."""
        route = cls(
            receiver=node.get("receiver", parent.receiver if parent else ""),
            matchers=parse_all(node.get("matchers", ())),
            group_by=tuple(node.get("group_by", parent.group_by if parent else ())),
            group_wait=node.get("group_wait", parent.group_wait if parent else "30s"),
            mute=tuple(node.get("mute_time_intervals", ())),
            continues=bool(node.get("continue", False)),
            routes=(),
        )
        children = tuple(cls.read(child, route) for child in node.get("routes", ()))
        return cls(
            route.receiver, route.matchers, route.group_by, route.group_wait, route.mute,
            route.continues, children,
        )  # fmt: skip

    def leaves(self, labels: Labels) -> tuple[Route, ...]:
        """Return the nodes that notify about *labels*, in order; empty if this one does not match."""
        if not all_match(self.matchers, labels):
            return ()
        found: list[Route] = []
        for child in self.routes:
            matched = child.leaves(labels)
            found.extend(matched)
            if matched and not child.continues:
                break
        return tuple(found) or (self,)

    def walk(self) -> Iterator[Route]:
        """Yield this node and all below it, parents first."""
        yield self
        for child in self.routes:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Inhibition:
    """One inhibit rule."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]

    @classmethod
    def read(cls, rule: Mapping[str, Any]) -> Inhibition:
        """Return the rule as it stands in the configuration."""
        return cls(
            parse_all(rule.get("source_matchers", ())),
            parse_all(rule.get("target_matchers", ())),
            tuple(rule.get("equal", ())),
        )

    def mutes(self, labels: Labels, active: Iterable[Labels]) -> bool:
        """Return whether one of the *active* alerts keeps the alert with *labels* from people."""
        if not all_match(self.target, labels):
            return False
        both = all_match(self.source, labels)
        return any(
            all_match(self.source, source)
            and all(source.get(name, "") == labels.get(name, "") for name in self.equal)
            and not (both and all_match(self.target, source))
            for source in active
        )


@dataclass(frozen=True, slots=True)
class Notification:
    """One message: a group of alerts to one receiver. *group* are the values of group_by."""

    receiver: str
    group: tuple[tuple[str, str], ...]


def notifications(
    config: Mapping[str, Any], active: Sequence[Labels], *, inhibit: bool = True
) -> dict[Notification, tuple[Labels, ...]]:
    """
    Return what leaves Alertmanager when all *active* alerts fire together.

    Args:
        config: Content of alertmanager.yml.
        active: Label sets of the firing alerts, `alertname` among them.
        inhibit: False leaves the inhibit rules out, for comparison.
    """
    root = Route.read(config["route"])
    rules = tuple(Inhibition.read(rule) for rule in config.get("inhibit_rules", ()))
    sent: dict[Notification, tuple[Labels, ...]] = {}
    for labels in active:
        if inhibit and any(rule.mutes(labels, active) for rule in rules):
            continue
        for leaf in root.leaves(labels):
            group = tuple((name, labels.get(name, "")) for name in leaf.group_by)
            key = Notification(leaf.receiver, group)
            sent[key] = (*sent.get(key, ()), labels)
    return sent


def is_muted(config: Mapping[str, Any], route: Route, when: datetime) -> bool:
    """Return whether the time intervals of *route* keep it silent at *when* (an aware datetime)."""
    intervals = {
        entry["name"]: entry["time_intervals"] for entry in config.get("time_intervals", ())
    }
    return any(_covers(part, when) for name in route.mute for part in intervals[name])


def _covers(part: Mapping[str, Any], when: datetime) -> bool:
    local = when.astimezone(ZoneInfo(part.get("location", "UTC")))
    if "weekdays" in part and WEEK[local.isoweekday() % 7] not in part["weekdays"]:
        return False
    clock = f"{local.hour:02d}:{local.minute:02d}"
    # The end is exclusive in Alertmanager (`now >= end` is outside).
    return any(span["start_time"] <= clock < span["end_time"] for span in part["times"])
