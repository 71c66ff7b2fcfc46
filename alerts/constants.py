"""What the catalog says of each service, as recorded constants that every other rule joins."""

from __future__ import annotations

from alerts.kit import Pack
from alerts.verdict import constants
from generator.model import Catalog


def pack(catalog: Catalog) -> Pack:
    """Return the constants of *catalog*: no alerts, nothing to compute."""
    return Pack(
        name="constants", title="Facts of the catalog", records=constants(catalog), always=True
    )
