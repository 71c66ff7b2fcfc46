"""
What can be seen of a container just before it is restarted, and not any more afterwards.

The last log lines, what Docker says of it, and what it uses: for the journal, and for whoever reads
the message about it. Read only, bounded in time and size, secrets taken out; whatever cannot be had
is said instead, and the restart goes on without it. What of an inspect is kept stands in
remediation.engine.evidence_inspect.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from exporters.deadline import Deadline
from remediation.config import Config
from remediation.drivers.api import Api, path_of
from remediation.drivers.wire import ApiError
from remediation.engine.evidence_inspect import kept, masked

log = logging.getLogger(__name__)

DEADLINE_S = 2.0  # all of it: a sick service waits for its restart meanwhile
MAX_LINES = 50
MAX_LINE = 500
MAX_LOG_CHARS = 16 * 1024
READ_BYTES = 1024 * 1024  # what 50 long lines may have before they are cut
TEXT_LINES = 5
_HEADER = 8  # of one piece of a log whose output is no terminal: stream, 0, 0, 0, length


class Evidence:
    """Collects, through the read door of *config*; *deadline_s* is for one service."""

    def __init__(self, config: Config, deadline_s: float = DEADLINE_S) -> None:
        self._config = config
        self._api = Api(config.docker.read, config.docker.restart)
        self._deadline_s = deadline_s

    def configure(self, config: Config) -> None:
        """Know the services of *config* from now on; the door stays."""
        self._config = config

    def collect(self, service: str) -> Mapping[str, object]:
        """
        Return what can be seen of *service*, as JSON: inspect, stats, log, and `missing` with reasons.

        Never raises; what is missing is named with the reason.
        """
        missing: dict[str, object] = {}
        found: dict[str, object] = {"service": service}
        name = self._config.services[service].container if service in self._config.services else ""
        deadline = Deadline.after(self._deadline_s)
        for what, ask in (("inspect", self._inspect), ("log", self._log), ("stats", self._stats)):
            try:
                found[what] = ask(name, deadline)
            except ApiError as error:
                missing[what] = _why(what, error)
            except Exception as error:
                # Evidence is worth less than the restart that waits for it.
                log.exception("evidence of %s", service)
                missing[what] = type(error).__name__
        return found | ({"missing": missing} if missing else {})

    def _inspect(self, name: str, deadline: Deadline) -> object:
        return kept(self._api.json(path_of(name), deadline))

    def _log(self, name: str, deadline: Deadline) -> object:
        asked = {"stdout": "1", "stderr": "1", "timestamps": "1", "tail": str(MAX_LINES)}
        return lines_of(self._api.bytes(path_of(name, "logs"), deadline, asked, READ_BYTES))

    def _stats(self, name: str, deadline: Deadline) -> object:
        # one-shot: without it the engine measures for a second or two, to tell a rate.
        asked = {"stream": "false", "one-shot": "true"}
        return used(self._api.json(path_of(name, "stats"), deadline, asked))


def text_of(found: Mapping[str, object]) -> str:
    """Return *found*, of `collect`, in a few lines for a message."""
    lines = []
    inspect = found.get("inspect")
    if isinstance(inspect, Mapping):
        state = json.dumps(inspect.get("State", {}), sort_keys=True)
        lines.append(f"state: {state[:MAX_LINE]}")
    stats = found.get("stats")
    if isinstance(stats, Mapping):
        lines.append("uses: " + ", ".join(f"{key} {value}" for key, value in stats.items()))
    log_lines = found.get("log")
    if isinstance(log_lines, list):
        lines += [f"log: {line}" for line in log_lines[-TEXT_LINES:]] or ["log: empty"]
    missing = found.get("missing")
    if isinstance(missing, Mapping):
        lines += [f"no {what}: {why}" for what, why in missing.items()]
    return "\n".join(lines)


def lines_of(log_bytes: bytes) -> list[str]:
    """Return the last lines of a log as Docker sends it: masked, bounded, oldest first."""
    text = b"".join(_pieces(log_bytes)).decode(errors="replace")
    lines = [masked(line.rstrip("\r"))[:MAX_LINE] for line in text.splitlines()[-MAX_LINES:]]
    size = 0
    for number, line in enumerate(reversed(lines)):
        size += len(line) + 1
        if size > MAX_LOG_CHARS:
            return lines[len(lines) - number :]
    return lines


def _pieces(log_bytes: bytes) -> Iterator[bytes]:
    """Yield what a log's pieces hold; a terminal's log has none and is yielded as it is."""
    if log_bytes[:1] not in (b"\0", b"\1", b"\2") or log_bytes[1:4] != b"\0\0\0":
        yield log_bytes
        return
    at = 0
    while at + _HEADER <= len(log_bytes):
        size = int.from_bytes(log_bytes[at + 4 : at + _HEADER], "big")
        yield log_bytes[at + _HEADER : at + _HEADER + size]
        at += _HEADER + size


def used(stats: Any) -> dict[str, object]:
    """Return what *stats*, of Docker, says in numbers: bytes, seconds, counts."""
    found: dict[str, object] = {}
    for key, path, unit in (
        ("memory_bytes", ("memory_stats", "usage"), 1),
        ("memory_limit_bytes", ("memory_stats", "limit"), 1),
        ("cpu_seconds", ("cpu_stats", "cpu_usage", "total_usage"), 1_000_000_000),
        ("throttled_periods", ("cpu_stats", "throttling_data", "throttled_periods"), 1),
        ("processes", ("pids_stats", "current"), 1),
    ):
        value: Any = stats
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, int) and not isinstance(value, bool):
            found[key] = value if unit == 1 else round(value / unit, 3)
    return found


def _why(what: str, error: ApiError) -> str:
    if error.status in (401, 403):
        path = {"inspect": "json", "log": "logs"}.get(what, what)
        return (
            f"the proxy refuses it ({error.status}); allow GET /containers/NAME/{path} to have it"
        )
    return f"{error.status}: {error}" if error.status else str(error)
