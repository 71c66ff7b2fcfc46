"""What the checks look at: a catalog that is built but not yet trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from generator.catalog_origin import Origin
from generator.model import Catalog
from generator.software import Kind


@dataclass(frozen=True, slots=True)
class Draft:
    """
    A built catalog and where its parts stand.

    *kinds* are all kinds there are. Unless *complete*, faulty parts were left out, and nothing
    may be concluded from absence.
    """

    catalog: Catalog
    kinds: Mapping[str, Kind]
    origin: Origin
    complete: bool
