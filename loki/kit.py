"""
LogQL alert rules as values that carry the lines that fire them and the lines that must not.

A rule of scope service keeps the four subject labels of its streams (`SUBJECT`), so the alert
names its service, tier, kind and owner without any join: LogQL has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from alerts.kit import Remedy, Role, Scope, Severity
from promtail.pipeline import SUBJECT_LABELS

# What every sum keeps.
SUBJECT = ", ".join(SUBJECT_LABELS)

# Stands in a selector for matchers that leave out services of a profile and those that run
# once: they may fall silent at any time.
ALWAYS_ON = "@always_on@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """
    Lines of one service for the proof of a rule: *count* times *text*, evenly spread.

    Args:
        since, until: Distance from the time of evaluation, into the past; since > until.
    """

    text: str
    count: int
    level: str = "info"
    since: timedelta = timedelta(minutes=4)
    until: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRule:
    """
    One alert on log lines and its proof.

    Args:
        expr: LogQL; for scope service aggregated by `SUBJECT`, for scope platform without labels.
        hold: `for` of the rule.
        fires: Lines after which *expr* has a result for their service; each entry is a case.
        quiet: Lines just below, or that only look alike, after which it has none.
        group: Rules of a group are evaluated together, every `INTERVALS[group]`.
    """

    name: str
    severity: Severity
    expr: str
    hold: timedelta
    family: str
    summary: str
    description: str
    fires: tuple[tuple[Lines, ...], ...]
    quiet: tuple[tuple[Lines, ...], ...]
    scope: Scope = Scope.SERVICE
    role: Role = Role.SYMPTOM
    remedy: Remedy = Remedy.NONE
    board: str = "logs"
    group: str = "lines"


INTERVALS = {"lines": timedelta(minutes=1), "silence": timedelta(minutes=5)}


def count(selector: str, window: str, filters: str = "") -> str:
    """Return the LogQL that counts lines of *selector* over *window* per subject."""
    body = f"{{{selector}}} {filters}".strip()
    offset = ""
    if " offset " in window:
        window, _, rest = window.partition(" offset ")
        offset = f" offset {rest}"
    return f"sum by ({SUBJECT}) (count_over_time({body} [{window}]{offset}))"
