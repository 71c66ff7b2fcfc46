"""What the engine does is told once to the metrics and to people, with the evidence that was seen."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from remediation import records
from remediation.engine.telling import Telling
from remediation.model import Decision, Outcome, Record
from remediation.state import State
from remediation.state_parts import Incident
from remediation.web.metrics import Metrics
from tests.remediation import shop


class Heard:
    """Messages that people got, as (what, facts)."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Any]] = []
        self.observing = threading.Event()

    def restarted(
        self, asked: Mapping[str, Any], came: Mapping[str, Any], evidence: Mapping[str, Any]
    ) -> None:
        """A restart has ended."""
        self.messages.append(("restarted", (asked["service"], came["result"], dict(evidence))))

    def gave_up(self, decision: Decision) -> None:
        """A problem is handed over."""
        self.messages.append(("gave_up", decision.reason))

    def closed(
        self, service: str, tier: str, incident: str, took_s: float, *, gave_up: bool, how: str
    ) -> None:
        """An incident is over."""
        self.messages.append(("closed", (service, tier, incident, took_s, gave_up, how)))

    def approval(self, decision: Decision) -> None:
        """Something waits."""
        self.messages.append(("approval", decision.incident))

    def blind(self, *, blind: bool) -> None:
        """The Watchdog went or came."""
        self.messages.append(("blind", blind))

    def called_off(self, service: str, tier: str, how: str) -> None:
        """What people were called about is over."""
        self.messages.append(("called_off", (service, tier, how)))

    def trouble(self, why: str) -> None:
        """Rounds break, or do not any more."""
        if why == "the notifier is broken":
            raise RuntimeError(why)
        self.messages.append(("trouble", why))

    def frozen(self, roots: list[str], tiers: list[str]) -> None:
        """A storm."""
        self.messages.append(("frozen", (roots, tiers)))

    def released(self, by: str, how: str) -> None:
        """It is over."""
        self.messages.append(("released", (by, how)))

    def observed(self, tier: str, for_s: float, restarts: Mapping[str, int]) -> None:
        """A report."""
        self.messages.append(("observed", (tier, for_s, dict(restarts))))
        self.observing.set()


def _told() -> tuple[Telling, Heard, Metrics]:
    heard, metrics = Heard(), Metrics()
    observed = {"lab": {"jupyter": 2}}
    return (
        Telling(metrics, heard, lambda tiers: ({t: observed[t] for t in tiers}, 60.0)),
        heard,
        metrics,
    )


def _counted(metrics: Metrics, name: str, **labels: str) -> float | None:
    registry: CollectorRegistry = metrics._registry
    return registry.get_sample_value(name, labels)


def test_a_restart_is_told_with_its_evidence() -> None:
    """The evidence comes first, the end of the restart takes it along, and only once."""
    telling, heard, metrics = _told()
    asked = Record(
        records.INTENDED, {"service": "api", "tier": "app", "rung": "service", "action": "a1"}
    )
    came = Record(
        records.FINISHED, {"action": "a1", "result": "succeeded", "detail": "", "took_s": 2.0}
    )
    telling.changed(records.evidence("a1", {"log": ["oops"]}))
    telling.restarted(asked, came)
    telling.restarted(asked, came)

    assert heard.messages == [
        ("restarted", ("api", "succeeded", {"log": ["oops"]})),
        ("restarted", ("api", "succeeded", {})),
    ]
    assert _counted(metrics, "remediation_actions_total", service="api", tier="app", rung="service", outcome="succeeded") == 2  # fmt: skip


def test_decisions_are_counted_and_some_are_told() -> None:
    """Each decision counts by outcome and reason; people hear of what is handed over or waits for them."""
    telling, heard, metrics = _told()
    for outcome, reason in (
        (Outcome.ACT, "restart"), (Outcome.SKIP, "silenced"), (Outcome.DEFER, "spacing"),
        (Outcome.DEFER, "approval"), (Outcome.ESCALATE, "ladder_exhausted"),
    ):  # fmt: skip
        telling.decided(Decision(outcome, reason, "api", "app", incident="i1", restart="api"))

    assert heard.messages == [("approval", "i1"), ("gave_up", "ladder_exhausted")]
    assert _counted(metrics, "remediation_decisions_total", outcome="skip", reason="silenced") == 1


