"""
One fault after another on the played platform: what fires, what is held back, who is told.

Real Prometheus and Alertmanager of both majors; people, remediator and heartbeat are one listener.
Each major takes minutes, mostly of waiting: the oldest that we promise is tried every time, the
current one by `make test-long`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.catalog import load_catalog
from generator.names import WATCHDOG
from generator.render import Rendered, render
from tests.live import timelapse
from tests.live.receiver import Notification
from tests.live.servers import until
from tests.live.timelapse import ABSENT, Stack, running_stack

pytestmark = pytest.mark.live

PEOPLE, REMEDIATOR, HEARTBEAT = "/alertmanager", "/v1/alerts", "/ping/sutazai"
DOWN = "ServiceDown"
PROFILE_SERVICE = ABSENT[0]
OLDEST, CURRENT = timelapse.VERSIONS
VERSIONS = (
    pytest.param(OLDEST, id=OLDEST[0]),
    pytest.param(CURRENT, id=CURRENT[0], marks=pytest.mark.long),
)
PATIENCE = 240  # seconds for what takes half a minute on an idle machine


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    """Return what is rendered for the shipped catalog."""
    return render(load_catalog(Path("catalog")))


@pytest.fixture(scope="module", params=VERSIONS)
def live(
    request: pytest.FixtureRequest, rendered: Rendered, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Run the stack; yield once it is quiet."""
    with running_stack(rendered, tmp_path_factory.mktemp("stack"), *request.param) as stack:
        stack.settle()
        _until_quiet(stack)
        yield stack


def _until_quiet(live: Stack) -> None:
    """Wait until nothing speaks of the last fault, not of the budget that it burnt either."""
    until(
        lambda: live.alerts("firing") == {WATCHDOG: {"none"}} and not live.alerts("pending"),
        "only the Watchdog fires",
        seconds=PATIENCE,
        instead=lambda: f"firing {live.alerts('firing')}, pending {live.alerts('pending')}",
    )


@contextlib.contextmanager
def _having(services: set[str], *names: str) -> Iterator[None]:
    """Put *names* among the *services* that have a fault, until the block ends."""
    services.update(names)
    try:
        yield
    finally:
        services.difference_update(names)


def _ever(live: Stack, alert: str) -> set[str]:
    """Return the services about which *alert* was pending or fired since the stack started."""
    found = live.prometheus.values(
        f'group by (service) (count_over_time(ALERTS{{alertname="{alert}"}}[1h]))', "service"
    )
    return set(found)


def test_watchdog_reaches_the_heartbeat(live: Stack) -> None:
    """The heartbeat is told again and again, with its token, and never that the Watchdog ended."""
    start = live.receiver.count
    until(lambda: len(live.receiver.got(HEARTBEAT, start)) >= 2, "two heartbeats")
    beats = live.receiver.got(HEARTBEAT, start)

    assert {frozenset({(WATCHDOG, "none", "firing")})} == {frozenset(one.alerts) for one in beats}
    assert {"Bearer stub"} == {one.authorization for one in beats}


def test_absent_profile_service_is_no_fault(live: Stack) -> None:
    """A profile's service without a container never alerts; with an unhealthy one it is down."""
    assert PROFILE_SERVICE not in _ever(live, DOWN)

    live.platform.world.gone.discard(PROFILE_SERVICE)
    with _having(live.platform.world.down, PROFILE_SERVICE):
        start = live.receiver.count
        until(lambda: live.alerts("firing").get(DOWN) == {PROFILE_SERVICE}, "it is down")
        until(
            lambda: any(
                (DOWN, PROFILE_SERVICE, "firing") in one.alerts
                for one in live.receiver.got(REMEDIATOR, start)
            ),
            "the remediator knows",
        )
    live.platform.world.gone.add(PROFILE_SERVICE)
    _until_quiet(live)


def test_hanging_target_harms_only_its_own_scrape(live: Stack) -> None:
    """While one target never answers, only it is down, and all others are scraped again and again."""
    others = [t for job in live.rendered.jobs for t in job.targets if t.service != "grafana"]
    with live.platform.hanging("grafana"):
        until(
            lambda: live.prometheus.values("up == 0", "service") == {"grafana": 0.0},
            "grafana alone is down",
        )
        until(lambda: live.alerts("firing").get(DOWN) == {"grafana"}, "grafana is down")
        since = time.time()
        until(
            lambda: live.scraped('{service!="grafana"}', since) == len(others),
            "all others are scraped again and again",
            instead=lambda: str(live.prometheus.values("up", "service")),
        )
        fired = {
            name: services for name, services in live.alerts("firing").items() if name != WATCHDOG
        }

    assert {frozenset({"grafana"})} == {frozenset(services) for services in fired.values()}
    _until_quiet(live)


def test_dead_exporter_is_no_dead_database(live: Stack) -> None:
    """A dead Redis exporter is ObserverDown; of Redis nothing is known, and no alert speaks of it."""
    with _having(live.platform.world.broken, "redis-exporter"):
        until(
            lambda: live.alerts("firing").get("ObserverDown") == {"redis-exporter"},
            "the observer is down",
        )
        # Its last word has been forgotten by now, or will be soon.
        until(
            lambda: not live.prometheus.query('service:healthy:bool{service="redis"}'),
            "nothing is known of Redis",
        )
        firing = live.alerts("firing")

        assert set() == {name for name, about in firing.items() if "redis" in about}
        assert DOWN not in firing
    _until_quiet(live)
    assert "redis" not in _ever(live, DOWN)


def test_one_root_fault_is_one_page(live: Stack) -> None:
    """PostgreSQL and all that needs it fail: one page, one incident for the remediator, both ended."""
    world, catalog = live.platform.world, live.rendered.catalog
    fallen = {"postgres", *catalog.hard_dependants["postgres"]} - world.gone
    start = live.receiver.count
    with _having(world.down, *fallen):
        until(lambda: live.alerts("firing").get(DOWN) == fallen, "all of them are down")
        until(
            lambda: live.audible() == [(DOWN, "postgres")],
            "only the root is not inhibited",
            instead=lambda: str(live.audible()),
        )
        until(lambda: bool(live.receiver.got(PEOPLE, start)), "people are told")
    # Alertmanager may page about what it no longer holds back until the root's last word is out.
    for path in (REMEDIATOR, PEOPLE):
        until(
            lambda path=path: _ended(live, path, start), f"{path} hears the end", seconds=PATIENCE
        )  # type: ignore[misc]

    assert "SLOBudgetBurnsFast" not in live.alerts("pending")
    for path in (REMEDIATOR, PEOPLE):
        got = live.receiver.got(path, start)  # the ends of earlier faults among them
        told = {alert for one in got for alert in one.alerts if alert[2] == "firing"}
        groups = {one.body["groupKey"] for one in got if _about(one, "postgres")}

        assert {(DOWN, "postgres", "firing")} == told
        assert 1 == len(groups)
        assert {"Bearer stub"} == {one.authorization for one in got}
    pages = [one for one in live.receiver.got(PEOPLE, start) if _about(one, "postgres")]
    assert ["firing", "resolved"] == [one.body["status"] for one in pages]


def _about(notification: Notification, service: str) -> bool:
    return any(about == service for _, about, _ in notification.alerts)


def _ended(live: Stack, path: str, start: int) -> bool:
    return any(
        (DOWN, "postgres", "resolved") in one.alerts for one in live.receiver.got(path, start)
    )
