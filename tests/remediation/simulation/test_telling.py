"""What the engine does is told once to the metrics and to people, with the evidence that was seen."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from remediation import records
from remediation.engine.telling import Telling
from remediation.model import Decision, Outcome, Record
from remediation.state_parts import Incident, Owed
from remediation.web.metrics import Metrics


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

    def owes(self, owed: Mapping[str, Owed]) -> None:
        """Somebody is to be told."""
        self.messages.append(("owes", list(owed)))

    def trouble(self, why: str) -> None:
        """Rounds break, or do not any more."""
        if why == "the notifier is broken":
            raise RuntimeError(why)
        self.messages.append(("trouble", why))

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


def test_decisions_are_counted() -> None:
    """Each decision counts by outcome and reason; what people are to hear of it the journal owes them."""
    telling, heard, metrics = _told()
    for outcome, reason in (
        (Outcome.ACT, "restart"), (Outcome.SKIP, "silenced"), (Outcome.DEFER, "spacing"),
        (Outcome.DEFER, "approval"), (Outcome.ESCALATE, "ladder_exhausted"),
    ):  # fmt: skip
        telling.decided(Decision(outcome, reason, "api", "app", incident="i1", restart="api"))

    assert heard.messages == []
    assert _counted(metrics, "remediation_decisions_total", outcome="skip", reason="silenced") == 1


def test_blindness_and_ends_are_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Blindness and its end stand in the log; an incident that we healed counts with its time."""
    telling, heard, metrics = _told()
    with caplog.at_level("INFO"):
        telling.changed(records.blind(blind=True))
        telling.changed(records.blind(blind=False))
        telling.changed(records.told("blind", 7))
        telling.closed(Incident("i1", "api", "app", 0.0, 0.0, tries=1), "healed", 90.0)
        telling.closed(Incident("i2", "web", "app", 0.0, 0.0), "recovered", 5.0)

    assert heard.messages == []
    assert [each.getMessage() for each in caplog.records] == [
        "blind: the Watchdog is missing; nothing is restarted",
        "the Watchdog is back",
        "incident of api is over: healed",
        "incident of web is over: recovered",
    ]
    assert _counted(metrics, "remediation_time_to_healthy_seconds_count", tier="app") == 1


def test_what_people_are_owed_is_passed_on() -> None:
    """To whom messages go, if there is anybody."""
    telling, heard, metrics = _told()
    owed = {"storm": Owed("storm", "storm", {}, 3, 0.0, 0.0)}
    telling.owes(owed)
    Telling(metrics, None).owes(owed)

    assert heard.messages == [("owes", ["storm"])]


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
