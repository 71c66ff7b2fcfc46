"""
`POST /v1/alerts`: the webhook of Alertmanager.

2xx only after the journal has committed. What can be cured by asking again is 503, for Alertmanager
repeats nothing else, 429 included; what can never be processed is 200 and a dead letter, for it
would come again for ever. Strangers get 401 or 403. What is decided about an alert happens elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Container

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from remediation import records
from remediation.desk import Desk
from remediation.model import Alert, Record
from remediation.web.answer import AnswerError, answer
from remediation.web.auth import Auth, Role
from remediation.web.body import Bodies, Body, FullError, SlowError
from remediation.web.commit import COMMIT_S, NotWrittenError, commit
from remediation.web.dead_letters import left_out, unreadable
from remediation.web.gate import admit
from remediation.web.intake import Accepted, Limits, Refused, read_message
from remediation.web.metrics import Metrics
from remediation.web.seen import Seen

log = logging.getLogger(__name__)

PLACE = "/v1/alerts"
MAX_AT_ONCE = 256  # group commit takes some hundreds at once; more than that is a fault
MAX_PENDING = 50_000  # alerts that wait for a decision; the engine is stuck or gone
LARGE_WAIT_S = 0.4  # for other large messages; with the reading and the commit less than a second
LEAST_S = 0.1  # for a commit after all that
INLINE_BYTES = 64 * 1024  # parsed in a millisecond; what is larger must not hold the others up


class Webhook:
    """The endpoint; *clock* counts seconds and only goes forward."""

    def __init__(
        self,
        desk: Desk,
        auth: Auth,
        metrics: Metrics,
        bodies: Bodies,
        *,
        limits: Limits,
        at_once: int = MAX_AT_ONCE,
        commit_s: float = COMMIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._auth, self._metrics, self._bodies = desk, auth, metrics, bodies
        self._limits, self._at_once, self._commit_s, self._clock = limits, at_once, commit_s, clock
        self._running = 0
        self._one_at_a_time = asyncio.Lock()  # a parsed message takes ten times its bytes
        self._seen = Seen(desk.view().config.ladder.deduplicate_s)

    async def deliver(self, request: Request) -> Response:
        """Answer one delivery."""
        began = self._clock()
        try:
            admit(request, self._auth, Role.WEBHOOK)
            if self._running >= self._at_once:
                raise _busy(f"{self._at_once} deliveries are being taken in already")
            self._running += 1
            try:
                return await self._receive(request)
            finally:
                self._running -= 1
        except AnswerError as error:
            unavailable = error.status == 503
            self._metrics.intake("unavailable" if unavailable else "unauthorized", 1)
            raise
        finally:
            self._metrics.intake_took(self._clock() - began)

    async def _receive(self, request: Request) -> Response:
        try:
            async with self._bodies.read(request, self._limits.size_bytes) as body:
                return await self._take(body)
        except SlowError as error:
            raise _busy("the message did not arrive in time") from error
        except FullError as error:
            raise _busy("too many messages are being read at once") from error
        except NotWrittenError as error:
            raise _busy(str(error)) from error

    async def _take(self, body: Body) -> Response:
        until = self._clock() + self._commit_s
        found = await self._read(body)
        left_s = max(LEAST_S, until - self._clock())
        if isinstance(found, Refused):
            return await self._refuse(found, body, left_s)
        pending = self._desk.view().state.pending
        if len(pending) >= MAX_PENDING:
            raise _busy(f"{MAX_PENDING} alerts wait for a decision already")
        now = self._clock()
        fresh = [alert for alert in found.alerts if not self._known(alert, pending, now)]
        if entry := self._records(found, fresh, body, now):
            await commit(self._desk, *entry, wait_s=left_s)
        for alert in fresh:
            self._seen.add((*alert.key, alert.firing), now)
        if found.malformed:
            self._seen.add(body.digest, now)
        counts = {
            "accepted": len(fresh),
            "duplicate": len(found.alerts) - len(fresh),
            "ignored": found.ignored,
            "malformed": found.malformed,
        }
        for result, count in counts.items():
            if count:
                self._metrics.intake(result, count)
        return answer({**counts, "truncated": found.truncated})

    async def _read(self, body: Body) -> Accepted | Refused:
        if not body.whole:
            return Refused(f"larger than {self._limits.size_bytes} bytes", "too_large")
        if body.size <= INLINE_BYTES:
            return read_message(body.data, self._limits)
        try:
            async with asyncio.timeout(LARGE_WAIT_S):
                await self._one_at_a_time.acquire()
        except TimeoutError as error:
            raise _busy("other large messages are being read") from error
        try:
            return await run_in_threadpool(read_message, body.data, self._limits)
        finally:
            self._one_at_a_time.release()

    def _known(self, alert: Alert, pending: Container[tuple[str, float]], now: float) -> bool:
        if self._seen.has((*alert.key, alert.firing), now):
            return True
        # After a restart of ours the memory is empty, but what waits is in the journal already.
        return alert.firing and alert.key in pending

    def _records(self, found: Accepted, fresh: list[Alert], body: Body, now: float) -> list[Record]:
        written = []
        if fresh or found.truncated:
            # Truncated without anything new still tells the engine to look at Alertmanager itself.
            written.append(records.received(fresh, source=found.source, truncated=found.truncated))
        if found.malformed and not self._seen.has(body.digest, now):
            written.append(left_out(found.reasons, found.malformed, body.data))
            log.warning("%d alerts of a message made no sense: %s", found.malformed, found.reasons)
        return written

    async def _refuse(self, refused: Refused, body: Body, left_s: float) -> Response:
        """Write the dead letter, once for the same bytes, and say yes: it must not come again."""
        now = self._clock()
        if not self._seen.has(body.digest, now):
            letter = unreadable(refused.why, body.data, size=body.size, digest=body.digest)
            await commit(self._desk, letter, wait_s=left_s)
            self._seen.add(body.digest, now)
            log.warning("a message of %d bytes was put aside: %s", body.size, refused.why)
        self._metrics.intake(refused.result, 1)
        return answer({"result": refused.result, "why": refused.why, "digest": body.digest})


def _busy(fact: str) -> AnswerError:
    return AnswerError(503, PLACE, fact, "Send it again; Alertmanager does by itself")