def test_storms_blindness_and_ends_are_told() -> None:
    """A storm and its end, blindness and its end, and an incident that we worked on."""
    telling, heard, metrics = _told()
    worked = Incident(
        "i1", "api", "app", 0.0, 0.0, tries=1, called=True, handed="web", handed_tier="edge"
    )
    telling.changed(records.frozen(["b", "a"], ["x"], 0.5))
    telling.changed(records.released("me", "human"))
    telling.blind(blind=True)
    telling.closed(worked, "healed", 90.0)
    telling.closed(Incident("i2", "web", "app", 0.0, 0.0), "recovered", 5.0)

    assert heard.messages == [
        ("frozen", (["a", "b"], ["x"])),
        ("released", ("me", "human")),
        ("blind", True),
        ("closed", ("web", "edge", "i1", 90.0, True, "healed")),
    ]
    assert _counted(metrics, "remediation_time_to_healthy_seconds_count", tier="app") == 1


def test_the_end_of_a_call_is_told_and_its_signs_are_not() -> None:
    """That a call seems to be over, or not, is for the journal; that it is, is for people."""
    telling, heard, _ = _told()
    for record in (
        records.eased("db", eased=True),
        records.eased("db", eased=False),
        records.called_off("db", "core", "stopped_dependency", "recovered"),
    ):
        telling.changed(record)

    assert heard.messages == [("called_off", ("db", "core", "recovered"))]


def test_every_page_of_an_incident_has_its_end() -> None:
    """People were called about a dependant first, then about the root: each page ends under its own name."""
    telling, heard, _ = _told()
    known = shop.state(records.opened("i1", "cache", "core", 0.0), at=0.0)
    for service, tier in (("api", "app"), ("cache", "core"), ("api", "app")):
        page = Decision(Outcome.ESCALATE, "budget", service, tier, incident="i1")
        known.apply(shop.entry(records.decided(page), 10.0))
    known.apply(shop.entry(records.gave_up("i1", "ladder_exhausted", "cache", "core"), 20.0))
    known = State.from_json(json.loads(json.dumps(known.to_json())))
    telling.closed(known.incidents["i1"], "recovered", 90.0)

    assert heard.messages == [
        ("closed", ("api", "app", "i1", 90.0, True, "recovered")),
        ("closed", ("cache", "core", "i1", 90.0, True, "recovered")),
    ]


def test_broken_rounds_are_told_whatever_else_is_broken(caplog: pytest.LogCaptureFixture) -> None:
    """Their begin and end are logged and told; a voice that breaks, or none, ends no engine."""
    telling, heard, _ = _told()
    with caplog.at_level("INFO"):
        for why in ("3 rounds in a row broke: OSError: full", "", "the notifier is broken"):
            telling.trouble(why)
        Telling(Metrics(), None).trouble("3 rounds in a row broke: KeyError: 'web'")

    assert heard.messages == [
        ("trouble", "3 rounds in a row broke: OSError: full"),
        ("trouble", ""),
    ]
    assert [each.getMessage() for each in caplog.records] == [
        "nothing is healed: 3 rounds in a row broke: OSError: full",
        "rounds end well again",
        "nothing is healed: the notifier is broken",
        "people could not be told of broken rounds",
        "nothing is healed: 3 rounds in a row broke: KeyError: 'web'",
    ]


def test_the_report_of_observing_tiers_is_read_elsewhere() -> None:
    """Reading the journal takes time: it is done on a thread of its own, then people are told."""
    telling, heard, _ = _told()
    telling.changed(records.reported(["lab"]))

    assert heard.observing.wait(30)
    assert heard.messages == [("observed", ("lab", 60.0, {"jupyter": 2}))]
