"""The reader of answers: whatever bytes come, in whatever pieces, it ends with an answer or a reason."""

from __future__ import annotations

import socket
import time
from typing import cast

from hypothesis import example, given
from hypothesis import strategies as st

from exporters.agents_http import ProbeError, Reader, Reply
from tests.exporters.agents.fleet import GOOD

LIMIT = 2000
_PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n", b"\n", b"\r\n\r\n",
        b"Content-Length: 21\r\n", b"Content-Length: 0\r\n", b"Content-Length: 99999\r\n", b"Content-Length: x\r\n",
        b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"Connection: close\r\n",
        b"15\r\n", b"0\r\n", b"ffffffff\r\n", b"-1\r\n", b"5;a=b\r\nhello\r\n", GOOD, b"\x1f\x8b\x08\x00", b"\0" * 50,
        b"x" * 300, b"HTTP", b"HTTP/1.1 999 Odd\r\n", b": nothing\r\n", b" folded\r\n",
    ]
) | st.binary(max_size=20)  # fmt: skip


class _Pieces:
    """A socket that has *pieces* to read, and then the end."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def recv(self, _: int) -> bytes:
        """Return the next piece."""
        return self._pieces.pop(0) if self._pieces else b""


def _read(pieces: list[bytes]) -> tuple[Reply, str | None]:
    reply = Reply()
    sock = cast("socket.socket", _Pieces(pieces))
    try:
        waits = list(Reader(sock, LIMIT).read(reply))
    except ProbeError as error:
        return reply, error.reason
    assert waits == []
    return reply, None


@given(st.lists(_PIECES, max_size=12))
@example([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n"])
@example([b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"])
def test_any_bytes_end_in_an_answer_or_a_reason(pieces: list[bytes]) -> None:
    """Nothing but ProbeError is ever raised, and no more than the limit is held."""
    reply, reason = _read(pieces)

    assert (reason is None) <= (200 <= reply.status <= 599)
    assert reason in (None, "protocol", "too_large")
    assert len(reply.body) <= LIMIT


@given(st.lists(st.integers(1, 60), max_size=8))
def test_how_an_answer_is_cut_into_packets_changes_nothing(cuts: list[int]) -> None:
    """Status and body are the same for every cut of the same bytes, chunked or not."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\nX: y\r\n\r\n" + GOOD
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n" + GOOD + b"\r\n0\r\n\r\n"
    )

    found = []
    for data in (whole, chunked):
        pieces, rest = [], data
        for cut in cuts:
            pieces.append(rest[:cut])
            rest = rest[cut:]
        reply, reason = _read([*pieces, rest])
        found.append((reply.status, reply.body, reason))

    assert found == [(200, GOOD, None)] * 2


def _seconds(blanks: int) -> float:
    """Return the least time that reading a head with *blanks* takes: around a value, amid it, as a line."""
    head = b"HTTP/1.1 200 OK\r\nX:%b a%b.\r\n%b\r\nContent-Length: 21\r\n\r\n"
    piece = head % (*[b" " * (blanks // 3)] * 2, b"\t" * (blanks // 3)) + GOOD
    times = []
    for _ in range(5):
        started = time.perf_counter()
        reply, reason = _read([piece])
        times.append(time.perf_counter() - started)
        assert (reason, reply.body) == (None, GOOD)
    return min(times)


def test_a_head_full_of_blanks_costs_no_more_than_its_length() -> None:
    """Eight times the blanks cost at most some sixteen times the time, not sixty-four."""
    assert _seconds(16_000) < 16 * _seconds(2_000)


def test_headers_are_names_colons_and_trimmed_values() -> None:
    """Blanks around a value are not of it; folded, nameless and colonless lines are no headers."""
    head = b"HTTP/1.1 200 OK\r\nA: \t x y \t\r\nb:z\nC:\r\n : n\r\n folded: 1\r\nno colon\r\nD E: 1\r\nT: 1:2\r\n\r\n"

    assert _read([head])[0].headers == {b"a": b"x y", b"b": b"z", b"c": b"", b"t": b"1:2"}
