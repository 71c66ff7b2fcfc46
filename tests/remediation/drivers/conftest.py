"""What the tests of the drivers share: the daemon that misbehaves, with the shop's containers on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.remediation import shop
from tests.remediation.drivers.fake import Box, FakeEngine, fake_engine


@pytest.fixture
def fake() -> Iterator[FakeEngine]:
    """Run a daemon on which every service of the shop is well."""
    with fake_engine() as engine:
        engine.put(*(Box(service) for service in shop.config().services))
        yield engine
