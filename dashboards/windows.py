"""The recorded series of objectives, whose names carry a window; made from `slo_window`."""

from __future__ import annotations

from datetime import timedelta

from generator.model import Catalog
from generator.names import (
    BUDGET_REMAINING,
    CATALOG_INFO,
    SLO_BUDGET,
    SLO_OBJECTIVE,
    availability,
    sli_error,
)
from generator.quantities import write_duration

# Windows that a person reads: the fast burn, the slow burn, the day. Each is recorded only where
# an alert needs it: where the SLO window is at least this long (alerts.slo).
_ERROR_WINDOWS = {
    "5m": timedelta(hours=2),
    "1h": timedelta(hours=2),
    "6h": timedelta(hours=12),
    "1d": timedelta(days=2),
}


def error_windows(catalog: Catalog) -> tuple[str, ...]:
    """Return the windows whose error ratio is recorded and worth a graph, shortest first."""
    return tuple(
        window for window, needed in _ERROR_WINDOWS.items() if catalog.platform.slo_window >= needed
    )


def slo_window(catalog: Catalog) -> str:
    """Return the SLO window as Prometheus writes it (`14d`)."""
    return write_duration(catalog.platform.slo_window)


def kept(catalog: Catalog) -> str:
    """Return the series of the availability over the whole SLO window."""
    return availability(slo_window(catalog))


def of(series: str, chosen: str) -> str:
    """
    Return *series*, which carries only `service`, for the services that *chosen* selects.

    The tier comes from the catalog's own series, so that a tier can be chosen and shown.
    """
    return (
        f'{series}{{service=~"$service"}}'
        f" * on (service) group_left (tier) {CATALOG_INFO}{{{chosen}}}"
    )


def slo_series(catalog: Catalog) -> frozenset[str]:
    """Return every series of objectives that boards show; empty when no service has one."""
    if all(service.slo is None for service in catalog.services):
        return frozenset()
    rates = {sli_error(window) for window in error_windows(catalog)}
    return frozenset({SLO_OBJECTIVE, SLO_BUDGET, BUDGET_REMAINING, kept(catalog)} | rates)
