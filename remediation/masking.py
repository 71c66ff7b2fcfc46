"""
Take secrets out of what is written down: the journal keeps for months what an alert said for minutes.

In goes JSON-like data, out comes the same with `<masked>` in place of secrets. Kept small on
purpose: the journal holds our own words and the few labels that we read, not log lines. Promtail's
list of expressions is longer; that room is another process's. A mask may hide too much. RE2 keeps
hostile texts from costing more than their length.
"""

from __future__ import annotations

from functools import cache
from typing import Any

MASK = "<masked>"

_NAME = (
    r"(?:password|passwd|passphrase|pwd|secret|token|credentials?|signature|cookie|api[_-]?key"
    r"|access[_-]?key|secret[_-]?key|private[_-]?key|auth[_-]?key|account[_-]?key|session[_-]?id)"
)
_VALUE = r"""(?:"((?:[^"\\]|\\.)+)|'([^'\n]+)|([^\s"'\\&;,)\]}]+))"""

# A key whose value is a secret whatever it looks like.
_SECRET_KEY = rf"(?i)^(?:[\w.-]*{_NAME}|(?:proxy-)?authorization)$"

# Each has the secret, and nothing else, in a group. Sources: the services' documentation of their
# key formats, promtail/masking.py.
_SHAPES = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----((?s:.+?))(?:-----END|$)",
    # scheme://user:password@host; a password may hold an @
    r"""[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@"']*:([^\s/"']+)@""",
    r"""[a-zA-Z][a-zA-Z0-9+.-]*://([^\s:/@"']{20,})@""",
    r"""(?i)authorization\\*["']?\s*[:=]\s*\\*["']?(?:(?:basic|bearer|token|digest|apikey)\s+)?([^\s"'\\,;]+)""",
    r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9._~+/=-]{12,})",
    rf"""(?i)[\w-]*{_NAME}\\*["']?\s?[=:]\s?\\*{_VALUE}""",
    r"\b(eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)",
    r"\b((?:AKIA|ASIA|AROA)[0-9A-Z]{16})\b",
    (
        r"\b((?:sk|pk|rk)-[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
        r"|hf_\w{20,}|xox[abeoprs]-[\w-]{10,}|AIza[\w-]{30,}|npm_\w{30,}|dckr_pat_[\w-]{20,}"
        r"|tskey-[\w-]{16,}|hvs\.[\w-]{20,})"
    ),
    r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{10,})",
    r"discord(?:app)?\.com/api/webhooks/[0-9]+/([A-Za-z0-9_-]{10,})",
)

# Wherever one of the above matches, this does: most texts are done after one look.
_HINT = (
    r"(?i)://[^\s/]*@|pass|pwd|secret|token|credential|signature|cookie|key|session|authorization|bearer"
    r"|basic|eyJ|AKIA|ASIA|AROA|[spr]k-|gh[pousr]_|github_pat|glpat|hf_|xox|AIza|npm_|dckr_pat|hvs\.|hooks"
)


def mask(data: Any) -> Any:
    """Return *data* (dict, list, str, int, float, bool, None) without its secrets."""
    if isinstance(data, dict):
        return {key: _masked_value(key, value) for key, value in data.items()}
    if isinstance(data, list):
        return [mask(each) for each in data]
    return mask_text(data) if isinstance(data, str) else data


def _masked_value(key: str, value: Any) -> Any:
    if value and isinstance(value, str) and _compiled(_SECRET_KEY).search(key):
        return MASK
    return mask(value)


def mask_text(text: str) -> str:
    """Return *text* with `<masked>` in place of every secret in it."""
    if not may_hold_secrets(text):
        return text
    for shape in _SHAPES:
        text = _without(text, shape)
    return text


def may_hold_secrets(text: str) -> bool:
    """Return False when no text within *text*, and no key of the JSON that it is, needs a mask."""
    return _compiled(_HINT).search(text) is not None


def _without(text: str, shape: str) -> str:
    parts, done = [], 0
    for match in _compiled(shape).finditer(text):
        group = next(n for n in range(1, match.re.groups + 1) if match.group(n) is not None)
        start, end = match.span(group)
        parts += [text[done:start], MASK]
        done = end
    return "".join(parts) + text[done:]


@cache
def _compiled(expression: str) -> Any:
    import re2

    return re2.compile(expression)
