"""
Tell people directly: what was done, what was given up, what cannot be seen, what waits for them.

Alerts about all this go through Prometheus and Alertmanager as well; a direct message is for when
these are what is broken, and carries what an alert cannot: the evidence. Words are made in
remediation.notify.words, forms in notify_message, the sending in notify_outbox. Pages go to pager and Slack,
the rest to Slack, or to the pager where there is no Slack.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from remediation.clock import Clock
from remediation.config import Config, Notify
from remediation.model import Decision
from remediation.notify import words
from remediation.notify.message import Message, slack_body, webhook_body
from remediation.notify.outbox import Channel, Outbox
from remediation.secret_file import read_secret

STOP_S = 5.0
_URL = re.compile(
    r"https?://[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]{1,5})?(/[A-Za-z0-9._~%+,;=:@/?&-]*)?"
)


class Notifier:
    """Tells people; see telling.Messages. Nothing of it blocks or raises. *outboxes* are the places."""

    def __init__(self, outboxes: tuple[Outbox, ...]) -> None:
        self._outboxes = outboxes

    def start(self) -> None:
        """Begin to send."""
        for outbox in self._outboxes:
            outbox.start()

    def stop(self) -> None:
        """Send what is left, for a few seconds, and end."""
        for outbox in self._outboxes:
            outbox.stop(STOP_S)

    def tell(self, message: Message) -> None:
        """Pass *message* on to every place that wants it."""
        for outbox in self._outboxes:
            outbox.put(message)

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many messages ended how: by (place, sent | failed | dropped | repeated)."""
        return {
            (outbox.channel.name, how): count
            for outbox in self._outboxes
            for how, count in outbox.counts().items()
        }

    def restarted(
        self,
        asked: Mapping[str, object],
        came: Mapping[str, object],
        evidence: Mapping[str, object],
    ) -> None:
        """A restart has ended; *asked* and *came* as in the journal (intended, finished)."""
        from remediation.engine.evidence import text_of

        self.tell(words.restarted(asked, came, text_of(evidence)))

    def gave_up(self, decision: Decision) -> None:
        """A problem is handed over: a page."""
        self.tell(words.gave_up(decision))

    def closed(
        self, service: str, tier: str, incident: str, took_s: float, *, gave_up: bool, how: str
    ) -> None:
        """An incident is over; who was paged because we *gave_up* is told so."""
        self.tell(words.closed(service, tier, incident, took_s, gave_up=gave_up, how=how))

    def approval(self, decision: Decision) -> None:
        """Something waits for a human."""
        self.tell(words.approval(decision))

    def blind(self, *, blind: bool) -> None:
        """The Watchdog is missing, or back."""
        self.tell(words.blind(blind=blind))

    def called_off(self, service: str, tier: str, how: str) -> None:
        """What people were called about, without an incident, is over."""
        self.tell(words.called_off(service, tier, how))

    def trouble(self, why: str) -> None:
        """The engine's rounds break, or do not any more ("")."""
        self.tell(words.trouble(why))

    def frozen(self, roots: list[str], tiers: list[str]) -> None:
        """A storm."""
        self.tell(words.frozen(roots, tiers))

    def released(self, by: str, how: str) -> None:
        """The storm is over."""
        self.tell(words.released(by, how))

    def observed(self, tier: str, for_s: float, restarts: Mapping[str, int]) -> None:
        """Report what would have been done in *tier*, observed for so long: restarts by service."""
        self.tell(words.observed(tier, for_s, restarts))


def build_notifier(config: Config, clock: Clock) -> Notifier | None:
    """Return who tells people as *config* says, not started; None when nobody is to be told."""
    if config.notify is None:
        return None
    return Notifier(
        tuple(Outbox(each, clock) for each in channels(config.notify, config.docker.project))
    )


def channels(notify: Notify, project: str) -> tuple[Channel, ...]:
    """Return the places that *notify* names; *project* says whose messages these are."""
    found = []
    if notify.url:
        found.append(
            Channel(
                name="pager",
                wants=lambda message: message.is_page or notify.slack_url_file is None,
                address=partial(_pager, notify),
                body=lambda message, wall: webhook_body(message, project, wall),
            )
        )
    if notify.slack_url_file is not None:
        found.append(
            Channel(
                name="slack",
                wants=lambda _: True,
                address=partial(_slack, notify.slack_url_file),
                body=lambda message, _: slack_body(message, project),
            )
        )
    return tuple(found)


def _pager(notify: Notify) -> tuple[str, Mapping[str, str]]:
    if notify.token_file is None:
        return notify.url, {}
    return notify.url, {"Authorization": f"Bearer {read_secret(notify.token_file)}"}


def _slack(path: Path) -> tuple[str, Mapping[str, str]]:
    return read_secret(path, _URL, "http(s) address"), {}
