"""The JSON Schema of a catalog, for editors and for `generator.catalog`."""

from __future__ import annotations

from pathlib import Path

CATALOG_SCHEMA = Path(__file__).with_name("catalog.schema.json")
