"""
What is kept of an inspect: what explains a fault, and no secret.

Chosen by name, so that a field that Docker adds later is not kept by accident. Of the environment
only the names stay; of labels, command lines and the output of health checks what does not look like
a secret (remediation.masking, and what is usual on command lines).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from remediation.masking import MASK, mask, mask_text

MAX_ITEMS = 100
MAX_TEXT = 1000
MAX_CHECKS = 3
_STATE = (
    "Status", "Running", "Paused", "Restarting", "OOMKilled", "Dead", "ExitCode", "Error",
    "StartedAt", "FinishedAt",
)  # fmt: skip
_HOST = ("Memory", "MemorySwap", "NanoCpus", "PidsLimit", "NetworkMode", "RestartPolicy")
_WORDS = r"(?:password|passwd|passphrase|pwd|pass|secret|token|credentials?|(?:api|access|secret|private|auth)?[_-]?key)"
# What a secret on a command line comes after; the second group is the secret.
_SPOKEN = (
    rf"(?i)(--?[\w-]*{_WORDS}[=\s]+)(\"[^\"]*\"|'[^']*'|[^\s\"']+)",
    r"(?i)(\bpassword\s+')([^']*)",
    r"(\b(?:requirepass|masterauth|AUTH|IDENTIFIED BY)\s+)(\S+)",
    r"(?i)(\b(?:curl|wget)\b[^|;]*\s(?:-u|--user)[=\s]+)(\S+)",
)
_OPTION = rf"(?i)^--?(?:[\w-]*{_WORDS}|requirepass|masterauth|user|u)$"


def masked(text: str) -> str:
    """Return *text*, a line or a command, without secrets."""
    for expression in _SPOKEN:
        text = _compiled(expression).sub(rf"\1{MASK}", text)
    return mask_text(text)


def kept(data: Any) -> dict[str, object]:
    """Return what is kept of *data*, an inspect, as JSON."""
    state, config, host = (_object(_object(data).get(k)) for k in ("State", "Config", "HostConfig"))
    return {
        "Id": _text(_object(data).get("Id")),
        "Image": _text(config.get("Image")),
        "RestartCount": _plain(_object(data).get("RestartCount")),
        "State": {key: _plain(state[key]) for key in _STATE if key in state},
        "Health": _health(_object(state.get("Health"))),
        "Entrypoint": _command(config.get("Entrypoint")),
        "Cmd": _command(config.get("Cmd")),
        "Env": _environment(config.get("Env")),
        "Labels": _labels(_object(config.get("Labels"))),
        "HostConfig": {key: _plain(host[key]) for key in _HOST if key in host},
    }


def _health(health: Mapping[str, Any]) -> dict[str, object]:
    checks = health.get("Log")
    last = checks[-MAX_CHECKS:] if isinstance(checks, list) else []
    return {
        "Status": _text(health.get("Status")),
        "FailingStreak": _plain(health.get("FailingStreak")),
        "Log": [
            {key: _plain(_object(each).get(key)) for key in ("Start", "End", "ExitCode", "Output")}
            for each in last
        ],
    }


def _command(parts: object) -> list[str]:
    """Return a command line; what follows an option that asks for a secret is one."""
    if not isinstance(parts, list):
        return []
    found: list[str] = []
    for part in map(str, parts[:MAX_ITEMS]):
        after_option = bool(found) and _compiled(_OPTION).search(found[-1]) is not None
        found.append(MASK if after_option else masked(part)[:MAX_TEXT])
    return found


def _environment(variables: object) -> list[str]:
    """Return the names only: any value may be a secret."""
    if not isinstance(variables, list):
        return []
    return [f"{str(each).partition('=')[0][:MAX_TEXT]}={MASK}" for each in variables[:MAX_ITEMS]]


def _labels(labels: Mapping[str, Any]) -> dict[str, str]:
    plain = {str(key)[:MAX_TEXT]: masked(str(labels[key])) for key in sorted(labels)[:MAX_ITEMS]}
    return {key: str(value)[:MAX_TEXT] for key, value in mask(plain).items()}


def _plain(value: Any) -> object:
    """Return *value* where it is a number, a truth or a short structure; texts masked and bounded."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key)[:MAX_TEXT]: _plain(each) for key, each in list(value.items())[:MAX_ITEMS]}
    return _text(value)


def _text(value: object) -> str:
    return masked(str(value)[: 4 * MAX_TEXT])[:MAX_TEXT] if value is not None else ""


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


@cache
def _compiled(expression: str) -> Any:
    import re2

    return re2.compile(expression)
