"""
Look: ask Alertmanager, Docker and the services themselves, side by side, and put it into one `World`.

Whoever does not answer is missing from the world, never guessed at. Services are asked themselves
only where it matters: those that an alert or an open incident concerns, and what they need.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from remediation.config import Config
from remediation.model import (
    Alerts,
    AlertSource,
    AlertSourceError,
    Container,
    Driver,
    DriverError,
    Prober,
    Sight,
    World,
)
from remediation.state import State

log = logging.getLogger(__name__)


class Looker:
    """
    Asks *source*, *driver* and *prober*.

    Args:
        config: Which services there are.
        source: Alertmanager.
        driver: Docker.
        prober: The services' own answers.
        everywhere: Ask every service with every look, for the status page.
    """

    def __init__(
        self,
        config: Config,
        source: AlertSource,
        driver: Driver,
        prober: Prober,
        *,
        everywhere: bool = False,
    ) -> None:
        self._config = config
        self._source = source
        self._driver = driver
        self._prober = prober
        self._everywhere = everywhere
        self._pool = ThreadPoolExecutor(max_workers=3, thread_name_prefix="look")
        self._said: dict[str, str] = {}

    def configure(self, config: Config) -> None:
        """Look at what *config* names from now on."""
        self._config = config

    def look(self, state: State) -> World:
        """Return the world now; *state* says which incidents are open and which alerts were accepted."""
        alerts = self._alerts()
        docker = self._pool.submit(self._containers)
        probed = self._pool.submit(self._prober.ask, self._concerned(alerts, state))
        containers = docker.result()
        answers = probed.result()
        if containers is None:
            return World(alerts, {}, docker_up=False, docker_since_wall=self._driver.since_wall())
        services = {
            name: Sight(container, *answers.get(name, (None, "")))
            for name, container in containers.items()
        }
        return World(alerts, services, docker_up=True, docker_since_wall=self._driver.since_wall())

    def _alerts(self) -> Alerts | None:
        try:
            found = self._source.ask()
        except AlertSourceError as error:
            self._say("Alertmanager", str(error))
            return None
        self._say("Alertmanager", "")
        return found

    def _containers(self) -> Mapping[str, Container] | None:
        try:
            found = self._driver.look()
        except DriverError as error:
            self._say("Docker", str(error))
            return None
        self._say("Docker", "")
        return found

    def _say(self, who: str, what: str) -> None:
        """Log a change, not every round."""
        if self._said.get(who, "") != what:
            if what:
                log.warning("%s: %s", who, what)
            else:
                log.info("%s answers again", who)
            self._said[who] = what

    def _concerned(self, alerts: Alerts | None, state: State) -> frozenset[str]:
        """Return the services whose own answer matters now."""
        if self._everywhere:
            return frozenset(self._config.services)
        found = set()
        labels = [alert.labels for alert in (alerts.active if alerts else ())]
        for each in labels:
            found.add(each.get("service", ""))
            if each.get("scope") == "tier":
                found.update(self._config.members(each.get("tier", "")))
        for incident in state.incidents.values():
            found |= {incident.root, incident.last_service}
            if incident.root in self._config.services:
                found |= self._config.graph.needed_by(incident.root)
                found.update(self._config.members(incident.tier))
        known = found & set(self._config.services)
        return frozenset(known | self._below(known))

    def _below(self, services: Iterable[str]) -> set[str]:
        return {below for name in services for below in self._config.graph.needs(name)}
