"""Three Alertmanagers, together and apart, tell the same: one restart."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.live.servers import free_port, until
from tests.remediation.alertmanager.rig import call
from tests.remediation.live.rig import Ground, alertmanager

pytestmark = [pytest.mark.live, pytest.mark.chaos]

TOOL = "alertmanager-current"


@pytest.mark.parametrize("together", [True, False], ids=["cluster", "partitioned"])
def test_three_that_tell_the_same(ground: Ground, tmp_path: Path, together: bool) -> None:
    """Each peer delivers (all three where they do not hear each other): one restart, by the engine's events."""
    hook, meshes = f"http://127.0.0.1:{ground.port}", [free_port() for _ in range(3)]
    with contextlib.ExitStack() as on:
        servers = [
            on.enter_context(
                alertmanager(
                    tmp_path / str(number),
                    TOOL,
                    hook,
                    mesh=mesh if together else 0,
                    peers=meshes[:number] if together else (),
                )
            )
            for number, mesh in enumerate(meshes)
        ]
        if together:
            until(lambda: all(_peers(one.url) == 3 for one in servers), "the peers know each other")
        ground.voice.alertmanagers = [ground.alertmanager, *servers]
        try:
            with ground.remediator(alertmanager={"url": servers[0].url}) as story:
                ground.yard.put("mail", "hang")
                story.until_closed("healed")
                story.watch(4)

                assert story.restarted == ["mail"]
                # The one of the ground delivers as well; without gossip all four do.
                assert len(_firing(story.remediator.entries("received"))) >= 1
                story.judge(only=["mail"])
        finally:
            ground.voice.alertmanagers = [ground.alertmanager]


def _peers(url: str) -> int:
    return len(call(f"{url}/api/v2/status")["cluster"].get("peers", ()))


def _firing(entries: Sequence[object]) -> list[object]:
    return [each for each in entries if "'firing': True" in str(each)]
