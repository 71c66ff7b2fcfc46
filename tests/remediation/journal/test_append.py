"""Writing: what comes out is what went in, all or nothing, by many at once."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediation.clock import Moment
from remediation.journal import queue as journal_queue
from remediation.journal.journal import Journal, JournalError, verify
from remediation.model import Entry, Record
from tests.remediation.journal.rigs import Standing, record, standing, wait_until


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A new journal whose clock stands."""
    with Journal.open(tmp_path / "j.db", clock=standing()) as opened:
        yield opened


def expected_digest(previous: str, entry: Entry) -> str:
    """Return the digest as the documentation of the chain defines it, written down a second time."""
    body = json.dumps(dict(entry.body), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    parts = [previous, entry.number, entry.at, entry.wall, entry.kind, body]
    hashed = b"".join(struct.pack(">Q", len(p)) + p for p in (str(part).encode() for part in parts))
    return hashlib.sha256(hashed).hexdigest()


def test_entries_come_out_as_they_went_in(journal: Journal) -> None:
    """Append, replay and tail give the same entries: numbered, dated, chained, bodies as JSON has them."""
    first = journal.append(Record("opened", {"root": "db", "tries": (1, 2.5, None, True)}))
    second = journal.append(record(1), Record("u_no", {"text": 'é "\x00\n', "b": {}}))
    bodies: list[tuple[str, dict[str, object]]] = [
        ("opened", {"root": "db", "tries": [1, 2.5, None, True]}),
        ("decided", {"n": 1}),
        ("u_no", {"text": 'é "\x00\n', "b": {}}),
    ]
    expected, digest = [], "0" * 64
    for number, (kind, body) in enumerate(bodies, 1):
        entry = Entry(number, 1000.0, 2000.0, kind, body, "")
        digest = expected_digest(digest, entry)
        expected.append(Entry(number, 1000.0, 2000.0, kind, body, digest))
    assert expected == [*first, *second]
    assert expected == list(journal.replay())
    assert expected[1:] == list(journal.tail(2))
    assert expected == list(journal.tail(99))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(bodies=st.lists(st.dictionaries(st.text(), JSON, max_size=4), min_size=1, max_size=6))
def test_any_json_survives(journal: Journal, bodies: list[dict[str, object]]) -> None:
    """Whatever JSON a body is: what append returns is what a replay reads, and the chain holds."""
    entries = journal.append(*(Record("fuzz", body) for body in bodies))
    assert len(bodies) == len(entries)
    assert list(entries) == list(journal.tail(len(bodies)))
    if "<masked>" not in str(entries):
        assert bodies == [entry.body for entry in entries]
    assert verify(journal.path).intact


@pytest.mark.parametrize(
    "bad",
    [
        Record("decided", {"x": math.nan}),
        Record("decided", {"x": {1, 2}}),
        Record("decided", {"x": 10**5000}),
        Record("De cided"),
        Record("decided", {"x": "y" * (9 << 20)}),
        Record("decided", {"x": [[]] * 3, 4: 1, "5": 2, None: 3, b"k": 1}),  # type: ignore[dict-item]
    ],
    ids=["nan", "set", "huge number", "kind", "too long", "keys"],
)
def test_what_is_no_json_is_refused_whole(journal: Journal, bad: Record) -> None:
    """A record that JSON cannot hold is refused with its fellows, and the journal goes on."""
    with pytest.raises(JournalError, match=r"a record|the kind"):
        journal.append(record(1), bad)
    assert [] == list(journal.replay())
    assert [1] == [entry.number for entry in journal.append(record(2))]


def test_endless_nesting_is_refused(journal: Journal) -> None:
    """A body nested beyond what can be written is an error of that record, not of the process."""
    body: dict[str, object] = {}
    body["again"] = body
    with pytest.raises(JournalError, match="not JSON"):
        journal.append(Record("decided", body))


def test_half_a_surrogate_pair_does_no_harm(journal: Journal) -> None:
    """Text that UTF-8 cannot hold is kept with a question mark in place of it."""
    journal.append(Record("dead_letter", {"sample": "a\ud800b", "\udfff": 1}))
    assert [{"sample": "a?b", "?": 1}] == [entry.body for entry in journal.replay()]


def test_nothing_appended_is_nothing_written(journal: Journal) -> None:
    """An append without records returns at once and commits nothing."""
    assert () == journal.append()
    assert 0 == journal.commits


def test_time_never_runs_back(tmp_path: Path) -> None:
    """Entries keep the greatest steady time so far when a clock goes back; wall time is told as it is."""
    clock = Standing(500.0, 900.0)
    with Journal.open(tmp_path / "j.db", clock=lambda _anchor, _last: clock) as journal:
        journal.append(record(1))
        clock.steady, clock.wall = 100.0, 50.0
        journal.append(record(2))
        assert [(500.0, 900.0), (500.0, 50.0)] == [(e.at, e.wall) for e in journal.replay()]
        assert 50.0 == journal.last_commit_wall
    with Journal.open(tmp_path / "j.db", clock=standing(7.0, 8.0)) as journal:
        assert 50.0 == journal.last_commit_wall
        assert 500.0 == journal.append(record(3))[0].at


def test_the_file_itself_refuses_changes(journal: Journal) -> None:
    """Another program that changes, inserts before the end, replaces or deletes is refused by the file."""
    journal.append(*(record(n) for n in range(5)))
    before = list(journal.replay())
    for statement in (
        "UPDATE entry SET body = '{}' WHERE number = 2",
        "DELETE FROM entry WHERE number = 1",
        "DELETE FROM entry WHERE number = 5",
        "INSERT OR REPLACE INTO entry VALUES (3, 1, 1, 'x', '{}', '')",
        "UPDATE chain SET dropped = 3",
        "UPDATE chain SET last = 3",
        "DELETE FROM chain",
    ):
        connection = sqlite3.connect(journal.path, isolation_level=None)
        with pytest.raises(sqlite3.IntegrityError, match=r"entr|chain|checkpoint"):
            connection.execute(statement)
        connection.close()
    assert before == list(journal.replay())


def test_those_who_wait_share_a_commit(tmp_path: Path) -> None:
    """While one commit is under way all others wait, and then go in one transaction, in order."""
    with Journal.open(tmp_path / "j.db", clock=standing()) as journal:
        journal.append(record(0))
        gate = threading.Event()
        with held_up(journal, gate):
            first = journal.submit(record(1))
            wait_until(lambda: journal.waiting == 0)
            others = [journal.submit(record(n)) for n in range(2, 102)]
            assert 100 == journal.waiting
            gate.set()
            assert [2] == [entry.number for entry in first.result()]
            numbers = [entry.number for each in others for entry in each.result()]
        assert list(range(3, 103)) == numbers
        assert 3 == journal.commits


@contextmanager
def held_up(journal: Journal, gate: threading.Event) -> Iterator[None]:
    """Make the journal's clock wait for *gate*: the writer asks it at the start of each group."""

    def wait() -> Moment:
        gate.wait()
        return Standing().now()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal.clock, "now", wait)
        yield


