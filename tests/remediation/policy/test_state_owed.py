"""What people are owed follows from the journal alone, in the commit that makes it true."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from remediation import records
from remediation.journal.canonical import encode
from remediation.model import Decision, Outcome, Record, Restarted, Result, Rung
from remediation.state import State
from remediation.state_owed import KEEP_ENDS_S, MAX_OWED
from remediation.state_parts import Owed
from tests.remediation import shop

PAGE = Decision(Outcome.ESCALATE, "budget", "api", "app", Rung.TIER, "i1", detail="3 in 1 h")
ASK = Decision(Outcome.DEFER, "approval", "api", "app", Rung.SERVICE, "i1", "api")
CALL = Decision(Outcome.ESCALATE, "stopped_dependency", "db", "core")
OPENED = records.opened("i1", "api", "app", 0.0)
_OF_PAGE = {
    "reason": "budget", "service": "api", "tier": "app", "rung": "tier", "incident": "i1",
    "restart": "", "detail": "3 in 1 h",
}  # fmt: skip
_OF_ASK = {**_OF_PAGE, "reason": "approval", "rung": "service", "restart": "api", "detail": ""}
_OF_CALL = {
    **_OF_PAGE, "reason": "stopped_dependency", "service": "db", "tier": "core", "rung": "service",
    "incident": "", "detail": "",
}  # fmt: skip


def _story(*found: Record) -> State:
    """Return what *found* come to, written one a second, the first at NOW."""
    made = State()
    for number, record in enumerate(found):
        made.apply(shop.entry(record, shop.NOW + number, number=number + 1))
    return made


def _owed(
    number: int, subject: str, about: dict[str, object], *, over: bool = False, unheard: bool = True
) -> Owed:
    topic, at = subject.partition("/")[0], shop.NOW + number - 1
    # In these stories nothing has arrived before its end.
    return Owed(subject, topic, about, number, at, at, over, over and unheard)


STORIES = {
    "a page": ((OPENED, records.decided(PAGE)), [_owed(2, "page/api/i1", _OF_PAGE)]),
    "a page without an incident": ((records.decided(CALL),), [_owed(1, "page/db/", _OF_CALL)]),
    "a tier": (
        (records.decided(replace(PAGE, service="", incident="")),),
        [_owed(1, "page/tier app/", {**_OF_PAGE, "service": "", "incident": ""})],
    ),
    "its end": (
        (OPENED, records.decided(PAGE), records.closed("i1", "recovered")),
        [_owed(3, "page/api/i1", {"incident": "i1", "how": "recovered", "took_s": 2.0, "service": "api", "tier": "app"}, over=True)],
    ),
    "a call is off": (
        (records.decided(CALL), records.called_off("db", "core", "stopped_dependency", "quiet")),
        [_owed(2, "page/db/", {"service": "db", "tier": "core", "how": "quiet", "incident": ""}, over=True)],
    ),
    "a question": ((OPENED, records.decided(ASK)), [_owed(2, "question/api/i1", _OF_ASK)]),
    "answered": (
        (OPENED, records.decided(ASK), records.approved("i1", "ann")),
        [_owed(3, "question/api/i1", {"service": "api", "tier": "app", "incident": "i1", "how": "by ann"}, over=True)],
    ),
    "handed over instead": (
        (OPENED, records.decided(ASK), records.gave_up("i1", "budget", "api", "app")),
        [_owed(3, "question/api/i1", {"service": "api", "tier": "app", "incident": "i1", "how": "gave_up"}, over=True)],
    ),
    "over before an answer": (
        (OPENED, records.decided(ASK), records.closed("i1", "recovered")),
        [_owed(3, "question/api/i1", {"service": "api", "tier": "app", "incident": "i1", "how": "recovered"}, over=True)],
    ),
    "a storm": (
        (records.frozen(["b", "a"], ["core"], 0.5),),
        [_owed(1, "storm", {"roots": ["a", "b"], "tiers": ["core"]})],
    ),
    "released": (
        (records.frozen(["a"], ["core"], 0.5), records.released("ann", "human")),
        [_owed(2, "storm", {"by": "ann", "how": "human"}, over=True)],
    ),
    "blind": ((records.blind(blind=True),), [_owed(1, "blind", {})]),
    "sees again": (
        (records.blind(blind=True), records.blind(blind=False)), [_owed(2, "blind", {}, over=True)],
    ),
    "told": ((records.blind(blind=True), records.told("blind", 1)), []),
    "told of what was said before": (
        (records.blind(blind=True), records.blind(blind=False), records.told("blind", 1)),
        [_owed(2, "blind", {}, over=True)],
    ),
    "told of something else": (
        (records.blind(blind=True), records.told("storm", 1)), [_owed(1, "blind", {})],
    ),
    "nothing that matters": (
        (OPENED, records.decided(replace(ASK, reason="spacing")), records.closed("i1", "recovered")), [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_what_is_owed(name: str) -> None:
    """Each story comes to exactly these messages, before and after a checkpoint."""
    found, owed = STORIES[name]
    known = _story(*found)
    again = State.from_json(json.loads(json.dumps(known.to_json())))

    assert list(known.owed.values()) == owed
    assert again == known


def test_the_end_of_an_incident_with_restarts_is_owed_once_for_each_page() -> None:
    """The dependant's page, the root's, and the incident itself, which nobody hears of twice."""
    known = _story(
        records.opened("i1", "cache", "core", 0.0),
        records.decided(replace(PAGE, service="api", tier="app")),
        records.decided(replace(PAGE, service="cache", tier="core")),
    )
    known.incidents["i1"].tries = 2
    known.apply(shop.entry(records.closed("i1", "healed"), shop.NOW + 60, number=4))

    about = {"incident": "i1", "how": "healed", "took_s": 60.0}
    assert [(each.subject, each.about, each.over) for each in known.owed.values()] == [
        ("page/api/i1", {**about, "service": "api", "tier": "app"}, True),
        ("page/cache/i1", {**about, "service": "cache", "tier": "core"}, True),
        ("work/i1", {**about, "service": "cache", "tier": "core", "paged": True}, True),
    ]


def test_older_journals_do_not_say_who_was_called() -> None:
    """Then the end is told of the service that was handed over, or of the root."""
    for handed, told in ((("web", "edge"), "page/web/i1"), (("", ""), "page/cache/i1")):
        known = _story(records.opened("i1", "cache", "core", 0.0))
        incident = known.incidents["i1"]
        incident.called, (incident.handed, incident.handed_tier) = True, handed
        known.apply(shop.entry(records.closed("i1", "recovered"), shop.NOW + 60, number=2))
        assert list(known.owed) == [told]


def test_what_is_owed_is_bounded() -> None:
    """Nobody takes messages for months: pages go last, ends of work first, the oldest of a sort first."""
    calls = [records.decided(replace(CALL, service=f"s{n}")) for n in range(MAX_OWED - 1)]
    known = _story(records.frozen(["a"], ["core"], 0.5), *calls)
    for number in range(5):
        name = f"w{number}"
        known.apply(
            shop.entry(records.opened(name, "api", "app", 0.0), shop.NOW, number=900 + number)
        )
        known.incidents[name].worked = True
        known.apply(shop.entry(records.closed(name, "healed"), shop.NOW, number=1000 + number))
    assert list(known.owed) == ["storm", *(f"page/s{n}/" for n in range(MAX_OWED - 1))]

    known.apply(shop.entry(records.decided(replace(CALL, service="new")), shop.NOW, number=2000))
    assert list(known.owed) == [*(f"page/s{n}/" for n in range(MAX_OWED - 1)), "page/new/"]


def test_the_end_of_what_nobody_heard_of_is_owed_for_a_day() -> None:
    """The pager is away over the weekend: a page that had arrived before gets its end after all."""
    day = (records.blind(blind=True), records.blind(blind=False))
    heard = (records.decided(CALL), records.told("page/db/", 3))
    over = records.called_off("db", "core", "stopped_dependency", "quiet")
    known = _story(*day, *heard, over)
    storm = records.frozen(["a"], ["core"], 0.5)
    known.apply(shop.entry(storm, shop.NOW + 10 + KEEP_ENDS_S, number=9))

    assert list(known.owed) == ["page/db/", "storm"]


def test_a_restart_that_was_not_done_is_told_and_so_is_its_end() -> None:
    """It counts in no budget, but people heard that it failed: the end of the incident is owed."""
    act = Decision(Outcome.ACT, "restart", "api", "app", incident="i1", restart="api")
    intent = records.intended("a1", act, "app", shop.running(), "shop-api")
    failed = Restarted(Result.FAILED, "fenced", attempted=False)
    known = _story(OPENED, intent, records.finished("a1", failed, 0.0))
    assert known.incidents["i1"].tries == 0
    known.apply(shop.entry(records.closed("i1", "recovered"), shop.NOW + 60, number=4))

    assert list(known.owed) == ["work/i1"]


def test_where_nobody_is_told_only_what_lasts_is_kept() -> None:
    """Without notify no end is owed; whoever adds it hears of what is still so, and of no old ends."""
    alone = records.started("1", {}, notify=False)
    known = _story(
        alone, records.blind(blind=True), records.decided(CALL), records.blind(blind=False)
    )
    assert list(known.owed) == ["page/db/"]

    known.apply(shop.entry(records.started("1", {}), shop.NOW + 9, number=8))
    over = records.called_off("db", "core", "stopped_dependency", "quiet")
    known.apply(shop.entry(over, shop.NOW + 10, number=9))
    assert [each.over for each in known.owed.values()] == [True]


def test_a_service_called_like_a_secret_keeps_its_tier() -> None:
    """A checkpoint masks what looks like a secret; the end of a page must have the page's labels all the same."""
    page = replace(PAGE, service="auth-token", tier="mesh")
    known = _story(records.opened("i1", "auth-token", "mesh", 0.0), records.decided(page))
    kept = encode(Record("checkpoint", known.to_json())).body
    again = State.from_json(json.loads(kept))
    again.apply(shop.entry(records.closed("i1", "recovered"), shop.NOW + 60, number=3))

    assert again.owed["page/auth-token/i1"].about["tier"] == "mesh"


def test_a_checkpoint_of_a_newer_version_is_read() -> None:
    """What this version does not know of a part is passed over, as the docstring says."""
    data = _story(
        OPENED, records.decided(PAGE), records.decided(CALL), records.paused("ann", "x"),
        records.held("web", 60, "ann", "x"), records.frozen(["a"], ["core"], 0.5),
    ).to_json()  # fmt: skip
    plain = State.from_json(json.loads(json.dumps(data)))
    for part in ("incidents", "calls", "owed", "holds", "last"):
        for each in data[part].values():  # type: ignore[attr-defined]
            each["comet"] = 1
    data["pause"]["comet"] = data["frozen"]["comet"] = data["comet"] = 1  # type: ignore[index]

    assert State.from_json(json.loads(json.dumps(data))) == plain
