"""A fresh stage for every test."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remediation.guard.stage import Stage


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Give the root logger back as it was: the command takes it for itself."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return a stage on which all is well. Thousands of checks do not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # noqa: ARG005
    return Stage(tmp_path)
