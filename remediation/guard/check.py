"""
Who heals the healer: restart the remediator, its proxies, Prometheus and Alertmanager, and nothing else.

One run of `tierwatch guard`, for a timer of the host: look, judge (remediation.guard.rules), write down,
do, tell. It has no Alertmanager in its path, takes names and addresses from its configuration only, and
restarts through Docker's socket by container name. What it cannot write down it does not do.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from remediation.clock import Moment
from remediation.drivers.seen import Seen
from remediation.guard.config import GuardConfig, Watched
from remediation.guard.outside import Outside, read_hold
from remediation.guard.rules import FINE, Sight, Verdict, Word, decide, is_blind, judge, pages
from remediation.guard.state import Memory, State
from remediation.model import DriverError, Result

LOCK_S = 10.0
_WORKERS = 8
_BLIND = "none of those asked answers, though Docker runs them all: look at the way from this host"


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run: a verdict by name, in the order watched, and what else is to be said."""

    verdicts: Mapping[str, Verdict]
    notes: tuple[str, ...] = ()

    @property
    def is_fine(self) -> bool:
        """Whether everything is well, or was just restarted."""
        return not self.notes and all(each.word in FINE for each in self.verdicts.values())


def check(config: GuardConfig, outside: Outside, *, dry_run: bool = False) -> Report:
    """
    Look at everything once and restart what has been down for long enough.

    With *dry_run* nothing is restarted, written or told.

    Raises:
        StateError: What is remembered cannot be read, or not be kept; nothing was restarted then.
    """
    if dry_run:
        state = outside.store.peek() or State(lost=f"{outside.store.path} is not readable as ours")
        return _Run(config, outside, state, dry_run=True).carry_out()
    with outside.store.locked(LOCK_S):
        return _Run(config, outside, outside.store.read(), dry_run=False).carry_out()


class _Run:
    """One run: the state it changes, and what it has to say."""

    def __init__(
        self, config: GuardConfig, outside: Outside, state: State, *, dry_run: bool
    ) -> None:
        self._config, self._outside, self._state = config, outside, state
        self._dry_run = dry_run
        self._clock = outside.clock(state.anchor, state.steady)
        self._notes: list[str] = []

    def carry_out(self) -> Report:
        now = self._now()
        if self._state.lost:
            self._state.blocked_until = now.steady + self._config.window_s
            self._notes.append(self._state.lost)
        self._save()  # before anything: what cannot be written down is not done
        sights = self._look()
        hold, blocked = self._hold(), self._blocked(now, sights)
        verdicts = {
            each.name: self._one(each, sights[each.name], hold, blocked)
            for each in self._config.watched
        }
        self._save()
        self._tell(verdicts)
        return Report(verdicts, tuple(self._notes))

    def _now(self) -> Moment:
        now = self._clock.now()
        self._state.anchor, self._state.steady = self._clock.anchor, now.steady
        return now

    def _save(self) -> None:
        if not self._dry_run:
            self._outside.store.write(self._state)

    def _look(self) -> dict[str, Sight]:
        watched = self._config.watched
        with ThreadPoolExecutor(min(_WORKERS, len(watched))) as pool:
            return dict(zip((w.name for w in watched), pool.map(self._sight, watched), strict=True))

    def _sight(self, watched: Watched) -> Sight:
        docker = self._outside.docker
        try:
            seen = docker.look(watched.container)
        except DriverError as error:
            return Sight(None, trouble=str(error))
        if seen is None:
            return Sight(None)
        asked = watched.url and seen.container.state == "running"
        reply = self._outside.ask(watched.url) if asked else None
        return Sight(seen, reply, docker.drift(seen, watched.name, watched.container))

    def _hold(self) -> str:
        reason = read_hold(self._config.hold)
        if reason is None:
            return ""
        return f"{self._config.hold} says to restart nothing{f': {reason}' if reason else ''}"

    def _blocked(self, now: Moment, sights: Mapping[str, Sight]) -> str:
        if self._state.blocked_until > now.steady:
            left_s = self._state.blocked_until - now.steady
            return f"what was restarted before is not known: nothing for {left_s / 60:.0f} min more"
        return _BLIND if is_blind(sights) else ""

    def _one(self, watched: Watched, sight: Sight, hold: str, blocked: str) -> Verdict:
        now, memory = self._now(), self._state.of(watched.name)
        found = judge(watched, sight, memory, now, self._config)
        if found.word in FINE:
            memory.failures = 0
            return found
        if memory.down_at is None:
            memory.down_at = now.steady
        memory.failures = memory.failures + 1 if found.word is Word.FAILING else 0
        verdict = decide(found, memory, now, self._config, hold=hold, blocked=blocked)
        if verdict.word in (Word.HELD, Word.LEFT):
            memory.failures = 0  # when the reason has gone, it is counted anew
        if verdict.quiet and not memory.paged:
            memory.down_at = None
        if verdict.word is Word.RESTART and sight.seen is not None and not self._dry_run:
            return self._restart(sight.seen, memory, now, verdict)
        return verdict

    def _restart(self, seen: Seen, memory: Memory, now: Moment, why: Verdict) -> Verdict:
        kept = [at for at in memory.restarts if at > now.steady - self._config.window_s]
        memory.restarts = [*kept, now.steady]
        memory.acted_wall, memory.failures = now.wall, 0
        self._save()
        done = self._outside.docker.restart(seen)
        if done.result is Result.SUCCEEDED:
            return Verdict(Word.RESTARTED, why.detail)
        return Verdict(Word.FAILED, f"{why.detail}; {done.detail}")

    def _tell(self, verdicts: Mapping[str, Verdict]) -> None:
        """Call people where it is due, and say when it is over; what does not get through is tried again."""
        if self._dry_run:
            return
        now, changed = self._now(), False
        for name, verdict in verdicts.items():
            memory = self._state.of(name)
            if verdict.word in (Word.WELL, Word.ABSENT):
                changed |= memory.down_at is not None
                if memory.paged:
                    self._outside.tell(name, "it is well again", over=True)
                memory.down_at, memory.paged = None, False
            elif pages(verdict, memory, now, self._config):
                memory.paged = self._outside.tell(name, verdict.detail, over=False)
                changed |= memory.paged
        if self._state.lost:
            self._outside.tell("guard", self._state.lost, over=False)
        if changed:
            self._save()
