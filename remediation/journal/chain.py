"""
The chain of the journal: each entry carries a digest over itself and over the digest before it.

So an entry that is changed, left out, put in or moved breaks the chain at its place. Pure: rows come
in, a verdict goes out. There is no key: whoever can write the file can also compute every digest
from some entry on anew. That is seen only by comparing the newest digest with one kept elsewhere
(remediation.journal.seal keeps one beside the file; a log or a backup may keep others).

The digest of an entry is SHA-256 over six fields, each as its length in 8 bytes (big-endian) and its
bytes: the digest before it (64 hex digits; zeros before entry 1), the number, the steady time and
the wall time (decimal, as Python's repr and ECMAScript write them shortest), the kind, the body.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Link:
    """The end of a chain: the *number* of an entry and its *digest*; number 0 is before the first."""

    number: int
    digest: str


START = Link(0, GENESIS)

# (number, at, wall, kind, body, digest) as SQLite holds them, texts as bytes; after tampering the
# types may be anything.
Row = tuple[Any, ...]


class BrokenChainError(Exception):
    """The chain breaks at entry *number*; the text says how."""

    def __init__(self, number: int, fact: str) -> None:
        super().__init__(fact)
        self.number = number


def digest_of(
    previous: str, number: int, at: float, wall: float, *, kind: bytes, body: bytes
) -> str:
    """Return the digest of the entry that follows one with digest *previous*."""
    hashed = sha256()
    for part in (
        previous.encode(),
        str(number).encode(),
        repr(at).encode(),
        repr(wall).encode(),
        kind,
        body,
    ):
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.hexdigest()


def follow(after: Link, row: Row) -> Link:
    """
    Return the link that *row* adds to the chain that ends with *after*.

    Raises:
        BrokenChainError: It does not follow.
    """
    number, at, wall, kind, body, digest = row
    expected = after.number + 1
    if number > expected:
        last = number - 1
        gap = f"entry {expected} is" if last == expected else f"entries {expected} to {last} are"
        raise BrokenChainError(expected, f"{gap} missing")
    if number < expected:
        raise BrokenChainError(number, f"entry {number} stands where {expected} should")
    fields = (type(at), type(wall), type(kind), type(body), type(digest))
    if fields != (float, float, bytes, bytes, bytes):
        raise BrokenChainError(number, f"entry {number} holds what was never written there")
    computed = digest_of(after.digest, number, at, wall, kind=kind, body=body)
    if digest != computed.encode():
        raise BrokenChainError(
            number,
            f"entry {number} was changed, moved or put in: its digest does not follow from its content"
            " and the entry before it",
        )
    return Link(number, computed)


def walk(after: Link, rows: Iterable[Row]) -> Link:
    """Return the end of the chain when *rows* follow *after*; BrokenChainError at the first that does not."""
    for row in rows:
        after = follow(after, row)
    return after


def compare_ends(end: Link, kept: Link, where: str) -> None:
    """
    Raise BrokenChainError unless a chain that ends with *end* reaches *kept*, as noted in *where*.

    Only ends are compared: a *kept* that lies before *end* is no fault.
    """
    if end.number < kept.number:
        raise BrokenChainError(
            end.number + 1,
            f"the end is cut off: {where} has {kept.number} as the last entry, and {end.number} is here",
        )
    if end.number == kept.number and end.digest != kept.digest:
        raise BrokenChainError(
            end.number,
            f"entry {end.number} or one before it was rewritten: its digest is not the one in {where}",
        )
