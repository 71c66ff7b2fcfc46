"""A stranger's catalog: three services and a platform file of one line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from generator.catalog import load_catalog
from generator.errors import CatalogError
from generator.model import Catalog, Links, Port, QuietHours, Retention
from generator.scrape.jobs import jobs

Folder = Callable[..., Path]

SHOP = """
tier: shop
services:
  web: {kind: http-service, ports: ["8080:80"], depends_on: {db: hard}}
  db: {kind: postgres}
  llm: {kind: ollama}
"""


@pytest.fixture
def shop(folder: Folder) -> Catalog:
    """Return the catalog of three services."""
    return load_catalog(folder(platform="platform: shop\n", f1_shop=SHOP))


def test_watchers_that_are_needed_are_added_once(shop: Catalog) -> None:
    """Three services bring the exporters and probers they need, in a tier of their own, last."""
    assert [(tier.name, tier.order) for tier in shop.tiers] == [("shop", 1), ("monitoring", 2)]
    assert [(service.name, service.tier) for service in shop.services] == [
        ("web", "shop"), ("db", "shop"), ("llm", "shop"),
        ("alertmanager", "monitoring"), ("blackbox-exporter", "monitoring"),
        ("ollama-exporter", "monitoring"), ("postgres-exporter", "monitoring"),
        ("prometheus", "monitoring"),
    ]  # fmt: skip
    assert dict(shop.observers) == {"db": ("postgres-exporter",), "llm": ("ollama-exporter",)}


def test_watchers_that_are_listed_are_not_added(folder: Folder) -> None:
    """A listed exporter of any name stands for its kind, and watches what needs it."""
    more = SHOP + "  pg-metrics: {kind: postgres-exporter}\n  prom: {kind: prometheus}\n"
    catalog = load_catalog(folder(platform="platform: shop\n", f1_shop=more))

    kinds = [service.kind for service in catalog.services]
    assert len(kinds) == len(set(kinds))
    assert catalog.by_name["pg-metrics"].observes == ("db",)


def test_what_is_told_alone_gets_an_exporter_of_its_own(folder: Folder) -> None:
    """Two databases bring two exporters, two Redis one that can be asked about either."""
    tier = (
        "tier: t\nservices:\n  db: {kind: postgres}\n  db2: {kind: postgres}\n"
        "  web: {kind: nginx}\n  cache: {kind: redis}\n  cache2: {kind: redis}\n"
    )
    catalog = load_catalog(folder(platform="platform: shop\n", f1_t=tier))

    assert {s.name: (s.kind, s.container, s.observes) for s in catalog.services if s.observes} == {
        "db-exporter": ("postgres-exporter", "shop-db-exporter", ("db",)),
        "db2-exporter": ("postgres-exporter", "shop-db2-exporter", ("db2",)),
        "nginx-exporter": ("nginx-exporter", "shop-nginx-exporter", ("web",)),
        "redis-exporter": ("redis-exporter", "shop-redis-exporter", ("cache", "cache2")),
    }
    (postgres,) = (job for job in jobs(catalog) if job.name == "postgres")
    assert [(target.service, target.address) for target in postgres.targets] == [
        ("db", "db-exporter:9187"),
        ("db2", "db2-exporter:9187"),
    ]


def test_service_of_one_word_has_sane_settings(shop: Catalog) -> None:
    """A service that names only its kind gets the rest from the kind and the platform."""
    db = shop.by_name["db"]

    assert (db.container, db.owner, db.mode, db.profile, db.port, db.stateful) == (
        "shop-db", "platform", "observe", "default", 5432, True,
    )  # fmt: skip
    assert (db.size.memory_bytes, db.size.cpus, db.slo, db.health.name) == (
        0, Decimal(0), None, "infrastructure",
    )  # fmt: skip


def test_only_entry_in_ports_is_where_it_listens(folder: Folder, shop: Catalog) -> None:
    """A kind without a port of its own takes the service's one listed port."""
    tier = "tier: t\nservices:\n  job: {kind: container, ports: ['9000:9001']}\n"
    catalog = load_catalog(folder(platform="platform: shop\n", f1_shop=tier))

    assert catalog.by_name["job"].ports == (Port(9001, 9000),)
    assert catalog.by_name["job"].port == 9001
    assert shop.by_name["web"].ports == (Port(80, 8080),)


