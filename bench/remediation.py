"""
Measure the remediator: `python -m bench.remediation`, or `make bench`.

Each part is a generator of lines in PARTS, and works in a folder of its own. The journal: appends on
disk, one by one and grouped, with the bare syncs of this disk beside them, since no journal can
commit faster than the disk syncs; start-up and verification of a large one.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.remediation_own import own_time
from bench.remediation_speed import process
from remediation.journal.journal import Journal, verify
from remediation.model import Record

ONE_BY_ONE = 500
THREADS, EACH = 20, 250
QUEUED = 20_000
MOST_WAITING = 2000
SYNCS = 200
WIDTH = 60


def journal(folder: Path) -> Iterator[str]:
    """Yield the rows of the journal; every append is synced before it counts."""
    path = folder / "journal.db"
    yield _row("bare syncs of this disk (4 KiB each)", _syncs(folder), "/s")
    with Journal.open(path) as opened:
        walls = _timed(lambda: opened.append(_record(0)), ONE_BY_ONE)
        yield _row("journal: appends one by one", len(walls) / sum(walls), "/s", _spread(walls))
        yield _threaded(opened)
        yield _queued(opened)
        began = time.monotonic()
        opened.compact({"through": opened.tail(1)[0].number})
        yield _row("journal: a checkpoint", (time.monotonic() - began) * 1000, "ms")
        count = opened.append(*(_record(n) for n in range(1000)))[-1].number
    began = time.monotonic()
    with Journal.open(path) as opened:
        entries = sum(1 for _ in opened.replay())
        took_ms = (time.monotonic() - began) * 1000
        yield _row(f"journal: start, {entries} entries after the checkpoint", took_ms, "ms")
    began = time.monotonic()
    if not verify(path).intact:
        raise SystemExit("the journal does not hold what was written")
    rate = count / (time.monotonic() - began)
    yield _row(f"journal: verify, {count} entries", rate, "/s")


def _threaded(opened: Journal) -> str:
    """Return the row of many who each wait for their own."""
    before, began = opened.commits, time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        each = pool.map(lambda n: _timed(lambda: opened.append(_record(n)), EACH), range(THREADS))
        walls = [wall for found in each for wall in found]
    rate = len(walls) / (time.monotonic() - began)
    more = f"{_spread(walls)}, {len(walls) / (opened.commits - before):.0f} a commit"
    return _row(f"journal: appends, {THREADS} threads at once", rate, "/s", more)


def _queued(opened: Journal) -> str:
    """Return the row of a flood, as intake makes it: many wait, nobody waits for each."""
    before, began, waiting = opened.commits, time.monotonic(), []
    for number in range(QUEUED):
        waiting.append(opened.submit(_record(number)))
        if len(waiting) == MOST_WAITING:
            waiting.pop(0).result()
    for future in waiting:
        future.result()
    rate = QUEUED / (time.monotonic() - began)
    more = f"{QUEUED / (opened.commits - before):.0f} a commit"
    return _row("journal: appends, queued as they come", rate, "/s", more)


def _row(title: str, figure: float, unit: str, more: str = "") -> str:
    return f"{title:{WIDTH}} {figure:8.0f} {unit:4} {more}".rstrip()


def _record(number: int) -> Record:
    """Return a record like that of a webhook with one alert."""
    labels = {"alertname": "ServiceDown", "service": f"s{number}", "tier": "app", "scope": "service",
              "severity": "critical", "remedy": "restart"}  # fmt: skip
    alert = {
        "fingerprint": f"{number:016x}",
        "starts_wall": 1.7e9,
        "firing": True,
        "labels": labels,
    }
    return Record("received", {"alerts": [alert], "source": "bench", "truncated": 0})


def _timed(work: Callable[[], object], times: int) -> list[float]:
    walls = []
    for _ in range(times):
        began = time.monotonic()
        work()
        walls.append(time.monotonic() - began)
    return walls


def _spread(walls: list[float]) -> str:
    late = sorted(walls)[int(len(walls) * 0.99)]
    return f"middle {statistics.median(walls) * 1000:.1f} ms, p99 {late * 1000:.1f} ms"


def _syncs(folder: Path) -> float:
    """Return how many writes of a page per second this disk syncs, one after the other."""
    with (folder / "page").open("wb", buffering=0) as file:

        def write() -> None:
            file.write(b"\0" * 4096)
            os.fdatasync(file.fileno())

        return SYNCS / sum(_timed(write, SYNCS))


PARTS: tuple[Callable[[Path], Iterator[str]], ...] = (journal, own_time, process)


def main() -> int:
    """Print the table; the exit status is 0, whatever the figures are."""
    for part in PARTS:
        # Not where /tmp may be memory: the disk is what is measured.
        with tempfile.TemporaryDirectory(prefix="tierwatch-bench-", dir="/var/tmp") as name:
            for line in part(Path(name)):
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
