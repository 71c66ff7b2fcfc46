"""
Entries of the journal as lines for people: when, what, about whom, why.

Knows no kind by name: a body says itself what it is about (`service`, `root`, `name`), what came of
it and why. Texts came from elsewhere: what could steer a terminal is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from remediation.journal.schema import CHECKPOINT
from remediation.journal.verify import VerifyReport
from remediation.model import Entry
from remediation.reasons import REASONS

_LONGEST = 200  # of one value in a line; `--format json` has all of it
_MOST_ALERTS = 5  # of one entry in a line
_ABOUT = ("service", "root", "name")  # the first that a body has
_FIRST = ("outcome", "result", "how", "reason", "why", "detail")  # then the others as they come
_SUBJECT_KEYS = ("service", "root", "name", "restart")
_ID_KEYS = ("incident", "action", "follows")


def line(entry: Entry) -> str:
    """Return *entry* on one line: time (UTC), number, kind, subject, what and why."""
    head = f"{_time(entry.wall)}  {entry.number:>6}  {entry.kind:<12}"
    if entry.kind == CHECKPOINT:
        return f"{head} the state, from which a start goes on"
    body = entry.body
    about = next((key for key in _ABOUT if body.get(key)), "")
    parts = [_short(body[about])] if about else []
    parts += [_said(key, body[key]) for key in _FIRST if body.get(key)]
    rest = sorted(set(body) - set(_FIRST) - {about})
    parts += [f"{_short(key)}={_value(key, body[key])}" for key in rest if not _is_empty(body[key])]
    return " ".join([head, *parts])


def _value(key: str, value: object) -> str:
    if key.endswith("_wall") and isinstance(value, float):
        return _time(value).replace(" ", "T") if value > 0 else "never"
    if key == "alerts" and isinstance(value, list):
        named = [_alert_name(each) for each in value[:_MOST_ALERTS]]
        return ",".join(named) + (f",... ({len(value)})" if len(value) > _MOST_ALERTS else "")
    return _short(value)


def _alert_name(alert: object) -> str:
    """Return `alertname/service`, or the fingerprint where labels are not kept."""
    if isinstance(alert, dict):
        labels = alert.get("labels")
        known = labels if isinstance(labels, dict) else {}
        names = [str(known[key]) for key in ("alertname", "service") if known.get(key)]
        return _short("/".join(names) or alert.get("fingerprint", "?"))
    return _short(alert[0] if isinstance(alert, list) and alert else alert)


def _time(wall: float) -> str:
    try:
        stamp = datetime.fromtimestamp(wall, UTC)
    except (ValueError, OverflowError, OSError):
        return str(wall)  # a clock may say anything
    return stamp.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")


def told(report: VerifyReport) -> list[str]:
    """Return what *report* says, a line each."""
    count = report.end.number - report.first + 1
    span = f"entries {report.first} to {report.end.number}" if count > 0 else "no entry"
    if report.broken is None:
        verdict = f"{report.path}: as it was written: {span}; last digest {report.end.digest}"
    else:
        verdict = (
            f"{report.path}: not as it was written from entry {report.broken} on: {_plain(report.fact)}."
            f" The chain holds for {span}. Compare with a backup; rely on nothing after that"
        )
    return [verdict, *(f"not seen by this check: {text}" for text in report.unseen)]


class Related:
    """Tells which entries are about *service*, when shown all of them in order."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._ids: set[object] = set()  # of incidents and actions that are about it

    def concerns(self, entry: Entry) -> bool:
        """Return whether *entry* names the service, or an incident or action that is about it."""
        body = entry.body
        ids = {body[key] for key in _ID_KEYS if isinstance(body.get(key), str) and body[key]}
        if not (_names(body, self._service) or ids & self._ids):
            return False
        self._ids |= ids
        return True


def _names(body: Mapping[str, object], service: str) -> bool:
    if any(body.get(key) == service for key in _SUBJECT_KEYS):
        return True
    alerts, roots = body.get("alerts"), body.get("roots")
    if isinstance(roots, list) and service in roots:
        return True
    return isinstance(alerts, list) and any(_is_about(alert, service) for alert in alerts)


def _is_about(alert: object, service: str) -> bool:
    labels = alert.get("labels") if isinstance(alert, dict) else None
    return isinstance(labels, dict) and labels.get("service") == service


def _said(key: str, value: object) -> str:
    if key == "reason" and isinstance(value, str) and value in REASONS:
        return f"{value} ({REASONS[value]})"
    return _short(value)


def _short(value: object) -> str:
    text = _plain(value if isinstance(value, str) else str(value))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], {})
