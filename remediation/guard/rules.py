"""
What the guard makes of what it sees: one verdict for each container it watches.

Pure: what Docker says, what the server itself answers, what is remembered, the time and the limits in;
a verdict out. It is slow on purpose: a restart needs several failed checks in a row, and two signals
that do not contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from remediation.clock import Moment
from remediation.drivers.seen import Seen
from remediation.guard.config import GuardConfig, Watched
from remediation.guard.state import Memory
from remediation.model import Container

# A restart that ended half-way leaves a container that we stopped; clocks of two processes agree to a second.
_SLACK_S = 1.0
_NOT_READY = 503


class Word(StrEnum):
    """What is said of one container."""

    WELL = "well"
    STARTING = "starting"
    ABSENT = "absent"  # and that is all right
    FAILING = "failing"  # down, and not often enough in a row yet
    RESTART = "restart"  # down, to be restarted now
    RESTARTED = "restarted"
    FAILED = "restart failed"
    HELD = "held"  # down, and somebody said to leave it
    GIVEN_UP = "given up"  # down, and no restarts are left
    LEFT = "left alone"  # down, and a restart is not for us to do


# What leaves nothing to be done; everything else is down.
FINE = frozenset({Word.WELL, Word.STARTING, Word.ABSENT, Word.RESTARTED})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered: *status* 0 and why in *trouble* when it did not."""

    status: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """
    All that is seen of one container.

    *seen* None: there is none of that name. *drift*: why it is not the one that is meant. *trouble*:
    Docker could not be asked. *reply* None: it has no address to be asked at.
    """

    seen: Seen | None
    reply: Reply | None = None
    drift: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done, and why, for people. *quiet*: a human knows, nobody is called."""

    word: Word
    detail: str = ""
    quiet: bool = False


def judge(
    watched: Watched, sight: Sight, memory: Memory, now: Moment, config: GuardConfig
) -> Verdict:
    """Return how *watched* is: WELL, STARTING, ABSENT, LEFT, or FAILING when a restart may cure it."""
    if sight.trouble:
        return Verdict(Word.LEFT, f"Docker cannot be asked: {sight.trouble}")
    if sight.seen is None:
        if watched.optional:
            return Verdict(Word.ABSENT, "its container does not exist")
        return Verdict(Word.LEFT, f"there is no container {watched.container}: create it")
    if sight.drift:
        return Verdict(Word.LEFT, sight.drift)
    ours = sight.seen.container
    if ours.state == "running":
        return _running(watched, ours, sight.reply, now, config)
    return _not_running(sight.seen, memory)


def _not_running(seen: Seen, memory: Memory) -> Verdict:
    ours = seen.container
    if ours.state == "exited":
        if seen.left_alone and not _stopped_by_us(ours, memory):
            return Verdict(Word.LEFT, "a human stopped it", quiet=True)
        return Verdict(Word.FAILING, f"it exited with {ours.exit_code}")
    if ours.state in ("paused", "created"):
        return Verdict(Word.LEFT, f"it is {ours.state}: a human's doing", quiet=True)
    if ours.state == "restarting":
        return Verdict(Word.LEFT, f"Docker is restarting it; it exited with {ours.exit_code}")
    return Verdict(Word.LEFT, f"it is {ours.state}")


def _stopped_by_us(ours: Container, memory: Memory) -> bool:
    """Whether a restart of ours stopped it and ended before it was started again."""
    return (
        memory.acted_wall > 0
        and ours.started_wall < memory.acted_wall
        and ours.finished_wall >= memory.acted_wall - _SLACK_S
    )


def _running(
    watched: Watched, ours: Container, reply: Reply | None, now: Moment, config: GuardConfig
) -> Verdict:
    trouble = _trouble(ours, reply)
    if not trouble:
        return Verdict(Word.WELL)
    age_s = now.wall - ours.started_wall
    patience_s = max(watched.start_period_s, ours.patience_s)
    if reply is not None and reply.status == _NOT_READY:
        patience_s = max(patience_s, config.ready_within_s)
    if 0 <= age_s < patience_s:
        return Verdict(Word.STARTING, f"{trouble}, {age_s:.0f} s after its start")
    if ours.health == "healthy":
        return Verdict(Word.LEFT, f"{trouble}, but Docker's health check of it succeeds")
    return Verdict(Word.FAILING, trouble)


def _trouble(ours: Container, reply: Reply | None) -> str:
    """Return what is wrong with a running container; "" when nothing is."""
    if reply is None:
        return f"its health check says {ours.health}" if ours.health in _ILL else ""
    if not reply.status:
        return f"it does not answer: {reply.trouble}"
    # Any other answer, like 401 or 404, is that of a server that is there.
    return f"it answers {reply.status}" if reply.status >= 500 else ""


_ILL = ("unhealthy", "starting")


def is_blind(sights: Mapping[str, Sight]) -> bool:
    """
    Whether it is rather us who see nothing.

    Several are asked, none answers, and Docker runs all of them without a complaint: then the way from
    here is broken (a firewall, the loopback), and restarts would only do harm.
    """
    # Only what Docker runs is asked (remediation.guard.check).
    asked = [sight for sight in sights.values() if sight.reply is not None and sight.seen]
    return len(asked) > 1 and all(
        sight.reply is not None
        and not sight.reply.status
        and sight.seen is not None
        and sight.seen.container.health != "unhealthy"
        for sight in asked
    )


def decide(
    verdict: Verdict, memory: Memory, now: Moment, config: GuardConfig, *, hold: str, blocked: str
) -> Verdict:
    """
    Return what is to be done about something that fails, *memory* counting this failure already.

    RESTART, or why not: FAILING, HELD (*hold* says why), LEFT (*blocked* says why), GIVEN_UP.
    """
    if verdict.word is not Word.FAILING:
        return verdict
    if hold:
        return Verdict(Word.HELD, f"{verdict.detail}; {hold}", quiet=True)
    if blocked:
        return Verdict(Word.LEFT, f"{verdict.detail}; {blocked}")
    if memory.failures < config.failures:
        text = f"{verdict.detail}; check {memory.failures} of {config.failures}"
        return Verdict(Word.FAILING, text)
    spent = sum(1 for at in memory.restarts if at > now.steady - config.window_s)
    if spent >= config.restarts:
        text = f"{verdict.detail}; restarted {spent} times already, and that is all in one window"
        return Verdict(Word.GIVEN_UP, text)
    return Verdict(Word.RESTART, verdict.detail)


def pages(verdict: Verdict, memory: Memory, now: Moment, config: GuardConfig) -> bool:
    """Whether a human is to be called now: once for each time that something is down."""
    if memory.paged or memory.down_at is None:
        return False
    return verdict.word is Word.GIVEN_UP or now.steady - memory.down_at >= config.page_after_s
