"""Keeping the journal small: checkpoints, what goes, what stays, and the chain across it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediation.journal.journal import Journal, JournalError, Retention, verify
from remediation.journal.retention import Since, is_due
from remediation.journal.schema import WAL_PAGES
from remediation.model import Entry
from tests.remediation.journal.rigs import Standing, inside, record, standing

HOUR, DAY = 3600.0, 86400.0
LOG_BYTES = WAL_PAGES * 4096 * 2  # what SQLite's log may take beside the file


def _numbers(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [n for (n,) in connection.execute("SELECT number FROM entry ORDER BY number")]


def test_a_replay_begins_with_the_last_checkpoint(tmp_path: Path) -> None:
    """The state's entries are the checkpoint and what came after it; the whole is still there for people."""
    with Journal.open(tmp_path / "j.db", clock=standing()) as journal:
        journal.append(record(1), record(2))
        assert 0 == journal.compact({"through": 2, "sum": 3})
        journal.append(record(4))
        bodies = [entry.body for entry in journal.replay()]
        assert [{"through": 2, "sum": 3}, {"n": 4}] == bodies
        assert [1, 2, 3, 4] == [entry.number for entry in journal.replay(whole=True)]


def test_what_was_committed_while_a_checkpoint_was_made_is_replayed(tmp_path: Path) -> None:
    """Entries that the state does not hold yet come after the checkpoint, old checkpoints do not."""
    with Journal.open(tmp_path / "j.db", clock=standing()) as journal:
        journal.append(record(1), record(2))
        journal.compact({"through": 1})
        journal.append(record(4))
        journal.compact({"through": 1})
        journal.append(record(6))
        assert [5, 2, 4, 6] == [entry.number for entry in journal.replay()]


@pytest.mark.parametrize("through", [None, -1, 3, "2"])
def test_a_state_that_says_nothing_of_its_end_is_refused(tmp_path: Path, through: object) -> None:
    """A checkpoint that does not say what it holds could lose accepted alerts: it is not written."""
    with Journal.open(tmp_path / "j.db", clock=standing()) as journal:
        journal.append(record(1), record(2))
        with pytest.raises(JournalError, match="a state through entry"):
            journal.compact({"through": through})
        assert [1, 2] == [entry.number for entry in journal.replay()]


def test_what_is_old_goes_and_the_chain_holds(tmp_path: Path) -> None:
    """Entries beyond the age go up to the last checkpoint but one; verify goes on from where they ended."""
    clock, path = Standing(), tmp_path / "j.db"
    bounds = Retention(age_s=10 * DAY)
    with Journal.open(path, clock=lambda _anchor, _last: clock, retention=bounds) as journal:
        journal.append(*(record(n) for n in range(1, 6)))  # 1 to 5
        clock.steady += 6 * DAY
        journal.append(*(record(n) for n in range(6, 11)))  # 6 to 10
        assert 0 == journal.compact({"through": 10})  # 11
        clock.steady += 5 * DAY
        # 1 to 5 are too old, but the last checkpoint but one is none yet.
        assert 11 == verify(path).end.number
        assert 5 == journal.compact({"through": 11})  # 12
        assert list(range(6, 13)) == _numbers(path)
        clock.steady += 30 * DAY
        # All are too old now: 11 is the last checkpoint but one at first, then 12.
        assert 6 == journal.compact({"through": 12})  # 13
        assert [12, 13] == _numbers(path)
        report = verify(path)
        assert (12, 13, None) == (report.first, report.end.number, report.broken)
    with Journal.open(path, clock=standing()) as journal:
        assert [13] == [entry.number for entry in journal.replay()]
        assert [12, 13] == [entry.number for entry in journal.replay(whole=True)]
        journal.append(record(14))
    assert verify(path).intact


def test_what_a_checkpoint_does_not_hold_stays(tmp_path: Path) -> None:
    """Entries committed before a checkpoint but not in its state are kept as long as the checkpoint may be needed."""
    clock, path = Standing(), tmp_path / "j.db"
    with Journal.open(path, clock=lambda _a, _l: clock, retention=Retention(age_s=1.0)) as journal:
        journal.append(*(record(n) for n in range(1, 6)))
        journal.compact({"through": 3})  # 6
        clock.steady += DAY
        assert 3 == journal.compact({"through": 6})  # 7
        assert [4, 5, 6, 7] == _numbers(path)


