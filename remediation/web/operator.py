"""
The API of people and their tools: status, pause, resume, approve, release, holds.

Every wish becomes a journal entry before it is answered yes. The bearer token is the only way in:
no cookie is looked at, so no other site can send a browser here.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remediation.model import Record
from remediation.web import wishes
from remediation.web.answer import AnswerError, answer
from remediation.web.auth import Auth, Role
from remediation.web.body import Bodies, FullError, SlowError
from remediation.web.commit import NotWrittenError, commit
from remediation.web.gate import admit
from remediation.web.json_strict import JsonError, read_json
from remediation.web.latest import Latest
from remediation.web.picture import draw

log = logging.getLogger(__name__)

MAX_BODY = 16 * 1024


class Operator:
    """The endpoints below /v1 that are people's."""

    def __init__(self, desk: Latest, auth: Auth, bodies: Bodies) -> None:
        self._desk, self._auth, self._bodies = desk, auth, bodies

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/status", self.status, methods=["GET"]),
            Route("/v1/pause", self.pause, methods=["POST"]),
            Route("/v1/resume", self.resume, methods=["POST"]),
            Route("/v1/release", self.release, methods=["POST"]),
            Route("/v1/approve/{incident}", self.approve, methods=["POST"]),
            Route("/v1/holds", self.hold, methods=["POST"]),
            Route("/v1/holds/{name}", self.unhold, methods=["DELETE"]),
        ]

    async def status(self, request: Request) -> Response:
        """Answer how things stand."""
        admit(request, self._auth, Role.OPERATOR)
        desk = self._desk
        picture = draw(desk.view(), alive=desk.alive(), trouble=desk.trouble())
        return answer(dataclasses.asdict(picture))

    async def pause(self, request: Request) -> Response:
        """Pause all action."""
        return await self._do(request, wishes.pause(await self._body(request)))

    async def resume(self, request: Request) -> Response:
        """Go on."""
        body = await self._body(request)
        return await self._do(request, wishes.resume(self._desk.view(), body))

    async def release(self, request: Request) -> Response:
        """End a storm's freeze."""
        body = await self._body(request)
        return await self._do(request, wishes.release(self._desk.view(), body))

    async def approve(self, request: Request) -> Response:
        """Approve what an incident would do next."""
        body = await self._body(request)
        incident = request.path_params["incident"]
        return await self._do(request, wishes.approve(self._desk.view(), incident, body))

    async def hold(self, request: Request) -> Response:
        """Announce work."""
        body = await self._body(request)
        return await self._do(request, wishes.hold(self._desk.view(), body))

    async def unhold(self, request: Request) -> Response:
        """End announced work."""
        admit(request, self._auth, Role.OPERATOR)
        name, query = request.path_params["name"], dict(request.query_params)
        return await self._do(request, wishes.unhold(self._desk.view(), name, query))

    async def _body(self, request: Request) -> Mapping[str, Any]:
        """Return what an operator sent; an empty body says nothing."""
        admit(request, self._auth, Role.OPERATOR)
        place = request.url.path[:200]
        try:
            async with self._bodies.read(request, MAX_BODY) as body:
                if not body.whole:
                    fact = f"the body is larger than {MAX_BODY} bytes"
                    raise AnswerError(413, place, fact, "Shorten it")
                data = read_json(body.data) if body.data else {}
        except SlowError as error:
            raise AnswerError(408, place, "the body did not arrive in time", "Again") from error
        except FullError as error:
            raise AnswerError(503, place, "too much is being read at once", "Again") from error
        except JsonError as error:
            raise AnswerError(400, place, f"the body is {error}", "Send a JSON object") from error
        if not isinstance(data, dict):
            raise AnswerError(400, place, "the body is no object", "Send a JSON object")
        return data

    async def _do(self, request: Request, wish: Record | None) -> Response:
        if wish is None:
            return answer({"changed": False})
        entry = await fulfil(self._desk, request, wish)
        return answer({"changed": True, "entry": entry})


async def fulfil(desk: Latest, request: Request, wish: Record) -> int:
    """Write *wish* down; return the number of its entry, or raise an AnswerError (503)."""
    try:
        entries = await commit(desk, wish)
    except NotWrittenError as error:
        place, cure = request.url.path[:200], "Try again; see / whether it was taken in after all"
        raise AnswerError(503, place, str(error), cure) from error
    desk.note(entries)
    log.info(
        "%s by %s", wish.kind, wish.body.get("by"), extra={"incident": wish.body.get("incident")}
    )
    return entries[0].number
