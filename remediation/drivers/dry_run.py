"""
The driver that changes nothing: it looks as the real one does, and says what it would do.

The same guards are asked, so that a dry run refuses what the real one would refuse. No POST is ever
sent.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

from remediation.drivers.docker import DockerDriver
from remediation.model import Container, Fence, Restarted, Result

log = logging.getLogger(__name__)


class DryRunDriver:
    """Looks through *driver*; restarts nothing."""

    def __init__(self, driver: DockerDriver) -> None:
        self._driver = driver

    def look(self) -> Mapping[str, Container]:
        """Return what the real driver sees."""
        return self._driver.look()

    def since_wall(self) -> float:
        """Return what the real driver knows."""
        return self._driver.since_wall()

    def restart(self, service: str, fence: Fence) -> Restarted:
        """Say what would be done; SUCCEEDED with the start that it has, FAILED where it is refused."""
        found = self._driver.check(service, fence)
        if isinstance(found, str):
            return Restarted(Result.FAILED, f"dry run; would not be done: {found}")
        stop_s = math.ceil(found.stop_timeout_s)
        text = f"dry run; would ask for POST /containers/{fence.container}/restart?t={stop_s}"
        log.info("%s: %s", service, text)
        return Restarted(Result.SUCCEEDED, text, found.started_wall)
