"""
Alertmanager's silences, as far as announced work makes them: found, made, extended, ended.

A silence is ours when it has our one matcher and our comment; what people silence by hand is left
alone. An extended silence keeps its id: Alertmanager makes a new one of it only when its matchers or
its start change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from exporters.deadline import Deadline
from remediation.alertmanager.http_call import Answer, CallError, connection
from remediation.alertmanager.rfc3339 import format_time, parse_time

PATIENCE_S = 15.0
MAX_BODY = 32 * 1024 * 1024  # ended ones are listed, too, for five days
COMMENT = "tierwatch maintenance: "
_LABELS = ("service", "tier")
_MAX_SHOWN = 300


class SilenceError(Exception):
    """Alertmanager did not answer, or not as it should; the text says how."""


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence of ours: of what has *value* as its *label* (service or tier)."""

    id: str
    label: str
    value: str
    starts_wall: float
    ends_wall: float
    by: str
    reason: str


class Silences:
    """The silences of the Alertmanager at *url*; *patience_s* is what one request may take."""

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S) -> None:
        self.url = url.rstrip("/")
        self._patience_s = patience_s

    def ours(self, label: str = "", value: str = "") -> tuple[Silence, ...]:
        """
        Return those of ours that have not ended, the last to end first; with *label* only its own.

        Raises:
            SilenceError: Alertmanager did not answer, or not with silences.
        """
        which = f"?filter={quote(f'{label}={json.dumps(value)}')}" if label else ""
        answer = self._call("GET", f"/api/v2/silences{which}")
        try:
            entries = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise SilenceError(f"{self.url}: its answer is not JSON") from error
        if not isinstance(entries, list):
            raise SilenceError(f"{self.url}: its answer is not a list of silences")
        found = [one for one in map(_silence, entries) if one is not None]
        if label:
            found = [one for one in found if (one.label, one.value) == (label, value)]
        return tuple(sorted(found, key=lambda one: -one.ends_wall))

    def put(self, silence: Silence) -> str:
        """
        Make *silence*, or change the one with its id; return the id.

        Raises:
            SilenceError: Alertmanager did not answer, or refused.
        """
        matcher = {"name": silence.label, "value": silence.value, "isRegex": False, "isEqual": True}
        body: dict[str, Any] = {
            "matchers": [matcher],
            "startsAt": format_time(silence.starts_wall),
            "endsAt": format_time(silence.ends_wall),
            "createdBy": silence.by,
            "comment": f"{COMMENT}{silence.reason}",
        }
        if silence.id:
            body["id"] = silence.id
        answer = self._call("POST", "/api/v2/silences", body)
        try:
            return str(json.loads(answer.body)["silenceID"])
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise SilenceError(f"{self.url}: its answer names no silence") from error

    def end(self, silences: Iterable[Silence]) -> None:
        """
        End *silences*; one that has ended meanwhile is fine.

        Raises:
            SilenceError: Alertmanager did not answer, or refused.
        """
        for one in silences:
            self._call("DELETE", f"/api/v2/silence/{quote(one.id, safe='')}", fine=(200, 404))

    def _call(
        self, method: str, path: str, body: object = None, fine: tuple[int, ...] = (200,)
    ) -> Answer:
        try:
            with connection(self.url, Deadline.after(self._patience_s)) as to:
                answer = to.call(method, path, send=body, max_body=MAX_BODY)
        except CallError as error:
            raise SilenceError(f"{self.url}: {error}") from error
        if answer.status not in fine:
            fact = f"{method} of a silence is answered with status {answer.status}"
            raise SilenceError(f"{self.url}: {fact}{_said(answer)}")
        return answer


def _silence(entry: Any) -> Silence | None:
    """Return *entry* if it is ours and has not ended."""
    try:
        (matcher,) = entry["matchers"]
        plain = not matcher["isRegex"] and matcher.get("isEqual", True)
        label, comment = matcher["name"], entry["comment"]
        if not plain or label not in _LABELS or not comment.startswith(COMMENT):
            return None
        if entry["status"]["state"] not in ("active", "pending"):
            return None
        return Silence(
            id=str(entry["id"]),
            label=label,
            value=str(matcher["value"]),
            starts_wall=parse_time(entry["startsAt"]),
            ends_wall=parse_time(entry["endsAt"]),
            by=_shown(entry["createdBy"]),
            reason=_shown(comment.removeprefix(COMMENT)),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # another one's, whatever its form


def _said(answer: Answer) -> str:
    text = _shown(answer.body[: 2 * _MAX_SHOWN].decode("utf-8", "replace").strip().strip('"'))
    return f" ({text})" if text else ""


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:_MAX_SHOWN])
