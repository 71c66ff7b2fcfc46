"""
What the remediator says to people, and the two forms in which it travels.

A pager gets what Alertmanager itself sends (webhook version 4), so that it needs to learn nothing new
and one alert name is one problem whichever way it came; Slack gets text. Every text is bounded, on
lines of its own, and free of secrets and of Slack's mark-up. Pure: the time is an argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from remediation.alertmanager.rfc3339 import format_time
from remediation.masking import mask_text

MAX_TITLE = 200
MAX_LINE = 500
MAX_LINES = 30
MAX_EXCERPT = 2000  # Slack cuts a text somewhere above 4,000 letters
SOURCE = "tierwatch-remediator"
_NEVER = "0001-01-01T00:00:00Z"  # as Alertmanager says that it has not ended
_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})  # all that Slack reads as mark-up


class Severity(StrEnum):
    """How much it matters; a page is critical."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


_MARKS = {
    Severity.CRITICAL: ":rotating_light:",
    Severity.WARNING: ":warning:",
    Severity.INFO: ":information_source:",
}


@dataclass(frozen=True, slots=True)
class Message:
    """
    One thing that people are told.

    *alert* names it as an alert of Prometheus would; *about* tells apart what has the same name and
    subject (an incident). *resolved* says that what was told earlier is over; an end *for_machines*
    tells people nothing, and closes what a pager keeps open.
    """

    alert: str
    severity: Severity
    title: str
    lines: tuple[str, ...] = ()
    service: str = "none"
    tier: str = "none"
    about: str = ""
    excerpt: str = ""
    resolved: bool = False
    for_machines: bool = False

    @property
    def is_page(self) -> bool:
        """Whether somebody is to be woken, or told that they need not have been."""
        return self.severity is Severity.CRITICAL

    @property
    def subject(self) -> tuple[str, str, str, str]:
        """What it is about: a later message about the same replaces what this one said."""
        return (self.alert, self.service, self.tier, self.about)


def webhook_body(
    message: Message, project: str, wall: float, *, source: str = SOURCE
) -> Mapping[str, Any]:
    """Return *message*, said by *source* at *wall* (Unix time), as Alertmanager sends one alert."""
    status = "resolved" if message.resolved else "firing"
    labels = {
        "alertname": message.alert,
        "project": project,
        "service": message.service,
        "severity": message.severity.value,
        "source": source,
        "tier": message.tier,
    }
    told = {"summary": _line(message.title, MAX_TITLE), "description": _description(message)}
    if message.excerpt:
        told["evidence"] = _text(message.excerpt, MAX_EXCERPT)
    # A restart that failed is worse news than the end that resolves it: the same alert all the same.
    named = {name: value for name, value in labels.items() if name != "severity"}
    key = "\n".join([*(f"{name}={value}" for name, value in named.items()), message.about])
    stamp = format_time(wall)
    alert = {
        "status": status,
        "labels": labels,
        "annotations": told,
        "startsAt": stamp,
        "endsAt": stamp if message.resolved else _NEVER,
        "generatorURL": "",
        "fingerprint": hashlib.sha256(key.encode()).hexdigest()[:16],
    }
    return {
        "version": "4",
        "groupKey": f"{source}/{project}/{message.alert}/{message.service}/{message.about}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": source,
        "groupLabels": {"alertname": message.alert, "service": message.service},
        "commonLabels": labels,
        "commonAnnotations": told,
        "externalURL": "",
        "alerts": [alert],
    }


def slack_body(message: Message, project: str) -> Mapping[str, Any]:
    """Return *message* as Slack's incoming webhooks take it."""
    mark = ":white_check_mark:" if message.resolved else _MARKS[message.severity]
    title = _line(message.title, MAX_TITLE).translate(_SLACK)
    text = f"{mark} *{title}* ({project.translate(_SLACK)})\n"
    text += _description(message).translate(_SLACK)
    if message.excerpt:
        excerpt = _text(message.excerpt, MAX_EXCERPT).replace("```", "'''").translate(_SLACK)
        text += f"\n```\n{excerpt}\n```"
    return {"text": text.strip(), "unfurl_links": False, "unfurl_media": False}


def _description(message: Message) -> str:
    return "\n".join(_line(line, MAX_LINE) for line in message.lines[:MAX_LINES])


def _line(text: str, most: int) -> str:
    """Return *text* on one line, without secrets and what is no letter."""
    return _cut("".join(c if c.isprintable() else " " for c in mask_text(text)), most)


def _text(text: str, most: int) -> str:
    safe = "\n".join(_line(line, MAX_LINE) for line in mask_text(text).splitlines())
    return _cut(safe, most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
