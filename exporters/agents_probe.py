"""
Ask one target, as its configuration says, and note all that is worth a metric.

An `Outcome` is filled while the probe goes on, so that one cut off by the deadline still says how
far it came. What a good answer is decides exporters.agents_judge.
"""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from exporters.agents_http import (
    Phases,
    ProbeError,
    Reader,
    Reply,
    ResourceError,
    Steps,
    connect,
    encrypt,
    find,
    request,
    send,
)
from exporters.agents_judge import judge
from exporters.agents_loop import Expired, Task
from exporters.config import Target

REASONS = (
    "body", "connect_timeout", "dns", "protocol", "read_timeout", "redirect", "refused", "status",
    "tls", "too_large",
)  # fmt: skip
MAX_BODY_BYTES = 1024 * 1024  # health answers have a hundred; arbitrary
# What a probe died of when the deadline came, by the phase that it was in.
_LATE = {"resolve": "dns", "connect": "connect_timeout", "tls": "tls"}


def reasons_of(target: Target) -> tuple[str, ...]:
    """Return the reasons for which a probe of *target* can fail, sorted."""
    if target.probe == "tcp":
        return ("connect_timeout", "dns", "refused")
    return tuple(r for r in REASONS if r != "tls" or target.url.startswith("https:"))


@dataclass(slots=True)
class Outcome:
    """What came of one probe; *reason* None and *asked* mean success."""

    target: Target
    asked: bool = False  # False: we could not ask, which says nothing about the target
    reason: str | None = None
    detail: str = ""
    seconds: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    status: int = 0
    dependencies: Mapping[str, bool] = field(default_factory=dict)
    version: str = ""
    tls_expiry: float | None = None  # Unix time

    @property
    def up(self) -> bool:
        """Whether the target did all that is expected."""
        return self.asked and self.reason is None


class _Where(NamedTuple):
    """A url, taken apart."""

    scheme: str
    host: str
    port: int
    path: str
    header: str  # Host


@functools.lru_cache(maxsize=4096)
def _where(target_url: str, host_header: str) -> _Where:
    parts = urlsplit(target_url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.hostname or ""
    return _Where(parts.scheme, host, parts.port or 80, path, host_header or parts.netloc)


def probe(outcome: Outcome) -> Task:
    """Ask the target of *outcome* and fill it in; never raises but where we have a mistake."""
    phases = Phases()
    started = time.monotonic()
    try:
        yield from _ask(outcome, phases)
        outcome.asked = True
    except ProbeError as error:
        outcome.asked, outcome.reason, outcome.detail = True, error.reason, str(error)
    except Expired:
        outcome.asked = True
        outcome.reason = _LATE.get(phases.name, "read_timeout")
        outcome.detail = f"{outcome.reason}: still in phase {phases.name} at the deadline"
    except ResourceError as error:
        outcome.detail = str(error)
    finally:
        phases.enter("")
        outcome.phases = phases.seconds
        outcome.seconds = time.monotonic() - started


def _ask(outcome: Outcome, phases: Phases) -> Steps:
    target = outcome.target
    where = _where(target.url, target.expect.host)
    addresses = yield from find(where.host, where.port)
    phases.enter("connect")
    sock = yield from connect(addresses)
    try:
        if target.probe == "tcp":
            phases.enter("")
            return
        if where.scheme == "https":
            phases.enter("tls")
            name = target.expect.host.rpartition(":")[0] or target.expect.host or where.host
            sock = yield from encrypt(sock, tls_context(), name)
            outcome.tls_expiry = _expiry(sock)
        phases.enter("processing")
        yield from send(sock, request(where.path, where.header))
        reply = Reply()
        try:
            yield from Reader(sock, MAX_BODY_BYTES).read(reply, phases)
        finally:
            outcome.status = reply.status
        phases.enter("")
    finally:
        sock.close()
    verdict = judge(target.expect, reply)
    outcome.dependencies, outcome.version = verdict.dependencies, verdict.version
    if verdict.reason is not None:
        raise ProbeError(verdict.reason, verdict.detail)


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return how targets' certificates are checked: by the system's authorities, or SSL_CERT_FILE's."""
    return ssl.create_default_context()


def _expiry(sock: Any) -> float | None:
    text = (sock.getpeercert() or {}).get("notAfter")
    if not text:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(text)), UTC).timestamp()


def probes(outcomes: list[Outcome]) -> Generator[Task, None, None]:
    """Yield one task per outcome."""
    for outcome in outcomes:
        yield probe(outcome)
