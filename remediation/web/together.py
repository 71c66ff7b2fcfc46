"""
A connection that sends what is written to it in one go, at the end of the loop's turn.

uvicorn writes the head of an answer and its body one after the other, and asyncio makes a system call
of each. With each call the lock of the interpreter goes to another thread and has to be had again:
under load that was most of the time an answer took, and it comes once now.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Together(asyncio.Transport):
    """Passes everything on to *transport*, and what is written within one turn of *loop* as one."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data* soon."""
        if data:
            if not self._held:
                self._loop.call_soon(self._send)
            self._held.append(bytes(data))

    def close(self) -> None:
        """Send what is held, then end."""
        self._send()
        self._transport.close()

    def abort(self) -> None:
        """End at once."""
        self._held.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is ending."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell about the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Let the sender wait."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take in more."""
        self._transport.resume_reading()

    def _send(self) -> None:
        held, self._held = self._held, []
        if held and not self._transport.is_closing():
            self._transport.write(b"".join(held))
