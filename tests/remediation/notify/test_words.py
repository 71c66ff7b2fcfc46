"""Everything that people are told, word for word, in both forms."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from remediation.model import Decision, Outcome, Rung
from remediation.notify import words
from remediation.notify.message import Message, Severity, slack_body, webhook_body

GOLDEN = Path(__file__).parent / "golden"
WALL = 1795856400.25
ASKED = {
    "service": "backend", "tier": "app", "rung": "service", "action": "a1", "incident": "i1",
    "root": "postgres", "root_tier": "core",
}  # fmt: skip
ORPHAN = {**ASKED, "root": "", "root_tier": ""}
GIVEN_UP = Decision(
    Outcome.ESCALATE, "ladder_exhausted", "backend", "app", Rung.PAGE, "i1", detail="3 restarts"
)
ASKING = Decision(
    Outcome.DEFER, "approval", "postgres", "core", Rung.SERVICE, "i2", "postgres", "probe failed"
)
CALLED = Decision(
    Outcome.ESCALATE, "stopped_dependency", "postgres", "core", detail="postgres: stopped_by_human"
)
DONE = {"result": "succeeded", "detail": "", "took_s": 3.21}

MESSAGES = {
    "restarted": words.restarted(
        ASKED, DONE, "state: exited\nlog: out of memory"
    ),
    "restart-failed": words.restarted(ASKED, {"result": "failed", "detail": "name drifted", "took_s": 0}, ""),
    "restart-unknown": words.restarted(ASKED, {"result": "unknown", "detail": "no answer", "took_s": 30.5}, ""),
    "gave-up": words.gave_up(GIVEN_UP),
    "gave-up-on-a-tier": words.gave_up(Decision(Outcome.ESCALATE, "unknown_outcome", "", "app")),
    "restarted-with-its-tier": words.restarted({**ASKED, "rung": "tier"}, DONE, ""),
    "restarted-after-the-end": words.restarted(ORPHAN, DONE, ""),
    "healthy-after-giving-up": words.recovered("backend", "app", "i1", 7300, "recovered"),
    "healed": words.healed("postgres", "core", "i1", 95, "healed"),
    "stopped-meanwhile": words.healed("postgres", "core", "i1", 95, "cancelled"),
    "called-about-a-dependency": words.gave_up(CALLED),
    "called-off": words.called_off("postgres", "core", "recovered"),
    "called-off-quiet": words.called_off("postgres", "core", "quiet"),
    "called-off-alerted": words.called_off("postgres", "core", "alerted"),
    "called-off-unknown": words.called_off("postgres", "core", "unknown"),
    "approval": words.approval(ASKING),
    "approval-of-a-step": words.approval(replace(ASKING, rung=Rung.TIER)),
    "approved": words.answered("postgres", "core", "i2", "by ann"),
    "approval-moot": words.answered("postgres", "core", "i2", "recovered"),
    "approval-handed-over": words.answered("postgres", "core", "i2", "gave_up"),
    "blind": words.blind(blind=True),
    "sees-again": words.blind(blind=False),
    "broken": words.trouble("3 rounds in a row broke: JournalError: /var/lib/tierwatch/remediation.db: the disk is full"),
    "works-again": words.trouble(""),
    "frozen": words.frozen(["kong", "postgres", "qdrant"], ["ai", "core", "mesh"]),
    "released": words.released("ann", "human"),
    "cooled-down": words.released("", "cooldown"),
    "observed": words.observed("app", 14 * 86400, {"frontend": 2, "backend": 5, "n8n": 0}),
    "observed-nothing": words.observed("app", 14 * 86400, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_is_what_was_agreed_on(name: str) -> None:
    """Each message, as Slack shows it and as a pager reads it, is to the letter what was last read."""
    message = MESSAGES[name]
    alert = webhook_body(message, "sutazai", WALL)["alerts"][0]
    told = {**alert["labels"], "status": alert["status"], **alert["annotations"]}
    text = f"{slack_body(message, 'sutazai')['text']}\n\n{json.dumps(told, indent=2, sort_keys=True)}\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("TIERWATCH_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")

    assert path.read_text(encoding="utf-8") == text


def test_no_golden_file_is_left_over() -> None:
    """Each expected file belongs to a message of above."""
    assert sorted(f"{name}.txt" for name in MESSAGES) == sorted(
        path.name for path in GOLDEN.iterdir()
    )


def test_a_pager_gets_what_alertmanager_would_send() -> None:
    """The whole body has the form of Alertmanager's webhook, version 4, with one alert."""
    body = webhook_body(MESSAGES["blind"], "sutazai", WALL)
    over = webhook_body(MESSAGES["sees-again"], "sutazai", WALL + 60)

    labels = {
        "alertname": "RemediationBlind", "project": "sutazai", "service": "none", "tier": "none",
        "severity": "critical", "source": "tierwatch-remediator",
    }  # fmt: skip
    assert labels == body["commonLabels"] == body["alerts"][0]["labels"]
    assert {"alertname": "RemediationBlind", "service": "none"} == body["groupLabels"]
    assert ("4", "firing", "resolved", 0) == (
        body["version"], body["status"], over["status"], body["truncatedAlerts"],
    )  # fmt: skip
    assert ("2026-11-28T09:00:00.250Z", "0001-01-01T00:00:00Z") == (
        body["alerts"][0]["startsAt"], body["alerts"][0]["endsAt"],
    )  # fmt: skip
    assert "2026-11-28T09:01:00.250Z" == over["alerts"][0]["endsAt"]
    # What is over is the same alert as what was told.
    assert body["alerts"][0]["fingerprint"] == over["alerts"][0]["fingerprint"]
    assert body["groupKey"] == over["groupKey"]


