"""
Intent against tree (proof 4): through the executable model here, and as cases for amtool.

The intent is `alerts.routing_table`'s; the tree is read from the configuration that ships.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alerts import routing
from alerts.routing_model import Matcher, Route
from alerts.routing_table import (
    HEARTBEAT,
    NOBODY,
    REMEDIATOR,
    RoutedAlert,
    Row,
    channels,
    rows,
)
from generator.errors import Finding, Place
from generator.model import Catalog
from generator.names import ALERTMANAGER_DIR

_FILE = Place(f"{ALERTMANAGER_DIR}/alertmanager.yml")


def routing_cases(catalog: Catalog, alerts: Sequence[RoutedAlert]) -> Iterator[tuple[str, ...]]:
    """
    Yield amtool's arguments for every row that some matcher tells from the rows before it.

    amtool takes some 30 ms a case; two alerts that no matcher distinguishes take the same way.
    """
    matchers = tuple(_matchers(Route.read(routing.config(catalog, alerts)["route"])))
    seen: set[tuple[bool, ...]] = set()
    for row in rows(catalog, alerts):
        way = tuple(matcher.matches(row.labels) for matcher in matchers)
        if way not in seen:
            seen.add(way)
            labels = [f"{name}={value}" for name, value in row.labels.items()]
            yield (f"--verify.receivers={','.join(row.receivers)}", *labels)


def _matchers(route: Route) -> Iterator[Matcher]:
    yield from route.matchers
    for child in route.routes:
        yield from _matchers(child)


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