def test_platform_of_one_line_is_complete(shop: Catalog) -> None:
    """Every platform setting has a default that the rest can work with."""
    platform = shop.platform

    assert (platform.compose_project, platform.network) == ("shop", "shop-network")
    assert platform.retention == Retention(timedelta(days=15), 2 * 1024**3, timedelta(days=15))
    assert platform.slo_window == timedelta(days=14)
    assert platform.targets["prometheus"] == (2, 42)
    assert platform.links == Links(
        grafana="http://localhost:3000",
        runbooks="http://localhost:8000/runbooks",
        prometheus="http://localhost:9090",
        alertmanager="http://localhost:9093",
    )
    assert list(platform.owners) == ["platform"]
    assert {name: size.memory_bytes for name, size in platform.sizes.items()} == {
        "small": 512 * 1024**2, "medium": 2 * 1024**3, "large": 4 * 1024**3,
    }  # fmt: skip


def test_tier_settings_reach_its_services(folder: Folder) -> None:
    """Owner and mode of a tier are those of its services unless they say otherwise."""
    tier = (
        "tier: t\nowner: ops\nmode: act\n"
        "quiet_hours: {start: '22:30', end: '06:00', weekdays: [saturday]}\n"
        "services:\n  a: {kind: http-service}\n  b: {kind: http-service, owner: dev, mode: approve}\n"
    )
    owners = "platform: shop\nowners: {dev: {}, ops: {}}\n"
    catalog = load_catalog(folder(platform=owners, f1_shop=tier))

    assert [(s.owner, s.mode) for s in catalog.in_tier("t")] == [("ops", "act"), ("dev", "approve")]
    assert catalog.tiers[0].quiet_hours == QuietHours(1350, 360, ("saturday",), "UTC")
    assert catalog.platform.default_owner == "dev"


def test_port_of_a_service_moves_probe_and_metrics(folder: Folder) -> None:
    """A service on a port of its own is scraped and probed there."""
    tier = "tier: t\nservices:\n  api: {kind: fastapi, port: 9000}\n"
    catalog = load_catalog(folder(platform="platform: shop\n", f1_shop=tier))
    api = catalog.by_name["api"]

    assert (api.port, api.metrics_port, api.probes[0].port) == (9000, 9000, 9000)


def test_kind_of_its_own_needs_no_code(folder: Folder) -> None:
    """A catalog that describes its own software in kinds/ can use it at once."""
    root = folder(platform="platform: shop\n", f1_shop="tier: t\nservices:\n  w: {kind: widget}\n")
    (root / "kinds").mkdir()
    (root / "kinds" / "widget.yml").write_text(
        "kind: widget\ntitle: Widget\nport: 7000\nmetrics: {from: native, port: 7000}\n"
        "declares:\n  widget_parts: {type: gauge, unit: parts, labels: [], help: Parts made}\n",
        encoding="utf-8",
    )
    catalog = load_catalog(root)

    assert catalog.by_name["w"].metrics_port == 7000
    assert list(catalog.kinds["widget"].declares) == ["widget_parts"]


def test_faults_of_all_files_come_in_one_error(folder: Folder) -> None:
    """Problems of the platform file, of two tiers and across them come together, sorted by place."""
    root = folder(
        platform="platform: shop\nfoo: 1\n",
        f1_core="tier: core\nservices:\n  a: {kind: nope}\n",
        f2_app="tier: app\nservices:\n  b: {kind: http-service, depends_on: {c: hard}}\n",
    )
    with pytest.raises(CatalogError) as caught:
        load_catalog(root, "catalog")

    assert [(str(f.place), f.check) for f in caught.value.findings] == [
        ("catalog/1-core.yml:3:7", "kind"),
        ("catalog/2-app.yml:3:40", "dependency"),
        ("catalog/platform.yml:2:1", "schema"),
    ]
