"""Who stopped it: sequences of events as the engine sends them, and what they mean."""

from __future__ import annotations

import pytest

from remediation.drivers.stops import SETTLED_S, Event, Stops

AT = 1_800_000_000.0
BOX = "a" * 64


def told(words: str, stops: Stops | None = None, *, at: float = AT) -> Stops:
    """Return what remains of *words*: actions a second apart, `+60` passes time."""
    stops = stops or Stops({}, {})
    for word in words.split():
        if word.startswith("+"):
            at += float(word[1:])
            continue
        at += 1
        stops.hear(Event(word, BOX, "api", round(at * 1e9)))
    return stops


@pytest.mark.parametrize(
    ("words", "stopped"),
    [
        ("kill die stop", True),  # docker stop, docker compose stop
        ("kill die", True),  # docker kill
        ("kill kill die stop", True),  # docker stop of one that does not listen
        ("kill +30 die", True),  # a mild signal, and some time to end
        ("kill +600 die", False),  # a reload, and a crash much later
        ("die", False),  # a crash
        ("oom die", False),
        ("kill die stop start restart", False),  # docker restart
        ("kill die start", False),  # killed, and started by hand
        ("die start die start", False),  # a crash loop
        ("kill die stop destroy", False),  # Compose makes it anew
        ("kill die stop start die", False),  # started by hand, then crashed
        ("kill die stop start kill die stop", True),
        ("health_status", False),
        ("kill", False),  # a signal alone, e.g. to reload
    ],
)
def test_what_a_sequence_means(words: str, stopped: bool) -> None:
    """A stop counts until the next start, a kill when the end follows soon, a crash never."""
    assert stopped is told(words).is_stopped(BOX)


@pytest.mark.parametrize(
    ("words", "stopped"),
    [
        ("kill die stop", False),  # under way, or its start has failed
        ("kill die stop start restart", False),
        ("kill die stop start kill die stop", True),  # ours, and then a human
    ],
)
def test_a_stop_of_our_own_is_no_humans(words: str, stopped: bool) -> None:
    """What stops between our asking and the start is ours; what stops after the start is not."""
    stops = Stops({}, {})
    stops.begin(BOX, AT)

    assert stopped is told(words, stops).is_stopped(BOX)


def test_a_stop_just_before_our_restart_is_a_humans() -> None:
    """Only what the engine did after we asked is explained by our asking."""
    stops = Stops({}, {})
    stops.begin(BOX, AT + 10)

    assert told("kill die stop", stops).is_stopped(BOX)


def test_a_restart_that_came_to_nothing_explains_nothing() -> None:
    """After `undo` a stop is a human's again."""
    stops = Stops({}, {})
    stops.begin(BOX, AT)
    stops.undo(BOX)

    assert told("kill die stop", stops).is_stopped(BOX)


def test_events_that_come_late_or_twice_change_nothing() -> None:
    """A start that an inspect has shown makes older events moot, as after a gap in the stream."""
    stops = Stops({}, {})
    stops.see(BOX, running=True, started_wall=AT + 100)

    assert not told("kill die stop", stops).is_stopped(BOX)


def test_an_inspect_that_is_older_than_the_stop_does_not_undo_it() -> None:
    """A look that began before the stop still shows a running container."""
    stops = told("kill die stop")
    stops.see(BOX, running=True, started_wall=AT - 1000)
    still = stops.is_stopped(BOX)
    stops.see(BOX, running=True, started_wall=AT + 1000)

    assert (True, False) == (still, stops.is_stopped(BOX))


def test_stops_of_an_engine_that_ends_are_nobodys_wish() -> None:
    """What was stopped just before the engine was gone is forgotten; what was long before stays."""
    earlier = Stops({"old": AT - 1000}, {})
    told("kill die stop", earlier)
    earlier.engine_ended(AT + 10)

    assert (False, True) == (earlier.is_stopped(BOX), earlier.is_stopped("old"))


def test_a_stop_is_kept_for_the_next_process_once_the_engine_outlives_it() -> None:
    """Stops are handed on after a minute, so that those of a host that shuts down never are."""
    stops = told("kill die stop")
    early, late = stops.settled(AT + 4), stops.settled(AT + 3 + SETTLED_S)

    assert ({}, {BOX: AT + 3}) == (early, late)
    assert Stops(late, {}).is_stopped(BOX)


def test_a_signal_a_moment_ago_is_remembered() -> None:
    """While a container may be about to stop, nobody should restart it; its start ends that."""
    stops = told("kill")
    before = stops.is_signalled(BOX, AT + 5), stops.is_signalled(BOX, AT + 500)
    told("die start", stops, at=AT + 10)

    assert ((True, False), False) == (before, stops.is_signalled(BOX, AT + 13))


def test_containers_that_have_gone_are_forgotten() -> None:
    """The book does not grow with containers that are made anew, over and over."""
    stops = Stops({"gone": AT - 7200, "here": AT - 7200, "new": AT}, {"gone": AT - 7200})
    stops.prune({"here"}, AT)

    assert [False, True, True, False] == [
        stops.is_stopped("gone"),
        stops.is_stopped("here"),
        stops.is_stopped("new"),
        stops.is_ours("gone"),
    ]
