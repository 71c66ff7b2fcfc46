"""Whole scrapes over HTTP when time runs out: what has been found reaches the page."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric

from exporters.agents_probes import Probes
from exporters.agents_resolve import Resolver
from exporters.deadline import Deadline
from tests.exporters.agents.asking import http_target
from tests.exporters.attempts import first_good
from tests.exporters.frame.serving import Fake, Served, serving
from tests.live.servers import Server


def _scrape(served: Served) -> tuple[dict[str, int], str]:
    """Return agent_up per service, and the page."""
    page = served.ask().body.decode()
    found = re.findall(r'^agent_up\{.*service="([^"]+)".*\} ([01])\.0$', page, re.MULTILINE)
    return {service: int(value) for service, value in found}, page


def _fleet(fleet: Server, paths: Iterable[str]) -> Probes:
    targets = [
        http_target(f"{fleet.url}/{path}", service=f"s{number}")
        for number, path in enumerate(paths)
    ]
    return Probes(targets, Resolver())


@pytest.mark.parametrize("deadline_s", [0.95, 1.05, 1.15])
def test_sixty_answers_around_the_deadline_are_all_on_the_page(
    fleet: Server, deadline_s: float
) -> None:
    """59 answer after 0.9 s, before, at or after the probes' end, and one never: none is missing."""
    probes = _fleet(fleet, ["hang", *["ok-late"] * 59])

    with serving(probes, prefix="agent", deadline_s=deadline_s) as served:
        up, page = first_good(lambda: _scrape(served), lambda found: len(found[0]) == 60)

    assert sorted(up) == sorted(f"s{number}" for number in range(60))
    assert (up["s0"], 'agent_collector_up{collector="probes"} 1.0' in page) == (0, True)


def test_five_hundred_targets_with_one_hanging_are_all_on_the_page(fleet: Server) -> None:
    """All series of the other 499 are there although the hanging one takes the whole deadline."""
    probes = _fleet(fleet, ["hang", *["good"] * 499])

    with serving(probes, prefix="agent", deadline_s=2.0) as served:
        up, page = first_good(lambda: _scrape(served), lambda found: len(found[0]) == 500)

    assert (len(up), up["s0"]) == (500, 0)
    assert page.count("\nagent_probe_duration_seconds{") == 500
    assert 'agent_collector_up{collector="probes"} 1.0' in page


def test_a_collector_that_ends_a_little_late_keeps_its_metrics() -> None:
    """80 ms after the deadline that it was given is no timeout."""

    def late(deadline: Deadline) -> Iterable[Metric]:
        threading.Event().wait(deadline.remaining() + 0.08)
        return [GaugeMetricFamily("test_late", "Late", value=1)]

    with serving(Fake("late", late), deadline_s=1.0) as served:
        page = first_good(lambda: served.ask().body, lambda body: b"test_late" in body)

    assert (b"test_late 1.0" in page, b'collector_up{collector="late"} 1.0' in page) == (True, True)
