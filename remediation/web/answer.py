"""
How the web part answers: JSON with place, fact and cure, headers that keep browsers careful.

Clients never see a traceback; what broke is in the log under the place that the answer names.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "tierwatch",
}
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


class AnswerError(Exception):
    """A request that is answered with *status* and an error of place, fact and cure."""

    def __init__(
        self,
        status: int,
        place: str,
        fact: str,
        cure: str,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{place}: {fact}. {cure}.")
        self.status = status
        self.place, self.fact, self.cure = place, fact, cure
        self.headers = dict(headers or {})


def answer(body: Mapping[str, Any], status: int = 200) -> Response:
    """Return *body* as JSON."""
    return JSONResponse(body, status)


def refusal(error: AnswerError) -> Response:
    """Return the answer that *error* stands for."""
    told = {"place": error.place, "fact": error.fact, "cure": error.cure}
    return JSONResponse({"error": told}, error.status, headers=error.headers)


async def on_answer_error(_: Request, error: Exception) -> Response:
    """Answer an AnswerError."""
    assert isinstance(error, AnswerError)  # noqa: S101 - registered for this class only
    return refusal(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: unknown paths, wrong methods."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(getattr(error, "headers", None) or {})
    facts = {
        404: ("there is no such page", "Look at / for what there is"),
        405: (f"{request.method} is not for it", f"Use {headers.get('Allow', 'another method')}"),
    }
    fact, cure = facts.get(status, ("the request cannot be answered", "See the log"))
    return refusal(AnswerError(status, request.url.path[:200], fact, cure, headers=headers))


async def on_failure(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw: the log has it, the client does not."""
    log.error("%s broke", request.url.path[:200], exc_info=error)
    fact, cure = "it broke on our side", "See the remediator's log"
    return refusal(AnswerError(500, request.url.path[:200], fact, cure))


def plain(text: str, status: int = 200) -> Response:
    """Return *text* for people and probes."""
    return PlainTextResponse(text, status)


class SafeHeaders:
    """Puts the careful headers on every answer; *extra* (from a web.config.yml) comes on top."""

    def __init__(self, app: ASGIApp, extra: Mapping[str, str]) -> None:
        self._app = app
        told = {name.lower(): value for name, value in {**_HEADERS, **extra}.items()}
        self._raw = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in told.items()]
        self._names = frozenset(name for name, _ in self._raw)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [each for each in message["headers"] if each[0] not in self._names]
                if not any(name == _POLICY[0] for name, _ in (*own, *self._raw)):
                    own.append(_POLICY)
                message["headers"] = [*own, *self._raw]
            await send(message)

        await self._app(scope, receive, send_with_headers)
