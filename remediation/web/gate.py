"""Who is let in: the token of a request against what the page or endpoint wants."""

from __future__ import annotations

from starlette.requests import Request

from remediation.web.answer import AnswerError
from remediation.web.auth import Auth, Role

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tierwatch"'}


def admit(request: Request, auth: Auth, wanted: Role) -> None:
    """Return when *request* shows a token of role *wanted*; AnswerError (401, 403) otherwise."""
    shown = request.headers.get("authorization", "")
    role = auth.role(shown)
    if role is wanted:
        return
    place = request.url.path[:200]
    if role is not None:
        fact = f"a {role} token was shown, and this wants the {wanted} token"
        raise AnswerError(403, place, fact, f"Use a token of auth.{wanted}_token_files")
    if problem := auth.problems().get(wanted):
        # The files' names stay in the log and in the readiness.
        del problem
        fact, cure = f"no {wanted} token can be read here", "See /-/ready and the remediator's log"
    elif shown:
        fact, cure = "the token is not known", f"Use a token of auth.{wanted}_token_files"
    else:
        fact, cure = "no token was shown", "Send `Authorization: Bearer TOKEN`"
    raise AnswerError(401, place, fact, cure, headers=_CHALLENGE)
