"""
The same faults, three healers: none, a plain restart-on-unhealthy loop, and ours; in one run, on one engine.

Faults: a service hangs; a database hangs and the API clings to its fall; a human stops a sick service;
three unrelated services fail at once; one that no restart cures. The engine's events say what was
restarted; the services' own answers say how long each fault lasted and which restarts were wrong: of
something that was well, that a dependency kept ill, that a human had stopped, amid a storm, or
the fourth and later ones of what is not cured. Alerts hold for two seconds, the loop looks once a second
(rendered: two minutes; docker-autoheal: five seconds).
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from tests.exporters.agents.engine import Engine
from tests.remediation.live import judge, yard
from tests.remediation.live.rig import Ground, running_ground
from tests.remediation.live.truth import Restart

WAIT_S = 60.0  # a fault that lasts longer than this is not healed
SEEN_S = 10.0  # until a fault shows
LEFT_S = 5.0  # whether what is healed is left in peace then
WATCH_S = 30.0  # how long is looked at what should not be restarted
RESTARTS_OF_THE_INCURABLE = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: how it *begins*, whether restarts can cure it, and what is wrong with a restart of it."""

    title: str
    begins: Callable[[Ground], None]
    curable: bool
    wrong: Callable[[list[Restart]], int] = lambda _: 0


def _human(ground: Ground) -> None:
    ground.yard.put("worker", "broken")
    ground.yard.take("worker", "ok")
    ground.yard.engine.docker("stop", "-t", "1", ground.yard.name("worker"))
    # A human who looks at something takes minutes; here seconds.
    ground.yard.take("worker", "broken")


def _storm(ground: Ground) -> None:
    for service in ("db", "cache", "mail"):
        ground.yard.put(service, "broken", "hang")


def _clinging(ground: Ground) -> None:
    ground.yard.put("api", "clings")
    ground.yard.put("db", "hang")


FAULTS = (
    Fault("a service hangs", lambda ground: ground.yard.put("mail", "hang"), curable=True),
    Fault("a database hangs, the API clings to it", _clinging, curable=True),
    Fault("a human stops a service", _human, curable=False, wrong=len),
    Fault("no restart cures it", lambda ground: ground.yard.put("mail", "broken", "hang"), curable=False,
          wrong=lambda did: max(0, len(did) - RESTARTS_OF_THE_INCURABLE)),
    Fault("three roots fail at once", _storm, curable=False, wrong=lambda did: max(0, len(did) - 2)),
)  # fmt: skip


@contextmanager
def _loop(engine: Engine) -> Iterator[None]:
    """Restart whatever Docker calls unhealthy, once a second, as docker-autoheal does."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(1.0):
            for name in engine.docker(
                "ps", "--filter", "health=unhealthy", "--format", "{{.Names}}"
            ).split():
                engine.docker("restart", "-t", "2", name)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(60)


def _one(ground: Ground, fault: Fault) -> tuple[float | None, int, int]:
    """Return how long *fault* lasted (None: to the end), how many restarts there were, how many wrong."""
    since = time.time()
    fault.begins(ground)
    if fault.curable:
        _wait(lambda: not ground.voice.healthy(), SEEN_S)
        is_healed = _wait(ground.voice.healthy, WAIT_S)
        lasted = time.time() - since if is_healed else None
        time.sleep(LEFT_S)
    else:
        lasted = None
        time.sleep(WATCH_S)
    did, samples = ground.truth.restarts(since), ground.voice.samples
    bad = [one for one in did if judge.order([one], samples) or judge.needless([one], samples)]
    return lasted, len(did), max(len(bad), fault.wrong(did))


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def healing(folder: Path) -> Iterator[str]:
    """Yield one row for each fault and healer."""
    # The loop knows only what Docker's own health checks say: here all services have one.
    with (
        mock.patch.object(yard, "CHECKED", tuple(yard.REQUIRES)),
        running_ground(folder, "alertmanager-current") as ground,
    ):
        yield f"{'':42}{'no healer':>20}{'restart loop':>20}{'tierwatch':>20}"
        rows = {fault.title: "" for fault in FAULTS}
        totals = ""
        for healer in ("none", "loop", "ours"):
            wrong = 0
            for fault in FAULTS:
                ground.settle()
                # What Docker's own health checks say of the fault before comes to an end, too.
                _wait(lambda: not _unsure(ground.yard.engine), WAIT_S)
                with _healer(ground, healer):
                    healed, did, bad = _one(ground, fault)
                wrong += bad
                rows[fault.title] += _cell(fault, healed, did, bad)
            totals += f"{f'{wrong} wrong':>20}"
        for title, cells in rows.items():
            yield f"{title:42}{cells}"
        yield f"{'wrong restarts in all':42}{totals}"


def _unsure(engine: Engine) -> str:
    return "".join(
        engine.docker("ps", "--filter", f"health={word}", "--format", "{{.Names}}")
        for word in ("unhealthy", "starting")
    )


@contextmanager
def _healer(ground: Ground, healer: str) -> Iterator[None]:
    context = {
        "none": nullcontext,
        "loop": lambda: _loop(ground.yard.engine),
        "ours": ground.remediator,
    }
    with context[healer]():  # type: ignore[operator]  # each takes nothing and ends by itself
        yield


def _cell(fault: Fault, healed: float | None, did: int, wrong: int) -> str:
    lasted = ("never" if healed is None else f"{healed:.0f} s") if fault.curable else ""
    told = f"{lasted} {did} done" + (f", {wrong} wrong" if wrong else "")
    return f"{told:>20}"


def main() -> int:
    """Print the table; where no dockerd can run, say so."""
    try:
        with tempfile.TemporaryDirectory(prefix="tierwatch-bench-") as name:
            for line in healing(Path(name)):
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        sys.stdout.write(f"healers side by side: not measured: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
