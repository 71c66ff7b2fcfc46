"""Log lines as key=value pairs on stderr, as the Go exporters write them and Promtail reads them."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

LEVELS = ("debug", "info", "warn", "error")
_WORDS = {"WARNING": "warn", "CRITICAL": "error"}


class LogfmtFormatter(logging.Formatter):
    """`ts=... level=... caller=... msg="..."`, always on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of *record*; a traceback becomes part of it."""
        stamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        level = _WORDS.get(record.levelname, record.levelname.lower())
        line = f"ts={stamp} level={level} caller={record.module}:{record.lineno}"
        line += f" msg={_quote(record.getMessage())}"
        if record.exc_info:
            line += f" trace={_quote(self.formatException(record.exc_info))}"
        return line


def _quote(text: str) -> str:
    safe = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + "".join(char if char.isprintable() else "?" for char in safe) + '"'


def start_logging(level: str) -> None:
    """Send everything from *level* (one of LEVELS) on to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogfmtFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel({"warn": logging.WARNING}.get(level, level.upper()))
