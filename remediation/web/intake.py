"""
What a webhook of Alertmanager says: pure, strict, bounded.

Bytes and limits in, alerts or a reason out. The message is a hint from somebody who knows a token, no
more: only the labels that the remediator reads are kept, and nothing of it ever becomes a command, a
path or an address. The status of the message as a whole is not looked at: one firing alert makes all
of it "firing". One alert that makes no sense is left out and told of; it must not hide the others.

Source: prometheus/alertmanager, docs/notifications.md and notify/webhook (version "4"); reference,
remediation, S8 to S13.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remediation.alertmanager.parse import LABELS
from remediation.alertmanager.rfc3339 import parse_time
from remediation.model import Alert
from remediation.web.json_strict import JsonError, read_json

VERSION = "4"
MAX_SOURCE = 500  # of a groupKey: the path of a route and its labels
MAX_REASONS = 5  # different ones that are told of alerts left out
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one message may hold."""

    # A thousand alerts of the platform, with the texts that we throw away, take 1.3 MB; what is made
    # to be slow to read takes half a second at this size.
    size_bytes: int = 2 * 1024 * 1024
    alerts: int = 10_000
    depth: int = 32
    label: int = 256  # characters of a value that is kept


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    What is to be journalled.

    *alerts* ask for a restart, or tell that one that did is over; *ignored* others ask for none.
    *malformed* were left out, for these *reasons*. *truncated* were cut off before they reached us.
    """

    alerts: tuple[Alert, ...]
    ignored: int
    malformed: int
    reasons: tuple[str, ...]
    source: str
    truncated: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that can never be processed, and why; *result* is its label in the metrics."""

    why: str
    result: str = "malformed"


def read_message(body: bytes, limits: Limits) -> Accepted | Refused:
    """Return what *body* says, or why nothing can be made of it."""
    if len(body) > limits.size_bytes:
        return Refused(f"larger than {limits.size_bytes} bytes", "too_large")
    try:
        message = read_json(body, max_depth=limits.depth)
    except JsonError as error:
        return Refused(str(error))
    why = _wrong_with(message)
    if why:
        return Refused(why)
    if len(message["alerts"]) > limits.alerts:
        return Refused(f"more than {limits.alerts} alerts", "too_large")
    return _accepted(message, limits)


def _wrong_with(message: Any) -> str:
    if not isinstance(message, dict):
        return "not an object"
    version = message.get("version")
    if version != VERSION:
        told = f"{version!r}" if isinstance(version, str) and len(version) < 10 else "another"
        return f"version {told} of the message: only {VERSION!r} is known"
    if not isinstance(message.get("alerts"), list):
        return "alerts is no list"
    if not isinstance(message.get("groupKey", ""), str):
        return "groupKey is no text"
    cut = message.get("truncatedAlerts", 0)
    if isinstance(cut, bool) or not isinstance(cut, int) or not 0 <= cut < 2**31:
        return "truncatedAlerts is no count"
    return ""


def _accepted(message: Mapping[str, Any], limits: Limits) -> Accepted:
    alerts: dict[tuple[str, float, bool], Alert] = {}
    reasons: dict[str, None] = {}
    ignored = malformed = 0
    for each in message["alerts"]:
        found = _alert(each, limits)
        if isinstance(found, str):
            malformed += 1
            if len(reasons) < MAX_REASONS:
                reasons[found] = None
        elif found.labels.get("remedy") != "restart":
            ignored += 1
        else:
            alerts[(*found.key, found.firing)] = found
    return Accepted(
        alerts=tuple(alerts.values()),
        ignored=ignored,
        malformed=malformed,
        reasons=tuple(reasons),
        source=_printable(message.get("groupKey", "")[:MAX_SOURCE]),
        truncated=message.get("truncatedAlerts", 0),
    )


def _alert(data: Any, limits: Limits) -> Alert | str:
    """Return the alert in *data*, or what is wrong with it."""
    if not isinstance(data, dict):
        return "an alert is no object"
    status, fingerprint = data.get("status"), data.get("fingerprint")
    if status not in ("firing", "resolved"):
        return "an alert's status is neither firing nor resolved"
    if not isinstance(fingerprint, str) or not _FINGERPRINT.fullmatch(fingerprint):
        return "a fingerprint is not 16 hexadecimal digits"
    labels = _labels(data.get("labels"), limits)
    if isinstance(labels, str):
        return labels
    try:
        starts = parse_time(_text(data.get("startsAt")))
        parse_time(_text(data.get("endsAt")))  # 0001-01-01 while it fires; its form alone matters
    except (ValueError, OverflowError):
        return "startsAt or endsAt is no time (RFC 3339)"
    return Alert(fingerprint, starts, labels, firing=status == "firing")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _labels(data: Any, limits: Limits) -> dict[str, str] | str:
    if not isinstance(data, dict):
        return "labels is no object"
    if not all(isinstance(value, str) for value in data.values()):
        return "a label is no text"
    found = {name: data[name] for name in LABELS if name in data}
    for name, value in found.items():
        if len(value) > limits.label:
            return f"label {name} is longer than {limits.label}"
        # Control characters, and halves of a surrogate pair that no file would take.
        if not value.isprintable():
            return f"label {name} has characters that cannot be printed"
    return found if found.get("alertname") else "label alertname is missing"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
