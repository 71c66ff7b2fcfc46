"""What the tests of this room share: a small shop, a handful of alerts, and the platform."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from alerts import packs, routing_table, service, tier
from alerts.kit import Alert, Pack, Remedy, Role, Scope, Severity
from alerts.routing_table import RoutedAlert
from generator import toolbox
from generator.catalog import load_catalog
from generator.model import Catalog

_HERE = Path(__file__).parent

AlertMaker = Callable[..., Alert]
Targeted = Callable[[Catalog, str], Catalog]


def _alert(name: str, severity: Severity, **fields: Any) -> Alert:
    settings: dict[str, Any] = {
        "expr": "x", "summary": "s", "description": "d", "family": name.lower(), "board": "b",
        "fires": {}, "quiet": {}, "hold": timedelta(minutes=5),
    }  # fmt: skip
    return Alert(name=name, severity=severity, **(settings | fields))


def shop_packs(catalog: Catalog) -> tuple[Pack, ...]:
    """Return ServiceDown as it is, and one alert of each sort that routing tells apart."""
    tiers = tier.pack(catalog)
    quick = tuple(replace(alert, keep=timedelta(0)) for alert in tiers.alerts)
    return (
        Pack(name="service", title="", alerts=service.pack(catalog).alerts),
        Pack(name="tier", title="", alerts=quick),
        Pack(
            name="slow",
            title="",
            alerts=(
                _alert("VerySlow", Severity.CRITICAL, family="slow"),
                _alert("Slow", Severity.WARNING, family="slow"),
                _alert("Chatty", Severity.INFO),
                _alert("RemediationInProgress", Severity.NONE, role=Role.ROOT),
                _alert("Stuck", Severity.WARNING, remedy=Remedy.RESTART),
                _alert("DiskFull", Severity.CRITICAL, scope=Scope.HOST, role=Role.ROOT),
                _alert("Watchdog", Severity.NONE, scope=Scope.PLATFORM, role=Role.ROOT),
            ),
        ),
    )


def shop_alerts(catalog: Catalog) -> tuple[RoutedAlert, ...]:
    """Return the alerts of `shop_packs` about all services of *catalog*."""
    return routing_table.routed([(pack, catalog.services) for pack in shop_packs(catalog)], catalog)


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """Return the shop: three tiers, one of them with quiet hours, three owners, all ways to tell."""
    return load_catalog(_HERE / "catalog", "catalog")


@pytest.fixture(scope="session")
def alerts(catalog: Catalog) -> tuple[RoutedAlert, ...]:
    """Return the shop's alerts."""
    return shop_alerts(catalog)


@pytest.fixture(scope="session")
def alerts_of() -> Callable[[Catalog], tuple[RoutedAlert, ...]]:
    """Return `shop_alerts`, for catalogs that a test has changed."""
    return shop_alerts


@pytest.fixture(scope="session")
def targeted() -> Targeted:
    """Return a function that gives a catalog another oldest Alertmanager, such as `0.30`."""

    def change(catalog: Catalog, version: str) -> Catalog:
        numbers = tuple(int(part) for part in version.split("."))
        targets = MappingProxyType({**catalog.platform.targets, "alertmanager": numbers})
        return replace(catalog, platform=replace(catalog.platform, targets=targets))

    return change


@pytest.fixture(scope="session")
def platform() -> Catalog:
    """Return the catalog that ships."""
    return load_catalog(_HERE.parent.parent / "catalog", "catalog")


@pytest.fixture(scope="session")
def platform_alerts(platform: Catalog) -> tuple[RoutedAlert, ...]:
    """Return every alert of every pack that the platform switches on."""
    return routing_table.routed(
        [(pack, packs.subjects(pack, platform)) for pack in packs.active(platform)], platform
    )


@pytest.fixture(params=["amtool", "amtool-current"])
def amtool(request: pytest.FixtureRequest) -> Path:
    """Return Debian's amtool, which must be there, and the current one where it is."""
    return _tool(request.param, needed=request.param == "amtool")


@pytest.fixture(params=["alertmanager", "alertmanager-current"])
def alertmanager(request: pytest.FixtureRequest) -> Path:
    """Return Debian's Alertmanager and the current one, where they are."""
    return _tool(request.param, needed=False)


def _tool(name: str, *, needed: bool) -> Path:
    found = toolbox.find(name)
    if found is None:
        message = f"{name} is missing, {toolbox.install_hint(name)}"
        if needed or "CI" in os.environ:
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that compares a text with a file of golden/; TIERWATCH_GOLDEN=write renews it."""
    folder = Path(request.path).parent / "golden"

    def compare(name: str, text: str) -> None:
        path = folder / name
        if os.environ.get("TIERWATCH_GOLDEN") == "write":
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text

    return compare
