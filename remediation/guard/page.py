"""
The guard calls people itself: what it says takes the form of Alertmanager's webhook, version 4.

Alertmanager is among what it watches, so nothing here goes through it. The address comes from the
configuration, the token from a file; neither is ever shown. One try per check: the next one tries again.
"""

from __future__ import annotations

import logging
import time

from exporters.deadline import Deadline
from remediation.alertmanager.http_call import CallError, connection
from remediation.config import Notify
from remediation.notify.message import Message, Severity, webhook_body
from remediation.secret_file import SecretError, read_secret

ALERT = "GuardGaveUp"
SOURCE = "tierwatch-guard"
TELL_S = 10.0
log = logging.getLogger(__name__)


class Pager:
    """Tells people at *notify*'s address about *project*; without one nobody is told."""

    def __init__(self, notify: Notify | None, project: str) -> None:
        self._notify, self._project = notify, project

    def tell(self, name: str, text: str, *, over: bool) -> bool:
        """Say of *name* that *text*; return whether it got through. *over*: it is not so any more."""
        if self._notify is None:
            return True
        send = webhook_body(said(name, text, over=over), self._project, time.time(), source=SOURCE)
        try:
            headers = {}
            if self._notify.token_file is not None:
                headers["Authorization"] = f"Bearer {read_secret(self._notify.token_file)}"
            with connection(self._notify.url, Deadline.after(TELL_S)) as opened:
                status = opened.call("POST", send=send, headers=headers).status
        except (CallError, SecretError) as error:
            log.error("nobody could be told about %s: %s", name, error)  # noqa: TRY400  # no traceback
            return False
        if not 200 <= status < 300:
            log.error("nobody could be told about %s: the answer is %d", name, status)
        return 200 <= status < 300


def said(name: str, text: str, *, over: bool) -> Message:
    """Return what people are told of *name*; both ends of one trouble are about the same."""
    what = "is well again" if over else "is down, and the guard does not restart it"
    return Message(
        alert=ALERT,
        severity=Severity.CRITICAL,
        title=f"{name} {what}",
        lines=(text,),
        service=name,
        resolved=over,
    )