def test_tampering_after_a_compaction_is_found(tmp_path: Path) -> None:
    """Nothing can hide behind retention: what is cut off beyond its mark is missing, and so named."""
    clock, path = Standing(), tmp_path / "j.db"
    with Journal.open(path, clock=lambda _a, _l: clock, retention=Retention(age_s=1.0)) as journal:
        for _ in range(3):
            journal.append(*(record(n) for n in range(4)))
            clock.steady += DAY
            journal.compact({"through": journal.tail(1)[0].number})
    report = verify(path)
    assert (10, 15, None) == (report.first, report.end.number, report.broken)
    with inside(path) as connection:
        connection.execute("DELETE FROM entry WHERE number = 10")
    assert (10, "entry 10 is missing") == (verify(path).broken, verify(path).fact)
    with inside(path) as connection:
        connection.execute("UPDATE chain SET dropped = 10")
    assert 11 == verify(path).broken


def test_an_undeleted_head_is_found(tmp_path: Path) -> None:
    """An entry below the mark of retention is one that somebody put there."""
    clock, path = Standing(), tmp_path / "j.db"
    with Journal.open(path, clock=lambda _a, _l: clock, retention=Retention(age_s=1.0)) as journal:
        for _ in range(2):
            journal.append(record(1))
            clock.steady += DAY
            journal.compact({"through": journal.tail(1)[0].number})
    first = verify(path).first
    assert first == 2
    with inside(path) as connection:
        connection.execute(
            "INSERT INTO entry SELECT 1, at, wall, kind, body, digest FROM entry WHERE number = 2"
        )
    assert (1, "entry 1 stands where 2 should") == (verify(path).broken, verify(path).fact)


def test_the_size_stays_bounded(tmp_path: Path) -> None:
    """Ten times the allowed size goes through; the file never takes much more than that, and ends within it."""
    bound = 1 << 20
    bounds = Retention(size_bytes=bound, entries=200, most_rows=2000)
    path, largest, number = tmp_path / "j.db", 0, 0
    with Journal.open(path, clock=standing(), retention=bounds) as journal:
        for _ in range(200):
            futures = [journal.submit(record(n, text="x" * 500)) for n in range(100)]
            number = futures[-1].result()[0].number
            if journal.due():
                journal.compact({"through": number})
            largest = max(largest, path.stat().st_size)
        assert journal.size_bytes < bound + LOG_BYTES + 65536
    assert largest < 2 * bound
    assert path.stat().st_size <= bound * 1.2
    report = verify(path)
    assert report.intact
    assert report.first > 10_000
    assert report.end.number > 20_000


def test_a_call_does_a_bounded_amount_of_work(tmp_path: Path) -> None:
    """At most so many entries go in one call, and so many pages are given back; the next call goes on."""
    path = tmp_path / "j.db"
    with Journal.open(path, clock=standing()) as journal:
        for _ in range(10):
            journal.append(*(record(n, text="x" * 3000) for n in range(100)))
        journal.compact({"through": 1000})
    bounds = Retention(age_s=1.0, most_rows=300, most_pages=50)
    clock = Standing(1000.0 + DAY)
    with Journal.open(path, clock=lambda _a, _l: clock, retention=bounds) as journal:
        sizes, dropped = [path.stat().st_size], []
        for _ in range(4):
            journal.append(record(1))
            dropped.append(journal.compact({"through": journal.tail(1)[0].number}))
            sizes.append(path.stat().st_size)
    assert [300, 300, 300, 101] == dropped
    assert all(old - new <= 52 * 4096 for old, new in pairwise(sizes))
    assert sizes[-1] < sizes[0] - 100 * 4096
    assert verify(path).intact


