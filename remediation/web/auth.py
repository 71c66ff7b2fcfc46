"""
Who asks: bearer tokens for Alertmanager and for people, each from one or two files.

Two files let a token be rotated: put the new one into the second, tell everybody, then move it. The
files are looked at when a request comes, though not for each one of a flood, and read when they have
changed; one that is missing admits nobody, and a role without any token is refused altogether.
Comparing takes the same time whatever is wrong. Client certificates (mTLS) come on top and are checked
before a request is read (remediation.web.tls).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

log = logging.getLogger(__name__)

MIN_TOKEN = 16  # characters; `openssl rand -hex 32` gives 64
MAX_TOKEN = 512
AGAIN_S = 0.05  # a token that was taken away is taken for so long at most; a new one is at once
_CURE = "Put one token of at least 16 letters and digits into it, like `openssl rand -hex 32` makes"

_Stamp = tuple[int, int, int]


class Role(StrEnum):
    """What a token is for."""

    WEBHOOK = "webhook"
    OPERATOR = "operator"


@dataclass(slots=True)
class _File:
    """One token file as it was last read; *digest* None: there is no token in it."""

    path: Path
    stamp: _Stamp | None = None
    digest: bytes | None = None
    problem: str = "not read yet"


class Tokens:
    """
    The tokens of one *role* in *paths*; the first of them is expected to exist. Thread-safe.

    The files are not looked at again within *again_s*: each look gives up the interpreter's lock.
    """

    def __init__(self, role: Role, paths: Sequence[Path], again_s: float) -> None:
        self.role = role
        self._files = [_File(path) for path in paths]
        self._again_s = again_s
        self._looked_at = float("-inf")
        self._lock = threading.Lock()

    def digests(self, *, anew: bool = False) -> tuple[bytes, ...]:
        """Return the SHA-256 of every token that is valid now; *anew*: whatever was seen a moment ago."""
        with self._lock:
            now = time.monotonic()
            if anew or now - self._looked_at >= self._again_s:
                self._looked_at = now
                for index, file in enumerate(self._files):
                    _look(file, self.role, expected=index == 0)
            return tuple(file.digest for file in self._files if file.digest)

    def problem(self) -> str:
        """Return why nobody is admitted, with place, fact and cure; "" when somebody is."""
        if self.digests(anew=True):
            return ""
        if not self._files:
            return f"no {self.role}_token_files are configured. Add them"
        return f"{self.role} token: " + "; ".join(file.problem for file in self._files)


class Auth:
    """Tells the role of a request by its Authorization header; the tokens are those of *again_s* ago at most."""

    def __init__(
        self, webhook: Sequence[Path], operator: Sequence[Path], *, again_s: float = AGAIN_S
    ) -> None:
        self._webhook = Tokens(Role.WEBHOOK, webhook, again_s)
        self._operator = Tokens(Role.OPERATOR, operator, again_s)
        self._told_shared = False

    def role(self, authorization: str) -> Role | None:
        """Return whose token the header shows; None for nobody's."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self.role_of(token.strip())

    def role_of(self, token: str) -> Role | None:
        """Return whose *token* it is; None for nobody's."""
        given = _digest(token)
        return self._fits(given) or self._fits(given, anew=True)

    def _fits(self, given: bytes, *, anew: bool = False) -> Role | None:
        webhook = self._webhook.digests(anew=anew)
        operator = self._operator_digests(webhook, anew=anew)
        # All are compared, so that the time tells nothing.
        fits = [
            (role, hmac.compare_digest(given, digest))
            for role, digests in ((Role.WEBHOOK, webhook), (Role.OPERATOR, operator))
            for digest in digests
        ]
        return next((role for role, fit in fits if fit), None)

    def operator_digest(self, token: str) -> str:
        """Return what names an operator's *token* without telling it; "" if it is none."""
        return _digest(token).hex() if self.role_of(token) is Role.OPERATOR else ""

    def still_operator(self, digest: str) -> bool:
        """Whether the token that *digest* names is still an operator's."""
        operator = self._operator_digests(self._webhook.digests(anew=True), anew=True)
        return digest in {each.hex() for each in operator}

    def problems(self) -> dict[Role, str]:
        """Return why a role admits nobody; roles that admit somebody are not in it."""
        found = {each.role: each.problem() for each in (self._webhook, self._operator)}
        return {role: text for role, text in found.items() if text}

    def _operator_digests(
        self, webhook: Sequence[bytes], *, anew: bool = False
    ) -> tuple[bytes, ...]:
        """Return the operators' tokens, without those that Alertmanager has, too."""
        operator = self._operator.digests(anew=anew)
        shared = set(webhook) & set(operator)
        if shared and not self._told_shared:
            log.error(
                "a webhook token is an operator token, too: it is none of the latter. Make another one"
            )
        self._told_shared = bool(shared)
        return tuple(digest for digest in operator if digest not in webhook)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _look(file: _File, role: Role, *, expected: bool) -> None:
    """Read *file* again if it is another than last time, and log what is new about it."""
    stamp = _stamp(file.path)
    if stamp == file.stamp and stamp is not None:
        return
    before, first = file.problem, file.stamp is None and file.problem == "not read yet"
    had = file.digest
    file.stamp, file.digest, file.problem = stamp, None, ""
    if stamp is None:
        file.problem = f"{file.path}: it is not there. {_CURE}"
    else:
        try:
            file.digest = _digest(_read(file.path))
        except (OSError, ValueError) as error:
            file.problem = f"{file.path}: {_reason(error)}. {_CURE}"
    if file.problem and file.problem != before and (stamp or expected or had):
        log.error("%s token: %s", role, file.problem)
    elif file.digest and not first and file.digest != had:
        log.info("%s token: read %s again", role, file.path)
    if file.digest:
        for warning in _loose(file.path):
            log.warning("%s token: %s", role, warning)


def _reason(error: Exception) -> str:
    return (error.strerror or "unreadable") if isinstance(error, OSError) else str(error)


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _read(path: Path) -> str:
    """Return the one token in *path*; ValueError says what is wrong, and nothing of the content."""
    with path.open("rb") as file:
        data = file.read(MAX_TOKEN + 3)
    try:
        token = data.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise ValueError("it holds characters that no header takes") from error
    if len(token) > MAX_TOKEN:
        raise ValueError(f"its token is longer than {MAX_TOKEN} characters")
    if len(token) < MIN_TOKEN:
        raise ValueError(f"its token is shorter than {MIN_TOKEN} characters")
    if not token.isprintable() or " " in token:
        raise ValueError("it holds more than one token on one line")
    return token


def _loose(path: Path) -> Iterator[str]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return
    if mode & 0o022:
        yield f"{path}: others may write it (mode {mode:03o}). Use `chmod 600`, or 440 with a group"
    elif mode & 0o004:
        yield f"{path}: everybody may read it (mode {mode:03o}). Use `chmod 600`, or 440 with a group"
