"""The project of this folder, up once: its image takes half a minute to build, its containers as long to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.remediation.containers.place import Place, running_place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Run the project."""
    with running_place(tmp_path_factory.mktemp("place")) as found:
        yield found
