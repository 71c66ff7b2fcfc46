"""Tampering: whatever is done to the file behind our back, `verify` names the first entry that is wrong."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediation.journal.chain import digest_of
from remediation.journal.journal import Journal, JournalError, VerifyReport, verify
from remediation.journal.seal import read_seal, seal_path
from tests.remediation.journal.rigs import inside, record, standing

COUNT = 12


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed journal with COUNT entries."""
    with Journal.open(tmp_path / "j.db", clock=standing()) as journal:
        for number in range(1, COUNT + 1):
            journal.append(record(number))
    return tmp_path / "j.db"


def _change(column: str, value: object) -> Callable[[sqlite3.Connection], object]:
    statement = f"UPDATE entry SET {column} = ? WHERE number = 5"  # noqa: S608
    return lambda inside: inside.execute(statement, (value,))


def _remove(inside: sqlite3.Connection) -> None:
    inside.execute("DELETE FROM entry WHERE number = 5")


def _remove_and_close_up(inside: sqlite3.Connection) -> None:
    _remove(inside)
    inside.execute("UPDATE entry SET number = number - 1 WHERE number > 5")


def _insert(inside: sqlite3.Connection) -> None:
    for number in range(COUNT, 4, -1):
        inside.execute("UPDATE entry SET number = ? WHERE number = ?", (number + 1, number))
    inside.execute(
        "INSERT INTO entry SELECT 5, at, wall, kind, '{}', digest FROM entry WHERE number = 6"
    )


def _swap(inside: sqlite3.Connection) -> None:
    for old, new in ((5, 99), (6, 5), (99, 6)):
        inside.execute("UPDATE entry SET number = ? WHERE number = ?", (new, old))


def _rewrite_with_digest(inside: sqlite3.Connection) -> None:
    (before,) = inside.execute("SELECT digest FROM entry WHERE number = 4").fetchone()
    at, wall, kind = inside.execute("SELECT at, wall, kind FROM entry WHERE number = 5").fetchone()
    digest = digest_of(before, 5, at, wall, kind=kind.encode(), body=b'{"n":500}')
    inside.execute("UPDATE entry SET body = '{\"n\":500}', digest = ? WHERE number = 5", (digest,))


def _rewrite_from(inside: sqlite3.Connection, first: int) -> None:
    """Change entry *first* and compute all digests from there on anew, that of the end as well."""
    (digest,) = inside.execute("SELECT digest FROM entry WHERE number = ?", (first - 1,)).fetchone()
    rows = inside.execute("SELECT * FROM entry WHERE number >= ? ORDER BY number", (first,))
    for number, at, wall, kind, body, _ in rows.fetchall():
        changed = '{"n":500}' if number == first else body
        digest = digest_of(digest, number, at, wall, kind=kind.encode(), body=changed.encode())
        new = (changed, digest, number)
        inside.execute("UPDATE entry SET body = ?, digest = ? WHERE number = ?", new)
    inside.execute("UPDATE chain SET last_digest = ?", (digest,))


def _cut_head(inside: sqlite3.Connection) -> None:
    inside.execute("DELETE FROM entry WHERE number < 4")


def _cut_tail(inside: sqlite3.Connection) -> None:
    inside.execute("DELETE FROM entry WHERE number > 9")


def _cut_tail_and_note(inside: sqlite3.Connection) -> None:
    _cut_tail(inside)
    (digest,) = inside.execute("SELECT digest FROM entry WHERE number = 9").fetchone()
    inside.execute("UPDATE chain SET last = 9, last_digest = ?", (digest,))


def _forge_after_end(inside: sqlite3.Connection) -> None:
    (before,) = inside.execute("SELECT digest FROM entry WHERE number = ?", (COUNT,)).fetchone()
    digest = digest_of(before, COUNT + 1, 1.0, 1.0, kind=b"x", body=b"{}")
    inside.execute("INSERT INTO entry VALUES (?, 1.0, 1.0, 'x', '{}', ?)", (COUNT + 1, digest))


