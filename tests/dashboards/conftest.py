"""The shipped catalog and its boards, built once per session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboards.board import Board
from dashboards.kit import dashboard
from generator.catalog import load_catalog
from generator.model import Catalog
from generator.render import render

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """Return the shipped catalog."""
    return load_catalog(ROOT / "catalog")


@pytest.fixture(scope="session")
def platform(catalog: Catalog) -> tuple[Board, ...]:
    """Return the boards of the shipped catalog, without what it cannot fill."""
    return render(catalog).boards


@pytest.fixture(scope="session")
def rendered(platform: tuple[Board, ...]) -> dict[str, dict[str, Any]]:
    """Return the shipped boards as Grafana reads them: through text, by board id."""
    return {board.id: json.loads(json.dumps(dashboard(board))) for board in platform}


STRANGER = {
    "platform.yml": "platform: shop\n",
    "1-base.yml": """\
tier: base
services:
  kiosk:
    kind: kiosk
    slo: 99%
  prometheus:
    kind: prometheus
""",
    "kinds/kiosk.yml": """\
kind: kiosk
title: Kiosk server
port: 7000
metrics: {from: native, port: 7000, series: 20}
health: application
log: plain
packs: []
board: kiosk
declares:
  kiosk_sales_total: {type: counter, unit: sales, labels: [counter], help: "Sales made"}
  kiosk_queue: {type: gauge, unit: customers, labels: [service], help: "Customers waiting"}
  kiosk_open: {type: gauge, unit: bool, labels: [], help: "1 while the kiosk is open"}
  kiosk_serving_seconds: {type: histogram, unit: seconds, labels: [], help: "Time to serve"}
  kiosk_restock_seconds: {type: summary, unit: seconds, labels: [], help: "Time to restock"}
  kiosk_opened_timestamp: {type: gauge, unit: timestamp, labels: [], help: "When it opened"}
  kiosk_build_info: {type: gauge, unit: info, labels: [version], help: "Version"}
""",
}


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Return somebody else's catalog: one tier, two services, one kind of its own."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "kinds").mkdir()
    for name, text in STRANGER.items():
        (folder / name).write_text(text, encoding="utf-8")
    return load_catalog(folder)
