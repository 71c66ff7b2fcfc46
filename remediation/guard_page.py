"""
The guard calls people itself: what it says takes the form of Alertmanager's webhook, version 4.

Alertmanager is among what it watches, so nothing here goes through it. The address comes from the
configuration, the token from a file; neither is ever shown.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporters.deadline import Deadline
from remediation.config import Notify
from remediation.http_call import CallError, connection

ALERT = "GuardGaveUp"
TELL_S = 10.0
_MAX_TOKEN_BYTES = 4096
_NEVER = "0001-01-01T00:00:00Z"  # as Alertmanager says that it has not ended
log = logging.getLogger(__name__)


class Pager:
    """Tells people at *notify*'s address about *project*; without one nobody is told."""

    def __init__(self, notify: Notify | None, project: str) -> None:
        self._notify, self._project = notify, project

    def tell(self, name: str, text: str, *, over: bool) -> bool:
        """Say of *name* that *text*; return whether it got through. *over*: it is not so any more."""
        if self._notify is None:
            return True
        try:
            headers = _authorization(self._notify.token_file)
            with connection(self._notify.url, Deadline.after(TELL_S)) as opened:
                send = message(self._project, name, text, datetime.now(UTC), over=over)
                status = opened.call("POST", send=send, headers=headers).status
        except (CallError, OSError, ValueError) as error:
            log.error("nobody could be told about %s: %s", name, error)  # noqa: TRY400  # no traceback
            return False
        if not 200 <= status < 300:
            log.error("nobody could be told about %s: the answer is %d", name, status)
        return 200 <= status < 300


def _authorization(token_file: Path | None) -> dict[str, str]:
    """Return the header with the token; OSError or ValueError without showing it."""
    if token_file is None:
        return {}
    with token_file.open("rb") as stream:
        token = stream.read(_MAX_TOKEN_BYTES).strip()
    if not token or not token.isascii() or not token.decode("ascii").isprintable():
        raise ValueError(f"{token_file} holds no token on one line")
    return {"Authorization": f"Bearer {token.decode('ascii')}"}


def message(project: str, name: str, text: str, now: datetime, *, over: bool) -> dict[str, Any]:
    """Return what is sent: one alert about *name*, firing or resolved at *now*."""
    status = "resolved" if over else "firing"
    labels = {
        "alertname": ALERT,
        "project": project,
        "service": name,
        "severity": "critical",
        "source": "tierwatch-guard",
    }
    what = "is well again" if over else "is down, and the guard does not restart it"
    annotations = {"summary": f"{name} {what}", "description": text}
    stamp = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    key = hashlib.sha256("\n".join(f"{k}={v}" for k, v in labels.items()).encode()).hexdigest()
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": stamp,
        "endsAt": stamp if over else _NEVER,
        "generatorURL": "",
        "fingerprint": key[:16],
    }
    return {
        "version": "4",
        "groupKey": f"tierwatch-guard/{project}/{name}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "tierwatch-guard",
        "groupLabels": {"service": name},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }
