"""One root fault, one page: the number design 9 holds us to, for every service of the platform."""

from __future__ import annotations

import pytest

from alerts import outage, routing
from alerts.routing_model import Notification, notifications
from alerts.routing_table import RoutedAlert, addressee
from alerts.verdict import NEVER, counts, down_severity
from generator.model import Catalog


@pytest.fixture(scope="module")
def outages(
    platform: Catalog, platform_alerts: tuple[RoutedAlert, ...]
) -> dict[str, outage.Outage]:
    """Return the outage of every service that has a verdict."""
    config = routing.config(platform, platform_alerts)
    return {
        service.name: outage.simulate(config, platform, platform_alerts, service.name)
        for service in platform.services
        if counts(service) != NEVER
    }


def test_the_fault_of_a_service_others_need_is_exactly_one_page(
    platform: Catalog, outages: dict[str, outage.Outage]
) -> None:
    """However many hang on it, its owner gets one page, about its tier, and nobody gets another."""
    expected, got = {}, {}
    for service in platform.services:
        if service.name in outages and down_severity(service, platform) == "critical":
            page = f"page-{addressee(platform, service.owner)}"
            expected[service.name] = (
                Notification(page, (("scope", "service"), ("tier", service.tier))),
            )
            got[service.name] = outages[service.name].pages

    assert expected == got
    assert len(expected) > 10


def test_inhibition_leaves_one_message_of_many(outages: dict[str, outage.Outage]) -> None:
    """PostgreSQL's fault makes hundreds of alerts and a dozen messages; one is sent."""
    postgres = outages["postgres"]

    assert postgres.alerts > 100
    assert postgres.messages_without > 10
    assert postgres.messages == 1
    assert str(postgres).endswith("1 with, 1 page")


def test_two_independent_faults_are_two_pages(
    platform: Catalog, platform_alerts: tuple[RoutedAlert, ...]
) -> None:
    """Inhibition hides what follows from a root, never another root."""
    config = routing.config(platform, platform_alerts)
    down = [
        alert.labels(subject)
        for alert in platform_alerts
        for subject in alert.subjects
        if alert.name == "ServiceDown" and subject.service in ("postgres", "ollama")
    ]
    sent = notifications(config, down)

    assert {"page-data", "page-ai"} == {
        note.receiver for note in sent if note.receiver.startswith("page-")
    }


def test_tier_alerts_go_out_when_no_single_root_explains_them(
    platform: Catalog, platform_alerts: tuple[RoutedAlert, ...]
) -> None:
    """TierDown of the core tier is heard with Redis down, which cannot make it fire alone."""
    config = routing.config(platform, platform_alerts)
    active = [
        alert.labels(subject)
        for alert in platform_alerts
        for subject in alert.subjects
        if (alert.name, subject.service) == ("ServiceDown", "redis")
        or (alert.name, subject.tier) == ("TierDown", "core")
    ]
    heard = {
        labels["alertname"] for sent in notifications(config, active).values() for labels in sent
    }

    assert {"ServiceDown", "TierDown"} == heard
