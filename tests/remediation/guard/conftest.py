"""A fresh stage for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.remediation.guard.stage import Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return a stage on which all is well. Thousands of checks do not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # noqa: ARG005
    return Stage(tmp_path)
