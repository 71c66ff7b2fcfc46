"""What holds for all tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# An example that takes long says that others use the cores, and nothing about our code.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Give the root logger back as it was: a command that runs in here takes it for itself."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
