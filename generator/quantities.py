"""Read the quantities a catalog writes as text: durations, memory, percentages, times of day."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache

_DURATION = re.compile(r"([0-9]+)(ms|s|m|h|d|w)")
_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_BYTES = re.compile(r"([0-9.]+)([KMGT]?)i?B?")
# Powers of 1024 whatever the spelling: Docker's `512M` and Prometheus' `2GB` both mean them.
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def read_duration(text: str) -> timedelta:
    """Return `15s`, `1h30m` or `2w` as a timedelta. The schema has checked the form."""
    parts = _DURATION.findall(text)
    return timedelta(milliseconds=sum(int(amount) * _MS[unit] for amount, unit in parts))


def read_bytes(text: str) -> int:
    """Return `512M`, `2GB` or `1.5GiB` in bytes, powers of 1024. The schema has checked the form."""
    match = _BYTES.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return int(Decimal(match[1]) * 1024 ** _POWERS[match[2]])


def read_percent(text: str) -> Decimal:
    """Return `99.9%` as the exact ratio 0.999. The schema has checked the form."""
    return Decimal(text.removesuffix("%")).scaleb(-2)


def read_minute(text: str) -> int:
    """Return `22:30` in minutes from midnight. The schema has checked the form."""
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def say_percent(ratio: Decimal) -> str:
    """Return *ratio* as a percentage a person would write, without trailing zeros."""
    return f"{ratio.scaleb(2).normalize():f}%"


def say_bytes(size_bytes: int) -> str:
    """Return *size_bytes* in the largest unit that keeps it short: 512M, 1.5G."""
    for unit, power in (("T", 4), ("G", 3), ("M", 2), ("K", 1)):
        if size_bytes >= 1024**power:
            return f"{Decimal(size_bytes) / 1024**power:.1f}".removesuffix(".0") + unit
    return f"{size_bytes}B"


@lru_cache(maxsize=1024)
def write_duration(value: timedelta) -> str:
    """Return *value* as Prometheus writes durations: largest units that fit, `0s` for none."""
    seconds = int(value.total_seconds())
    if seconds == 0:
        return "0s"
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
