"""Planted faults: each folder of `cases/` is a catalog with one fault and the exact findings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from generator.catalog import load_catalog
from generator.errors import CatalogError

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())


def said(folder: Path) -> str:
    """Return what loading *folder* says, one finding a line; empty if it loads."""
    try:
        load_catalog(folder, "catalog")
    except CatalogError as error:
        return f"{error}\n"
    return ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_fault_is_named_in_full(case: Path) -> None:
    """A planted fault gives exactly the findings of expected.txt: place, fact and cure."""
    golden = case / "expected.txt"
    if os.environ.get("TIERWATCH_GOLDEN"):
        golden.write_text(said(case), encoding="utf-8")

    assert golden.read_text(encoding="utf-8") == said(case)
    assert said(case) != ""
