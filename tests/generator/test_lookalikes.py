"""Situations made from an alert that must not fire it: one per guard and per excluding matcher."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from alerts.kit import Alert, Scope, Severity
from generator.lookalikes import Silencer, lookalikes, silencers


def alert(expr: str, where: str = "", *, scope: Scope = Scope.SERVICE, **samples: object) -> Alert:
    """Return an alert with *expr* and *where*; its samples as given."""
    return Alert(
        name="A",
        severity=Severity.WARNING,
        expr=expr,
        threshold=1,
        where=where,
        scope=scope,
        summary="s",
        description="d",
        family="f",
        board="home",
        **{"fires": {}, "quiet": {}, **samples},  # type: ignore[arg-type]
    )


def told(found: Alert) -> list[Mapping[str, tuple[str, str]]]:
    """Return the lookalikes as plain pairs of (while it fires, before and after)."""
    return [
        {series: (fate.fires, fate.quiet) for series, fate in each.items()}
        for each in lookalikes(found)
    ]


def test_a_guard_has_a_lookalike_on_either_side() -> None:
    """One has everything but what the guard asks for, the other nothing but that."""
    guarded = alert(
        "max by (service) (x)",
        "and on (service) (y > 0)",
        fires={"x": "2", "y": "1"},
        quiet={"x": "0"},
    )

    assert [
        {"x": ("2", "0"), "y": ("none", "none")},
        {"x": ("0", "0"), "y": ("1", "1")},
    ] == told(guarded)


def test_a_guard_on_traffic_has_a_lookalike_with_hardly_any() -> None:
    """The shares are the same and the rates a thousandth: only the guard keeps it quiet."""
    ratio = alert(
        "rate(bad[5m]) / rate(all[5m])",
        "and on (service) (rate(all[5m]) > 1)",
        fires={"bad": "11/m", "all": "100/m"},
        quiet={"bad": "9/m"},
    )

    assert [{"bad": ("0.011/m", "0.011/m"), "all": ("0.1/m", "0.1/m")}] == told(ratio)


def test_a_guard_on_traffic_is_played_beside_what_never_changes() -> None:
    """A series that is the same all the time stays so; only what is counted becomes next to nothing."""
    ratio = alert(
        "rate(bad[5m]) / rate(all[5m])",
        "and on (service) (rate(all[5m]) > 1)",
        fires={"bad": "11/m", "all": "100/m", "up": "1"},
        quiet={"bad": "9/m", "up": "1"},
    )

    assert [{"bad": ("0.011/m", "0.011/m"), "all": ("0.1/m", "0.1/m"), "up": ("1", "1")}] == told(
        ratio
    )


@pytest.mark.parametrize(
    ("matcher", "series", "expected"),
    [
        ('fs!~"tmpfs|ram.*"', 'x{fs="ext4"}', 'x{fs="tmpfs"}'),
        ('fs!~"(?i).*temp.*|ram"', 'x{fs="ext4"}', 'x{fs="temp"}'),
        ('fs!="tmpfs"', "x", 'x{fs="tmpfs"}'),
        ('fs!=""', 'x{a="b",fs="ext4"}', 'x{a="b"}'),
    ],
)
def test_an_excluding_matcher_has_a_lookalike_it_excludes(
    matcher: str, series: str, expected: str
) -> None:
    """Every series that the matcher looks at carries a value that it excludes."""
    excluding = alert(
        f"max by (service) (x{{{matcher}}}) + y", fires={series: "2", "y": "1"}, quiet={series: "0"}
    )

    assert [{expected: ("2", "0"), "y": ("1", "1")}] == told(excluding)


@pytest.mark.parametrize(
    "found",
    [
        alert('max by (service) (x{a="b"})', fires={'x{a="b"}': "2"}, quiet={'x{a="b"}': "0"}),
        alert("x", "unless on (service) (y > 0)", fires={"x": "2"}, quiet={"x": "0", "y": "1"}),
        alert("x", "and on () (y > 0)", fires={"x": "2", "y": "1"}, quiet={"x": "0"}),
        alert('max(x{a!="b"})', scope=Scope.PLATFORM, fires={"x": "2"}, quiet={"x": "0"}),
    ],
    ids=["nothing excluded", "unless", "one guard for all", "one subject"],
)
def test_nothing_is_made_up_where_no_lookalike_can_be(found: Alert) -> None:
    """Without a guard of its own subject or an excluding matcher there is no lookalike."""
    assert () == lookalikes(found)


def test_an_alert_that_gives_way_names_the_other_one() -> None:
    """The other's series silences for as long as the guard says; with any label changed it does not."""
    burning = alert(
        "max by (service) (x)",
        "and on (service) y > 1\nunless on (service) "
        'last_over_time(ALERTS{alertname="Down", alertstate="firing"}[30m])',
        fires={"x": "2", "y": "2"},
        quiet={"x": "0"},
    )

    assert (
        Silencer(
            series='ALERTS{alertname="Down",alertstate="firing"}',
            window=timedelta(minutes=30),
            resembling=(
                'ALERTS{alertname="DownNotQuite",alertstate="firing"}',
                'ALERTS{alertname="Down",alertstate="pending"}',
            ),
        ),
    ) == silencers(burning)


@pytest.mark.parametrize(
    "where",
    [
        "",
        "unless on (service) y > 0",
        'and on (service) last_over_time(ALERTS{alertname="Down"}[30m])',
    ],
    ids=["no guard", "a guard by a metric", "a guard that wants the other alert"],
)
def test_an_alert_without_such_a_guard_gives_way_to_none(where: str) -> None:
    """Only `unless` with another alert's series makes one alert silent while another fires."""
    assert () == silencers(alert("max by (service) (x)", where))
