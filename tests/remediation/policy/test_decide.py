"""What is decided about one fault: whom it is about, what is restarted, what comes after."""

from __future__ import annotations

from dataclasses import replace

from remediation import records
from remediation.model import Alert, Record, Restarted, Result, Rung, Sight
from remediation.state import State
from tests.remediation.shop import (
    EXITED,
    NOW,
    SICK,
    WELL,
    alert,
    config,
    entry,
    kinds,
    plan,
    running,
    short,
    state,
    tier_alert,
    world,
)


def after_restart(
    *services: str,
    incident: str = "i1",
    root: str = "",
    at: float = NOW - 3600,
    rung: str = "service",
) -> State:
    """Return the state after restarts of *services* in one incident, an hour ago, at its *rung*."""
    root = root or services[0]
    tier = config().services[root].tier
    made = state(records.opened(incident, root, tier, at - 300), at=at)
    if rung != "service":
        made.apply(entry(records.climbed(incident, Rung(rung)), at))
    for number, name in enumerate(services):
        made.apply(entry(intended(f"a{number}", incident, name, rung), at))
        made.apply(entry(records.finished(f"a{number}", Restarted(Result.SUCCEEDED), 1.0), at))
    return made


def intended(action: str, incident: str, service: str, rung: str = "service") -> Record:
    """Return the intent to restart *service*."""
    tier = config().services[service].tier
    body = {
        "action": action, "incident": incident, "service": service, "tier": tier, "rung": rung,
        "container": f"shop-{service}", "id": "c0", "started_wall": 1.0,
    }  # fmt: skip
    return Record(records.INTENDED, body)


def test_a_sick_service_is_restarted() -> None:
    """An active alert, and a probe that agrees: an incident is opened and the service restarted."""
    found = plan(world(alert("api"), sights={"api": SICK}))

    assert short(found) == [("api", "act", "restart", "api")]
    assert found.records == (records.opened("i1", "api", "app", NOW - 300),)
    assert (found.act.detail, found.act.rung, found.act.tier) == (
        "probe failed",
        Rung.SERVICE,
        "app",
    )  # type: ignore[union-attr]


def test_nothing_fires_nothing_happens() -> None:
    """Without alerts nothing is decided, even while something looks unhealthy."""
    assert plan(world(sights={"api": SICK})).decisions == ()


def test_the_root_is_restarted_first() -> None:
    """Three alerts of one dead cache are one root: it alone is restarted, and answers all three."""
    alerts = (alert("web"), alert("api"), alert("cache"))
    found = plan(world(*alerts, sights={"cache": SICK, "api": SICK, "web": SICK}))

    assert short(found) == [("cache", "act", "restart", "cache")]
    assert {key for each in found.decisions for key in each.alerts} == {a.key for a in alerts}


def test_a_root_waits_for_its_own_alert() -> None:
    """A dependant's alert alone does not restart what it needs: the root's alert has its own hold."""
    found = plan(world(alert("api"), sights={"cache": SICK, "api": SICK}))

    assert short(found) == [("cache", "defer", "root_without_alert", "")]


def test_a_root_that_nobody_may_start_is_handed_over() -> None:
    """Dependants of something a human stopped are not touched; people are told."""
    stopped = Sight(running(state="exited", stopped=True))
    found = plan(world(alert("api"), sights={"cache": stopped, "api": SICK}))

    assert short(found) == [("cache", "escalate", "stopped_dependency", "")]


def test_two_roots_are_restarted_one_after_the_other() -> None:
    """Of two unrelated faults the one that starts first is restarted; the other waits its turn."""
    found = plan(world(alert("web"), alert("worker"), sights={"web": SICK, "worker": EXITED}))

    assert short(found) == [
        ("worker", "act", "restart", "worker"),
        ("web", "defer", "spacing", "web"),
    ]


def test_a_tier_means_its_unhealthy_members() -> None:
    """The alert of a tier restarts the members that are unhealthy, and no others."""
    found = plan(world(tier_alert("app"), sights={"worker": EXITED}))

    assert short(found) == [("worker", "act", "restart", "worker")]


def test_a_tier_without_unhealthy_members_is_left_alone() -> None:
    """The alert of a tier whose members are all well asks for nothing."""
    assert short(plan(world(tier_alert("app")))) == [("", "skip", "tier_healthy", "")]


def test_unknown_names_ask_for_nothing() -> None:
    """An alert that names no service and no tier of ours is skipped, whatever it says."""
    hostile = alert("$(reboot)", tier="../core")

    assert short(plan(world(hostile))) == [("", "skip", "not_ours", "")]


