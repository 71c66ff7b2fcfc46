"""What the tests of this room share: a small catalog with every log format in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.catalog import load_catalog
from generator.model import Catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """Return a catalog of a few services, one per log format at least; one name holds a dot."""
    return load_catalog(Path(__file__).parent / "catalog")
