"""
Read what Alertmanager's API answers: pure, strict, bounded.

Bytes in, values out. Of an alert only the labels that the remediator reads are kept; an entry that
makes no sense is left out and counted, since one odd alert must not hide all others. A whole answer
that makes no sense is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remediation.alertmanager.rfc3339 import parse_time
from remediation.model import Alert, AlertSourceError

LABELS = ("alertname", "service", "tier", "scope", "severity", "remedy")
MAX_ALERTS = 50_000  # a catalog has 20,000 services at most
MAX_LABEL = 256  # names are 63 long at most, those of alerts somewhat longer; arbitrary
# Brackets and commas in an answer: what Python makes of each takes some 60 bytes. 20,000 alerts of
# the platform have 700,000.
MAX_PARTS = 1_500_000

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
# All that is kept while parsing: annotations are three quarters of an answer.
_KEYS = frozenset((
    *LABELS, "labels", "fingerprint", "startsAt", "endsAt", "updatedAt", "status", "state",
    "silencedBy", "inhibitedBy", "mutedBy", "receivers", "receiver", "name", "alerts", "uptime",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """One alert as told, with what the model leaves out: its *ends_wall*, when it was last sent."""

    alert: Alert
    ends_wall: float
    updated_wall: float
    receivers: tuple[str, ...]


def read_alerts(body: bytes) -> tuple[tuple[Told, ...], int]:
    """
    Return the alerts in *body* (GET /api/v2/alerts), and how many entries were left out.

    Raises:
        AlertSourceError: It is no list of alerts, or far too long.
    """
    entries = _list(_json(body), "a list of alerts")
    told = [_told(entry) for entry in entries]
    return tuple(one for one in told if one is not None), told.count(None)


def read_muted(body: bytes, receiver: str) -> frozenset[str]:
    """
    Return the fingerprints that a time interval mutes for *receiver* (GET /api/v2/alerts/groups).

    Only its own groups count: quiet hours of people are no reason not to act. Alertmanager tells
    from 0.28 on; GET /api/v2/alerts has the key, too, but never anything in it (up to 0.34).

    Raises:
        AlertSourceError: It is no list of groups.
    """
    found = set()
    for group in _list(_json(body), "a list of groups"):
        own = isinstance(group, dict) and _name(group.get("receiver")) == receiver
        for entry in _items(group.get("alerts")) if own else ():
            status = entry.get("status") if isinstance(entry, dict) else None
            if isinstance(status, dict) and _items(status.get("mutedBy")):
                found.add(str(entry.get("fingerprint")))
    return frozenset(found)


def read_started(body: bytes) -> float:
    """
    Return when Alertmanager started, as Unix time (GET /api/v2/status).

    Raises:
        AlertSourceError: That is not in it.
    """
    status = _json(body)
    try:
        return parse_time(status["uptime"])
    except (KeyError, TypeError, ValueError) as error:
        raise AlertSourceError("its status does not tell when it started") from error


def _told(entry: object) -> Told | None:
    if not isinstance(entry, dict):
        return None
    status, fingerprint = entry.get("status"), entry.get("fingerprint")
    labels = _labels(entry.get("labels"))
    if labels is None or not isinstance(status, dict):
        return None
    if not isinstance(fingerprint, str) or not _FINGERPRINT.fullmatch(fingerprint):
        return None
    lists = [status.get(key, ()) for key in ("silencedBy", "inhibitedBy")]
    if not all(isinstance(each, list | tuple) for each in lists):
        return None
    try:
        starts, ends, updated = (parse_time(entry[k]) for k in ("startsAt", "endsAt", "updatedAt"))
    except (KeyError, TypeError, ValueError):
        return None
    alert = Alert(fingerprint, starts, labels, suppressed=bool(lists[0]), inhibited=bool(lists[1]))
    names = tuple(_name(each) for each in _items(entry.get("receivers")))
    return Told(alert, ends, updated, names)


def _labels(data: object) -> Mapping[str, str] | None:
    """Return those of *data* that are read; None where one of them is no short printable text."""
    if not isinstance(data, dict):
        return None
    found = {name: data[name] for name in LABELS if name in data}
    for value in found.values():
        # Not printable: control characters, and halves of a pair that no file would take.
        if not isinstance(value, str) or len(value) > MAX_LABEL or not value.isprintable():
            return None
    return found if found.get("alertname") else None


def _name(data: object) -> str:
    name = data.get("name") if isinstance(data, dict) else None
    return name if isinstance(name, str) else ""


def _items(data: object) -> list[Any]:
    return data if isinstance(data, list) else []


def _list(data: object, what: str) -> list[Any]:
    if not isinstance(data, list):
        raise AlertSourceError(f"its answer is not {what}")
    if len(data) > MAX_ALERTS:
        raise AlertSourceError(f"its answer has more than {MAX_ALERTS} entries")
    return data


def _json(body: bytes) -> Any:
    if sum(map(body.count, (b"[", b"{", b","))) > MAX_PARTS:
        raise AlertSourceError(f"its answer has more than {MAX_PARTS} parts")
    try:
        return json.loads(body, object_hook=_trimmed)
    except RecursionError as error:
        raise AlertSourceError("its answer is nested too deeply") from error
    except ValueError as error:
        raise AlertSourceError("its answer is not JSON") from error


def _trimmed(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key in _KEYS}