CHANGED = "entry {} was changed, moved or put in: its digest does not follow from its content and the entry before it"
TAMPERED: dict[str, tuple[Callable[[sqlite3.Connection], object], int, str]] = {
    "body": (_change("body", '{"n":6}'), 5, CHANGED.format(5)),
    "kind": (_change("kind", "finished"), 5, CHANGED.format(5)),
    "steady time": (_change("at", 1000.5), 5, CHANGED.format(5)),
    "wall time": (_change("wall", 1999.0), 5, CHANGED.format(5)),
    "digest": (_change("digest", "0" * 64), 5, CHANGED.format(5)),
    "type": (_change("at", "soon"), 5, "entry 5 holds what was never written there"),
    "no text": (_change("body", b"\xff\xfe"), 5, CHANGED.format(5)),
    "removed": (_remove, 5, "entry 5 is missing"),
    "removed, closed up": (_remove_and_close_up, 5, CHANGED.format(5)),
    "inserted": (_insert, 5, CHANGED.format(5)),
    "swapped": (_swap, 5, CHANGED.format(5)),
    # A digest that was made to fit shows at the next entry.
    "rewritten with digest": (_rewrite_with_digest, 6, CHANGED.format(6)),
    "head cut off": (_cut_head, 1, "entries 1 to 3 are missing"),
    "tail cut off": (
        _cut_tail, 10, "the end is cut off: its own note of the end has 12 as the last entry, and 9 is here",
    ),
    "tail and note cut off": (
        _cut_tail_and_note, 10, "the end is cut off: the .lock file has 12 as the last entry, and 9 is here",
    ),
    "forged after the end": (_forge_after_end, 13, "entry 13 was put in after the end, 12"),
    "rewritten to the end": (
        lambda inside: _rewrite_from(inside, 5), 12,
        "entry 12 or one before it was rewritten: its digest is not the one in the .lock file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_found(path: Path, name: str) -> None:
    """Verify finds each kind of tampering at its first entry, says what it is, and open refuses the journal."""
    tamper, broken, fact = TAMPERED[name]
    with inside(path) as connection:
        tamper(connection)
    report = verify(path)
    assert (broken, fact) == (report.broken, report.fact)
    with pytest.raises(JournalError, match="it is damaged: ") as refused:
        Journal.open(path, clock=standing())
    assert fact in str(refused.value)
    assert "move it and its -wal, -shm and .lock away" in str(refused.value)
    assert refused.value.damaged
    # Refused, it is left as it was found: nothing is made in its place.
    assert (broken, fact) == (verify(path).broken, verify(path).fact)


def test_an_intact_journal_is_fine(path: Path) -> None:
    """Verify says which entries hold, with the digest to compare elsewhere, and what it cannot see."""
    report, seal = verify(path), read_seal(path)
    assert seal is not None
    assert VerifyReport(path, 1, seal, None, "", report.unseen) == report
    assert ["The chain has no key"] == [text[:20] for text in report.unseen]


def test_without_a_seal_a_lost_end_is_not_seen_and_that_is_said(path: Path) -> None:
    """Where the .lock file is missing, cutting off the end with its note goes unseen; the report says so."""
    seal_path(path).unlink()
    with inside(path) as connection:
        _cut_tail_and_note(connection)
    report = verify(path)
    assert (None, 9) == (report.broken, report.end.number)
    assert any("There is no .lock file" in text for text in report.unseen)


def test_an_older_copy_is_noticed(path: Path, tmp_path: Path) -> None:
    """A journal that was put back from an older copy is refused: acknowledged entries are missing."""
    shutil.copy(path, tmp_path / "copy")
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(13))
    shutil.copy(tmp_path / "copy", path)
    with pytest.raises(
        JournalError, match=r"the \.lock file has 13 as the last entry, and 12 is here"
    ):
        Journal.open(path, clock=standing())


def test_a_history_that_only_goes_on_elsewhere_is_noticed(path: Path) -> None:
    """When the seal lags behind (it is not synced) its digest must still lie on the chain."""
    stale = seal_path(path).read_bytes()
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(13))
    seal_path(path).write_bytes(stale)
    assert verify(path).intact
    with inside(path) as connection:
        _rewrite_from(connection, 5)
    expected = (
        "entry 12 or one before it was rewritten: its digest is not the one in the .lock file"
    )
    assert expected == verify(path).fact


