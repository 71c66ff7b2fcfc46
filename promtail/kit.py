"""
What a log format is, and the small stages that formats are made of.

A format turns the raw lines of one family of software into entries with a real timestamp and a
bounded level, and drops noise. It is data (Promtail stages as plain dicts), so that another
agent needs one new writer and no new formats. What all formats share (masking, level, metrics)
stands in `promtail.pipeline` and runs after them.

Stages leave two things in Promtail's extracted map: `level` as the software spells it, and a
timestamp. A line without a timestamp keeps Docker's, which is exact: that is why no stage here
"fudges" (it would give a late line the time of the last line that had one).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Stage = Mapping[str, object]

# Paths that only health checks and scrapers ask for; a successful answer says nothing.
HEALTH_PATH = (
    r"/(?:-/)?(?:health|healthz|healthcheck|health_check|_stcore/health|live|livez|alive|liveliness"
    r"|ready|readyz|readiness|ping|metrics|status|heartbeat|api/(?:v[12]/)?heartbeat"
    r"|api/(?:v[12]/)?health|api/health(?:/live)?|v1/status/leader|api/v1/ping)/?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    One thing that software writes, and what must arrive of it.

    Args:
        claim: What the sample shows, one short sentence.
        raw: The lines as the container writes them, without the last newline.
        level: Value of the label `level`; "" when nothing may arrive.
        time: UTC, RFC 3339 with up to nanoseconds; "" when Docker's timestamp stays.
        line: The line that arrives; None: as written.
    """

    claim: str
    raw: str
    level: str
    time: str = ""
    line: str | None = None

    @property
    def dropped(self) -> bool:
        """Whether nothing arrives."""
        return not self.level

    @property
    def text(self) -> str:
        """The line that must arrive."""
        return self.raw if self.line is None else self.line


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """
    How log lines of one family look.

    Args:
        name: As in a kind's `log:` and in the file name of the module.
        stages: Promtail stages in order; they see one container's stream at a time.
        samples: At least ten, ugly ones among them.
    """

    name: str
    title: str
    stages: tuple[Stage, ...]
    samples: tuple[Sample, ...]


def multiline(firstline: str, *, lines: int = 256) -> Stage:
    """Return the stage that glues lines to the last one that matches *firstline* (RE2)."""
    return {"multiline": {"firstline": firstline, "max_wait_time": "3s", "max_lines": lines}}


def regex(expression: str, *, source: str = "") -> Stage:
    """Return the stage that extracts the named groups of *expression* from the line or *source*."""
    config = {"expression": expression}
    if source:
        config["source"] = source
    return {"regex": config}


def template(source: str, text: str) -> Stage:
    """Return the stage that sets *source* in the extracted map; an empty result removes it."""
    return {"template": {"source": source, "template": text}}


def timestamp(source: str, layout: str, *fallbacks: str, utc: bool = False) -> Stage:
    """
    Return the stage that sets the entry's time from *source*, or leaves Docker's.

    Layouts are Go's. With *utc* a time without a zone is read as UTC: containers run in UTC
    unless somebody sets TZ, and the operator's page says not to.
    """
    config: dict[str, object] = {"source": source, "format": layout}
    if fallbacks:
        config["fallback_formats"] = list(fallbacks)
    if utc:
        config["location"] = "UTC"
    config["action_on_failure"] = "skip"
    return {"timestamp": config}


def drop(expression: str, reason: str) -> Stage:
    """Return the stage that drops lines that match *expression*, counted under *reason*."""
    return {"drop": {"expression": expression, "drop_counter_reason": reason}}


def drop_if(sources: tuple[str, ...], expression: str, reason: str) -> Stage:
    """Return the stage that drops a line whose extracted *sources*, joined by `;`, match."""
    config = {"source": list(sources), "expression": expression, "drop_counter_reason": reason}
    return {"drop": config}


HEALTH_NOISE = "health_check"


def drop_health_requests() -> Stage:
    """
    Return the stage that drops access lines of health checks that succeeded.

    It looks for `"GET <path> HTTP/1.1" 200` in a single line: an answer of 400 or more stays,
    and so does a request that has a traceback glued to it.
    """
    request = rf'"(?:GET|HEAD|OPTIONS) {HEALTH_PATH}(?:\?[^" ]*)?(?: HTTP/[\d.]+)?"'
    return drop(rf"^[^\n]*{request}:? (?:[123]\d\d)\b[^\n]*$", HEALTH_NOISE)


def error_on_traceback() -> Stage:
    """Return the stage that lifts the level to error where a Python traceback hangs on a line."""
    calm = '(or (eq $l "") (eq $l "info") (eq $l "debug"))'
    return template(
        "level",
        '{{ $l := .level | default "" | lower }}'
        rf'{{{{ if and {calm} (regexMatch "(?m)^Traceback \\(most recent call last\\):" .Entry) }}}}'
        "error{{ else }}{{ $l }}{{ end }}",
    )
