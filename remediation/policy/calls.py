"""
Whether people who were called about a root without an incident need not come any more.

Pure. Such a root is down and only the alerts of its dependants speak of it; nothing of ours is at
work on it, so no incident tells the end. It is over when it has been so for the probation time, and
only while everything needed to tell can be seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from remediation import records
from remediation.model import Record
from remediation.policy.situation import RESTART, Situation
from remediation.state_parts import Call


def call_records(here: Situation, alerted: Collection[str]) -> Iterator[Record]:
    """
    Yield what is to be written about calls: eased, there again, called off.

    Args:
        here: The situation.
        alerted: Services that alerts ask to restart now, their own or their tier's.
    """
    can_tell = here.world.docker_up and here.settled and not here.blind
    for call in here.state.calls.values():
        if call.service not in here.config.services:
            yield records.called_off(call.service, call.tier, call.reason, "unknown")
        elif can_tell:
            yield from _about(here, call, alerted)


def _about(here: Situation, call: Call, alerted: Collection[str]) -> Iterator[Record]:
    how = _over(here, call, alerted)
    if not how:
        if call.eased_at is not None:
            yield records.eased(call.service, eased=False)
    elif call.eased_at is None:
        yield records.eased(call.service, eased=True)
    elif here.now.steady - call.eased_at >= here.config.ladder.probation_s:
        yield records.called_off(call.service, call.tier, call.reason, how)


def _over(here: Situation, call: Call, alerted: Collection[str]) -> str:
    """Return how what people were called about has ended; "" while it has not."""
    if call.service not in here.unhealthy:
        return "recovered"
    names = {*alerted, *_named(here)}
    if not names & here.config.graph.needed_by(call.service):
        return "quiet"
    # Whom nothing may restart is not worked on, whatever alert it has.
    own = call.reason == "root_without_alert" and call.service in names
    return "alerted" if own else ""


def _named(here: Situation) -> set[str]:
    """Return the services whose own alerts are active, silenced ones among them: people know, and it lasts."""
    asked = [one.labels for one in here.alerts if one.labels.get("remedy") == RESTART]
    return {each.get("service", "") for each in asked}
