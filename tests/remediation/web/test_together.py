"""What is written within one turn of the loop goes out as one; closing loses nothing, aborting sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from remediation.web.together import Together


class _Wire(asyncio.Transport):
    """A connection that notes what is done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("closed")

    def abort(self) -> None:
        self.done.append("aborted")

    def is_closing(self) -> bool:
        return bool({"closed", "aborted"} & {*self.done})


def _answer(written: Together) -> None:
    written.write(b"head ")
    written.write(b"")
    written.write(b"body")


def _answer_and_close(written: Together) -> None:
    _answer(written)
    written.close()


def _answer_and_abort(written: Together) -> None:
    _answer(written)
    written.abort()


def _twice(written: Together) -> None:
    _answer(written)
    asyncio.get_running_loop().call_soon(written.write, b"next")


@pytest.mark.parametrize(
    ("act", "done"),
    [
        (_answer, [b"head body"]),
        (_answer_and_close, [b"head body", "closed"]),
        (_answer_and_abort, ["aborted"]),
        (_twice, [b"head body", b"next"]),
    ],
)
def test_what_goes_out(act: Callable[[Together], None], done: list[bytes | str]) -> None:
    """All that an answer consists of is one write of the connection below."""
    wire = _Wire()

    async def turns() -> None:
        act(Together(wire, asyncio.get_running_loop()))
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(turns())

    assert wire.done == done


def test_nothing_is_written_to_a_connection_that_ends() -> None:
    """One that broke in the same turn gets nothing: asyncio would warn of it."""
    wire = _Wire()

    async def turns() -> None:
        _answer(Together(wire, asyncio.get_running_loop()))
        wire.abort()
        await asyncio.sleep(0)

    asyncio.run(turns())

    assert wire.done == ["aborted"]
