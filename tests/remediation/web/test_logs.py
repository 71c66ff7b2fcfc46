"""Log lines: one JSON object each, with what Promtail's format reads."""

from __future__ import annotations

import json
import logging
import sys

from promtail.formats.json import FORMAT
from remediation.engine.logs import FIELDS, MAX_MESSAGE, MAX_TRACE, JsonFormatter


def line(message: str, **extra: object) -> str:
    """Return how *message* is written."""
    record = logging.LogRecord(
        "remediation.engine.engine", logging.WARNING, "f", 1, message, (), None
    )
    record.created = 1_700_000_000.25
    for name, value in extra.items():
        setattr(record, name, value)
    return JsonFormatter().format(record)


def test_a_line_as_promtail_reads_it() -> None:
    """Time, level and message have the names that the format json looks for; fields stand beside them."""
    written = json.loads(line("restarted", service="backend", incident="i-1", other="x"))

    assert written == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warn",
        "msg": "restarted",
        "logger": "remediation.engine.engine",
        "service": "backend",
        "incident": "i-1",
    }
    stages = json.dumps(FORMAT.stages)
    assert "time ||" in stages
    assert "|| level ||" in stages
    assert {"decision", "service", "incident", "action"} <= set(FIELDS)


def test_lines_are_one_line_and_bounded() -> None:
    """Line ends, quotes and half surrogates stay within one line of bounded length."""
    written = line('a\nb"\ud800\x1b' + "y" * 100_000, service="s" * 100_000)

    assert "\n" not in written
    assert len(written) < 3 * MAX_MESSAGE
    assert json.loads(written)["msg"].startswith('a\nb"')


def test_a_traceback_is_a_field() -> None:
    """What broke is in the line, its end kept when it is long."""
    try:
        {}["x" * 100_000 + "the end"]
    except KeyError:
        record = logging.LogRecord("r", logging.ERROR, "f", 1, "broke", (), sys.exc_info())
    written = json.loads(JsonFormatter().format(record))

    assert len(written["trace"]) == MAX_TRACE
    assert written["trace"].endswith("the end'")
