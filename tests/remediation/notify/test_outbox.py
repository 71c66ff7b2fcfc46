"""Messages on their way: none blocks, none is lost for lack of patience, none is said twice in a row."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from remediation.clock import Moment
from remediation.config import Config, Notify, load_config
from remediation.engine.telling import Messages
from remediation.notify import outbox as notify_outbox
from remediation.notify.message import Message, Severity
from remediation.notify.notifier import Notifier, build_notifier, channels
from remediation.notify.outbox import Channel, Outbox
from remediation.state_parts import Owed
from tests.live.servers import HOST, free_port, until
from tests.remediation.alertmanager.raw import Raw, answering, http

SECRET = "s3cret-token-of-the-pager"
SLACK_PATH = "/services/T0SECRET/B0SECRET/x0SECRET"
PAGE = Message("RemediationGaveUp", Severity.CRITICAL, "backend is not healed", service="backend")
NOTE = Message("RemediationRestarted", Severity.INFO, "Restarted backend", about="a1")


@dataclass(slots=True)
class Clock:
    """Stands until it is moved."""

    s: float = 1000.0

    def now(self) -> Moment:
        """Return this moment."""
        return Moment(self.s, self.s + 1_700_000_000)


@dataclass(slots=True)
class Waits:
    """Remembers how long somebody would have waited, and lets them go on at once."""

    asked: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> bool:
        """Wait not at all."""
        self.asked.append(seconds)
        return False


def _channel(url: str) -> Channel:
    return Channel(
        "pager", lambda _: True, lambda: (url, {}), lambda m, wall: {"title": m.title, "at": wall}
    )


def _sent(raw: Raw) -> list[str]:
    return [json.loads(body)["title"] for body in raw.bodies]


def _done(outbox: Outbox, count: int) -> None:
    until(
        lambda: sum(outbox.counts()[how] for how in ("sent", "failed")) == count,
        f"{count} dealt with",
    )


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands."""
    return Clock()


@pytest.fixture
def waits() -> Waits:
    """Return what remembers waits."""
    return Waits()


def test_a_message_goes_out_once_with_the_time_it_was_said(clock: Clock, waits: Waits) -> None:
    """What is put is POSTed as JSON, one time, and counted."""
    with answering(lambda _: http(b"ok")) as raw:
        outbox = Outbox(_channel(f"{raw.url}/hook"), clock, wait=waits)
        outbox.start()
        outbox.put(NOTE)
        _done(outbox, 1)
        outbox.stop(10)

    assert ["POST /hook HTTP/1.1"] == [head.splitlines()[0] for head in raw.heads]
    assert [{"title": "Restarted backend", "at": 1_700_001_000.0}] == [
        json.loads(b) for b in raw.bodies
    ]
    assert {"sent": 1, "failed": 0, "dropped": 0, "repeated": 0} == outbox.counts()
    assert [] == waits.asked


@pytest.mark.parametrize(
    ("message", "expected"),
    [(NOTE, [1.0, 2.0, 4.0, 8.0]), (PAGE, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0])],
)
def test_a_place_that_is_down_is_tried_again_with_patience(
    clock: Clock, waits: Waits, message: Message, expected: list[float]
) -> None:
    """Five tries for a note, ten for a page, each wait twice the last up to a minute, then it is given up."""
    outbox = Outbox(_channel(f"http://{HOST}:{free_port()}"), clock, wait=waits)
    outbox.start()
    outbox.put(message)
    _done(outbox, 1)
    outbox.stop(10)

    assert (expected, 1) == (waits.asked, outbox.counts()["failed"])


@pytest.mark.parametrize(
    ("answers", "waited", "how"),
    [
        (["500 Internal Server Error", "503 Service Unavailable", "200 OK"], [1.0, 2.0], "sent"),
        (["429 Too Many Requests", "204 No Content"], [1.0], "sent"),
        (["404 Not Found"], [], "failed"),
        (["401 Unauthorized"], [], "failed"),
        (["302 Found"], [], "failed"),
    ],
)
def test_only_what_may_pass_is_tried_again(
    clock: Clock, waits: Waits, answers: list[str], waited: list[float], how: str
) -> None:
    """Overload and mishaps are tried again; a refusal is final, and no redirect is followed."""
    left = list(answers)
    with answering(lambda _: http(b"", left.pop(0), f"Location: http://{HOST}:1/")) as raw:
        outbox = Outbox(_channel(raw.url), clock, wait=waits)
        outbox.start()
        outbox.put(NOTE)
        _done(outbox, 1)
        outbox.stop(10)

    assert (waited, 1, len(answers)) == (waits.asked, outbox.counts()[how], len(raw.heads))


