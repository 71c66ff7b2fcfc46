"""What real Alertmanagers, the oldest supported and the current one, say of alerts, and what is made of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediation.alertmanager.client import Alertmanager
from remediation.alertmanager.rfc3339 import format_time
from remediation.model import Alert, Alerts
from tests.live.servers import Server, free_port, until
from tests.remediation.alertmanager import rig

pytestmark = pytest.mark.live


@pytest.fixture(scope="module", params=rig.VERSIONS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Run the Alertmanager that the tests of this module share; each has services of its own."""
    with rig.alertmanager(tmp_path_factory.mktemp("am"), request.param) as running:
        yield running


def _source(server: Server, clock: rig.Clock | None = None) -> Alertmanager:
    return Alertmanager(rig.settings(server.url), clock or rig.Clock(), patience_s=60, confirm_s=60)


def _of(alerts: Alerts, service: str) -> list[Alert]:
    return [one for one in alerts.active if one.labels["service"] == service]


def _muted_for_people(server: Server, service: str) -> list[str]:
    url = f"{server.url}/api/v2/alerts/groups?receiver=people&filter=service={service}"
    return [
        name
        for group in rig.call(url)
        for one in group["alerts"]
        for name in one["status"]["mutedBy"]
    ]


def test_an_alert_is_told_with_the_labels_that_are_read_and_its_start(server: Server) -> None:
    """A firing alert is active, with six labels, its start to the millisecond, and nothing else said of it."""
    starts = round(time.time() - 100, 3)
    labels = rig.labels("ServiceDown", "redis")
    rig.post(server, labels, startsAt=starts)

    (told,) = _of(_source(server).ask(), "redis")

    expected = {
        name: labels[name]
        for name in ("alertname", "service", "tier", "scope", "severity", "remedy")
    }
    assert (expected, starts, True, False, False) == (
        told.labels, told.starts_wall, told.firing, told.suppressed, told.inhibited,
    )  # fmt: skip


def test_what_has_ended_is_not_active(server: Server) -> None:
    """An alert whose end has been posted is neither among the active ones nor confirmed."""
    source, labels = _source(server), rig.labels("ServiceDown", "kong")
    rig.post(server, labels, startsAt=time.time() - 60)
    (told,) = _of(source.ask(), "kong")
    assert told == source.confirm(told.key)

    rig.post(server, labels, startsAt=told.starts_wall, endsAt=time.time() - 1)

    assert [] == _of(source.ask(), "kong")
    assert source.confirm(told.key) is None


def test_a_silence_made_after_the_poll_is_seen_when_confirming(server: Server) -> None:
    """An alert silenced between poll and action is told as suppressed by confirm, and by the next poll."""
    source = _source(server)
    rig.post(server, rig.labels("ServiceDown", "qdrant"))
    (told,) = _of(source.ask(), "qdrant")
    before = source.confirm(told.key)
    now = time.time()

    rig.silence(server, ("service", "qdrant"), start=now, end=now + 3600)

    after = source.confirm(told.key)
    assert before is not None
    assert after is not None
    assert (False, True) == (before.suppressed, after.suppressed)
    assert [True] == [one.suppressed for one in _of(source.ask(), "qdrant")]


def test_an_inhibited_alert_is_active_and_said_to_be_inhibited(server: Server) -> None:
    """Inhibition is told apart from silence: the alert of a dependant stays active."""
    source = _source(server)
    rig.post(server, rig.labels("ServiceDown", "postgres"), rig.labels("ServiceDown", "backend"))

    # The inhibitor reads new alerts from a channel: soon, not at once.
    until(
        lambda: (
            [(True, False)]
            == [(one.inhibited, one.suppressed) for one in _of(source.ask(), "backend")]
        ),
        "backend inhibited by postgres",
    )


def test_another_firing_of_the_same_alert_is_not_confirmed(server: Server) -> None:
    """Confirming asks for the firing, not only for the alert: an old start is not active now."""
    source = _source(server)
    rig.post(server, rig.labels("ServiceDown", "neo4j"))
    (told,) = _of(source.ask(), "neo4j")

    assert source.confirm((told.fingerprint, told.starts_wall - 3 * 86400)) is None
    assert source.confirm(("0123456789abcdef", told.starts_wall)) is None
    assert told == source.confirm(told.key)
    # Known from a webhook only, never polled: all alerts are asked for.
    assert told == _source(server).confirm(told.key)


def test_the_watchdog_ages_until_it_is_sent_again(server: Server) -> None:
    """Its age is the time since Alertmanager last got it, and it is none of the active alerts."""
    clock = rig.Clock()
    source = _source(server, clock)
    rig.post(server, rig.WATCHDOG, endsAt=time.time() + 3600)
    fresh = source.ask()
    clock.steady_s = clock.wall_s = 170
    stale = source.ask()
    rig.post(server, rig.WATCHDOG, endsAt=time.time() + 3600)
    again = source.ask()
    clock.wall_s = -86400  # set back by a day while nothing comes
    first = source.ask()
    clock.steady_s += 500
    later = source.ask()

    assert [] == _of(fresh, "none")
    ages = [one.watchdog_age_s for one in (fresh, stale, again, first, later)]
    assert None not in ages
    f, s, a, b, c = (age or 0.0 for age in ages)
    assert f < 60
    assert s >= 170
    assert a >= 169  # sent again, but our clock is 170 s ahead of Alertmanager's
    assert b < 170
    assert c >= 500


