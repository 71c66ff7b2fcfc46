"""
Tell people directly: what was done, what was given up, what cannot be seen, what waits for them.

Alerts about all this go through Prometheus and Alertmanager as well; a direct message is for when
these are what is broken, and carries what an alert cannot: the evidence. Words are made in
remediation.notify.words, forms in message, the sending in outbox. Pages go to pager and Slack, the
rest to Slack, or to the pager where there is no Slack. What the journal owes people
(remediation.state_owed) is said until it has arrived.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from remediation.clock import Clock
from remediation.config import Config, Notify
from remediation.notify import words
from remediation.notify.message import Message, slack_body, webhook_body
from remediation.notify.outbox import Channel, Outbox
from remediation.notify.owed import message_of
from remediation.secret_file import read_secret
from remediation.state_parts import Owed

log = logging.getLogger(__name__)

STOP_S = 5.0
RETELL_S = 600.0  # longer than a page is tried, and than what is said again is an echo
_URL = re.compile(
    r"https?://[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]{1,5})?(/[A-Za-z0-9._~%+,;=:@/?&-]*)?"
)


class Notifier:
    """
    Tells people; see telling.Messages. Nothing of it blocks or raises.

    Args:
        outboxes: The places. What people are owed must arrive at the first that wants it.
        clock: Tells the time.
        told: Takes the record of what has arrived (subject, number of the entry), on any thread.
    """

    def __init__(
        self, outboxes: tuple[Outbox, ...], clock: Clock, told: Callable[[str, int], None]
    ) -> None:
        self._outboxes = outboxes
        self._clock, self._told = clock, told
        self._put: dict[str, tuple[int, float]] = {}  # subject: the entry and when it was put
        self._heard: dict[str, int] = {}  # subject: the entry that has arrived

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

    def owes(self, owed: Mapping[str, Owed]) -> None:
        """Say what was not said yet, and again what has not arrived for long; for one thread."""
        self._put = {subject: put for subject, put in self._put.items() if subject in owed}
        for subject in [*self._heard]:
            if subject not in owed:
                self._heard.pop(subject, None)
        now = self._clock.now().steady
        for subject, each in owed.items():
            number, put = self._put.get(subject, (0, 0.0))
            again = number == each.number
            if again and now - put < RETELL_S:
                continue
            self._put[subject] = (each.number, now)
            if self._heard.get(subject) == each.number:
                self._told(subject, each.number)  # it could not be written down
                continue
            try:
                message = message_of(each)
            except (KeyError, ValueError, TypeError):
                log.exception("nobody is told of %s", subject)
                continue
            arrived = partial(self._has_arrived, subject, each.number)
            wanted = [outbox for outbox in self._outboxes if outbox.channel.wants(message)]
            if not wanted:
                arrived()
                continue
            wanted[0].put(message, wall=each.wall, arrived=arrived)
            for outbox in [] if again else wanted[1:]:
                outbox.put(message, wall=each.wall)

    def _has_arrived(self, subject: str, number: int) -> None:
        self._heard[subject] = number
        self._told(subject, number)

    def trouble(self, why: str) -> None:
        """The engine's rounds break, or do not any more ("")."""
        self.tell(words.trouble(why))

    def observed(self, tier: str, for_s: float, restarts: Mapping[str, int]) -> None:
        """Report what would have been done in *tier*, observed for so long: restarts by service."""
        message = words.observed(tier, for_s, restarts)
        self.tell(message)
        self.tell(words.observed_over(message))


def build_notifier(
    config: Config, clock: Clock, told: Callable[[str, int], None]
) -> Notifier | None:
    """Return who tells people as *config* says, not started; None when nobody is to be told."""
    if config.notify is None:
        return None
    found = channels(config.notify, config.docker.project)
    return Notifier(tuple(Outbox(each, clock) for each in found), clock, told)


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
                wants=lambda message: not message.for_machines,
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
