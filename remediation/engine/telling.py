"""
Tell what the engine does: to the log, to the metrics, and to people.

Everything that was written into the journal passes through here, once. People are told of what they
must know or may want to undo: a restart, a problem handed over, a wish for approval, blindness, a
storm. Nothing here blocks the engine: messages go out on a thread of their own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from remediation import records
from remediation.model import Decision, Outcome, Record
from remediation.reasons import REASONS
from remediation.state_parts import Incident, Owed
from remediation.web.metrics import Metrics

log = logging.getLogger(__name__)

Observed = Callable[[list[str]], tuple[Mapping[str, Mapping[str, int]], float]]


class Messages(Protocol):
    """Who carries messages to people (remediation.notify.notifier); none of these blocks or raises."""

    def restarted(
        self,
        asked: Mapping[str, object],
        came: Mapping[str, object],
        evidence: Mapping[str, object],
    ) -> None:
        """A restart has ended."""

    def owes(self, owed: Mapping[str, Owed]) -> None:
        """Pages, questions, storms, blindness and their ends that nobody has yet; by subject, again and again."""

    def trouble(self, why: str) -> None:
        """The engine's rounds break, or do not any more ("")."""

    def observed(self, tier: str, for_s: float, restarts: Mapping[str, int]) -> None:
        """What would have been done in a tier that observes."""


class Telling:
    """
    The engine's observer.

    Args:
        metrics: Count what happens.
        messages: Carry it to people; None when nobody is to be told.
        observed: Returns what would have been done in these tiers, by tier and service, and over
            how many seconds. Reading it takes time: it is called on a thread of its own.
    """

    def __init__(
        self,
        metrics: Metrics,
        messages: Messages | None,
        observed: Observed = lambda _: ({}, 0.0),
    ) -> None:
        self._metrics = metrics
        self._messages = messages
        self._observed = observed
        self._evidence: dict[str, Mapping[str, object]] = {}  # by action, until its end is told

    def decided(self, decision: Decision) -> None:
        """Log and count it; what people are owed for it the journal says."""
        self._metrics.decided(decision.outcome.value, decision.reason)
        level = logging.WARNING if decision.outcome is Outcome.ESCALATE else logging.INFO
        log.log(
            level,
            "%s %s: %s%s",
            decision.outcome.value,
            decision.restart or decision.service or decision.tier or "an alert",
            REASONS.get(decision.reason, decision.reason),
            f" ({decision.detail})" if decision.detail else "",
            extra={
                "decision": decision.outcome.value,
                "reason": decision.reason,
                "service": decision.service,
                "tier": decision.tier,
                "incident": decision.incident,
                "rung": decision.rung.value,
            },
        )

    def restarted(self, intent: Record, finished: Record) -> None:
        """Log, count and tell what became of a restart."""
        asked, came = intent.body, finished.body
        service, result = str(asked["service"]), str(came["result"])
        took_s = float(str(came["took_s"]))
        self._metrics.acted(service, str(asked["tier"]), str(asked["rung"]), result, took_s)
        log.log(
            logging.INFO if result == "succeeded" else logging.WARNING,
            "restart of %s: %s %s",
            service,
            result,
            came["detail"],
            extra={**asked, "result": result},
        )
        if self._messages is not None:
            seen = self._evidence.pop(str(asked["action"]), {})
            self._messages.restarted(asked, came, seen)

    def closed(self, incident: Incident, how: str, took_s: float) -> None:
        """Log the end of an incident; count how long it took when we healed it."""
        root, tier = incident.root, incident.tier
        told = {"service": root, "tier": tier, "incident": incident.id}
        log.info("incident of %s is over: %s", root, how, extra=told)
        if how == "healed":
            self._metrics.healed(tier, took_s)

    def owes(self, owed: Mapping[str, Owed]) -> None:
        """Pass on what people are to be told."""
        if self._messages is not None:
            self._messages.owes(owed)

    def changed(self, what: Record) -> None:
        """Log what else was written; tell of what was only observed."""
        body = what.body
        if what.kind == records.BLIND:
            _log_blind(blind=bool(body["blind"]))
        elif what.kind not in _QUIET:
            log.info("%s %s", what.kind.replace("_", " "), _told(body))
        if self._messages is None:
            return
        if what.kind == records.EVIDENCE and isinstance(body["found"], Mapping):
            self._evidence[str(body["action"])] = body["found"]
        elif what.kind == records.REPORTED:
            tiers = _texts(body["tiers"])
            threading.Thread(target=self._report, args=(tiers,), name="report", daemon=True).start()

    def _report(self, tiers: list[str]) -> None:
        try:
            found, for_s = self._observed(tiers)
        except Exception:
            log.exception("what was observed could not be read")
            return
        for tier, restarts in found.items():
            if self._messages is not None:
                self._messages.observed(tier, for_s, restarts)

    def trouble(self, why: str) -> None:
        """
        Log and tell that nothing is healed because rounds break, or that they end well again ("").

        Called between rounds, where nothing would catch an error: whatever breaks here is logged.
        """
        if why:
            log.error("nothing is healed: %s", why)
        else:
            log.info("rounds end well again")
        try:
            if self._messages is not None:
                self._messages.trouble(why)
        except Exception:
            log.exception("people could not be told of broken rounds")


# Told elsewhere, or too large or too frequent for a log line.
_QUIET = frozenset(
    {
        records.RECEIVED,
        records.INTENDED,
        records.EVIDENCE,
        records.STOPPED,
        records.TOLD,
        "checkpoint",
    }
)


def _log_blind(*, blind: bool) -> None:
    if blind:
        log.warning("blind: the Watchdog is missing; nothing is restarted")
    else:
        log.info("the Watchdog is back")


def _told(body: Mapping[str, object]) -> str:
    return " ".join(f"{key}={value}" for key, value in body.items() if value not in ("", None))


def _texts(found: object) -> list[str]:
    return [str(each) for each in found] if isinstance(found, list | tuple) else []
