"""The recorded series of objectives, whose names carry a window; made from `slo_window`."""

from __future__ import annotations

from datetime import timedelta

from generator.model import Catalog
from generator.names import SLO_OBJECTIVE

BUDGET = "service:error_budget_remaining:ratio"

# Windows that a person reads: the fast burn, the slow burn, the day. The alerts use more.
ERROR_WINDOWS = ("5m", "1h", "6h", "1d")


def error_rate(window: str) -> str:
    """Return the series of the share of failures over *window*."""
    return f"service:sli_error:ratio_rate{window}"


def availability(catalog: Catalog) -> str:
    """Return the series of the availability over the whole `slo_window`."""
    return f"service:availability:ratio_{window_text(catalog.platform.slo_window)}"


def slo_series(catalog: Catalog) -> frozenset[str]:
    """Return every series of objectives; empty when no service has one."""
    if all(service.slo is None for service in catalog.services):
        return frozenset()
    rates = {error_rate(window) for window in ERROR_WINDOWS}
    return frozenset({SLO_OBJECTIVE, BUDGET, availability(catalog)} | rates)


def window_text(window: timedelta) -> str:
    """Return *window* as Prometheus writes durations: `14d`, `1d12h`."""
    rest = int(window.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
