"""Rounds that break one after the other: people are told once when it begins and once when it ends."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from remediation.engine import engine as rounds
from remediation.engine.engine import HUNG_S, TROUBLE, Engine
from tests.live.servers import until
from tests.remediation import shop
from tests.remediation.simulation.sim import Silent, Sim

DEADLINE_S = 60.0


@dataclass
class _Told(Silent):
    """Notes when rounds break, and when they do not any more."""

    heard: list[str] = field(default_factory=list)

    def trouble(self, why: str) -> None:
        """Note it."""
        self.heard.append(why)


@dataclass
class _Ill:
    """An engine whose rounds end as they are told to; the last one's end is that of all that follow."""

    engine: Engine
    told: _Told
    sim: Sim
    ends: deque[Exception | None] = field(default_factory=lambda: deque([None]))
    rounds: int = 0

    def round(self) -> None:
        """Break, or do nothing."""
        self.rounds += 1
        end = self.ends[0] if len(self.ends) == 1 else self.ends.popleft()
        if end is not None:
            raise end

    def play(self, *ends: Exception | None) -> list[str]:
        """Return what was told once rounds have ended like this."""
        self.ends = deque(ends)
        last, deadline = None, time.monotonic() + DEADLINE_S
        # The round that follows the last one begins after the last one was told.
        while last is None or self.rounds < last + 2:
            assert time.monotonic() < deadline
            if last is None and len(self.ends) == 1:
                last = self.rounds
            self.engine.wake()
            time.sleep(0.001)
        return list(self.told.heard)


@pytest.fixture
def ill(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Ill]:
    """Return an engine at work that has nothing to do, with a thread of its own."""
    monkeypatch.setattr(rounds, "FAILED_WAIT_S", 0.0)
    sim, told = Sim(shop.config()), _Told()
    engine = sim.start()
    engine._parts = replace(engine._parts, observer=told)
    made = _Ill(engine, told, sim)
    monkeypatch.setattr(engine, "round", made.round)
    engine.start()
    yield made
    engine.stop(30)


def test_a_round_that_never_ends_is_told(ill: _Ill, monkeypatch: pytest.MonkeyPatch) -> None:
    """After five minutes only a restart helps, and that is said until the round ends after all."""
    began, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        began.set()
        go_on.wait(DEADLINE_S)

    monkeypatch.setattr(ill.engine, "round", hang)
    ill.engine.wake()
    assert began.wait(DEADLINE_S)
    moments = []
    for step_s in (HUNG_S - 1, 13):
        ill.sim.now += step_s
        moments.append((ill.engine.hung(), ill.engine.trouble()))
    go_on.set()
    until(lambda: not ill.engine.hung(), "the round has ended")

    why = "a round began 312 s ago and has not ended"
    assert moments == [("", ""), (why, why)]


FULL, BUG = OSError("no space left"), KeyError("web")


def test_its_begin_and_its_end_are_told_once_each(ill: _Ill) -> None:
    """However many rounds break, there is one word; the first good round ends it; then it may begin again."""
    well = ill.play(None)
    broken = ill.play(*[FULL] * 5 * TROUBLE)
    over = ill.play(None)
    again = ill.play(*[BUG] * TROUBLE)

    why = f"{TROUBLE} rounds in a row broke: OSError: no space left"
    assert (well, broken, over) == ([], [why], [why, ""])
    assert again == [why, "", f"{TROUBLE} rounds in a row broke: KeyError: 'web'"]


def test_a_moment_is_no_news(ill: _Ill) -> None:
    """One or two rounds that break between good ones are told to nobody."""
    assert ill.play(*[FULL, FULL, None] * 5) == []