@pytest.mark.parametrize(
    ("header", "waited"),
    [("7", 7.0), ("86400", 60.0), ("0", 1.0), ("-5", 1.0), ("soon", 1.0), ("9" * 500, 1.0)],
)
def test_a_wish_to_wait_longer_is_granted_within_reason(
    clock: Clock, waits: Waits, header: str, waited: float
) -> None:
    """Retry-After lengthens a wait, up to a minute; nonsense in it does nothing."""
    left = [http(b"", "429 Too Many Requests", f"Retry-After: {header}"), http(b"ok")]
    with answering(lambda _: left.pop(0)) as raw:
        outbox = Outbox(_channel(raw.url), clock, wait=waits)
        outbox.start()
        outbox.put(NOTE)
        _done(outbox, 1)
        outbox.stop(10)

    assert [waited] == waits.asked


def test_a_place_that_hangs_costs_its_deadline_and_nobody_else(clock: Clock, waits: Waits) -> None:
    """A server that never answers holds up neither who speaks nor the other place."""
    hung = threading.Event()

    def never(_: str) -> Iterator[bytes]:
        hung.wait(30)
        yield b""

    with answering(never) as silent, answering(lambda _: http(b"ok")) as well:
        slow = Outbox(_channel(silent.url), clock, wait=waits, call_s=0.2)
        quick = Outbox(_channel(well.url), clock, wait=waits)
        notifier = Notifier((slow, quick), clock, _nobody)
        notifier.start()
        before = time.monotonic()
        for number in range(500):
            notifier.tell(replace(NOTE, about=str(number)))
        took_s = time.monotonic() - before
        until(lambda: quick.counts()["sent"] > 0, "the other place is told")
        until(lambda: slow.counts()["failed"] > 0, "the first is given up after its tries")
        hung.set()

    assert took_s < 10  # 500 messages; were it to wait for a call, 500 deadlines
    assert waits.asked[:4] == [1.0, 2.0, 4.0, 8.0]


def test_too_many_messages_are_dropped_and_pages_kept(clock: Clock, waits: Waits) -> None:
    """A full outbox drops notes, never a page while a note could go instead; pages are sent first."""
    with answering(lambda _: http(b"ok")) as raw:
        outbox = Outbox(_channel(raw.url), clock, wait=waits)
        for number in range(notify_outbox.CAPACITY + 20):
            outbox.put(replace(NOTE, about=f"{number}", title=f"note {number}"))
        outbox.put(PAGE)
        before = outbox.counts()["dropped"]
        outbox.start()
        _done(outbox, notify_outbox.CAPACITY)
        outbox.stop(10)

    assert 21 == before
    assert "backend is not healed" == _sent(raw)[0]
    assert [f"note {n}" for n in range(1, 100)] == _sent(raw)[1:]


def test_pages_alone_can_fill_it_and_no_more(clock: Clock) -> None:
    """When only pages wait, one more is dropped and counted: the queue is bounded for them too."""
    outbox = Outbox(_channel("http://nowhere.invalid"), clock)
    for number in range(notify_outbox.CAPACITY + 5):
        outbox.put(replace(PAGE, about=str(number)))

    assert 5 == outbox.counts()["dropped"]


def test_the_same_thing_is_said_once_until_it_changes_or_time_passes(
    clock: Clock, waits: Waits
) -> None:
    """Echoes within ten minutes are swallowed; another state, another title or later it is news."""
    blind = Message("RemediationBlind", Severity.CRITICAL, "blind")
    sees = replace(blind, title="sees", resolved=True)
    with answering(lambda _: http(b"ok")) as raw:
        outbox = Outbox(_channel(raw.url), clock, wait=waits)
        outbox.start()
        for message in (blind, blind, sees, sees, blind, replace(blind, title="blind, and more")):
            outbox.put(message)
        clock.s += notify_outbox.WINDOW_S - 1
        outbox.put(replace(blind, title="blind, and more"))
        _done(outbox, 4)
        clock.s += 1
        outbox.put(replace(blind, title="blind, and more"))
        _done(outbox, 5)
        outbox.stop(10)

    assert ["blind", "sees", "blind", "blind, and more", "blind, and more"] == _sent(raw)
    assert 3 == outbox.counts()["repeated"]


def test_what_never_arrived_is_no_echo(clock: Clock, waits: Waits) -> None:
    """A message that was given up may be said again at once."""
    left = [http(b"", "404 Not Found"), http(b"ok")]
    with answering(lambda _: left.pop(0)) as raw:
        outbox = Outbox(_channel(raw.url), clock, wait=waits)
        outbox.start()
        outbox.put(PAGE)
        _done(outbox, 1)
        outbox.put(PAGE)
        _done(outbox, 2)
        outbox.stop(10)

    assert {"sent": 1, "failed": 1, "dropped": 0, "repeated": 0} == outbox.counts()