@pytest.mark.parametrize("content", [b"", b"\0" * 95, b"00000000000000000012 abc", b"nonsense"])
def test_a_torn_seal_accuses_nobody(path: Path, content: bytes) -> None:
    """What a power cut may leave of the unsynced seal is passed over, and written anew at the next open."""
    seal_path(path).write_bytes(content)
    assert verify(path).intact
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(13))
    seal = read_seal(path)
    assert seal is not None
    assert 13 == seal.number


def test_a_torn_page_is_found(path: Path) -> None:
    """A page of the file that holds rubbish is damage with a number, not a traceback."""
    with Journal.open(path, clock=standing()) as journal:
        journal.append(*(record(n, text="x" * 500) for n in range(100)))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    report = verify(path)
    assert report.broken is not None
    assert report.broken > 1
    assert "it cannot be read on" in report.fact
    with pytest.raises(JournalError, match="damaged"):
        Journal.open(path, clock=standing())


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with entries of several kinds and sizes, to be copied."""
    path = tmp_path_factory.mktemp("sample") / "j.db"
    with Journal.open(path, clock=standing()) as journal:
        for number in range(1, COUNT + 1):
            journal.append(record(number, kind=f"k{number % 3}", text="ab" * number))
    return path


@settings(max_examples=80, deadline=None)
@given(
    number=st.integers(1, COUNT),
    column=st.sampled_from(["at", "wall", "kind", "body", "digest"]),
    place=st.integers(0, 63),
    bit=st.integers(0, 6),
)
def test_no_changed_bit_goes_unseen(  # noqa: PLR0917 - Hypothesis and pytest give them by name
    sample: Path,
    tmp_path_factory: pytest.TempPathFactory,
    number: int,
    column: str,
    place: int,
    bit: int,
) -> None:
    """One bit changed anywhere in any entry breaks the chain at that very entry."""
    copy = tmp_path_factory.mktemp("bit") / "j.db"
    shutil.copy(sample, copy)
    with inside(copy) as connection:
        where = f"FROM entry WHERE number = {number}"
        (value,) = connection.execute(f"SELECT {column} {where}").fetchone()
        if isinstance(value, float):
            changed: object = value + 2.0 ** (bit - 20)
        else:
            at = place % len(value)
            changed = value[:at] + chr(ord(value[at]) ^ 1 << bit) + value[at + 1 :]
        statement = f"UPDATE entry SET {column} = ? WHERE number = ?"  # noqa: S608
        connection.execute(statement, (changed, number))
    assert number == verify(copy).broken


def test_verify_while_the_journal_is_written(tmp_path: Path) -> None:
    """Another process that verifies while ours appends and compacts always finds the chain intact."""
    program = (
        "import sys; from pathlib import Path; from remediation.journal.journal import verify\n"
        "for _ in range(25):\n"
        "    report = verify(Path(sys.argv[1])); assert report.intact, report\n"
        "print(report.end.number)"
    )
    path = tmp_path / "j.db"
    with Journal.open(path, clock=standing()) as journal:
        journal.append(record(0))
        stop = threading.Event()

        def work() -> None:
            number = 0
            while not stop.is_set():
                number = journal.append(record(number))[0].number
                if number % 40 == 0:
                    journal.compact({"through": number})

        writer = threading.Thread(target=work)
        writer.start()
        try:
            command = [sys.executable, "-c", program, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        finally:
            stop.set()
            writer.join()
    assert (0, "") == (done.returncode, done.stderr)
    assert 0 < int(done.stdout) <= verify(path).end.number
