"""The model answers as Alertmanager does: matchers, the walk through routes, inhibition, muting."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts import routing
from alerts.routing_model import (
    Inhibition,
    Matcher,
    Notification,
    Route,
    is_muted,
    notifications,
)
from alerts.routing_table import RoutedAlert
from generator import toolbox
from generator.model import Catalog


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ('a="x"', ["x"], ["", "xx", "y"]),
        ('a=""', [""], ["x"]),
        ('a!="x"', ["", "y"], ["x"]),
        ('a=~"x|y[.]z"', ["x", "y.z"], ["", "yaz", "xy"]),
        ('a=~"x.*"', ["x", "xy"], ["", "yx"]),
        ('a!~"|none"', ["x"], ["", "none"]),
        (r'a="say \"hi\" \\"', ['say "hi" \\'], ["say hi"]),
    ],
)
def test_matchers_compare_whole_values_and_take_missing_for_empty(
    text: str, matching: list[str], other: list[str]
) -> None:
    """A matcher accepts exactly the values Alertmanager accepts, the missing label as empty."""
    matcher = Matcher.parse(text)

    assert [True] * len(matching) == [matcher.matches({"a": value}) for value in matching]
    assert [False] * len(other) == [matcher.matches({"a": value}) for value in other]
    assert matcher.matches({"a": ""}) == matcher.matches({})


def test_unquoted_matchers_are_refused() -> None:
    """A value without quotes is an error: the two parsers of Alertmanager differ on it."""
    with pytest.raises(ValueError, match="not a matcher with a quoted value"):
        Matcher.parse("a=x")


def test_an_alert_that_matches_both_sides_is_exempt_from_such_sources() -> None:
    """An alert on both sides is muted by a source on one side only, never by one like itself."""
    rule = Inhibition.read({"source_matchers": ['a="1"'], "target_matchers": ['b="1"']})
    both, source = {"a": "1", "b": "1"}, {"a": "1"}

    assert not rule.mutes(both, [both])
    assert rule.mutes(both, [source])


def test_labels_missing_on_both_sides_count_as_equal() -> None:
    """`equal` on a label that neither side has mutes, which is why the proof demands it."""
    rule = Inhibition.read(
        {"source_matchers": ['a="1"'], "target_matchers": ['b="1"'], "equal": ["c"]}
    )

    assert rule.mutes({"b": "1"}, [{"a": "1"}])
    assert not rule.mutes({"b": "1", "c": "x"}, [{"a": "1"}])


def test_muting_is_not_inherited() -> None:
    """A child of a muted route speaks at all hours unless it names the interval itself."""
    tree = Route.read(
        {"receiver": "a", "mute_time_intervals": ["q"], "routes": [{"matchers": ['x="1"']}]}
    )

    assert [tree.leaves({"x": "1"})[0].mute, tree.leaves({})[0].mute] == [(), ("q",)]


def test_notifications_gather_by_route_and_group() -> None:
    """Alerts with equal group labels are one message, inhibited ones are none."""
    config = {
        "route": {"receiver": "r", "group_by": ["g"]},
        "inhibit_rules": [{"source_matchers": ['n="a"'], "target_matchers": ['n="c"']}],
    }
    first, second, third = {"n": "a", "g": "1"}, {"n": "b", "g": "1"}, {"n": "c", "g": "2"}

    sent = notifications(config, [first, second, third])

    assert {Notification("r", (("g", "1"),)): (first, second)} == sent
    assert len(notifications(config, [first, second, third], inhibit=False)) == 2


def test_time_intervals_are_read_in_their_own_zone() -> None:
    """22:00 to 24:00 in Berlin is 20:00 to 22:00 in UTC in summer, the end excluded."""
    part = {
        "times": [{"start_time": "22:00", "end_time": "24:00"}],
        "weekdays": ["friday"],
        "location": "Europe/Berlin",
    }
    config = {"time_intervals": [{"name": "q", "time_intervals": [part]}]}
    route = Route.read({"receiver": "r", "mute_time_intervals": ["q"]})
    friday = [datetime(2026, 7, 3, hour, 0, tzinfo=UTC) for hour in (19, 20, 21, 22)]

    assert [is_muted(config, route, when) for when in friday] == [False, True, True, False]


def test_amtool_walks_the_tree_as_the_model_does(
    amtool: Path, tmp_path: Path, catalog: Catalog, alerts: tuple[RoutedAlert, ...]
) -> None:
    """Alerts with any mixture of known, unknown and missing labels go where the model says."""
    config = routing.config(catalog, alerts)
    for artifact in routing.render(catalog, alerts):
        path = tmp_path / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text, encoding="utf-8")
    tree = Route.read(config["route"])
    values = {
        "alertname": ("Watchdog", "Slow"), "severity": ("critical", "warning", "info", "odd"),
        "role": ("root", "symptom"), "remedy": ("restart", "none"),
        "tier": ("core", "app", "none"), "owner": ("ops", "data", "web", "stranger"),
    }  # fmt: skip
    chance = random.Random(20261123)  # noqa: S311 - reproducible, not secret
    disagreed = []
    for _ in range(80):
        labels = {
            name: chance.choice(known) for name, known in values.items() if chance.random() < 0.85
        }
        expected = ",".join(leaf.receiver for leaf in tree.leaves(labels))
        arguments = ["config", "routes", "test"]
        arguments += [f"--config.file={tmp_path / 'alertmanager' / 'alertmanager.yml'}"]
        arguments += [f"{name}={value}" for name, value in labels.items()]
        said = toolbox.run(amtool, arguments).text.splitlines()
        if expected not in said:
            disagreed.append((labels, expected, said))

    assert disagreed == []
