"""A web part with a desk of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from remediation.config import Config
from tests.remediation.web.rig import FakeDesk, Web, serving, shipped_config


@pytest.fixture(scope="session")
def config() -> Config:
    """Return the shipped configuration."""
    return shipped_config()


@pytest.fixture
def desk(config: Config) -> FakeDesk:
    """Return a desk to which nothing has happened."""
    return FakeDesk(config)


@pytest.fixture
def web(desk: FakeDesk, tmp_path: Path) -> Iterator[Web]:
    """Yield the web part in front of *desk*."""
    with serving(desk, tmp_path) as running:
        yield running
