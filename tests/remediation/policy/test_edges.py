"""Nights that nobody planned: what is decided when people, reloads and half-truths come together."""

from __future__ import annotations

from dataclasses import replace

from remediation import records
from remediation.graph import build_graph
from remediation.model import Record, Restarted, Result, Rung, Sight
from remediation.state import State
from tests.remediation.policy.test_decide import after_restart, intended
from tests.remediation.shop import (
    EXITED,
    NOW,
    SICK,
    alert,
    config,
    entry,
    plan,
    running,
    short,
    state,
    world,
)

STOPPED = Sight(running(state="exited", stopped=True), probe=False)


def _without(name: str) -> object:
    services = {n: s for n, s in config().services.items() if n != name}
    graph = build_graph({s.name: s.requires for s in services.values()})
    return replace(config(), services=services, graph=graph)


def test_a_service_that_left_the_configuration_breaks_nothing() -> None:
    """A reload takes away what an open incident restarted last: the incident goes on without it."""
    known = after_restart("cache", "web", rung="dependants")
    found = plan(world(alert("cache"), sights={"cache": SICK}), known, cfg=_without("web"))  # type: ignore[arg-type]

    assert short(found) == [("cache", "act", "restart", "cache")]


def test_a_dependency_with_an_alert_of_its_own_comes_first() -> None:
    """A cache that hangs still accepts connections: its own alert keeps its dependants from being restarted."""
    found = plan(world(alert("cache"), alert("api"), sights={"api": SICK}))

    assert short(found) == [("cache", "skip", "healthy_stateful", "")]


def test_one_that_we_healed_is_trusted_before_its_alert_ends() -> None:
    """After our restart the root is healthy and its alert still fires for a while: dependants go on."""
    known = after_restart("cache")
    known.apply(entry(records.healthy("i1"), NOW - 1000))
    found = plan(world(alert("cache"), alert("api"), sights={"api": SICK}), known)

    assert ("api", "act", "restart", "api") in short(found)


def test_of_two_roots_the_alerted_one_is_named() -> None:
    """Two dependencies are down, one of them alerted: that one is the root that is worked on."""
    found = plan(
        world(alert("cache"), alert("api"), sights={"db": SICK, "cache": SICK, "api": SICK})
    )

    assert short(found) == [("cache", "act", "restart", "cache")]


def test_announced_work_on_the_root_calls_nobody() -> None:
    """A human announces work on the database and stops it: dependants' alerts page nobody."""
    held = state(records.held("db", 1800, "me", "upgrade"))
    silenced = replace(alert("db"), suppressed=True)
    seen = world(silenced, alert("api"), sights={"db": STOPPED, "api": SICK})

    assert [each[:3] for each in short(plan(seen, held))] == [
        ("db", "skip", "silenced"),
        ("db", "defer", "maintenance"),
    ]
    assert ("db", "skip", "silenced", "") in short(plan(seen))


def test_what_people_stopped_is_no_storm() -> None:
    """Three services in three tiers that humans stopped freeze nothing, also after a release."""
    names = ("db", "worker", "mail")
    seen = world(*map(alert, names), sights=dict.fromkeys(names, STOPPED))
    released = state(records.released("me", "human"))

    assert [r.kind for known in (None, released) for r in plan(seen, known).records] == []


def test_what_was_not_done_is_no_try() -> None:
    """A restart that was not carried out counts neither on the ladder nor in the budgets, three times."""
    known = state(records.opened("i1", "api", "app", NOW - 900), at=NOW - 800)
    for number in range(4):
        known.apply(entry(intended(f"a{number}", "i1", "api"), NOW - 700))
        came = Restarted(Result.FAILED, "not done", attempted=False)
        known.apply(entry(records.finished(f"a{number}", came, 0.0), NOW - 700))
        incident = known.incidents["i1"]
        counted = (incident.tried, incident.tries, len(known.acts))
        assert counted == (([], 0, 0) if number < 3 else (["api"], 1, 1))


def test_a_spent_budget_calls_a_human_once_it_lasts() -> None:
    """A budget that is spent for hours is told to people; one that frees in minutes is waited for."""
    known = State()
    for hours in (1, 2, 3, 4, 5, 6, 7):
        known.acts += after_restart("api", at=NOW - hours * 3600).acts
    found = plan(world(alert("api"), sights={"api": SICK}), known)

    assert short(found) == [("api", "escalate", "budget", "api")]


