"""
Log lines as JSON objects on stderr, as Promtail's format `json` reads them: time, level, msg.

What a line is about stands in fields of its own, so that a query can follow one incident:
`log.info("restarted", extra={"service": "backend", "incident": "i-7"})`. Lines are bounded.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from exporters.log import LEVELS

__all__ = ["FIELDS", "LEVELS", "JsonFormatter", "start_logging"]

FIELDS = ("decision", "reason", "service", "tier", "incident", "action", "rung", "result")
MAX_MESSAGE = 4096
MAX_TRACE = 16384
_WORDS = {"WARNING": "warn", "CRITICAL": "error"}


class JsonFormatter(logging.Formatter):
    """One object per line, always on one line; a traceback becomes the field `trace`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of *record*."""
        stamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": stamp.replace("+00:00", "Z"),
            "level": _WORDS.get(record.levelname, record.levelname.lower()),
            "msg": record.getMessage()[:MAX_MESSAGE],
            "logger": record.name,
        }
        for field in FIELDS:
            value = getattr(record, field, None)
            if value is not None:
                line[field] = value if isinstance(value, int | float) else str(value)[:MAX_MESSAGE]
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-MAX_TRACE:]
        return json.dumps(line)


def start_logging(level: str) -> None:
    """Send everything from *level* (one of LEVELS) on to stderr; uvicorn's lines, too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel({"warn": logging.WARNING}.get(level, level.upper()))
    # A line per connection and per start: ours say what matters.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # It warns of every connection beyond ten that it does not keep; we keep none.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
