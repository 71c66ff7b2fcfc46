"""After two weeks of observing, people are told once what would have been done, tier by tier."""

from __future__ import annotations

from dataclasses import replace

from remediation import records
from remediation.clock import Moment
from remediation.model import Decision, Mode, Outcome
from remediation.policy import observing
from tests.remediation.shop import NOW, config, entry, state

DAYS = 86400.0
OBSERVING = replace(
    config(), tiers={**config().tiers, "app": replace(config().tiers["app"], mode=Mode.OBSERVE)}
)
MODES = {name: tier.mode.value for name, tier in OBSERVING.tiers.items()}


def _due(since_days: float, reported_days: float | None = None) -> list[str]:
    known = state(records.started("1", MODES), at=NOW - since_days * DAYS)
    if reported_days is not None:
        known.apply(entry(records.reported(["app"]), NOW - reported_days * DAYS))
    return observing.due(OBSERVING, known, Moment(NOW, NOW))


def test_the_report_is_due_after_two_weeks() -> None:
    """Not before fourteen days, then once, then again after as long."""
    assert [_due(13.9), _due(14), _due(20, reported_days=6), _due(28, reported_days=14)] == [
        [],
        ["app"],
        [],
        ["app"],
    ]


def test_a_restart_of_ours_does_not_begin_the_count_anew() -> None:
    """The count goes on over starts of the process, and ends when the mode changes."""
    known = state(records.started("1", MODES), at=NOW - 15 * DAYS)
    known.apply(entry(records.started("1", MODES), NOW - 1 * DAYS))
    again = observing.due(OBSERVING, known, Moment(NOW, NOW))
    known.apply(entry(records.started("1", {**MODES, "app": "act"}), NOW - 0.5 * DAYS))
    known.apply(entry(records.started("1", MODES), NOW - 0.4 * DAYS))

    assert again == ["app"]
    assert observing.due(OBSERVING, known, Moment(NOW, NOW)) == []


def test_what_would_have_been_done_is_counted() -> None:
    """Restarts that mode observe held back, by tier and service, of the time asked for; an idle tier is told, too."""
    held_back = Decision(Outcome.DEFER, "observe", "api", "app", restart="api")
    other = Decision(Outcome.DEFER, "spacing", "worker", "app", restart="worker")
    entries = [
        entry(records.decided(held_back), NOW - 20 * DAYS),
        entry(records.decided(held_back), NOW - 2 * DAYS),
        entry(records.decided(replace(held_back, service="web", restart="worker")), NOW - DAYS),
        entry(records.decided(other), NOW - DAYS),
        entry(records.paused("me", "x"), NOW),
    ]

    assert observing.would_have_done(entries, ["app", "edge"], NOW - 14 * DAYS) == {
        "app": {"api": 1, "worker": 1},
        "edge": {},
    }
