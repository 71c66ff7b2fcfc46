"""
Carry messages to one place, on a thread of its own: bounded, with deadlines, patience and no echo.

Nothing here ever blocks or fails whoever has something to say. A place that is down costs its own
messages: pages are tried longer and go first, what does not fit is dropped and counted. The same
thing is said once, until it changes or the window is over. Addresses and tokens are read from their
files for each try and appear in no log.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exporters.deadline import Deadline
from remediation.alertmanager.http_call import CallError, connection
from remediation.clock import Clock
from remediation.notify.message import Message
from remediation.secret_file import SecretError

log = logging.getLogger(__name__)

CALL_S = 10.0
FIRST_WAIT_S, MAX_WAIT_S = 1.0, 60.0
TRIES, PAGE_TRIES = 5, 10  # 15 s and four minutes of waiting in all
CAPACITY = 100
WINDOW_S = 600.0
SUBJECTS = 1000  # remembered for the window; arbitrary
_AGAIN = (408, 425, 429)  # and all of 5xx


@dataclass(frozen=True, slots=True)
class Channel:
    """
    One place: *address* returns URL and headers when asked (or a SecretError), *body* what is sent.

    *wants* says which messages go there; *body* gets the time at which it was said (Unix time).
    """

    name: str
    wants: Callable[[Message], bool]
    address: Callable[[], tuple[str, Mapping[str, str]]]
    body: Callable[[Message, float], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Letter:
    message: Message
    wall: float
    arrived: Callable[[], None] | None = None


@dataclass(slots=True)
class _Said:
    """What was said last about a subject, and whether it has arrived."""

    resolved: bool
    title: str
    steady: float
    pending: bool = True  # it waits, or is being tried
    arrived: bool = False
    then: Callable[[], None] | None = None  # who else wants to know that it has arrived

    def says(self, message: Message) -> bool:
        """Whether *message* is the same again."""
        return (self.resolved, self.title) == (message.resolved, message.title)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What came of one try; *fact* is empty when it arrived."""

    fact: str = ""
    again: bool = True
    wait_s: float = 0.0


