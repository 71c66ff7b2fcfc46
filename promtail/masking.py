"""
Secrets that must not leave the host, and what stands in their place.

Promtail's `replace` stage puts the replacement where the expression's groups matched and leaves
the rest, so every expression below has its secret, and nothing else, in a group. A mask may hide
too much; it must not hide too little. Counters such as `tokens=512` stay readable on purpose.
"""

from __future__ import annotations

from promtail.kit import Stage

MASK = "<masked>"

# Words that a key ends in when its value is a secret: `password`, `POSTGRES_PASSWORD`, `x-api-key`.
_KEY = (
    r"(?:password|passwd|passphrase|pwd|secret|token|credential|signature|api[_-]?key|access[_-]?key"
    r"|secret[_-]?key|private[_-]?key|auth[_-]?key|account[_-]?key|session[_-]?id|x-amz-security-token)"
)
# In prose `token:` and `signature:` are followed by words; only these are secrets there.
_SPOKEN = (
    r"(?:password|passwd|passphrase|secret|api[_ -]?key|x-api-key|x-auth-token|private[_-]?token)"
)
# A value in escaped quotes (JSON or logfmt inside a string), in quotes, or bare.
# Inside escaped quotes more backslashes than one may hide a quote of the value or a deeper end:
# then the mask goes on, rather too far than not far enough.
_VALUE = (
    r"""(?:\\+"((?:[^"\\]|\\\\+.|\\[^"\\])+)|"((?:[^"\\]|\\.)+)|'([^'\n]+)|([^\s"'\\&;,)\]}]+))"""
)

EXPRESSIONS = (
    # -----BEGIN RSA PRIVATE KEY----- ... also when the end is cut off or newlines are escaped.
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----((?s:.+?))(?:-----END|$)",
    # scheme://user:password@host and scheme://:password@host; a password may hold an @.
    r"""[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@"']*:([^\s/"']+)@""",
    # https://<long token>@host
    r"""[a-zA-Z][a-zA-Z0-9+.-]*://([^\s:/@"']{20,})@""",
    # Authorization: Basic ..., Bearer ..., Token ...
    r"""(?i)authorization\\*["']?\s*[:=]\s*\\*["']?(?:(?:basic|bearer|token|digest|apikey)\s+)?([^\s"'\\,;]+)""",
    r"(?i)\bbearer\s+([A-Za-z0-9._~+/=-]{16,})",
    r"""(?i)\b(?:set-)?cookie\\*["']?\s*[:=]\s*\\*["']?([^\r\n"']+)""",
    # key=value in DSNs, query strings, environment dumps, logfmt
    rf"""(?i)[\w-]*{_KEY}\s?={_VALUE}""",
    # "key": "value" in JSON (also escaped once) and in Python's repr
    rf"""(?i)\\*["'][\w-]*{_KEY}\\*["']\s*:\s*{_VALUE}""",
    rf"""(?i)\b[\w-]*{_SPOKEN}\s*:\s*{_VALUE}""",
    # ALTER ROLE x PASSWORD 'y', requirepass y, AUTH y
    r"(?i)\bpassword\s+'([^']*)'",
    r"\b(?:requirepass|masterauth|AUTH)\s+(\S+)",
    # JSON Web Tokens, and keys that say by their prefix whose they are
    r"\b(eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)",
    r"\b((?:AKIA|ASIA|AROA)[0-9A-Z]{16})\b",
    (
        r"\b((?:sk|pk|rk)-[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
        r"|hf_\w{20,}|xox[abeoprs]-[\w-]{10,}|AIza[\w-]{30,}|npm_\w{30,}|dckr_pat_[\w-]{20,}"
        r"|tskey-[\w-]{16,}|hvs\.[\w-]{20,})"
    ),
)  # fmt: skip

MASK_STAGES: tuple[Stage, ...] = tuple(
    {"replace": {"expression": expression, "replace": MASK}} for expression in EXPRESSIONS
)
