"""
The status page over HTTP, its login, and its buttons.

Looking needs no login: what is shown (names, health, what was restarted) is what /metrics and the
boards show to whoever reaches them, and at three in the morning nobody should look for a token to
see what is wrong. Who wants it closed sets basic_auth_users in the --web-config. Acting needs the
operator token, shown once for a short session; a button is a POST whose Origin and form token prove
that it is ours. GET changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from remediation.model import Entry, Record
from remediation.web import wishes
from remediation.web.answer import AnswerError
from remediation.web.auth import Auth
from remediation.web.body import Bodies, FullError, SlowError
from remediation.web.latest import Latest
from remediation.web.operator import fulfil
from remediation.web.page import Pages, Shown
from remediation.web.picture import draw
from remediation.web.sessions import COOKIE, LASTS_S, Session, Sessions, foreign
from remediation.web.story import Line, tell

log = logging.getLogger(__name__)

Tail = Callable[[int], Sequence[Entry]]

MAX_FORM = 16 * 1024
TAIL_ENTRIES = 400  # of which some thirty say something to people
_SAID = {
    "paused": "Paused. Nothing is restarted until somebody resumes.",
    "resumed": "Resumed.",
    "released": "Released. Action goes on.",
    "approved": "Approved. It is looked at once more, then done.",
    "unchanged": "Nothing to do: it is so already.",
    "in": "Logged in.",
    "out": "Logged out.",
}


@dataclass(slots=True)
class StatusPage:
    """The pages for browsers; *tail* gives the journal's last entries, oldest first."""

    desk: Latest
    auth: Auth
    bodies: Bodies
    tail: Tail | None
    sessions: Sessions = field(default_factory=Sessions)
    wall: Callable[[], float] = time.time
    pages: Pages = field(default_factory=Pages)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/login", self.ask_login, methods=["GET"]),
            Route("/login", self.login, methods=["POST"]),
            Route("/logout", self.logout, methods=["POST"]),
            Route("/pause", self.ask_pause, methods=["GET"]),
            Route("/do/pause", self.pause, methods=["POST"]),
            Route("/do/resume", self.resume, methods=["POST"]),
            Route("/do/release", self.release, methods=["POST"]),
            Route("/do/approve", self.approve, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Answer the status page."""
        session = self._session(request)
        view = self.desk.view()
        lately, note = await self._lately()
        shown = Shown(
            picture=draw(view, alive=self.desk.alive(), trouble=self.desk.trouble()),
            lately=lately,
            lately_note=note,
            session=session,
            form=self.sessions.form_token(session) if session else "",
            said=_SAID.get(request.query_params.get("said", ""), ""),
            now_wall=self.wall(),
            refreshes="still" not in request.query_params,
        )
        return self._html(await run_in_threadpool(self.pages.status, shown))

    async def ask_login(self, _: Request) -> Response:
        """Answer the form that asks for the token."""
        return self._html(self.pages.login())

    async def login(self, request: Request) -> Response:
        """Open a session for whoever shows an operator token."""
        self._own(request)
        form = await self._form(request)
        digest = self.auth.operator_digest(form.get("token", "").strip())
        name = "".join(c for c in form.get("name", "").strip()[:60] if c.isprintable())
        if not digest or not name:
            log.warning("a login on the page was refused")
            problem = "That is not an operator token." if not digest else "Say your name."
            return self._html(self.pages.login(problem=problem, name=name), 401)
        _, cookie = self.sessions.open(name, _address(request), digest)
        answer = RedirectResponse("/?said=in", 303)
        answer.set_cookie(
            COOKIE, cookie, max_age=int(LASTS_S), path="/", httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        log.info("%s logged in on the page", name)
        return answer

    async def logout(self, request: Request) -> Response:
        """End the session."""
        session, _ = await self._pressed(request)
        self.sessions.close(session)
        answer = RedirectResponse("/?said=out", 303)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    async def ask_pause(self, request: Request) -> Response:
        """Answer the form that asks why to pause."""
        session = self._session(request)
        if session is None:
            return RedirectResponse("/login", 303)
        return self._html(self.pages.pause(self.sessions.form_token(session)))

    async def pause(self, request: Request) -> Response:
        """Pause all action."""
        session, form = await self._pressed(request)
        body = {"reason": form.get("reason", ""), "by": session.name}
        try:
            wish = wishes.pause(body)
        except AnswerError as error:
            problem = f"{error.fact}. {error.cure}."
            page = self.pages.pause(self.sessions.form_token(session), problem=problem)
            return self._html(page, error.status)
        return await self._do(request, wish, "paused")

    async def resume(self, request: Request) -> Response:
        """Go on."""
        session, _ = await self._pressed(request)
        wish = wishes.resume(self.desk.view(), {"by": session.name})
        return await self._do(request, wish, "resumed")

    async def release(self, request: Request) -> Response:
        """End a storm's freeze."""
        session, _ = await self._pressed(request)
        wish = wishes.release(self.desk.view(), {"by": session.name})
        return await self._do(request, wish, "released")

    async def approve(self, request: Request) -> Response:
        """Approve what an incident would do next."""
        session, form = await self._pressed(request)
        body = {"by": session.name, "rung": form.get("rung", "")}
        wish = wishes.approve(self.desk.view(), form.get("incident", ""), body)
        return await self._do(request, wish, "approved")

    async def _do(self, request: Request, wish: Record | None, said: str) -> Response:
        if wish is None:
            return RedirectResponse("/?said=unchanged", 303)
        await fulfil(self.desk, request, wish)
        return RedirectResponse(f"/?said={said}", 303)

    async def _lately(self) -> tuple[tuple[Line, ...], str]:
        """Return what the journal tells, newest first, and what to say when that is nothing."""
        if self.tail is None:
            return (), "The journal is not shown here."
        try:
            entries = await run_in_threadpool(self.tail, TAIL_ENTRIES)
        except Exception:
            # The page is needed most when something is broken.
            log.exception("the journal cannot be read for the page")
            return (), "The journal cannot be read; the log says why."
        return tell(entries, self.desk.view().state), "Nothing yet."

    def _session(self, request: Request) -> Session | None:
        session = self.sessions.find(request.cookies.get(COOKIE, ""), _address(request))
        if session is not None and not self.auth.still_operator(session.token_digest):
            self.sessions.close(session)
            return None
        return session

    async def _pressed(self, request: Request) -> tuple[Session, dict[str, str]]:
        """Return who pressed a button, and its form; AnswerError (403) when it was not our page."""
        self._own(request)
        place = request.url.path
        session = self._session(request)
        if session is None:
            raise AnswerError(403, place, "nobody is logged in here", "Log in at /login")
        form = await self._form(request)
        if not self.sessions.fits(session, form.get("form", "")):
            raise AnswerError(403, place, "the form is not of this session", "Load / again")
        return session, form

    def _own(self, request: Request) -> None:
        if why := foreign(request.headers):
            log.warning("a form from elsewhere was refused: %s", why)
            fact = f"the form does not come from this page: {why}"
            raise AnswerError(403, request.url.path, fact, "Use the page itself, or the API")

    async def _form(self, request: Request) -> dict[str, str]:
        place = request.url.path
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise AnswerError(415, place, "it is no form", "Use the page")
        try:
            async with self.bodies.read(request, MAX_FORM) as body:
                if not body.whole:
                    raise AnswerError(413, place, "the form is too large", "Shorten it")
                text = body.data.decode("ascii")
                return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=16))
        except SlowError as error:
            raise AnswerError(408, place, "the form did not arrive in time", "Again") from error
        except FullError as error:
            raise AnswerError(503, place, "too much is being read at once", "Again") from error
        except ValueError as error:
            raise AnswerError(400, place, "the form cannot be read", "Use the page") from error

    def _html(self, text: str, status: int = 200) -> Response:
        return HTMLResponse(text, status, headers={"Content-Security-Policy": self.pages.policy})


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
