"""
Quiet hours of a tier as Alertmanager time intervals.

Alertmanager's weeks begin on Sunday and its day ranges may not wrap, its times may not cross
midnight, and a night that starts on Friday ends on Saturday: all of that is dealt with here,
by naming single days and splitting nights in two. What the hours mute is decided in
`alerts.routing`: warnings to people, nothing else.
"""

from __future__ import annotations

from typing import Any

from generator.model import QuietHours

# Alertmanager's order (`sunday: 0` in timeinterval.go); only whole names are accepted.
WEEK = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_DAY_MINUTES = 24 * 60


def interval_name(hours: QuietHours) -> str:
    """Return a name that says when: equal hours share it, different hours never do."""
    days = "-".join(day[:3] for day in _days(hours)) or "daily"
    zone = hours.timezone.lower().replace("/", "-")
    return f"quiet-{hours.start_minute:04d}-{hours.end_minute:04d}-{days}-{zone}"


def time_interval(hours: QuietHours) -> dict[str, Any]:
    """
    Return one entry of Alertmanager's `time_intervals` for *hours*.

    The weekdays are those on which the quiet time starts; the part after midnight belongs to
    the day after. Equal start and end mean the whole day.
    """
    return {
        "name": interval_name(hours),
        "time_intervals": [_part(hours, *part) for part in _parts(hours)],
    }


def _parts(hours: QuietHours) -> tuple[tuple[int, int, int], ...]:
    """Return (start minute, end minute, days to shift) for each side of midnight."""
    start, end = hours.start_minute, hours.end_minute
    if start == end:
        return ((0, _DAY_MINUTES, 0),)
    if end == 0:
        return ((start, _DAY_MINUTES, 0),)
    if start < end:
        return ((start, end, 0),)
    return ((start, _DAY_MINUTES, 0), (0, end, 1))


def _part(hours: QuietHours, start: int, end: int, shift: int) -> dict[str, Any]:
    part: dict[str, Any] = {"times": [{"start_time": _clock(start), "end_time": _clock(end)}]}
    days = {(WEEK.index(day) + shift) % len(WEEK) for day in _days(hours)}
    if days:
        part["weekdays"] = [WEEK[day] for day in sorted(days)]
    part["location"] = hours.timezone or "UTC"
    return part


def _days(hours: QuietHours) -> tuple[str, ...]:
    """Return the weekdays Sunday first, whole names; empty when every day is meant."""
    wanted = {day.lower()[:3] for day in hours.weekdays}
    days = tuple(day for day in WEEK if day[:3] in wanted)
    return () if len(days) == len(WEEK) else days


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
