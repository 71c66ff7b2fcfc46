"""
Ask services themselves, as the agents exporter does, before and after something is done to them.

A round of decisions must not wait half a minute for a service that hangs, and a service that may
take half a minute must not be called sick after three seconds. So each probe has its service's own
timeout, on a thread that goes on, and `ask` waits a little only. Who is not ready then has no answer,
unless the last whole probe failed a moment ago: still silent, it has failed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from exporters.agents_loop import Task, run_all
from exporters.agents_probe import Outcome, probe
from exporters.agents_resolve import Resolver
from exporters.config import Target
from exporters.deadline import Deadline
from remediation.config import Config, Service
from remediation.masking import mask_text

log = logging.getLogger(__name__)

WAIT_S = 3.0  # of one `ask`
MEMORY_S = 60.0  # a failure counts that long on top of the service's timeout, while it stays silent
MAX_DETAIL = 300
# getaddrinfo's words where the resolver itself failed: EAI_AGAIN and EAI_FAIL.
_RESOLVER_FAILED = ("[Errno -3]", "[Errno -4]", "still in phase resolve")

Answer = tuple[bool | None, str]


@dataclass(frozen=True, slots=True)
class _Told:
    """What a probe came to, and when (monotonic)."""

    answer: Answer
    nameless: bool  # its name was not found
    at: float


class Probes:
    """
    Asks the services of *config*.

    Args:
        config: How each is asked; `configure` exchanges it.
        wait_s: How long `ask` waits.
        on_late: Called, on another thread, with a service whose probe failed after `ask` had left.
        clock: `time.monotonic`.
    """

    def __init__(
        self,
        config: Config,
        *,
        wait_s: float = WAIT_S,
        on_late: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._wait_s, self._on_late, self._clock = config, wait_s, on_late, clock
        self._resolver = Resolver()
        self._changed = threading.Condition()
        self._told: dict[str, _Told] = {}
        self._under_way: set[str] = set()

    def configure(self, config: Config) -> None:
        """Ask by *config* from now on."""
        with self._changed:
            self._config = config
            self._told = {n: told for n, told in self._told.items() if n in config.services}

    def ask(self, services: Collection[str]) -> Mapping[str, Answer]:
        """Return (answered well, detail) for each of *services*; None where that cannot be told."""
        config, began, deadline = self._config, self._clock(), Deadline.after(self._wait_s)
        asked = {
            name: config.services[name]
            for name in services
            if name in config.services and config.services[name].health.probe != "container"
        }
        self._begin(asked)
        with self._changed:
            while not deadline.expired() and self._under_way & asked.keys():
                self._changed.wait(deadline.remaining())
            found = {name: self._answer(each, began) for name, each in asked.items()}
            nameless = [name for name in asked if self._is_nameless(name, began)]
        if len(nameless) == len(asked) > 1:
            found = dict.fromkeys(asked, (None, "no name at all can be resolved from here"))
        return {name: found.get(name, (None, "has no probe of its own")) for name in services}

    def _begin(self, services: Mapping[str, Service]) -> None:
        """Start a probe of each that none is under way of; those of one timeout share a thread."""
        groups: dict[float, list[Service]] = {}
        with self._changed:
            for name, service in services.items():
                if name not in self._under_way:
                    self._under_way.add(name)
                    groups.setdefault(service.health.timeout_s, []).append(service)
        for timeout_s, group in groups.items():
            threading.Thread(
                target=self._run, args=(group, timeout_s), name="probes", daemon=True
            ).start()

    def _run(self, services: Sequence[Service], timeout_s: float) -> None:
        outcomes = [Outcome(_target(each)) for each in services]
        late_at = self._clock() + self._wait_s
        left = {each.name for each in services}

        def reported(outcome: Outcome) -> Task:
            yield from probe(outcome)
            left.discard(outcome.target.service)
            self._take(outcome, late_at)

        try:
            run_all(map(reported, outcomes), Deadline.after(timeout_s), self._resolver)
        except Exception:
            # Nobody else would notice: the thread is ours.
            log.exception("probes")
        for outcome in outcomes:
            if outcome.target.service in left:  # cut off before its turn
                self._take(outcome, late_at)

    def _take(self, outcome: Outcome, late_at: float) -> None:
        name, now = outcome.target.service, self._clock()
        told = _Told(answer_of(outcome), outcome.reason == "dns", now)
        with self._changed:
            self._told[name] = told
            self._under_way.discard(name)
            self._changed.notify_all()
        if told.answer[0] is False and now > late_at:
            self._on_late(name)

    def _answer(self, service: Service, began: float) -> Answer:
        told, timeout_s = self._told.get(service.name), service.health.timeout_s
        if told is not None and told.at >= began:
            return told.answer
        if told is not None and told.answer[0] is False:
            age = began - told.at
            if age <= timeout_s + MEMORY_S:
                return (
                    False,
                    f"{told.answer[1]}; that was {age:.0f} s ago, and it is still silent",
                )
        return (None, f"silent for {self._wait_s:g} s; it may take {timeout_s:g} s")

    def _is_nameless(self, name: str, began: float) -> bool:
        told = self._told.get(name)
        return told is not None and told.at >= began and told.nameless


def answer_of(outcome: Outcome) -> Answer:
    """
    Return what *outcome* says of its target, with words for people.

    None where it says something of us: out of descriptors, or a resolver that does not work.
    """
    if outcome.up:
        return (True, "")
    detail = mask_text(outcome.detail)[:MAX_DETAIL]
    if not outcome.asked:
        return (None, f"could not be asked: {detail or 'no time was left'}")
    if outcome.reason != "dns":
        return (False, detail)
    if any(words in outcome.detail for words in _RESOLVER_FAILED):
        return (None, f"its name cannot be looked up from here now: {detail}")
    return (False, f"its name is not known here: {detail}")


def _target(service: Service) -> Target:
    health = service.health
    return Target(
        service=service.name,
        tier=service.tier,
        kind="",
        profile="",
        container=service.container,
        probe=health.probe,
        url=health.url,
        expect=health.expect,
    )
