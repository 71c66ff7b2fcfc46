"""
Ask Alertmanager which alerts are active, and whether one still is right before acting on it.

Every alert is asked for, whatever its receiver, and inhibited ones too: the Watchdog goes elsewhere,
and the root of a fault may have no remedy of its own. What the answer means, resolved, blind or too
young to know, is the policy's business. Silences are set in remediation.alertmanager.silences.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

from exporters.deadline import Deadline
from remediation.alertmanager.http_call import CallError, Connection, connection
from remediation.alertmanager.parse import (
    Told,
    read_alerts,
    read_muted,
    read_started,
)
from remediation.clock import Clock, Moment
from remediation.config import AlertmanagerSettings
from remediation.model import Alert, Alerts, AlertSourceError

log = logging.getLogger(__name__)

MAX_BODY = 32 * 1024 * 1024  # 20,000 alerts of the platform, annotations included
PATIENCE_S = 10.0  # for a whole poll; 20,000 alerts take a second
CONFIRM_S = 5.0  # for one alert, in the way of an action
_ALL = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}


class Alertmanager:
    """
    Alertmanager's API as a source of alerts; see model.AlertSource. One thread asks at a time.

    Args:
        settings: Where it is, the Watchdog's name and the receiver that leads to us.
        clock: Tells the time; Alertmanager's own is that of the same host.
        patience_s: How long a whole poll may take.
        confirm_s: The same for `confirm`.
    """

    def __init__(
        self,
        settings: AlertmanagerSettings,
        clock: Clock,
        *,
        patience_s: float = PATIENCE_S,
        confirm_s: float = CONFIRM_S,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._patience_s, self._confirm_s = patience_s, confirm_s
        self._labels: dict[str, Mapping[str, str]] = {}
        self._started, self._beat = _Since(), _Since()
        self.left_out = 0  # entries of the last poll that made no sense

    def ask(self) -> Alerts:
        """
        Return what is active now.

        Raises:
            AlertSourceError: It did not answer in time, or not as it should; the text says which.
        """
        try:
            with connection(self._settings.url, Deadline.after(self._patience_s)) as to:
                started = read_started(_get(to, "/api/v2/status", ()))
                told, left_out = self._told(to, {})
        except (CallError, AlertSourceError) as error:
            raise AlertSourceError(f"{self._settings.url}: {error}") from error
        now = self._clock.now()
        self._count(left_out)
        self._labels = {one.alert.fingerprint: one.alert.labels for one in told}
        beats = [one for one in told if self._is_watchdog(one) and not one.alert.suppressed]
        return Alerts(
            active=tuple(one.alert for one in told if not self._is_watchdog(one)),
            asked_at=now.steady,
            uptime_s=self._started.age(started, now),
            watchdog_age_s=self._beat_age(beats, now),
        )

    def confirm(self, key: tuple[str, float]) -> Alert | None:
        """
        Return the alert with *key* (fingerprint, start) as it is now; None if it is not active.

        None says only that one must not act: a young Alertmanager knows of no alert at all.

        Raises:
            AlertSourceError: As for `ask`.
        """
        fingerprint, _ = key
        try:
            with connection(self._settings.url, Deadline.after(self._confirm_s)) as to:
                told, _ = self._told(to, self._labels.get(fingerprint, {}))
        except (CallError, AlertSourceError) as error:
            raise AlertSourceError(f"{self._settings.url}: {error}") from error
        return next((one.alert for one in told if one.alert.key == key), None)

    def _told(self, to: Connection, labels: Mapping[str, str]) -> tuple[tuple[Told, ...], int]:
        """Return what is active now among alerts with *labels*, muted ones marked as suppressed."""
        which = [("filter", _matcher(*item)) for item in labels.items()]
        told, left_out = read_alerts(_get(to, "/api/v2/alerts", [*_ALL.items(), *which]))
        now = self._clock.now().wall
        told = tuple(one for one in told if one.ends_wall > now)
        own = self._settings.receiver
        if not any(own in one.receivers for one in told):
            return told, left_out
        which.append(("receiver", re.escape(own)))
        muted = read_muted(_get(to, "/api/v2/alerts/groups", which), own)
        return tuple(_marked(one, muted) for one in told), left_out

    def _is_watchdog(self, one: Told) -> bool:
        return one.alert.labels["alertname"] == self._settings.watchdog

    def _beat_age(self, beats: list[Told], now: Moment) -> float | None:
        if not beats:
            self._beat = _Since()
            return None
        return self._beat.age(max(one.updated_wall for one in beats), now)

    def _count(self, left_out: int) -> None:
        if left_out and left_out != self.left_out:
            log.warning("%d alerts of Alertmanager make no sense and are left out", left_out)
        self.left_out = left_out


@dataclass(slots=True)
class _Since:
    """
    How long ago something happened that is told as a wall time.

    Never less than we ourselves have known of it: a clock set back by a day must not keep a dead
    Watchdog fresh for a day, nor Alertmanager young.
    """

    wall: float = -1.0
    first_steady: float = 0.0

    def age(self, wall: float, now: Moment) -> float:
        """Return the seconds since *wall*; at least those since it was first told."""
        if wall != self.wall:
            self.wall, self.first_steady = wall, now.steady
        return max(0.0, now.wall - wall, now.steady - self.first_steady)


def _marked(one: Told, muted: frozenset[str]) -> Told:
    if one.alert.fingerprint not in muted:
        return one
    return replace(one, alert=replace(one.alert, suppressed=True))


def _matcher(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{quoted}"'


def _get(to: Connection, path: str, query: Iterable[tuple[str, str]]) -> bytes:
    text = urlencode(list(query), quote_via=quote)
    answer = to.call("GET", f"{path}?{text}" if text else path, max_body=MAX_BODY)
    if answer.status != 200:
        raise AlertSourceError(f"{path} is answered with status {answer.status}")
    return answer.body
