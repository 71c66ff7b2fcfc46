"""
Ask the engine to write something down, and wait for it, but not for long.

Whoever is answered yes may rely on it; whoever is answered 503 may not, and asks again. An entry
that takes longer than the wait may still be written: then the same comes a second time, which does
no harm, since a firing has one name and a wish is the same wish.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future

from remediation.desk import Desk
from remediation.model import Entry, Record

log = logging.getLogger(__name__)

COMMIT_S = 0.8  # an answer takes less than a second, always


class NotWrittenError(Exception):
    """Nothing was written, or it is not known in time; the text says which and why."""


async def commit(desk: Desk, *records: Record, wait_s: float = COMMIT_S) -> tuple[Entry, ...]:
    """
    Return the entries that *records* became.

    Raises:
        NotWrittenError: They are not in the journal, as far as is known within *wait_s*.
    """
    try:
        future: Future[tuple[Entry, ...]] = desk.accept(*records)
    except Exception as error:
        log.exception("the journal takes nothing")
        raise NotWrittenError(str(error)[:500]) from error
    waiting = asyncio.wrap_future(future)
    # Not wait_for: it would cancel what the journal's thread is about to finish.
    done, _ = await asyncio.wait({waiting}, timeout=wait_s)
    if not done:
        waiting.add_done_callback(_look)
        raise NotWrittenError(f"the journal has not answered within {wait_s:.2g} s")
    failure = waiting.exception()
    if failure is not None:
        log.error("not written: %s", failure)
        raise NotWrittenError(str(failure)[:500]) from failure
    return waiting.result()


def _look(waiting: asyncio.Future[tuple[Entry, ...]]) -> None:
    """Take the late result, so that nobody complains that it was never taken."""
    if not waiting.cancelled() and (error := waiting.exception()) is not None:
        log.error("not written after all: %s", error)
