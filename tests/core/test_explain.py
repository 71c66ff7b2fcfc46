"""What `tierwatch explain` says of names of every sort."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.catalog import load_catalog
from generator.explain import explained, known_names
from generator.render import Rendered, render

SHOP = """\
tier: shop
services:
  db: {kind: postgres, size: medium}
  api: {kind: fastapi, depends_on: {db: hard}, health: {start_period: 3m}}
  logs: {kind: loki}
  agent: {kind: promtail}
"""
PLATFORM = """\
platform: shop
owners: {shop: {slack: "#shop"}}
notify: {slack_url_file: /run/slack}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Return a small catalog with logs, rendered."""
    folder: Path = tmp_path_factory.mktemp("shop")
    (folder / "platform.yml").write_text(PLATFORM, encoding="utf-8")
    (folder / "1-shop.yml").write_text(SHOP, encoding="utf-8")
    return render(load_catalog(folder))


def test_every_known_name_is_explained(shop: Rendered) -> None:
    """Nothing that is offered as a name is unknown, and what nobody offers is."""
    assert [name for name in known_names(shop) if not explained(shop, name)] == []
    assert explained(shop, "nobody") is None


def test_variants_say_whom_they_are_about(shop: Rendered) -> None:
    """Each variant of ServiceDown names the services that share its hold, and no others."""
    found = explained(shop, "ServiceDown")

    assert found is not None
    told = {
        entry["hold"]: entry["receivers"]
        for entry in found["alert"]
        if entry["severity"] == "warning"
    }
    assert told["4m"] == {"tell-shop": "api"}
    assert [entry["receivers"] for entry in found["alert"] if entry["severity"] == "critical"] == [
        {"page-shop": "db"}
    ]


def test_alerts_on_log_lines_are_explained(shop: Rendered) -> None:
    """An alert of Loki's is found by its name, with whom it reaches."""
    found = explained(shop, "LogsStopped")

    assert found is not None
    assert found["log alert"]["receivers"] == {"tell-shop": "platform"}


def test_a_service_without_a_size_has_no_limit(shop: Rendered) -> None:
    """Promised memory is said in bytes where there is a size, and in words where there is none."""
    promised = {
        name: found["service"]["promised"]
        for name in ("db", "api")
        if (found := explained(shop, name)) is not None
    }

    assert promised == {"db": "2G memory, 2 CPUs", "api": "no limit"}
