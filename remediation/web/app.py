"""
The web part as one ASGI application: webhook, operator API, status page, metrics, health.

Knows the engine as a Desk and the journal as two callables; nothing here decides or restarts
anything. What a web.config.yml says besides TLS (basic auth, rate limit, headers) holds for the pages
that ask for no token.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from exporters.web_guard import Guard
from remediation.desk import Desk
from remediation.web.alerts import MAX_AT_ONCE, Webhook
from remediation.web.answer import (
    AnswerError,
    SafeHeaders,
    on_answer_error,
    on_failure,
    on_http_error,
    plain,
    refusal,
)
from remediation.web.auth import Auth, Role
from remediation.web.body import PATIENCE_S, TOGETHER_BYTES, Bodies
from remediation.web.commit import COMMIT_S
from remediation.web.intake import Limits
from remediation.web.latest import Latest
from remediation.web.metrics import Metrics
from remediation.web.operator import Operator
from remediation.web.status_page import StatusPage, Tail


def make_app(
    desk: Desk,
    auth: Auth,
    metrics: Metrics,
    *,
    tail: Tail | None = None,
    journal_problem: Callable[[], str] = str,
    guard: Guard | None = None,
    limits: Limits | None = None,
    at_once: int = MAX_AT_ONCE,
    commit_s: float = COMMIT_S,
    patience_s: float = PATIENCE_S,
    together_bytes: int = TOGETHER_BYTES,
    wall: Callable[[], float] = time.time,
) -> Starlette:
    """
    Return the application.

    Args:
        desk: The engine.
        auth: Whose tokens are taken.
        metrics: Counts the intake; shows the engine's picture from here on.
        tail: Gives the journal's last entries, oldest first (Journal.tail).
        journal_problem: Says why the last write failed; "" when it did not (Journal.problem).
        guard: What the --web-config says; None: plain HTTP for everybody.
        limits: How much one message may hold.
        at_once: Deliveries that are taken in at the same time; more are answered 503.
        commit_s: How long a commit is waited for.
        patience_s: How long a body may take to arrive.
        together_bytes: How much the bodies of all requests may hold.
        wall: Tells Unix time, for the page.
    """
    metrics.watch(desk.view)
    bodies, latest = Bodies(together_bytes, patience_s), Latest(desk)
    guard = guard or Guard(None)
    webhook = Webhook(
        desk, auth, metrics, bodies,
        limits=limits or Limits(), at_once=at_once, commit_s=commit_s,
    )  # fmt: skip
    probes = _Probes(desk, auth, metrics, journal_problem)
    routes = [
        Route("/v1/alerts", webhook.deliver, methods=["POST"]),
        Route("/metrics", probes.metrics, methods=["GET"]),
        Route("/-/healthy", probes.healthy, methods=["GET"]),
        Route("/-/ready", probes.ready, methods=["GET"]),
        *Operator(latest, auth, bodies).routes(),
        *StatusPage(latest, auth, bodies, tail, wall=wall).routes(),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SafeHeaders, extra=guard.headers), Middleware(_Door, guard=guard)],
        exception_handlers={
            AnswerError: on_answer_error,
            HTTPException: on_http_error,
            Exception: on_failure,
        },
    )


class _Probes:
    """What machines ask: is it there, is it ready, what does it count."""

    def __init__(
        self, desk: Desk, auth: Auth, metrics: Metrics, journal_problem: Callable[[], str]
    ) -> None:
        self._desk, self._auth, self._metrics = desk, auth, metrics
        self._journal_problem = journal_problem

    async def healthy(self, _: Request) -> Response:
        """Answer while the process lives and a restart of it would help nobody."""
        if hung := self._desk.hung():
            return plain(f"not healthy: {hung}. Restart the remediator\n", 503)
        return plain("healthy\n")

    async def ready(self, _: Request) -> Response:
        """Answer whether alerts can be taken in and worked on; else everything that is in the way."""
        problems = [self._journal_problem()]
        if not self._desk.alive():
            problems.append("the engine has stopped. See the log, restart the remediator")
        if trouble := self._desk.trouble():
            problems.append(f"nothing is healed: {trouble}. See the log")
        missing = self._auth.problems()
        problems.append(missing.get(Role.WEBHOOK, ""))
        found = [problem for problem in problems if problem]
        # Without it people cannot act over HTTP; alerts are worked on all the same.
        notes = [missing[Role.OPERATOR]] if Role.OPERATOR in missing else []
        lines = [*(f"not ready: {each}" for each in found), *(f"note: {each}" for each in notes)]
        if not found:
            lines.insert(0, "ready")
        return plain("\n".join(lines) + "\n", 503 if found else 200)

    async def metrics(self, request: Request) -> Response:
        """Answer all metrics, as text or OpenMetrics."""
        accept = request.headers.get("accept", "")
        encoding = request.headers.get("accept-encoding", "")

        def render() -> tuple[bytes, str, bool]:
            return self._metrics.page().render(accept, encoding)

        body, kind, packed = await run_in_threadpool(render)
        headers = {"Vary": "Accept, Accept-Encoding"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(body, media_type=kind, headers=headers)


class _Door:
    """Asks for a name and password where web.config.yml wants them and no token is asked for."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        path = scope.get("path", "")
        if scope["type"] != "http" or path.startswith(("/v1/", "/-/")):
            await self._app(scope, receive, send)
            return
        shown = Request(scope).headers.get("authorization", "")
        if not self._guard.in_time():
            error = AnswerError(429, path[:200], "too many requests", "Ask less often")
        # A bcrypt hash takes 70 ms; the others must not wait for that.
        elif not await run_in_threadpool(self._guard.admits, shown):
            challenge = {"WWW-Authenticate": 'Basic realm="tierwatch"'}
            cure = "Show one of basic_auth_users"
            error = AnswerError(401, path[:200], "no user is logged in", cure, headers=challenge)
        else:
            await self._app(scope, receive, send)
            return
        await refusal(error)(scope, receive, send)