def test_a_silenced_alert_asks_for_nothing() -> None:
    """A silence made after the delivery counts as one made before."""
    silenced = replace(alert("api"), suppressed=True)

    assert short(plan(world(silenced, sights={"api": SICK}))) == [("api", "skip", "silenced", "")]


def test_an_inhibited_alert_counts() -> None:
    """Inhibition spares people, not the remediator."""
    inhibited = replace(alert("api"), inhibited=True)

    assert short(plan(world(inhibited, sights={"api": SICK}))) == [("api", "act", "restart", "api")]


def accepted(*alerts: Alert, at: float = NOW - 60) -> State:
    """Return the state after *alerts* were accepted."""
    return state(records.received(alerts, source="test"), at=at)


def test_an_accepted_alert_that_is_over_is_answered() -> None:
    """What was accepted and is not active any more comes to nothing, and says so."""
    found = plan(world(), accepted(alert("api")))

    assert short(found) == [("api", "skip", "resolved", "")]
    assert found.decisions[0].alerts == (alert("api").key,)


def test_a_young_alertmanager_resolves_nothing() -> None:
    """An empty list from an Alertmanager that has just started leaves what was accepted open."""
    assert plan(world(uptime_s=30.0), accepted(alert("api"))).decisions == ()


def test_a_blind_alertmanager_resolves_nothing() -> None:
    """Without a Watchdog, alerts that vanish are not over."""
    found = plan(world(watchdog_age_s=None), accepted(alert("api")))

    assert short(found) == [("api", "defer", "blind", "")]


def test_an_alert_accepted_after_the_look_is_not_judged_by_it() -> None:
    """The list was asked for before the alert came: it cannot say that the alert is over."""
    assert plan(world(asked_at=NOW - 61), accepted(alert("api"))).decisions == ()


def test_an_alert_without_remedy_is_answered() -> None:
    """An accepted alert that asks for no restart is answered once."""
    other = alert("api", "DiskFull", remedy="none")

    assert short(plan(world(other), accepted(other))) == [("api", "skip", "no_remedy", "")]


# The ladder ------------------------------------------------------------------------------------------


def test_while_it_starts_nothing_more_is_done() -> None:
    """A restarted service gets the time that its health check may take."""
    known = after_restart("api", at=NOW - 25)
    young = replace(SICK, container=running(started_wall=NOW - 24))
    found = plan(world(alert("api"), sights={"api": young}), known)

    assert short(found) == [("api", "defer", "verifying", "")]


def test_dependants_are_the_second_rung() -> None:
    """What a restart did not cure is restarted again, and after it its unhealthy dependants."""
    known = after_restart("api")
    seen = world(alert("api"), alert("web"), sights={"api": SICK, "web": SICK})
    found = plan(seen, known)

    assert found.records == (records.climbed("i1", Rung.DEPENDANTS),)
    assert short(found) == [("api", "act", "restart", "api")]


def test_dependants_follow_a_root_that_is_well_again() -> None:
    """A dependant that stays unhealthy after its root was healed is restarted in the same incident."""
    known = after_restart("api")
    known.apply(entry(records.healthy("i1"), NOW - 1000))
    found = plan(world(alert("web"), sights={"web": SICK}), known)

    assert found.records == (records.climbed("i1", Rung.DEPENDANTS),)
    assert short(found) == [("web", "act", "restart", "web")]
    assert found.act.incident == "i1"  # type: ignore[union-attr]


def test_dependants_get_time_to_recover_by_themselves() -> None:
    """For the probation time after the root became healthy its dependants are left alone."""
    known = after_restart("api")
    known.apply(entry(records.healthy("i1"), NOW - 60))
    found = plan(world(alert("web"), sights={"web": SICK}), known)

    assert short(found) == [("web", "defer", "verifying", "")]


def test_dependants_are_untouched_while_their_root_is_unhealthy() -> None:
    """A root that its restart did not cure keeps its dependants from being restarted."""
    known = after_restart("api", rung="dependants")
    seen = world(alert("api"), alert("web"), sights={"api": SICK, "web": SICK})
    found = plan(seen, known)

    assert found.records == (records.climbed("i1", Rung.TIER),)
    assert short(found) == [("api", "act", "restart", "api")]


def test_the_tier_is_the_third_rung() -> None:
    """At the tier's rung its unhealthy members are restarted in order, healthy ones never."""
    known = after_restart("api", rung="tier")
    seen = world(alert("api"), sights={"api": SICK, "worker": EXITED})
    found = plan(seen, known)

    assert short(found) == [("api", "act", "restart", "worker")]