def test_a_healed_root_and_an_incurable_dependant_are_one_incident() -> None:
    """Handed over for its dependant, the incident stays open until that one is well: nobody starts anew."""
    known = after_restart("cache", "api", rung="tier")
    known.apply(entry(records.healthy("i1"), NOW - 3000))
    seen = world(alert("api"), sights={"api": SICK})
    first = plan(seen, known)
    for record in (*first.records, *map(records.decided, first.decisions)):
        known.apply(entry(record, NOW))
    later = plan(
        world(alert("api"), sights={"api": SICK}, asked_at=NOW + 600), known, now=NOW + 600
    )
    well = plan(world(asked_at=NOW + 700), known, now=NOW + 700)

    assert short(first) == [("api", "escalate", "ladder_exhausted", "")]
    assert (later.records, short(later)) == ((), [("api", "skip", "ladder_exhausted", "")])
    assert well.records == (records.closed("i1", "recovered"),)
    assert (known.incidents["i1"].handed, known.incidents["i1"].called) == ("api", True)


def test_a_root_that_only_we_see_is_told_after_a_while() -> None:
    """Prometheus never alerts about the root: its dependants' people are told, once the time is over."""
    late = world(alert("api", started=NOW - 901), sights={"cache": SICK, "api": SICK})
    early = world(alert("api", started=NOW - 300), sights={"cache": SICK, "api": SICK})

    assert [short(plan(late)), short(plan(early))] == [
        [("cache", "escalate", "root_without_alert", "")],
        [("cache", "defer", "root_without_alert", "")],
    ]


def test_a_crash_loop_is_not_starting_for_ever() -> None:
    """Whom Docker starts again and again is worked on in the end; whom a human started has the whole time."""
    loop, by_hand = (
        Sight(running(started_wall=NOW - 5, restart_policy="always", restarts=count), probe=False)
        for count in (4, 3)
    )
    fresh = world(alert("web", started=NOW - 300), sights={"web": loop})
    old = world(alert("web", started=NOW - 400), sights={"web": loop})
    repaired = world(alert("web", started=NOW - 7200), sights={"web": by_hand})

    assert [short(plan(each))[0][1:3] for each in (fresh, old, repaired)] == [
        ("defer", "starting"),
        ("act", "restart"),
        ("defer", "starting"),
    ]


def test_a_moment_calls_nobody() -> None:
    """A dependant's alert is hours old: a root that we see down for a moment is waited for all the same."""
    gone = Sight(running(state="absent"))
    blip = world(alert("api", started=NOW - 7200), sights={"cache": SICK, "api": SICK})
    anew = world(alert("api", started=NOW - 7200), sights={"db": gone, "api": SICK})
    found = [
        short(plan(each, ill_s=wait))[0][:3] for each in (blip, anew) for wait in (0, 119, 901)
    ]

    assert found == [
        ("cache", "defer", "root_without_alert"),
        ("cache", "defer", "root_without_alert"),
        ("cache", "escalate", "root_without_alert"),
        ("db", "defer", "stopped_dependency"),
        ("db", "defer", "stopped_dependency"),
        ("db", "escalate", "stopped_dependency"),
    ]


def test_what_was_only_created_is_nobody_s_fault() -> None:
    """A container that a human made and did not start is left alone, in every mode."""
    made = Sight(running(state="created", started_wall=0.0), probe=False)

    assert short(plan(world(alert("db"), sights={"db": made}))) == [
        ("db", "skip", "stopped_by_human", "")
    ]


def test_what_only_waits_is_not_being_healed() -> None:
    """An incident whose last restart is long ago holds no symptoms back; one in probation does, a while."""
    known = after_restart("api", at=NOW - 3600)
    waits = known.in_progress(NOW)
    known.apply(entry(records.healthy("i1"), NOW - 60))
    later = known.in_progress(
        NOW + 900
    )  # healthy for long, it waits for a human's word on a dependant

    assert (waits, known.in_progress(NOW), later) == ({}, {"api": "app"}, {})


def test_a_long_rest_begins_the_waits_anew() -> None:
    """Well for longer than `reset`, the next wait is the first again; the ladder goes on all the same."""
    for minutes, waits in ((11, 0), (9, 1)):
        known = after_restart("api", at=NOW - 3000)
        known.apply(entry(records.closed("i1", "healed"), NOW - minutes * 60))
        found = plan(world(alert("api"), sights={"api": EXITED}), known)
        for record in found.records:
            known.apply(entry(record, NOW))
        (incident,) = known.incidents.values()
        assert (incident.waits, incident.rung) == (waits, Rung.DEPENDANTS.value)


def test_records_of_an_older_version_are_read() -> None:
    """Entries without the newer fields still add up."""
    old = Record(records.GAVE_UP, {"incident": "i1", "reason": "ladder_exhausted"})
    known = after_restart("api")
    known.apply(entry(old, NOW))

    assert (known.incidents["i1"].gave_up, known.incidents["i1"].handed) == (
        "ladder_exhausted",
        "api",
    )
