"""What people are owed is said until it has arrived where it matters, and no oftener."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from remediation.clock import Moment
from remediation.notify.message import Message
from remediation.notify.notifier import RETELL_S, Notifier
from remediation.notify.outbox import Channel
from remediation.notify.owed import message_of
from remediation.state_parts import Owed

WALL = 1_800_000_000.0
STORM = Owed("storm", "storm", {"roots": ["a", "b"], "tiers": ["core"]}, 7, 1000.0, WALL)
OVER = Owed("storm", "storm", {"by": "ann", "how": "human"}, 9, 1060.0, WALL + 60, over=True)
_ANSWER = {"service": "api", "tier": "app", "incident": "i1", "how": "by ann"}
ANSWERED = Owed("question/api/i1", "question", _ANSWER, 5, 1000.0, WALL, over=True)
_WORK = {**_ANSWER, "how": "healed", "took_s": 60.0, "paged": True}
WORK = Owed("work/i1", "work", _WORK, 6, 1000.0, WALL, over=True)


@dataclass(slots=True)
class Box:
    """A place: what it was given, and whether it tells at once that this has arrived."""

    channel: Channel
    works: bool = True
    given: list[tuple[str, float | None]] = field(default_factory=list)

    def put(
        self,
        message: Message,
        *,
        wall: float | None = None,
        arrived: Callable[[], None] | None = None,
    ) -> None:
        """Take it."""
        self.given.append((message.title, wall))
        if self.works and arrived is not None:
            arrived()


@dataclass(slots=True)
class Town:
    """A pager that wants pages alone, a Slack that wants all that is for people, and what has arrived."""

    now: float = 1000.0
    arrived: list[tuple[str, int]] = field(default_factory=list)
    pager: Box = field(default_factory=lambda: Box(_channel("pager", lambda m: m.is_page)))
    slack: Box = field(default_factory=lambda: Box(_channel("slack", lambda m: not m.for_machines)))

    def moment(self) -> Moment:
        """Return the time."""
        return Moment(self.now, WALL + self.now)

    def notifier(self) -> Notifier:
        """Return a new process's voice."""
        boxes: Any = (self.pager, self.slack)
        clock: Any = _Clock(self)
        return Notifier(
            boxes, clock, lambda subject, number: self.arrived.append((subject, number))
        )


@dataclass(slots=True)
class _Clock:
    town: Town

    def now(self) -> Moment:
        return self.town.moment()


def _channel(name: str, wants: Callable[[Message], bool]) -> Channel:
    return Channel(name, wants, lambda: ("", {}), lambda _message, _wall: {})


def _owed(*owed: Owed) -> dict[str, Owed]:
    return {each.subject: each for each in owed}


@pytest.fixture
def town() -> Town:
    """Return a town where everything works."""
    return Town()


def test_a_page_is_said_once_everywhere_with_the_time_it_came_to_be_so(town: Town) -> None:
    """However often it is owed: one message to each place, and one word that it has arrived."""
    notifier = town.notifier()
    for _ in range(5):
        notifier.owes(_owed(STORM))
    town.now += 60
    notifier.owes(_owed(OVER))
    notifier.owes({})

    said = [(message_of(STORM).title, WALL), (message_of(OVER).title, WALL + 60)]
    assert (town.pager.given, town.slack.given) == (said, said)
    assert town.arrived == [("storm", 7), ("storm", 9)]


def test_what_has_not_arrived_is_said_again_where_it_matters(town: Town) -> None:
    """The pager is away for an hour: it is tried again, Slack is not told again, and in the end it arrives."""
    town.pager.works = False
    notifier = town.notifier()
    while town.now < 1000 + 3600:
        notifier.owes(_owed(STORM))
        town.now += 10
    assert town.arrived == []
    assert len(town.pager.given) == 3600 / RETELL_S
    town.pager.works = True
    town.now += RETELL_S
    notifier.owes(_owed(STORM))

    assert town.arrived == [("storm", 7)]
    assert len(town.slack.given) == 1


def test_a_new_process_says_what_is_still_owed(town: Town) -> None:
    """The one before died with the message in its hands."""
    town.pager.works = False
    town.notifier().owes(_owed(STORM))
    town.pager.works = True
    town.notifier().owes(_owed(STORM))

    assert town.arrived == [("storm", 7)]


def test_what_the_pager_does_not_want_arrives_in_slack(town: Town) -> None:
    """An answered question is for Slack there: it has arrived when Slack has it."""
    town.slack.works = False
    notifier = town.notifier()
    notifier.owes(_owed(ANSWERED))
    assert (town.pager.given, town.arrived) == ([], [])
    town.slack.works = True
    town.now += RETELL_S
    notifier.owes(_owed(ANSWERED))

    assert town.arrived == [("question/api/i1", 5)]


def test_what_nobody_wants_is_owed_no_more(town: Town) -> None:
    """An end that only a machine needs, and no machine is told of such things."""
    town.notifier().owes(_owed(WORK))

    assert (town.pager.given, town.slack.given) == ([], [])
    assert town.arrived == [("work/i1", 6)]


def test_what_this_version_does_not_know_holds_nobody_up(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    """An entry of a newer version is logged once, and the others are told."""
    notifier = town.notifier()
    strange = [replace(STORM, subject="x", topic="comet"), replace(STORM, subject="y", about={})]
    for _ in range(3):
        notifier.owes(_owed(*strange, STORM))

    assert [each.getMessage() for each in caplog.records] == [
        "nobody is told of x",
        "nobody is told of y",
    ]
    assert town.arrived == [("storm", 7)]


def test_what_arrived_and_could_not_be_written_down_is_not_said_again(town: Town) -> None:
    """The disk is full for hours: that it has arrived is written again and again, the page is said once."""
    notifier = town.notifier()
    while town.now < 1000 + 3600:
        notifier.owes(_owed(STORM))
        town.now += 10

    assert len(town.pager.given) == 1
    assert town.arrived == [("storm", 7)] * int(3600 / RETELL_S)
