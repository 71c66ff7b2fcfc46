"""A catalog may move a threshold, and the alert's proof moves with it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from alerts import packs
from alerts.thresholds import FIXED, is_tunable, with_threshold
from generator.errors import Finding
from generator.proofs import prove
from generator.render import Rendered, render
from generator.verify import Verdict, judge


def test_samples_move_with_the_threshold(platform: Rendered) -> None:
    """At half its threshold an alert fires on half of what fired it; what both cases share stays."""
    (alert,) = (a for a in platform.alerts if a.name == "ContainerMemoryNearLimit")
    moved = with_threshold(alert, alert.threshold / 2 if alert.threshold else 0)

    common = {key for key, value in alert.fires.items() if alert.quiet.get(key) == value}
    assert {key: moved.fires[key] for key in common} == {key: alert.fires[key] for key in common}
    for key in alert.fires.keys() - common:
        assert float(moved.fires[key]) == pytest.approx(float(alert.fires[key]) / 2)


def test_every_fixed_name_is_an_alert_with_a_threshold(platform: Rendered) -> None:
    """No name in FIXED is a typo or has become needless."""
    ours = {a.name for a in platform.alerts if a.threshold}

    assert FIXED - ours == set()


@pytest.mark.live
def test_proofs_follow_every_tunable_threshold(platform: Rendered) -> None:
    """With all thresholds moved at once, every other one up, promtool passes every generated test."""
    catalog = platform.catalog
    found = [
        (alert.name, alert.threshold)
        for pack in packs.active(catalog)
        for alert in pack.alerts
        if is_tunable(alert) and alert.threshold is not None
    ]
    wanted = {
        # 12 %: no percentage that an annotation shows ends on a half, which floats round either way.
        name: float(f"{threshold * (1.12 if index % 2 else 0.6):.10g}")
        for index, (name, threshold) in enumerate(found)
    }
    moved = replace(catalog.platform, thresholds=MappingProxyType(wanted))
    tests = judge(render(replace(catalog, platform=moved)))[0]

    assert len(wanted) > 100
    assert (Verdict.PROVEN, "") == (tests.verdict, tests.detail)


def test_a_share_of_more_than_all_is_found(platform: Rendered) -> None:
    """90 for 90 % would never fire: a share from 1 on is named; below 1, or seconds, are accepted."""
    catalog = platform.catalog
    wanted = {
        "ContainerMemoryNearLimit": 90, "HostMemoryLow": 1.0, "ContainerCpuThrottled": 0.999,
        "ProbePhaseSlow": 3,
    }  # fmt: skip
    wished = replace(catalog.platform, thresholds=MappingProxyType(wanted))
    found = prove(render(replace(catalog, platform=wished)))

    assert found == [
        Finding(
            catalog.platform.place,
            f"alerts.thresholds sets {name!r} to {shown}, but it is a share of 1",
            "Write 0.9 for 90 %.",
            "wishes",
        )
        for name, shown in (("ContainerMemoryNearLimit", "90"), ("HostMemoryLow", "1"))
    ]


@pytest.mark.parametrize(
    ("name", "fact", "cure"),
    [
        ("ServiceDwon", "which is no alert", "Did you mean 'ServiceDown'?"),
        (
            "Watchdog",
            "whose threshold cannot be set: no proof could follow",
            "Disable it and write a rule of your own beside ours.",
        ),
    ],
)
def test_a_wish_that_changes_nothing_is_found(
    platform: Rendered, name: str, fact: str, cure: str
) -> None:
    """A threshold for an alert that does not exist or has none is named with what to do."""
    catalog = platform.catalog
    wished = replace(catalog.platform, thresholds=MappingProxyType({name: 0.5}))
    found = prove(render(replace(catalog, platform=wished)))

    expected = f"alerts.thresholds names {name!r}, {fact}"
    assert found == [Finding(catalog.platform.place, expected, cure, "wishes")]