def test_what_is_remembered_of_echoes_is_bounded(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After many subjects the oldest is forgotten; memory does not grow with time."""
    monkeypatch.setattr(notify_outbox, "SUBJECTS", 10)
    outbox = Outbox(_channel("http://nowhere.invalid"), clock)
    for number in (*range(11), 0, 10):
        outbox.put(replace(NOTE, about=str(number)))

    assert 1 == outbox.counts()["repeated"]  # 10 is remembered, 0 is not
    assert 10 == len(outbox._said)


def test_a_message_that_breaks_costs_itself_only(clock: Clock, waits: Waits) -> None:
    """A fault of ours in one message does not end the thread that sends the others."""

    def body(message: Message, _: float) -> dict[str, Any]:
        if message.about == "bad":
            raise RuntimeError
        return {"title": message.title}

    with answering(lambda _: http(b"ok")) as raw:
        outbox = Outbox(replace(_channel(raw.url), body=body), clock, wait=waits)
        outbox.start()
        outbox.put(replace(NOTE, about="bad"))
        outbox.put(NOTE)
        _done(outbox, 2)
        outbox.stop(10)

    assert {"sent": 1, "failed": 1, "dropped": 0, "repeated": 0} == outbox.counts()


def test_stopping_tries_what_is_left_once(clock: Clock) -> None:
    """On the way out every message gets one more try, and no place that refuses a second one."""
    with answering(lambda _: http(b"", "503 Service Unavailable")) as raw:
        outbox = Outbox(_channel(raw.url), clock)
        for number in range(5):
            outbox.put(replace(PAGE, about=str(number)))
        outbox.stop(0)
        outbox.start()
        _done(outbox, 5)

    assert (5, 5) == (outbox.counts()["failed"], len(raw.heads))


# From the configuration ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def config() -> Config:
    """Return the configuration that ships."""
    return load_config(Path(__file__).parents[3] / "rendered" / "remediation" / "config.yml")


def _nobody(_subject: str, _number: int) -> None:
    """Nobody wants to know what has arrived."""


def _tell(
    notify: Notify, clock: Clock, waits: Waits, *messages: Message
) -> dict[tuple[str, str], int]:
    """Tell *messages* where *notify* says; return what came of each, place by place."""
    outboxes = tuple(Outbox(each, clock, wait=waits) for each in channels(notify, "sutazai"))
    notifier = Notifier(outboxes, clock, _nobody)
    notifier.start()
    for message in messages:
        notifier.tell(message)
    for outbox in outboxes:
        _done(outbox, sum(map(outbox.channel.wants, messages)))
    notifier.stop()
    return {key: count for key, count in notifier.counts().items() if count}


def test_nobody_is_told_when_nobody_is_named(config: Config, clock: Clock) -> None:
    """Without notify there is no notifier, and with it one for pager and Slack."""
    assert build_notifier(replace(config, notify=None), clock, _nobody) is None
    notifier = build_notifier(config, clock, _nobody)
    assert notifier is not None
    assert {"pager", "slack"} == {place for place, _ in notifier.counts()}


def test_a_notifier_is_what_the_engine_tells(config: Config, clock: Clock) -> None:
    """It has every method that telling.Messages asks for, and each takes what the engine has."""
    notifier = build_notifier(config, clock, _nobody)
    messages: Messages | None = notifier
    assert messages is not None
    asked = {"service": "backend", "tier": "app", "rung": "service", "action": "a"}
    messages.restarted(asked, {"result": "succeeded"}, {"log": ["line"]})
    messages.restarted({}, {}, {})
    messages.trouble("")
    messages.observed("lab", 60.0, {})
    messages.owes({"blind": Owed("blind", "blind", {}, 1, 0.0, 0.0)})


def test_pages_go_to_both_and_the_rest_to_slack(tmp_path: Path, clock: Clock, waits: Waits) -> None:
    """The pager gets pages alone, with its token; Slack gets everything, at its secret address."""
    with answering(lambda _: http(b"ok")) as raw:
        (tmp_path / "token").write_text(f"{SECRET}\n")
        (tmp_path / "slack").write_text(f"{raw.url}{SLACK_PATH}\n")
        notify = Notify(f"{raw.url}/pager", tmp_path / "token", tmp_path / "slack")
        counts = _tell(notify, clock, waits, PAGE, NOTE)

    lines = [head.splitlines() for head in raw.heads]
    assert {("pager", "sent"): 1, ("slack", "sent"): 2} == counts
    assert {"POST /pager HTTP/1.1": 1, f"POST {SLACK_PATH} HTTP/1.1": 2} == {
        first: [line[0] for line in lines].count(first) for first in {line[0] for line in lines}
    }
    for line in lines:
        assert (f"Authorization: Bearer {SECRET}" in line) == line[0].startswith("POST /pager")


def test_without_slack_the_pager_gets_everything(clock: Clock, waits: Waits) -> None:
    """Who has but a pager is told there what was done, too."""
    with answering(lambda _: http(b"ok")) as raw:
        assert {("pager", "sent"): 2} == _tell(Notify(raw.url), clock, waits, PAGE, NOTE)


def test_secrets_are_read_for_each_try(tmp_path: Path, clock: Clock) -> None:
    """A token that is exchanged between two tries is the one that is shown."""
    token = tmp_path / "token"
    token.write_text("old")

    def exchange(_: float) -> bool:
        token.write_text("new")
        return False

    left = [http(b"", "503 Service Unavailable"), http(b"ok")]
    with answering(lambda _: left.pop(0)) as raw:
        (channel,) = channels(Notify(raw.url, token), "sutazai")
        outbox = Outbox(channel, clock, wait=exchange)
        outbox.start()
        outbox.put(NOTE)
        _done(outbox, 1)
        outbox.stop(10)

    shown = [
        line for head in raw.heads for line in head.splitlines() if line.startswith("Authorization")
    ]
    assert ["Authorization: Bearer old", "Authorization: Bearer new"] == shown


@pytest.mark.parametrize(
    "fault", ["refused", "status", "nonsense", "no name", "no token", "two tokens", "no url"]
)
def test_no_secret_is_ever_logged(
    tmp_path: Path, clock: Clock, waits: Waits, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """Whatever goes wrong is logged with its reason, and neither token nor secret address is in any line."""
    caplog.set_level(logging.DEBUG)
    token, slack = tmp_path / "token", tmp_path / "slack"
    answer = {
        "status": http(SLACK_PATH.encode(), "403 Forbidden", f"X-Echo: {SECRET}"),
        "nonsense": f"{SECRET} {SLACK_PATH}\r\n\r\n".encode(),
    }.get(fault, http(b"ok"))
    with answering(lambda _: answer) as raw:
        base = {
            "refused": f"http://{HOST}:{free_port()}",
            "no name": "http://x0SECRET.invalid",
        }.get(fault, raw.url)
        token.write_text({"two tokens": f"{SECRET} {SECRET}"}.get(fault, SECRET))
        slack.write_text({"no url": f"{SLACK_PATH}\x00 {SECRET}"}.get(fault, base + SLACK_PATH))
        if fault == "no token":
            token.unlink()
        counts = _tell(Notify(f"{base}/pager", token, slack), clock, waits, PAGE)

    assert counts.get(("pager", "failed"), 0) + counts.get(("slack", "failed"), 0) > 0
    told = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert "was not told of RemediationGaveUp" in told
    for secret in (SECRET, "T0SECRET", "x0SECRET"):
        assert secret not in told


def test_what_has_arrived_is_told_once_it_has(clock: Clock, waits: Waits) -> None:
    """Sent: told, also whoever said the same meanwhile or later. Refused: not."""
    status, arrived = ["200 OK"], []
    with answering(lambda _: http(b"", status[0])) as raw:
        outbox = Outbox(_channel(raw.url), clock, wait=waits)
        outbox.put(PAGE, wall=5.0, arrived=lambda: arrived.append("first"))
        outbox.put(PAGE, arrived=lambda: arrived.append("the same"))
        outbox.start()
        _done(outbox, 1)
        until(lambda: arrived == ["first", "the same"], "told")
        outbox.put(PAGE, arrived=lambda: arrived.append("again"))
        status[0] = "400 Bad Request"
        other = replace(PAGE, title="backend is healthy again", resolved=True)
        outbox.put(other, arrived=lambda: arrived.append("refused"))
        _done(outbox, 2)
        outbox.stop(5)

    assert arrived == ["first", "the same", "again"]
    assert json.loads(raw.bodies[0]) == {"title": PAGE.title, "at": 5.0}
    assert outbox.counts() == {"sent": 1, "failed": 1, "dropped": 0, "repeated": 2}


def test_what_still_waits_is_an_echo_however_late(clock: Clock, waits: Waits) -> None:
    """The pager is away for an hour: the page waits once, and whoever put it last is told that it has arrived."""
    arrived: list[int] = []
    with answering(lambda _: http(b"")) as raw:
        outbox = Outbox(_channel(raw.url), clock, wait=waits)
        for number in range(7):
            outbox.put(PAGE, arrived=partial(arrived.append, number))
            clock.s += notify_outbox.WINDOW_S
        outbox.start()
        _done(outbox, 1)
        until(lambda: len(arrived) == 2, "both are told")
        outbox.stop(5)

    assert arrived == [0, 6]
    assert outbox.counts() == {"sent": 1, "failed": 0, "dropped": 0, "repeated": 6}