@pytest.mark.parametrize("how", ["recovered", "quiet", "alerted", "unknown"])
def test_the_end_of_a_call_ends_its_page(how: str) -> None:
    """For a pager the end is about the very alert that the page was, and resolves it."""
    page = webhook_body(MESSAGES["called-about-a-dependency"], "sutazai", WALL)["alerts"][0]
    end = webhook_body(words.called_off("postgres", "core", how), "sutazai", WALL)["alerts"][0]

    assert (page["status"], end["status"]) == ("firing", "resolved")
    assert (page["labels"], page["fingerprint"]) == (end["labels"], end["fingerprint"])


def test_each_end_is_about_what_it_ends() -> None:
    """A pager that got the restarts, the failed one too, or the question, gets the end of that very alert."""
    observed = MESSAGES["observed"]
    for begin, end in (
        (MESSAGES["restarted"], MESSAGES["healed"]),
        (MESSAGES["restart-failed"], MESSAGES["healed"]),
        (MESSAGES["restarted-with-its-tier"], MESSAGES["healed"]),
        (MESSAGES["approval"], MESSAGES["approved"]),
        (MESSAGES["approval-of-a-step"], MESSAGES["approval-moot"]),
        (MESSAGES["gave-up"], MESSAGES["healthy-after-giving-up"]),
        (observed, words.observed_over(observed)),
    ):
        first, last = (webhook_body(each, "sutazai", WALL) for each in (begin, end))
        assert (first["status"], last["status"]) == ("firing", "resolved")
        assert first["groupKey"] == last["groupKey"]
        assert first["alerts"][0]["fingerprint"] == last["alerts"][0]["fingerprint"]


HOSTILE = Message(
    "RemediationRestarted",
    Severity.INFO,
    "Restarted <!channel> & co\n*bold*" + "x" * 500,
    ("Why: password=hunter2secret", "a\x1b[31mred\u202e" + "y" * 2000, *("more",) * 100),
    excerpt="```\n<https://evil|click>\nAuthorization: Bearer abcdefghijklmnop12345\n" + "z" * 9000,
)


def test_texts_are_bounded_masked_and_free_of_mark_up() -> None:
    """Whatever stands in a log or a label neither calls the channel, nor leaks, nor grows beyond bounds."""
    slack = slack_body(HOSTILE, "sutazai")["text"]
    pager = json.dumps(webhook_body(HOSTILE, "sutazai", WALL))

    for text in (slack, pager):
        assert "hunter2secret" not in text
        assert "abcdefghijklmnop12345" not in text
        assert "\\u001b" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert len(text) < 40_000
    assert "&lt;!channel&gt; &amp; co *bold*xxx" in slack
    assert "<" not in slack
    assert 2 == slack.count("```")
    assert len(slack.splitlines()[0]) < 300
    assert slack.count("more") < 31
