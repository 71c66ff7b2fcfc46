"""
Times as Alertmanager writes them (RFC 3339), read to the millisecond.

To the millisecond because an alert's start is half of its name: the webhook tells it in nanoseconds,
the API in milliseconds, and both must lead to the same firing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_FORM = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]{1,9}))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def parse_time(text: str) -> float:
    """Return *text* as Unix time, cut to milliseconds as Go cuts it; ValueError if it is no time."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("not RFC 3339")
    *parts, fraction, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    zone = timezone(-offset if sign == "-" else offset)
    year, month, day, hour, minute, second = map(int, parts)
    micro = int((fraction or "0")[:3].ljust(3, "0")) * 1000
    moment = datetime(year, month, day, hour, minute, second, micro, tzinfo=zone)
    return ((moment - _EPOCH) // _MILLISECOND) / 1000


def format_time(wall: float) -> str:
    """Return Unix time *wall* as text in UTC, to the millisecond."""
    moment = _EPOCH + timedelta(milliseconds=round(wall * 1000))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
