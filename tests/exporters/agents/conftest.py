"""What the tests of the agents exporter share: the fleet of misbehaving servers, and targets on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.servers import Server, free_port, listens, running

FLEET = Path(__file__).with_name("fleet.py")


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the fleet in a process of its own."""
    port = free_port()
    command = [sys.executable, FLEET, str(port)]
    folder = tmp_path_factory.mktemp("fleet")
    with running(
        "fleet", command, folder=folder, port=port, ready=lambda s: listens(s.port)
    ) as server:
        yield server
