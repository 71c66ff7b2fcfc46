"""
A stand-in for Prometheus: asks the services, and tells Alertmanager as often as Prometheus does.

`ServiceDown` fires when a service was ill for the hold, and is resolved when it is well; a Watchdog
goes with it. What was seen is kept, as the truth about who was well when. Everything is twenty
times as fast as rendered; a test may silence the voice (`watchdog`), or make it lie (`claims`).
"""

from __future__ import annotations

import contextlib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.live.servers import Server
from tests.remediation.alertmanager import rig
from tests.remediation.live.yard import REQUIRES, TIERS, Yard

HOLD_S = 2.0
SEND_S = 1.0
ASK_S = 0.4
ENDS_S = 15.0  # after the last word of Prometheus (rendered: four minutes)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a service answered; asked at *began*, answered at *ended* (Unix time)."""

    service: str
    began: float
    ended: float
    healthy: bool


@dataclass(slots=True)
class Voice:
    """Speaks to *alertmanagers*; *muted* services have no alert, *claims* have one whatever they answer."""

    yard: Yard
    alertmanagers: Sequence[Server]
    speaks: bool = True
    watchdog: bool = True
    muted: set[str] = field(default_factory=set)
    claims: set[str] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)
    fires: dict[str, float] = field(default_factory=dict)  # service: since when
    _ill: dict[str, float] = field(default_factory=dict)
    _ended: dict[str, float] = field(default_factory=dict)  # service: start of what was resolved
    _stop: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """Be honest again, about everything."""
        self.speaks = self.watchdog = True
        self.muted.clear()
        self.claims.clear()

    def healthy(self, *services: str) -> bool:
        """Whether the last answers of *services* (all, if none is named) were good."""
        last: dict[str, bool] = {}
        for sample in self.samples[-8 * len(REQUIRES) :]:
            last[sample.service] = sample.healthy
        return all(last.get(name, False) for name in services or REQUIRES)

    def quiet(self) -> bool:
        """Whether all are well and nothing is alerted."""
        return self.healthy() and not self.fires

    def ask(self) -> None:
        """Ask all services, each on a thread of its own, until told to stop."""

        def loop(service: str) -> None:
            while not self._stop.is_set():
                self._take(_asked(service, self.yard.url(service)))
                self._stop.wait(ASK_S)

        with ThreadPoolExecutor(len(REQUIRES)) as pool:
            list(pool.map(loop, REQUIRES))

    def tell(self) -> None:
        """Tell every Alertmanager, once a second."""
        while not self._stop.wait(SEND_S):
            if not self.speaks:
                continue
            for server in self.alertmanagers:
                # One that is away is told the next time.
                with contextlib.suppress(OSError, urllib.error.URLError):
                    self._tell(server)

    def stop(self) -> None:
        """End both."""
        self._stop.set()

    def _take(self, sample: Sample) -> None:
        self.samples.append(sample)
        name, now = sample.service, sample.ended
        ill = (not sample.healthy or name in self.claims) and name not in self.muted
        if not ill:
            self._ill.pop(name, None)
            if name in self.fires:
                self._ended[name] = self.fires.pop(name)
        elif now - self._ill.setdefault(name, now) >= HOLD_S and name not in self.fires:
            self._ended.pop(name, None)
            self.fires[name] = now

    def _tell(self, server: Server) -> None:
        now = time.time()
        if self.watchdog:
            rig.post(server, rig.WATCHDOG, endsAt=now + ENDS_S)
        for name, since in [*self.fires.items()]:
            rig.post(server, labels(name), startsAt=since, endsAt=now + ENDS_S)
        for name, since in [*self._ended.items()]:
            rig.post(server, labels(name), startsAt=since, endsAt=now)


def labels(service: str) -> dict[str, str]:
    """Return the labels of the alert that *service* is down."""
    return rig.labels("ServiceDown", service, TIERS[service])


def _asked(service: str, url: str) -> Sample:
    began = time.time()
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310
            healthy = answer.status == 200
    except (OSError, urllib.error.URLError):
        healthy = False
    return Sample(service, began, time.time(), healthy)


@contextlib.contextmanager
def speaking(yard: Yard, *alertmanagers: Server) -> Iterator[Voice]:
    """Ask and tell while the block runs."""
    voice = Voice(yard, list(alertmanagers))
    threads = [threading.Thread(target=work, daemon=True) for work in (voice.ask, voice.tell)]
    for thread in threads:
        thread.start()
    try:
        yield voice
    finally:
        voice.stop()
        for thread in threads:
            thread.join(30)
