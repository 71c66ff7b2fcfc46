"""
A few containers, by name, over one door: how are they, and restart this one.

What the guard needs of Docker. It keeps no connection and follows no events, because it lives for
seconds only; that a human stopped a container it reads from what Docker says of it now.
"""

from __future__ import annotations

from exporters.deadline import Deadline
from remediation.drivers.api import Api, path_of
from remediation.drivers.restart import OneRestart, Patience
from remediation.drivers.seen import Seen, drift_of, read_inspect
from remediation.drivers.wire import ApiError
from remediation.model import DriverError, Restarted


class NamedRestart:
    """The containers of *project* behind *url* (`unix:///path` or `tcp://host:port`)."""

    def __init__(self, url: str, project: str, patience: Patience | None = None) -> None:
        self._api, self._project = Api(url, url), project
        self._patience = patience or Patience()

    def look(self, container: str) -> Seen | None:
        """
        Return what Docker says of *container*; None when there is none of that name.

        Raises:
            DriverError: Docker did not answer, or not so that it can be understood.
        """
        try:
            answer = self._api.json(path_of(container), Deadline.after(self._patience.look_s))
        except ApiError as error:
            if error.status == 404:
                return None
            raise DriverError(str(error)) from error
        seen = read_inspect(answer)
        if seen is None:
            raise DriverError(f"what Docker says of {container} is no container")
        return seen

    def drift(self, seen: Seen, service: str, container: str) -> str:
        """Return why *seen* is not the container of *service* that is meant; "" when it is."""
        return drift_of(seen, self._project, service, container)

    def restart(self, seen: Seen) -> Restarted:
        """Restart, once, the container that *seen* describes, by its name; never raises."""
        return OneRestart(
            api=self._api,
            name=seen.name,
            before=seen.container,
            look=lambda: self._again(seen.name),
            patience=self._patience,
            untouched=lambda: None,
        ).carry_out()

    def _again(self, container: str) -> Seen | str | None:
        try:
            return self.look(container)
        except DriverError as error:
            return str(error)
