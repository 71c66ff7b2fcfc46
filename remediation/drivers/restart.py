"""
One restart: is it still the container that was meant, ask once, and find out what came of it.

Docker goes on stopping and starting when its client has gone (reference: daemon/restart.go), so a
lost answer is never a reason to ask again: the container's start tells whether it was done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from exporters.deadline import Deadline
from remediation.drivers.api import Api
from remediation.drivers.seen import Seen
from remediation.drivers.wire import ApiError
from remediation.model import Container, Fence, Restarted, Result

NEVER = ("paused", "removing", "dead", "unknown", "absent")  # states in which nothing is restarted
_GATEWAY = (502, 503, 504)  # a proxy that got no answer: as good as none
_CURES = {
    401: "the proxy wants credentials",
    403: "the proxy refuses: allow POST /containers/NAME/restart for it",
    404: "Docker has no such container",
    409: "Docker is busy with it",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things may take, in seconds."""

    look_s: float = 4.0  # all containers
    each_s: float = 2.5  # one of them
    answer_s: float = 30.0  # the answer to a restart, on top of the container's own stop timeout
    after_s: float = 10.0  # to find out what came of it, on top of that
    poll_s: float = 0.5


def refusal(seen: Container, fence: Fence) -> str:
    """Return why *seen* is not to be restarted as *fence* wants it; "" when it is."""
    if seen.drift:
        return seen.drift
    if seen.state in NEVER:
        return f"it is {seen.state}"
    if seen.id != fence.id:
        return f"it was made anew: {seen.id[:12]} instead of {fence.id[:12]}"
    if seen.started_wall != fence.started_wall:
        return f"it was started in the meantime, at {seen.started_wall:.3f}"
    return "a human stopped it" if seen.stopped else ""


@dataclass(frozen=True, slots=True)
class OneRestart:
    """
    What is needed to restart one container that has passed the fence.

    *look* asks Docker for the container by its name: a `Seen`, None where there is none, else a text
    that says why not. *wait* sleeps.
    """

    api: Api
    name: str
    before: Container
    look: Callable[[], Seen | str | None]
    patience: Patience
    untouched: Callable[[], None]  # called when the engine has not touched the container
    wait: Callable[[float], None] = time.sleep

    def carry_out(self) -> Restarted:
        """Ask for the restart, once, and return what came of it."""
        stop_s, patience = self.before.stop_timeout_s, self.patience
        until = Deadline.after(stop_s + patience.answer_s + patience.after_s)
        try:
            self.api.restart(self.name, stop_s, patience.answer_s)
        except ApiError as error:
            return self._failed(error, until)
        came = self._moved(until.sooner(patience.after_s))
        if came is None:
            text = "Docker says that it is done, but the container has not started anew"
            return Restarted(Result.UNKNOWN, text)
        return Restarted(Result.SUCCEEDED, "", came)

    def _failed(self, error: ApiError, until: Deadline) -> Restarted:
        if not error.sent or error.status in _CURES:
            self.untouched()
        if not error.sent:
            return Restarted(Result.FAILED, f"nothing was sent: {error}")
        if error.status and error.status not in _GATEWAY:
            cure = _CURES.get(error.status, "Docker could not do it")
            text = f"{cure} ({error.status}: {error})"
            # An engine that fails half-way may have started it all the same.
            came = self._once() if error.status >= 500 else None
            if came:
                return Restarted(Result.SUCCEEDED, f"started, although {text}", came)
            return Restarted(Result.FAILED, text)
        came = self._moved(until)
        if came:
            return Restarted(
                Result.SUCCEEDED, f"the answer was lost ({error}), its start was not", came
            )
        return Restarted(Result.UNKNOWN, f"the answer was lost ({error}), and no start was seen")

    def _moved(self, until: Deadline) -> float | None:
        """
        Return when the container was started anew, waiting for it; None when it was not.

        0 when Docker did not say so often as it was asked: then nothing contradicts its answer.
        """
        told = False
        while True:
            seen = self.look()
            if isinstance(seen, Seen):
                told = True
                if self._is_anew(seen):
                    return seen.container.started_wall
            if until.expired():
                return None if told else 0.0
            self.wait(min(self.patience.poll_s, until.remaining()))

    def _once(self) -> float | None:
        seen = self.look()
        return (
            seen.container.started_wall if isinstance(seen, Seen) and self._is_anew(seen) else None
        )

    def _is_anew(self, seen: Seen) -> bool:
        ours = seen.container
        return ours.id == self.before.id and ours.started_wall > self.before.started_wall
