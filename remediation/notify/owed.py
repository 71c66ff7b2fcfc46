"""
The message for each thing that people are owed (remediation.state_owed), made of what the journal says.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from remediation.model import Decision, Outcome, Rung
from remediation.notify import words
from remediation.notify.message import Message
from remediation.state_owed import Topic
from remediation.state_parts import Owed


def message_of(owed: Owed) -> Message:
    """Return what is to be said; KeyError for a topic that this version does not know."""
    return _WORDS[owed.topic, owed.over](owed.about)


_About = Mapping[str, Any]


def _decision(outcome: Outcome, about: _About) -> Decision:
    texts = ("reason", "service", "tier", "incident", "restart", "detail")
    return Decision(outcome, rung=Rung(about["rung"]), **{name: about[name] for name in texts})


def _page_over(about: _About) -> Message:
    service, tier, how = about["service"], about["tier"], about["how"]
    if not about["incident"]:
        return words.called_off(service, tier, how)
    return words.recovered(service, tier, about["incident"], about["took_s"], how)


def _work_over(about: _About) -> Message:
    texts = (about["service"], about["tier"], about["incident"])
    return words.healed(*texts, about["took_s"], about["how"], paged=about["paged"])


_WORDS: Mapping[tuple[str, bool], Callable[[_About], Message]] = {
    (Topic.PAGE, False): lambda about: words.gave_up(_decision(Outcome.ESCALATE, about)),
    (Topic.PAGE, True): _page_over,
    (Topic.QUESTION, False): lambda about: words.approval(_decision(Outcome.DEFER, about)),
    (Topic.QUESTION, True): lambda about: words.answered(
        about["service"], about["tier"], about["incident"], about["how"]
    ),
    (Topic.WORK, True): _work_over,
    (Topic.STORM, False): lambda about: words.frozen(about["roots"], about["tiers"]),
    (Topic.STORM, True): lambda about: words.released(about["by"], about["how"]),
    (Topic.BLIND, False): lambda _: words.blind(blind=True),
    (Topic.BLIND, True): lambda _: words.blind(blind=False),
}