def test_the_ladder_ends() -> None:
    """After the last rung people are called, once, and nothing is restarted any more."""
    known = after_restart("api", rung="tier")
    seen = world(alert("api"), sights={"api": SICK})
    first = plan(seen, known)
    for record in (*first.records, *map(records.decided, first.decisions)):
        known.apply(entry(record, NOW))
    second = plan(seen, known, now=NOW + 3600)

    assert kinds(first) == ["gave_up"]
    assert short(first) == [("api", "escalate", "ladder_exhausted", "")]
    assert (second.records, short(second)) == ((), [("api", "skip", "ladder_exhausted", "")])


def test_a_relapse_goes_on_where_it_stopped() -> None:
    """A fault within the hour after a recovery is the same incident: the first rung is not tried again."""
    known = after_restart("api")
    known.apply(entry(records.closed("i1", "healed"), NOW - 1800))
    found = plan(world(alert("api"), sights={"api": SICK}), known, now=NOW)

    assert kinds(found) == ["opened", "climbed"]
    assert found.act.rung is Rung.DEPENDANTS  # type: ignore[union-attr]


def test_a_later_fault_is_a_new_incident() -> None:
    """More than an hour after a recovery the ladder begins at its foot."""
    known = after_restart("api", at=NOW - 9000)
    known.apply(entry(records.closed("i1", "healed"), NOW - 3700))
    found = plan(world(alert("api"), sights={"api": SICK}), known)

    assert kinds(found) == ["opened"]
    assert found.act.rung is Rung.SERVICE  # type: ignore[union-attr]


def test_what_nobody_learnt_twice_is_for_people() -> None:
    """After two restarts whose outcome is unknown a human has to look."""
    known = after_restart("api")
    known.incidents["i1"].unknown = 2
    found = plan(world(alert("api"), sights={"api": SICK}), known)

    assert kinds(found) == ["gave_up"]
    assert short(found) == [("api", "escalate", "unknown_outcome", "")]


# Recovery --------------------------------------------------------------------------------------------


def test_probation_begins_and_ends() -> None:
    """Healthy begins the probation; after it, with the alert gone, the incident is healed."""
    known = after_restart("api")
    begin = plan(world(), known)
    known.apply(entry(records.healthy("i1"), NOW))
    amid = plan(world(), known, now=NOW + 119)
    end = plan(world(asked_at=NOW + 120), known, now=NOW + 120)

    assert begin.records == (records.healthy("i1"),)
    assert amid.records == ()
    assert end.records == (records.closed("i1", "healed"),)


def test_an_active_alert_keeps_the_incident_open() -> None:
    """Healthy by probe and Docker is not enough: the alert has to be over, too."""
    known = after_restart("api")
    known.apply(entry(records.healthy("i1"), NOW - 600))

    assert plan(world(alert("api")), known).records == ()


def test_blind_nothing_is_healed() -> None:
    """Without a Watchdog an incident stays open: its alert may have been lost."""
    known = after_restart("api")
    known.apply(entry(records.healthy("i1"), NOW - 600))

    assert plan(world(watchdog_age_s=None), known).records == ()


def test_a_relapse_in_probation_is_noted() -> None:
    """Unhealthy again before the probation ends: it begins anew."""
    known = after_restart("api")
    known.apply(entry(records.healthy("i1"), NOW - 60))

    assert plan(world(sights={"api": SICK}), known).records == (records.relapsed("i1"),)


def test_recovery_is_noticed_while_nothing_may_be_done() -> None:
    """Paused and frozen, recovery is noticed all the same."""
    known = after_restart("api")
    for record in (records.paused("me", "wait"), records.frozen(["api"], ["app"], 0.5)):
        known.apply(entry(record, NOW - 600))

    assert records.healthy("i1") in plan(world(), known).records


def test_what_a_human_stops_is_over() -> None:
    """A human who stops the container in the middle of an incident ends it."""
    known = after_restart("api")
    stopped = Sight(running(state="exited", stopped=True))

    assert plan(world(sights={"api": stopped}), known).records == (
        records.closed("i1", "cancelled"),
    )


def test_the_same_goes_for_all_alerts_in_any_order() -> None:
    """The order in which alerts are listed changes nothing."""
    alerts = [alert(name) for name in ("web", "api", "cache", "worker")]
    sights = dict.fromkeys(("web", "api", "cache", "worker"), SICK) | {"db": WELL}
    first = short(plan(world(*alerts, sights=sights)))

    assert [short(plan(world(*alerts[n:], *alerts[:n], sights=sights))) for n in range(4)] == [
        first
    ] * 4
