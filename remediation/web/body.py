"""
Read what a client sends: never more than a limit, never longer than a deadline.

A body that is too large is read on, up to a second limit, and thrown away: a client that is still
sending when the answer comes takes a broken connection for the answer. What all requests hold
together is bounded, too.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

PATIENCE_S = 5.0  # for a body; Alertmanager sends one in milliseconds
DRAINED_BYTES = 32 * 1024 * 1024  # thrown away at most; who sends more is cut off
TOGETHER_BYTES = 8 * 1024 * 1024  # held for all requests at once
_KEPT_BYTES = 2048  # of one that is too large: for people


class SlowError(Exception):
    """The body did not arrive in time, or its sender has gone."""


class FullError(Exception):
    """Too much is being read already."""


@dataclass(frozen=True, slots=True)
class Body:
    """
    What arrived: *size* bytes with this *digest* (SHA-256).

    *data* is only the beginning when it was too large (*whole* False).
    """

    data: bytes
    whole: bool
    size: int
    digest: str


class Bodies:
    """Reads bodies and counts what they hold together; belongs to one event loop."""

    def __init__(
        self, together_bytes: int = TOGETHER_BYTES, patience_s: float = PATIENCE_S
    ) -> None:
        self._free = together_bytes
        self._patience_s = patience_s

    @asynccontextmanager
    async def read(self, request: Request, limit_bytes: int) -> AsyncIterator[Body]:
        """
        Yield the body of *request*; what it holds counts until the block ends.

        Raises:
            SlowError: It took longer than the patience, or the client went away.
            FullError: All requests together hold too much; try again later.
        """
        reading = _Reading(limit_bytes)
        try:
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._fill(reading, request)
            except (TimeoutError, ClientDisconnect) as error:
                raise SlowError from error
            yield reading.body()
        finally:
            self._free += reading.held

    async def _fill(self, reading: _Reading, request: Request) -> None:
        async for chunk in request.stream():
            before = reading.held
            done = reading.take(chunk)
            self._free -= reading.held - before
            if self._free < 0:
                raise FullError
            if done:
                return


class _Reading:
    """What has arrived of one body so far."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._chunks: list[bytes] = []
        self._size = 0
        self._hash = hashlib.sha256()
        self.held = 0

    def take(self, chunk: bytes) -> bool:
        """Take *chunk*; return whether nothing more is to be read."""
        fitted = self._size <= self._limit
        self._size += len(chunk)
        self._hash.update(chunk)
        if fitted:
            self._chunks.append(chunk)
            if self._size > self._limit:
                self._chunks = [b"".join(self._chunks)[:_KEPT_BYTES]]
            self.held = sum(map(len, self._chunks)) if self._size > self._limit else self._size
        return self._size > DRAINED_BYTES

    def body(self) -> Body:
        """Return it all."""
        digest = self._hash.hexdigest()
        return Body(b"".join(self._chunks), self._size <= self._limit, self._size, digest)
