"""
uvicorn's HTTP protocol with the deadlines that it lacks.

uvicorn waits for ever for a request that does not come. Here whoever opens a connection and says
nothing, says it one byte at a time, goes on sending what is answered already, or does not read, is
cut off; so is who comes when there are too many, or with a certificate of a wrong name.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from h11 import DONE, IDLE, SEND_BODY
from uvicorn.protocols.http.h11_impl import H11Protocol

from remediation.web.tls import Tls
from remediation.web.together import Together

MAX_CONNECTIONS = 512
HEADS = 4  # an answer may take so many times as long to be read as a head to be sent; arbitrary


class Patient(H11Protocol):
    """One connection; `protocol` makes a class with the settings."""

    tls: ClassVar[Tls | None] = None
    head_s: ClassVar[float] = 5.0
    _cut: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _expected = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Turn away who is too many or nobody that is allowed; else wait for the head of a request."""
        super().connection_made(Together(transport, self.loop))
        certificate = transport.get_extra_info("peercert")
        if len(self.connections) > MAX_CONNECTIONS or (
            self.tls and not self.tls.knows(certificate)
        ):
            transport.abort()
            return
        self._expect("head")

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        super().data_received(data)
        # On a kept connection the head of another request has begun, or goes on.
        self._expect("head" if self.conn.their_state is IDLE else self._rest())

    def on_response_complete(self) -> None:
        """Wait for the rest of the request, if there is one, but not for long."""
        super().on_response_complete()
        self._expect(self._rest())
        if self.transport.is_closing():
            self._await_reader()  # it closes once all is read

    def pause_writing(self) -> None:
        """Wait for who does not read, but not for long."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._forget_reader()

    def _await_reader(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(HEADS * self.head_s, self.transport.abort)

    def _forget_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _rest(self) -> str:
        """Return what is still to come of a request that is answered already: its body, or nothing."""
        answered = self.conn.our_state is DONE and self.conn.their_state is SEND_BODY
        return "rest" if answered else ""

    def _expect(self, what: str) -> None:
        """Give *what* its time, once; nothing: wait without end, others watch then."""
        if what == self._expected or self.transport.is_closing():
            return
        self._expected = what
        if self._cut is not None:
            self._cut.cancel()
        self._cut = self.loop.call_later(self.head_s, self.transport.abort) if what else None

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that rested long enough."""
        # Closing would wait for a reader who does not read.
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all waiting."""
        if self._cut is not None:
            self._cut.cancel()
        self._forget_reader()
        super().connection_lost(exc)


def protocol(tls: Tls | None, head_s: float) -> type[asyncio.Protocol]:
    """Return the protocol with these settings: uvicorn makes one per connection, without arguments of ours."""
    return type("PatientHere", (Patient,), {"tls": tls, "head_s": head_s})