def test_a_smaller_bound_is_reached_step_by_step(tmp_path: Path) -> None:
    """After the allowed size was lowered, `due` asks for calls until the file fits."""
    path = tmp_path / "j.db"
    with Journal.open(path, clock=standing()) as journal:
        for _ in range(10):
            journal.append(*(record(n, text="x" * 1000) for n in range(200)))
        journal.compact({"through": 2000})
    bounds = Retention(size_bytes=1 << 19, most_rows=500, most_pages=200)
    with Journal.open(path, clock=standing(), retention=bounds) as journal:
        calls = 0
        while True:
            number = journal.append(record(1))[0].number
            if not journal.due():
                break
            journal.compact({"through": number})
            calls += 1
            assert calls < 30
    assert calls > 3
    assert path.stat().st_size <= 1 << 19


DUE = Since(10, 1000, 5000.0)
BOUNDS = Retention(size_bytes=160_000, entries=100, every_s=DAY)


@pytest.mark.parametrize(
    ("since", "now", "file_bytes", "due"),
    [
        (DUE, 5000.0, 0, False),
        (Since(0, 0, 0.0), 9e9, 10**9, False),
        (Since(99, 1000, 5000.0), 5000.0, 0, False),
        (Since(100, 1000, 5000.0), 5000.0, 0, True),
        (Since(10, 9_999, 5000.0), 5000.0, 0, False),
        (Since(10, 10_000, 5000.0), 5000.0, 0, True),
        (DUE, 5000.0 + DAY - 1, 0, False),
        (DUE, 5000.0 + DAY, 0, True),
        (DUE, 5000.0, 160_000, False),
        (DUE, 5000.0, 160_001, True),
    ],
)
def test_when_a_checkpoint_is_due(since: Since, now: float, file_bytes: int, *, due: bool) -> None:
    """One is due by entries, bytes or time since the last one, or by the file's size; never without news."""
    assert due == is_due(BOUNDS, since, now, file_bytes)


def test_what_is_due_is_known_after_a_restart(tmp_path: Path) -> None:
    """Entries before and after a restart count together towards the next checkpoint."""
    bounds = Retention(entries=5)
    for number in range(1, 5):
        with Journal.open(tmp_path / "j.db", clock=standing(), retention=bounds) as journal:
            journal.append(record(number))
            assert not journal.due()
    with Journal.open(tmp_path / "j.db", clock=standing(), retention=bounds) as journal:
        journal.append(record(5))
        assert journal.due()
        journal.compact({"through": 5})
        assert not journal.due()
    clock = Standing(1000.0 + DAY)
    with Journal.open(tmp_path / "j.db", clock=lambda _a, _l: clock, retention=bounds) as journal:
        assert not journal.due()
        journal.append(record(6))
        assert journal.due()


STEP = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 9)),
    st.tuples(st.just("compact"), st.integers(0, 12)),
    st.tuples(st.just("wait"), st.integers(1, 30)),
    st.tuples(st.just("reopen"), st.just(0)),
)


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(STEP, max_size=25))
def test_no_state_is_ever_lost(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """However appends, checkpoints that lag behind, time and restarts mix: a replay adds up to all that was written."""
    path, clock = tmp_path_factory.mktemp("model") / "j.db", Standing()
    bounds = Retention(age_s=10 * HOUR)
    written: list[int] = []  # number of each of our entries
    last = 0

    def reopened() -> Journal:
        return Journal.open(path, clock=lambda _anchor, _last: clock, retention=bounds)

    journal = reopened()
    for what, amount in steps:
        if what == "append":
            entries = journal.append(*(record(n) for n in range(amount)))
            written += [entry.number for entry in entries]
            last = entries[-1].number
        elif what == "compact":
            through = max(0, last - amount)
            kept = journal.tail(1)
            last = max(last, kept[0].number) if kept else last
            # A state never lags behind an earlier one.
            through = max(through, _held(journal.replay()))
            journal.compact({"through": through})
            last += 1
        elif what == "wait":
            clock.steady += amount * HOUR
        else:
            journal.close()
            journal = reopened()
        entries = tuple(journal.replay())
        held = _held(entries)
        replayed = [entry.number for entry in entries if entry.kind != "checkpoint"]
        assert [number for number in written if number > held] == replayed
        assert verify(path).intact
    journal.close()


def _held(entries: object) -> int:
    """Return through which entry the state in the first of *entries* goes."""
    first: Entry | None = next(iter(entries), None)  # type: ignore[call-overload]
    return int(str(first.body["through"])) if first and first.kind == "checkpoint" else 0
