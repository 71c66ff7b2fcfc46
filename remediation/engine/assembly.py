"""
Put the remediator together: eyes, hands, memory and voice around one engine.

Nothing is decided here. What is exchanged when the configuration changes, and what has to be
started and stopped with the engine, is known here only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from remediation import records
from remediation.alertmanager.client import Alertmanager
from remediation.config import Config
from remediation.drivers.docker import DockerDriver
from remediation.drivers.dry_run import DryRunDriver
from remediation.engine.engine import Engine, Parts
from remediation.engine.evidence import Evidence
from remediation.engine.look import Looker
from remediation.engine.probes import Probes
from remediation.engine.restarts import Restarts
from remediation.engine.telling import Telling
from remediation.journal.errors import JournalError
from remediation.journal.journal import Journal
from remediation.model import Driver
from remediation.notify.notifier import build_notifier
from remediation.policy.observing import would_have_done
from remediation.state import State
from remediation.web.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Assembly:
    """An engine and what belongs to it."""

    engine: Engine
    _configured: tuple[Callable[[Config], None], ...] = field(default_factory=tuple)
    _started: tuple[Callable[[], None], ...] = field(default_factory=tuple)
    _stopped: tuple[Callable[[], None], ...] = field(default_factory=tuple)

    def configure(self, config: Config) -> None:
        """Work by *config* from the next round on."""
        for use in self._configured:
            use(config)

    def start(self) -> None:
        """Begin to listen and to work."""
        for start in self._started:
            start()
        self.engine.start()

    def stop(self) -> None:
        """End the round that is under way, then everything else."""
        self.engine.stop()
        for stop in self._stopped:
            stop()


def recall(journal: Journal) -> State:
    """Return the state that *journal* adds up to."""
    state = State()
    for entry in journal.replay():
        state.apply(entry)
    return state


def assemble(
    config: Config, journal: Journal, metrics: Metrics, *, dry_run: bool = False
) -> Assembly:
    """Return an engine that is ready to start; what *journal* holds is its memory."""
    state = recall(journal)
    engines: list[Engine] = []

    def wake(_: str) -> None:
        if engines:
            engines[0].wake()

    ours = {intent.id: intent.wall for intent in state.intents.values()}
    docker = DockerDriver(config, stops=state.stops, ours=ours, on_event=wake)
    driver: Driver = DryRunDriver(docker) if dry_run else docker
    probes = Probes(config, on_late=wake)
    evidence = Evidence(config)
    restarts = Restarts(driver, evidence.collect)

    def told(subject: str, number: int) -> None:
        try:
            engines[0].accept(records.told(subject, number))
        except JournalError as error:
            log.warning("%s has arrived, and will be told again: %s", subject, error)

    notifier = build_notifier(config, journal.clock, told)

    def observed(tiers: list[str]) -> tuple[Mapping[str, Mapping[str, int]], float]:
        since_at = journal.clock.now().steady - config.report_after_s
        entries = journal.replay(whole=True)
        return would_have_done(entries, tiers, since_at), config.report_after_s

    source = Alertmanager(config.alertmanager, journal.clock)
    looker = Looker(config, source, driver, probes, everywhere=True)
    parts = Parts(
        journal=journal,
        clock=journal.clock,
        looker=looker,
        restarts=restarts,
        observer=Telling(metrics, notifier, observed),
        stops=docker.stops,
    )
    engine = Engine(config, parts, state, dry_run=dry_run)
    engines.append(engine)
    return Assembly(
        engine,
        _configured=(
            docker.configure,
            probes.configure,
            evidence.configure,
            engine.configure,
        ),
        _started=(docker.start, *([notifier.start] if notifier else [])),
        _stopped=(docker.close, *([notifier.stop] if notifier else [])),
    )
