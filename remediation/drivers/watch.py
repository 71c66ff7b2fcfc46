"""
Listen to Docker's events on a thread of its own, for as long as the process lives.

A connection that ends is made anew, after a pause that grows. What happened meanwhile is asked for
first: the engine keeps its last 256 events (health checks fill that in minutes, so the rest has to be
seen by looking, remediation.drivers.stops). What events mean is not decided here.

Source: Docker Engine API, SystemEvents; moby, daemon/events.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from exporters.deadline import Deadline
from remediation.drivers.api import Api, Stream
from remediation.drivers.seen import ONE_OFF, PROJECT, SERVICE
from remediation.drivers.stops import Event
from remediation.drivers.wire import ApiError

log = logging.getLogger(__name__)

ACTIONS = ("start", "die", "kill", "stop", "destroy", "health_status", "oom", "pause", "unpause")
IDLE_S = 60.0  # then the connection is made anew: one that is dead looks like one that is quiet
FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 5.0
MISSED_S = 5.0  # the answer to what was missed is at hand


class Watch:
    """
    Listens, through *api*, to the containers of Compose project *project*.

    Args:
        api: The engine.
        project: Whose containers count; those of `docker compose run` do not.
        heard: Called with every event, oldest first; the last one before a gap may come twice.
        broke: Called with the time (wall) when the engine, or a proxy, ended the connection.
        wall: Unix time.
    """

    def __init__(
        self,
        api: Api,
        project: str,
        heard: Callable[[Event], None],
        broke: Callable[[float], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._filters = json.dumps(
            {"type": ["container"], "event": list(ACTIONS), "label": [f"{PROJECT}={project}"]}
        )
        self._heard, self._broke, self._wall = heard, broke, wall
        self._last = 1_000_000_000  # nanoseconds; the first time all that the engine remembers
        self._closed = threading.Event()
        self._connected = threading.Event()
        self._stream: Stream | None = None
        self._thread = threading.Thread(target=self._run, name="docker-events", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening; the thread may take until the next event to notice."""
        self._closed.set()
        stream = self._stream
        if stream is not None:
            # The SDK looks for the socket inside the answer, which may be closing by itself just now.
            with contextlib.suppress(OSError, AttributeError, ValueError):
                stream.close()

    @property
    def connected(self) -> bool:
        """Whether the last that we know is that the engine answers."""
        return self._connected.is_set()

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._closed.is_set():
            try:
                self._catch_up()
                pause = FIRST_PAUSE_S
                self._follow()
            except ApiError as error:
                if error.late and self._connected.is_set():
                    continue  # quiet
                self._lost(str(error))
            except Exception:
                # The stream must outlive whatever an event brings along.
                log.exception("Docker's events")
                self._lost("a mistake of ours")
            self._closed.wait(pause)
            pause = min(2 * pause, MAX_PAUSE_S)

    def _lost(self, why: str) -> None:
        if self._connected.is_set() and not self._closed.is_set():
            self._connected.clear()
            log.warning("Docker's events ended: %s", why)
            self._broke(self._wall())

    def _catch_up(self) -> None:
        """Take in what happened since the last event; this ends by itself."""
        params = self._params(self._last) | {"until": _seconds(int(self._wall() * 1e9))}
        try:
            missed = self._api.bytes("/events", Deadline.after(MISSED_S), params)
        except ApiError as error:
            self._lost(str(error))
            raise
        self._connected.set()
        for line in missed.splitlines():
            self._take(line)

    def _follow(self) -> None:
        """Take in events as they come until the connection ends."""
        self._stream = self._api.lines("/events", self._params(self._last), IDLE_S)
        try:
            for line in self._stream:
                if self._closed.is_set():
                    return
                self._take(line)
        finally:
            self._stream.close()
            self._stream = None
        self._lost("the connection was closed")

    def _params(self, since: int) -> dict[str, str]:
        return {"since": _seconds(since), "filters": self._filters}

    def _take(self, line: bytes) -> None:
        event = read_event(line)
        if event is None:
            return
        self._last = max(event.nano, self._last)
        self._heard(event)


def _seconds(nano: int) -> str:
    return f"{nano // 10**9}.{nano % 10**9:09d}"


def read_event(line: bytes) -> Event | None:
    """Return the event in *line*, one of a service's container; None for all else."""
    try:
        data: Any = json.loads(line)
        actor = data["Actor"]
        labels = actor["Attributes"]
        nano, action, id_ = data["timeNano"], data["Action"], actor["ID"]
        service, one_off = labels.get(SERVICE, ""), labels.get(ONE_OFF, "")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    if not (isinstance(nano, int) and isinstance(action, str) and isinstance(id_, str)):
        return None
    if not isinstance(service, str) or not service or str(one_off).lower() == "true":
        return None
    return Event(action.partition(":")[0], id_, service, nano)