class Outbox:
    """
    The messages to *channel* that are not there yet.

    Args:
        channel: Where they go.
        clock: Tells the time.
        wait: Waits so many seconds, returns True to be woken for good; tests have one that returns.
        call_s: How long one try may take.
    """

    def __init__(
        self,
        channel: Channel,
        clock: Clock,
        *,
        wait: Callable[[float], bool] | None = None,
        call_s: float = CALL_S,
    ) -> None:
        self.channel = channel
        self._clock, self._call_s = clock, call_s
        self._stop = threading.Event()
        self._wait = wait or self._stop.wait
        self._changed = threading.Condition()
        self._pages: deque[_Letter] = deque()
        self._others: deque[_Letter] = deque()
        self._said: OrderedDict[tuple[str, ...], _Said] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name=f"tell-{channel.name}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, patience_s: float) -> None:
        """Try what is left once more each, for *patience_s* at most, and end."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(patience_s)

    def put(
        self,
        message: Message,
        *,
        wall: float | None = None,
        arrived: Callable[[], None] | None = None,
    ) -> None:
        """
        Take *message* to be sent soon, unless it is not for this place, an echo, or too much.

        Args:
            message: What is to be said.
            wall: When it came to be so (Unix time); now where not given.
            arrived: Called once whoever is there has it, maybe since earlier; on any thread. Must not
                raise or block. What was not sent in the end may be put again.
        """
        if not self.channel.wants(message):
            return
        now = self._clock.now()
        letter = _Letter(message, now.wall if wall is None else wall, arrived)
        with self._changed:
            said = self._echoed(message, now.steady)
            if said is None:
                self._take(letter, now.steady)
                return
            self._counts["repeated"] += 1
            if said.pending:
                said.then = arrived
        if arrived is not None and said.arrived:
            arrived()

    def counts(self) -> Mapping[str, int]:
        """Return how many were sent, failed, dropped and repeated."""
        with self._changed:
            return {key: self._counts[key] for key in ("sent", "failed", "dropped", "repeated")}

    def _take(self, letter: _Letter, steady: float) -> None:
        message = letter.message
        queue = self._pages if message.is_page else self._others
        if len(self._pages) + len(self._others) >= CAPACITY and not self._make_room(message):
            self._counts["dropped"] += 1
            return
        self._remember(message, steady)
        queue.append(letter)
        self._changed.notify_all()

    def _echoed(self, message: Message, steady: float) -> _Said | None:
        """Return what was said that *message* would only repeat."""
        said = self._said.get(message.subject)
        if said is None or not (said.pending or steady - said.steady < WINDOW_S):
            return None
        return said if said.says(message) else None

    def _remember(self, message: Message, steady: float) -> None:
        self._said[message.subject] = _Said(message.resolved, message.title, steady)
        self._said.move_to_end(message.subject)
        while len(self._said) > SUBJECTS:
            self._said.popitem(last=False)

    def _make_room(self, message: Message) -> bool:
        """Drop the oldest that is no page in favour of a page; say whether there is room now."""
        if not message.is_page or not self._others:
            return False
        self._forget(self._others.popleft().message)
        self._counts["dropped"] += 1
        return True

    def _forget(self, message: Message) -> None:
        """What was not told is no echo when it is said again."""
        self._said.pop(message.subject, None)

    def _run(self) -> None:
        while (letter := self._next()) is not None:
            try:
                self._deliver(letter)
            except Exception:
                # The thread outlives every message.
                log.exception("%s: a message broke", self.channel.name)
                self._end(letter, "failed")

    def _next(self) -> _Letter | None:
        """Return what is to be sent next, pages first; None when stopped and nothing is left."""
        with self._changed:
            while not (self._pages or self._others):
                if self._stop.is_set():
                    return None
                self._changed.wait()
            return (self._pages or self._others).popleft()

    def _deliver(self, letter: _Letter) -> None:
        tries = PAGE_TRIES if letter.message.is_page else TRIES
        wait_s, fact = FIRST_WAIT_S, ""
        for number in range(1, tries + 1):
            verdict = self._try(letter)
            if not verdict.fact:
                self._end(letter, "sent")
                return
            fact = verdict.fact
            if not verdict.again or self._stop.is_set() or number == tries:
                break
            self._wait(max(wait_s, min(verdict.wait_s, MAX_WAIT_S)))
            wait_s = min(wait_s * 2, MAX_WAIT_S)
        log.error("%s was not told of %s: %s", self.channel.name, letter.message.alert, fact)
        self._end(letter, "failed")

    def _try(self, letter: _Letter) -> _Verdict:
        try:
            url, headers = self.channel.address()
            with connection(url, Deadline.after(self._call_s)) as to:
                send = self.channel.body(letter.message, letter.wall)
                answer = to.call("POST", send=send, headers=headers)
        except (CallError, SecretError) as error:
            return _Verdict(str(error))
        if 200 <= answer.status < 300:
            return _Verdict()
        again = answer.status >= 500 or answer.status in _AGAIN
        after = answer.headers.get("retry-after", "")
        wait_s = float(after) if after.isascii() and after.isdecimal() and len(after) < 6 else 0.0
        return _Verdict(f"answered with status {answer.status}", again, wait_s)

    def _end(self, letter: _Letter, how: str) -> None:
        then = [letter.arrived] if how == "sent" else []
        with self._changed:
            self._counts[how] += 1
            said = self._said.get(letter.message.subject)
            if said and said.says(letter.message):
                if how == "failed":
                    self._forget(letter.message)
                else:
                    said.pending, said.arrived = False, True
                    then.append(said.then)
        for call in then:
            if call is not None:
                call()
