"""What the tests of the contracts share: the shop of the routing tests, and the platform."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.catalog import load_catalog
from generator.model import Catalog

_TESTS = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """Return the shop: three tiers, two socket proxies, Ollama, an agent, a one-shot job."""
    return load_catalog(_TESTS / "routing" / "catalog", "catalog")


@pytest.fixture(scope="session")
def platform() -> Catalog:
    """Return the catalog that ships."""
    return load_catalog(_TESTS.parent / "catalog", "catalog")


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
