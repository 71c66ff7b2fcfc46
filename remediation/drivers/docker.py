"""
The Docker driver: how the containers of one Compose project are, and restarts by name.

Only containers that the configuration names, and only while the name leads to the project's and the
service's own. Whom to restart and when is decided elsewhere; here stand the last guards: the fence,
what must never be restarted, what a human stopped, and ourselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from exporters.deadline import Deadline
from remediation.config import Config
from remediation.drivers.api import Api
from remediation.drivers.book import Book
from remediation.drivers.listed import names_to_ask, read_list
from remediation.drivers.looks import Found, Looks
from remediation.drivers.own import is_own, own_ids
from remediation.drivers.restart import OneRestart, Patience, refusal
from remediation.drivers.seen import ABSENT, UNKNOWN, Seen, drift_of, with_networks
from remediation.drivers.stops import Event
from remediation.drivers.watch import Watch
from remediation.drivers.wire import ApiError
from remediation.model import Container, DriverError, Fence, Restarted, Result

PATIENCE = Patience()


class DockerDriver:
    """
    Looks and restarts, through the two doors of *config*. Safe for threads.

    Args:
        config: Whose containers; `configure` exchanges it, the doors and the project excepted.
        stops: What `stops` said before: container id to when a human stopped it (wall).
        ours: Restarts that were begun and whose end is not known: container id to when (wall).
        on_event: Called, on another thread, with the service of every event; not before `start`.
        patience: How long Docker is waited for.
        wall: Unix time.
        own: Ids of our own container.
    """

    def __init__(
        self,
        config: Config,
        *,
        stops: Mapping[str, float] | None = None,
        ours: Mapping[str, float] | None = None,
        on_event: Callable[[str], None] = lambda _: None,
        patience: Patience = PATIENCE,
        wall: Callable[[], float] = time.time,
        own: frozenset[str] | None = None,
    ) -> None:
        self._config, self._patience = config, patience
        self._on_event = on_event
        self._own = own_ids() if own is None else own
        self._api = Api(config.docker.read, config.docker.restart)
        self._looks = Looks(self._api, patience.each_s)
        self._book = Book(stops or {}, ours or {}, wall)
        self._lock = threading.Lock()
        self._restarting: set[str] = set()
        project = config.docker.project
        self._watch = Watch(self._api, project, self._heard, self._book.broke, wall)

    def start(self) -> None:
        """Begin to listen to Docker's events; without it human stops are seen less often."""
        self._watch.start()

    def close(self) -> None:
        """Stop listening."""
        self._watch.close()

    @property
    def listening(self) -> bool:
        """Whether Docker's events are being heard."""
        return self._watch.connected

    def configure(self, config: Config) -> None:
        """Work for the services of *config* from now on."""
        self._config = config

    def stops(self) -> dict[str, float]:
        """Return which containers (ids) humans have stopped and when (wall), for the next process."""
        return self._book.stops()

    def since_wall(self) -> float:
        """Return when the host started, or Docker after it was seen to be away; 0 if not known."""
        return self._book.since_wall()

    def look(self) -> Mapping[str, Container]:
        """Return the container of every configured service; see `Driver`."""
        config, deadline = self._config, Deadline.after(self._patience.look_s)
        project = config.docker.project
        wanted = {name: service.container for name, service in config.services.items()}
        names = names_to_ask(wanted, self._list(project, deadline))
        answers = self._looks.ask(names, deadline)
        self._require_some(answers)
        seen = {name: found for name, found in answers.items() if isinstance(found, Seen)}
        self._book.see(seen.values())
        containers = with_networks(seen)
        return {
            name: self._book.told(
                found, containers[name], drift_of(found, project, name, wanted[name])
            )
            if isinstance(found, Seen)
            else (ABSENT if found is None else UNKNOWN)
            for name, found in answers.items()
        }

    def restart(self, service: str, fence: Fence) -> Restarted:
        """Restart the container of *service*, once, if *fence* still holds; see `Driver`."""
        with self._lock:
            if service in self._restarting:
                return Restarted(
                    Result.FAILED, "not done: a restart of it is under way", attempted=False
                )
            self._restarting.add(service)
        try:
            found = self.check(service, fence)
            if isinstance(found, str):
                return Restarted(Result.FAILED, f"not done: {found}", attempted=False)
            self._book.begin(found.id)
            return OneRestart(
                api=self._api,
                name=fence.container,
                before=found,
                look=lambda: self._one(fence.container),
                patience=self._patience,
                untouched=lambda: self._book.undo(found.id),
            ).carry_out()
        finally:
            with self._lock:
                self._restarting.discard(service)

    def check(self, service: str, fence: Fence) -> Container | str:
        """Return the container that `restart` would restart now, or why it would not."""
        ours = self._config.services.get(service)
        if ours is None or ours.container != fence.container:
            return f"{fence.container} is not configured as the container of {service!r}"
        if service in self._config.never_restart:
            return "it is on the list of what nothing restarts"
        if ours.oneshot:
            return "it ends by itself"
        found = self._one(ours.container)
        if not isinstance(found, Seen):
            return "it has no container" if found is None else found
        if is_own(found.container.id, self._own):
            return "that is the container that this runs in"
        drift = drift_of(found, self._config.docker.project, service, ours.container)
        container = self._book.told(found, found.container, drift)
        broken = refusal(container, fence)
        if not broken and self._book.is_signalled(container.id):
            return "somebody has sent it a signal a moment ago"
        return broken or container

    def _one(self, name: str) -> Found:
        return self._looks.one(name, Deadline.after(self._patience.each_s))

    def _list(self, project: str, deadline: Deadline) -> Mapping[str, tuple[str, ...]]:
        try:
            return read_list(self._api, project, deadline)
        except ApiError as error:
            where, status = self._config.docker.read, f"{error.status}: " if error.status else ""
            raise DriverError(f"{where} does not list containers: {status}{error}") from error

    def _require_some(self, answers: Mapping[str, Found]) -> None:
        """Refuse a look that shows nothing: it is no proof that nothing is there."""
        where = self._config.docker.read
        if all(found is None for found in answers.values()):
            project = self._config.docker.project
            text = (
                f"{where}: none of the {len(answers)} configured containers is there. Docker may "
                f"just have started; else correct docker.project ({project!r}) and the names"
            )
            raise DriverError(text)
        if not any(isinstance(found, Seen) for found in answers.values()):
            why = next(found for found in answers.values() if isinstance(found, str))
            raise DriverError(f"{where} says nothing of any container: {why}")

    def _heard(self, event: Event) -> None:
        self._book.hear(event)
        if event.service in self._config.services:
            self._on_event(event.service)
