"""
The judge: replays what the engine did against what was promised, and against the journal.

Nothing that the remediator says of itself counts, except that the journal must agree: as many intents
that came to something as restarts, each accepted alert decided, no end told twice, the chain whole.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from exporters.config import seconds
from remediation.model import Entry
from tests.remediation.live.truth import Restart
from tests.remediation.live.voice import Sample
from tests.remediation.live.yard import REQUIRES, TIERS

SLACK_S = 0.3  # between the intent's clock and the engine's event
RECENT_S = 4.0  # an answer of a service that is older says nothing of this moment
UNDECIDED = ("alertmanager_down", "blind", "unsettled")


def judge(
    restarts: Sequence[Restart],
    entries: Sequence[Entry],
    config: Mapping[str, Any],
    samples: Sequence[Sample],
    *,
    only: Collection[str] | None = None,
    pending: Collection[str] = (),
) -> None:
    """
    Assert every promise; *only* these services may have been restarted.

    *pending* are services whose alerts need not be decided yet.
    """
    problems = [
        *one_at_a_time(restarts, seconds(config["ladder"]["spacing"])),
        *budgets(restarts, config["budgets"]),
        *order(restarts, samples),
        *needless(restarts, samples),
        *audit(restarts, entries),
        *undecided(entries, pending),
    ]
    if only is not None:
        problems += [
            f"{one.service} restarted: not named" for one in restarts if one.service not in only
        ]
    assert problems == [], "\n".join(problems)


def one_at_a_time(restarts: Sequence[Restart], spacing_s: float) -> list[str]:
    """Return overlaps, and restarts that came too soon after the one before."""
    found = []
    for before, after in itertools.pairwise(restarts):
        if after.began < before.ended:
            found.append(f"{after.service} overlaps {before.service}")
        if after.began - before.began < spacing_s - SLACK_S:
            gap = after.began - before.began
            found.append(f"{after.service} came {gap:.2f} s after {before.service}")
    return found


def budgets(
    restarts: Sequence[Restart], limits: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[str]:
    """Return windows with more restarts than they allow."""
    by_name: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in restarts:
        for key in (("service", one.service), ("tier", TIERS[one.service]), ("platform", "")):
            by_name[key].append(one.began)
    return [
        f"{scope} {name}: more than {limit['limit']} in {limit['window']}"
        for (scope, name), times in by_name.items()
        for limit in limits[scope]
        for start in times
        if sum(0 <= at - start < seconds(limit["window"]) - SLACK_S for at in times)
        > limit["limit"]
    ]


def _needs(service: str) -> set[str]:
    direct = set(REQUIRES[service])
    return direct.union(*(_needs(each) for each in direct))


def _around(samples: Sequence[Sample], service: str, moment: float, after_s: float) -> list[bool]:
    """Return what *service* answered within a few seconds before *moment*, and *after_s* after it."""
    return [
        one.healthy
        for one in samples
        if one.service == service
        and moment - RECENT_S <= one.ended
        and one.began <= moment + after_s
    ]


def order(restarts: Sequence[Restart], samples: Sequence[Sample]) -> list[str]:
    """Return restarts of services while something that they need was ill all the time."""
    found = []
    for one in restarts:
        for need in _needs(one.service):
            told = _around(samples, need, one.began, 0.5)
            if told and not any(told):
                found.append(f"{one.service} was restarted while {need} was ill")
    return found


def needless(restarts: Sequence[Restart], samples: Sequence[Sample]) -> list[str]:
    """Return restarts of services that were well all the time."""
    return [
        f"{one.service} was restarted while it was well"
        for one in restarts
        if all(_around(samples, one.service, one.began, 0.0) or [False])
    ]


def audit(restarts: Sequence[Restart], entries: Sequence[Entry]) -> list[str]:
    """Return where journal and engine differ: each restart has one intent, each intent one end at most."""
    intents = [entry for entry in entries if entry.kind == "intended"]
    ends = Counter(str(entry.body["action"]) for entry in entries if entry.kind == "finished")
    results = {
        str(e.body["action"]): str(e.body["result"]) for e in entries if e.kind == "finished"
    }
    found = [f"action {name} ended {count} times" for name, count in ends.items() if count > 1]
    left = list(restarts)
    for intent in intents:
        action, id_ = str(intent.body["action"]), intent.body["id"]
        did = [one for one in left if one.id == id_ and one.began >= intent.wall - SLACK_S]
        result = results.get(action, "open")
        if did and result != "failed":
            left.remove(did[0])
        elif result == "succeeded":
            found.append(f"{intent.body['service']}: journalled as restarted, and was not")
    found += [f"{one.service}: restarted without an intent" for one in left]
    return found


def undecided(entries: Sequence[Entry], pending: Collection[str]) -> list[str]:
    """Return accepted alerts that no decision has answered."""
    open_: dict[tuple[str, float], str] = {}
    for entry in entries:
        if entry.kind == "received":
            told: Any = entry.body["alerts"]
            for alert in told:
                if alert["firing"]:
                    open_[alert["fingerprint"], alert["starts_wall"]] = alert["labels"]["service"]
        elif entry.kind == "decided" and entry.body["reason"] not in UNDECIDED:
            keys: Any = entry.body["alerts"]
            for fingerprint, starts in keys:
                open_.pop((fingerprint, starts), None)
    return [
        f"the alert of {name} was never decided" for name in open_.values() if name not in pending
    ]
