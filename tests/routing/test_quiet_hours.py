"""Quiet hours mean the same to Alertmanager as to the catalog, at every hour of a week."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from alerts.quiet_hours import WEEK, interval_name, time_interval
from alerts.routing_model import Route, is_muted
from generator import toolbox
from generator.model import QuietHours

HOURS = [
    QuietHours(22 * 60, 7 * 60, WEEK, "Europe/Berlin"),
    QuietHours(22 * 60, 7 * 60, ("monday", "friday", "saturday"), "UTC"),
    QuietHours(9 * 60 + 30, 17 * 60, ("sunday",), "America/New_York"),
    QuietHours(20 * 60, 0, ("wednesday",), "UTC"),
    QuietHours(0, 0, ("tuesday", "saturday"), "UTC"),
]


def _is_quiet(hours: QuietHours, when: datetime) -> bool:
    """Say it as a person would: a quiet time that started on one of the days is not over yet."""
    length = (hours.end_minute - hours.start_minute) % (24 * 60) or 24 * 60
    local = when.astimezone(ZoneInfo(hours.timezone)).replace(tzinfo=None)
    for days_ago in (0, 1):
        day = local - timedelta(days=days_ago)
        start = day.replace(hour=0, minute=0) + timedelta(minutes=hours.start_minute)
        started_on = WEEK[start.isoweekday() % 7]
        if started_on in hours.weekdays and start <= local < start + timedelta(minutes=length):
            return True
    return False


@pytest.mark.parametrize("hours", HOURS, ids=interval_name)
def test_every_half_hour_of_a_week_is_muted_as_the_catalog_says(hours: QuietHours) -> None:
    """Nights, week-ends and whole days are split for Alertmanager without gaining or losing any."""
    config = {"time_intervals": [time_interval(hours)]}
    route = Route.read({"receiver": "r", "mute_time_intervals": [interval_name(hours)]})
    start = datetime(2026, 11, 1, tzinfo=ZoneInfo("UTC"))
    moments = [start + timedelta(minutes=30 * step) for step in range(7 * 48)]

    assert [_is_quiet(hours, moment) for moment in moments] == [
        is_muted(config, route, moment) for moment in moments
    ]


def test_a_night_that_starts_on_friday_ends_on_saturday() -> None:
    """The part after midnight carries the days after, Sunday first."""
    hours = QuietHours(22 * 60, 7 * 60, ("friday", "saturday"), "UTC")

    assert time_interval(hours) == {
        "name": "quiet-1320-0420-fri-sat-utc",
        "time_intervals": [
            {
                "times": [{"start_time": "22:00", "end_time": "24:00"}],
                "weekdays": ["friday", "saturday"],
                "location": "UTC",
            },
            {
                "times": [{"start_time": "00:00", "end_time": "07:00"}],
                "weekdays": ["sunday", "saturday"],
                "location": "UTC",
            },
        ],
    }


def test_amtool_accepts_every_interval(amtool: Path, tmp_path: Path) -> None:
    """No form of quiet hours makes a file that Alertmanager refuses."""
    config = {
        "route": {
            "receiver": "r",
            "routes": [{"mute_time_intervals": [interval_name(hours) for hours in HOURS]}],
        },
        "receivers": [{"name": "r"}],
        "time_intervals": [time_interval(hours) for hours in HOURS],
    }
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")

    assert toolbox.run(amtool, ["check-config", path]).ok
