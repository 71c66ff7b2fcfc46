"""The ground that the tests of a file share, once for each generation of Alertmanager that a file asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.remediation.live.rig import Ground, running_ground


@pytest.fixture(scope="module")
def ground(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    """Run everything but the remediator; the parameter is the Alertmanager's name."""
    tool = getattr(request, "param", "alertmanager-current")
    with running_ground(tmp_path_factory.mktemp("ground"), tool) as found:
        yield found
