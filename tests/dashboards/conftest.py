"""The shipped catalog and its boards, built once per session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboards.board import Board
from dashboards.kit import dashboard
from dashboards.render import boards
from generator.catalog import load_catalog
from generator.model import Catalog

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """Return the shipped catalog."""
    return load_catalog(ROOT / "catalog")


@pytest.fixture(scope="session")
def platform(catalog: Catalog) -> tuple[Board, ...]:
    """Return the boards of the shipped catalog."""
    return boards(catalog)


@pytest.fixture(scope="session")
def rendered(platform: tuple[Board, ...]) -> dict[str, dict[str, Any]]:
    """Return the shipped boards as Grafana reads them: through text, by board id."""
    return {board.id: json.loads(json.dumps(dashboard(board))) for board in platform}
