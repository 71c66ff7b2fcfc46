"""
Who is logged in on the status page: short sessions in memory, and the proof that a form is ours.

A session is an operator's token shown once. Its cookie is signed and says nothing; the session ends
after half an hour, at logout, with the process, and with the token. Every form carries a second value
that belongs to the session, so that another site's form fits nobody's (CSRF).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

COOKIE = "tierwatch_session"
LASTS_S = 1800.0  # a night's incident; who needs longer shows the token again
MAX_SESSIONS = 64  # people who may act at once; arbitrary


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who showed an operator's token from *address*; *name* is what they call themselves."""

    id: str
    name: str
    address: str
    token_digest: str
    ends_at: float


class Sessions:
    """The open sessions; *clock* counts seconds and only goes forward. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def open(self, name: str, address: str, token_digest: str) -> tuple[Session, str]:
        """Return a new session and its cookie; the oldest ends when there are too many."""
        session = Session(
            secrets.token_urlsafe(24), name, address, token_digest, self._clock() + LASTS_S
        )
        with self._lock:
            self._end_old()
            self._open[session.id] = session
        return session, f"{session.id}.{self._sign('cookie', session.id)}"

    def find(self, cookie: str, address: str) -> Session | None:
        """Return the session that *cookie* belongs to; None if there is none any more, or it moved."""
        number, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("cookie", number).encode()):
            return None
        with self._lock:
            session = self._open.get(number)
            if session is not None and session.ends_at <= self._clock():
                del self._open[number]
                return None
            # Browsers show a cookie to every port of a host: its other services, too, see it.
            return session if session is not None and session.address == address else None

    def close(self, session: Session) -> None:
        """End *session*."""
        with self._lock:
            self._open.pop(session.id, None)

    def form_token(self, session: Session) -> str:
        """Return what every form of *session* carries."""
        return self._sign("form", session.id)

    def fits(self, session: Session, form_token: str) -> bool:
        """Whether *form_token* is the one of *session*."""
        return hmac.compare_digest(form_token.encode(), self.form_token(session).encode())

    def _sign(self, what: str, text: str) -> str:
        return hmac.new(self._key, f"{what}:{text}".encode(), hashlib.sha256).hexdigest()

    def _end_old(self) -> None:
        now = self._clock()
        self._open = {key: each for key, each in self._open.items() if each.ends_at > now}
        while len(self._open) >= MAX_SESSIONS:
            self._open.pop(next(iter(self._open)))


def foreign(headers: Mapping[str, str]) -> str:
    """
    Return why a form with these request *headers* was not sent by our own page; "" when it was.

    Browsers tell where a form comes from in Origin, and over TLS or on localhost in Sec-Fetch-Site;
    what tells neither is no browser of today, and such tools have the API.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return f"Sec-Fetch-Site is {site[:20]!r}"
    if origin is None:
        return "" if site == "same-origin" else "neither Origin nor Sec-Fetch-Site was sent"
    try:
        netloc = urlsplit(origin).netloc  # "null" has none
    except ValueError:
        netloc = ""
    if not netloc or netloc.lower() != headers.get("host", "").lower():
        return "Origin is another address than the page's"
    return ""