def test_entries_are_told_in_order_before_anybody_has_an_answer(journal: Journal) -> None:
    """Whoever keeps a state is told of all entries in the order of their numbers, whoever wrote them."""
    told: list[int] = []
    late: list[int] = []

    def tell(entries: tuple[Entry, ...]) -> None:
        told.extend(entry.number for entry in entries)

    def work(thread: int) -> None:
        for i in range(50):
            (entry,) = journal.submit(record(thread, i=i), told=tell).result()
            if entry.number not in told:
                late.append(entry.number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert told == list(range(1, 401))
    assert late == []


def test_many_threads_lose_nothing_and_group(journal: Journal) -> None:
    """Sixteen threads append at once: every entry is there once, whole batches together, in fewer commits."""

    def work(thread: int) -> list[tuple[int, ...]]:
        return [
            tuple(
                entry.number for entry in journal.append(record(thread, i=i), record(thread, i=i))
            )
            for i in range(25)
        ]

    with ThreadPoolExecutor(16) as pool:
        batches = [batch for batches in pool.map(work, range(16)) for batch in batches]
    assert list(range(1, 801)) == sorted(number for batch in batches for number in batch)
    assert all(second == first + 1 for first, second in batches)
    by_number = {entry.number: entry for entry in journal.replay()}
    assert all(by_number[a].body == by_number[b].body for a, b in batches)
    assert journal.commits < 400
    assert verify(journal.path).intact


def test_a_full_queue_refuses_at_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too much waits the next one is refused without waiting; what waits is written."""
    monkeypatch.setattr(journal_queue, "MOST_JOBS", 3)
    gate = threading.Event()
    with held_up(journal, gate):
        waiting = [journal.submit(record(0))]
        wait_until(lambda: journal.waiting == 0)
        waiting += [journal.submit(record(n)) for n in range(1, 4)]
        with pytest.raises(JournalError, match="3 writes wait already") as refused:
            journal.submit(record(9))
        gate.set()
        assert [0, 1, 2, 3] == [future.result()[0].body["n"] for future in waiting]
    assert not refused.value.may_be_written
    assert [0, 1, 2, 3] == [entry.body["n"] for entry in journal.replay()]


def test_a_queue_with_too_many_bytes_refuses(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue is bounded by size as well as by number."""
    monkeypatch.setattr(journal_queue, "MOST_BYTES", 1000)
    with pytest.raises(JournalError, match="no more fit"):
        journal.append(record(1, text="x" * 1000))
    assert 1 == journal.append(record(1))[0].number


def test_large_groups_are_split(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group holds no more than so many bytes, so that a transaction stays short."""
    monkeypatch.setattr(journal_queue, "GROUP_BYTES", 2500)
    gate = threading.Event()
    with held_up(journal, gate):
        futures = [journal.submit(record(0))]
        wait_until(lambda: journal.waiting == 0)
        futures += [journal.submit(record(n, text="x" * 1000)) for n in range(1, 7)]
        gate.set()
        assert list(range(1, 8)) == [future.result()[0].number for future in futures]
    assert 4 == journal.commits


def test_what_was_cancelled_is_not_written(journal: Journal) -> None:
    """A future cancelled while it waits leaves no entry; the others go on."""
    gate = threading.Event()
    with held_up(journal, gate):
        first = journal.submit(record(1))
        wait_until(lambda: journal.waiting == 0)
        cancelled, last = journal.submit(record(2)), journal.submit(record(3))
        assert cancelled.cancel()
        gate.set()
        first.result()
        last.result()
    assert [1, 3] == [entry.body["n"] for entry in journal.replay()]


def test_a_bug_in_the_writer_is_an_error_of_that_write(journal: Journal) -> None:
    """Whatever goes wrong in the writer's thread reaches the caller, and the thread goes on."""
    patch = pytest.MonkeyPatch()
    patch.setattr(journal.clock, "now", lambda: 1 / 0)
    with pytest.raises(JournalError, match="ZeroDivisionError"):
        journal.append(record(1))
    patch.undo()
    assert 1 == journal.append(record(2))[0].number


def test_closing_writes_what_waits_and_takes_no_more(tmp_path: Path) -> None:
    """What was queued before close is on disk after it; an append afterwards is refused."""
    journal = Journal.open(tmp_path / "j.db", clock=standing())
    futures = [journal.submit(record(n)) for n in range(50)]
    journal.close()
    assert list(range(1, 51)) == [future.result()[0].number for future in futures]
    with pytest.raises(JournalError, match="it is closed"):
        journal.append(record(1))
    assert 50 == verify(tmp_path / "j.db").end.number