def test_a_silenced_watchdog_counts_as_missing(server: Server) -> None:
    """Who silences the Watchdog blinds the remediator: its age is unknown."""
    rig.post(server, rig.WATCHDOG, endsAt=time.time() + 3600)
    now = time.time()
    name = rig.silence(server, ("alertname", "Watchdog"), start=now, end=now + 3600)
    silenced = _source(server).ask().watchdog_age_s
    rig.call(f"{server.url}/api/v2/silence/{name}", method="DELETE")

    assert silenced is None
    assert _source(server).ask().watchdog_age_s is not None


def test_only_a_mute_of_our_own_route_suppresses(server: Server) -> None:
    """Quiet hours of people never mute the remediation route; a muted route of ours does (0.28 and later)."""
    source = _source(server)
    rig.post(
        server,
        rig.labels("ServiceDown", "flowise", "app", severity="warning"),
        rig.labels("ServiceDown", "letta", "muted"),
    )
    names = [{"name": "remediator"}, {"name": "people"}]
    told = rig.call(f"{server.url}/api/v2/alerts?filter=service=flowise")
    assert names == [{"name": each["name"]} for each in told[0]["receivers"]]
    if server.name == "alertmanager":
        assert "mutedBy" not in told[0]["status"]  # 0.25 does not tell
        return

    # Muted when the group is first due: soon, not at once.
    until(lambda: [True] == [one.suppressed for one in _of(source.ask(), "letta")], "letta muted")
    until(lambda: ["always"] == _muted_for_people(server, "flowise"), "people have quiet hours")
    (flowise,), (letta,) = _of(source.ask(), "flowise"), _of(source.ask(), "letta")
    confirmed = source.confirm(letta.key)
    assert confirmed is not None
    assert (False, True, True) == (flowise.suppressed, letta.suppressed, confirmed.suppressed)


def test_values_that_need_quoting_are_found_again(server: Server) -> None:
    """Confirming works whatever stands in a label: quotes, backslashes, other scripts."""
    source = _source(server)
    hostile = ('a"b', "back\\slash", "ünïcödé 服务", "{x=~'.*'},", "a b&filter=c#d?e+f%41", "\\n\\")
    rig.post(server, *(rig.labels("Odd", value) for value in hostile))

    told = [one for one in source.ask().active if one.labels["alertname"] == "Odd"]

    assert set(hostile) == {one.labels["service"] for one in told}
    assert told == [source.confirm(one.key) for one in told]


def test_an_alert_with_an_endless_label_is_left_out_and_counted(server: Server) -> None:
    """What no rule of ours says (a name of 300 letters) is left out; the others are told."""
    source = _source(server)
    long = rig.labels("ServiceDown", "x" * 300)
    rig.post(server, long, rig.labels("ServiceDown", "aider"))

    alerts = source.ask()

    assert (1, 1) == (source.left_out, len(_of(alerts, "aider")))
    rig.post(server, long, endsAt=time.time() - 1, startsAt=time.time() - 2)


@pytest.mark.parametrize("tool", rig.VERSIONS)
def test_after_a_restart_the_list_is_empty_and_alertmanager_is_young(
    tool: str, tmp_path: Path
) -> None:
    """A restarted Alertmanager knows of nothing: no alert, no Watchdog, and an uptime that tells why."""
    clock, port = rig.Clock(), free_port()
    with rig.alertmanager(tmp_path, tool, port=port) as server:
        source = _source(server, clock)
        rig.post(server, rig.WATCHDOG, rig.labels("ServiceDown", "redis"))
        clock.wall_s = clock.steady_s = 600
        before = source.ask()
    with rig.alertmanager(tmp_path, tool, port=port):
        clock.wall_s = clock.steady_s = 0
        after = source.ask()

    assert before.active == ()  # ten minutes on, what was sent once has ended
    assert before.uptime_s >= 600
    assert ((), None) == (after.active, after.watchdog_age_s)
    assert after.uptime_s < 120


def test_a_peer_that_has_just_joined_knows_silences_but_no_alerts(tmp_path: Path) -> None:
    """Of a cluster, the peer that is asked tells its own uptime and alerts; silences travel, alerts do not."""
    tool = "alertmanager-current"
    mesh, other = free_port(), free_port()
    with rig.alertmanager(tmp_path / "old", tool, mesh=mesh) as old:
        rig.post(old, rig.WATCHDOG, rig.labels("ServiceDown", "redis"), endsAt=time.time() + 3600)
        rig.silence(old, ("service", "redis"), start=time.time(), end=time.time() + 3600)
        with rig.alertmanager(tmp_path / "new", tool, mesh=other, peers=[mesh]) as new:
            until(lambda: len(rig.call(f"{new.url}/api/v2/silences")) == 1, "the silence arrives")
            known, empty = _source(old).ask(), _source(new).ask()
            # Prometheus sends to every peer: from then on they agree.
            rig.post(new, rig.WATCHDOG, rig.labels("ServiceDown", "redis"))
            joined = _source(new).ask()
        # A partition: the other peer is gone, and this one goes on telling what it knows.
        alone = _source(old).ask()

    assert [True] == [one.suppressed for one in known.active]
    assert ((), None) == (empty.active, empty.watchdog_age_s)
    assert empty.uptime_s < known.uptime_s + 60
    assert [True] == [one.suppressed for one in joined.active]
    assert joined.watchdog_age_s is not None
    assert known.active == alone.active


def test_format_time_is_what_alertmanager_reads(server: Server) -> None:
    """A start that is sent with our format comes back as the same number."""
    starts = 1_700_000_000.123
    rig.post(server, rig.labels("Old", "weaviate"), startsAt=starts, endsAt=time.time() + 600)

    (told,) = _of(_source(server).ask(), "weaviate")

    assert (starts, "2023-11-14T22:13:20.123Z") == (told.starts_wall, format_time(told.starts_wall))
