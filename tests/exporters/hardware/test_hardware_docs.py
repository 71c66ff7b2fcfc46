"""The page of the hardware exporter tells every reason and every variable, and no other."""

from __future__ import annotations

import re

from exporters.hardware import REASONS
from exporters.worker import FRAME_REASONS
from tests.exporters.hardware.conftest import HERE

ROOT = HERE.parents[2]
TEXT = (ROOT / "docs" / "hardware-exporter.md").read_text(encoding="utf-8")


def test_every_reason_is_explained() -> None:
    """The table of reasons has a row for each reason that a collector may give."""
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", TEXT, re.MULTILINE)
    told = {reason for row in rows for reason in re.findall(r"`([a-z_]+)`", row)}
    assert {*REASONS, *FRAME_REASONS} == told


def test_every_variable_is_explained() -> None:
    """The table of variables has those that the exporter reads."""
    source = (ROOT / "exporters" / "hardware.py").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([A-Z_]+)` \|", TEXT, re.MULTILINE)
    assert set(re.findall(r'env\.get\("([A-Z_]+)"\)', source)) == set(told)
