"""
Recognise a secret that stands in clear in a text.

Only shapes with few false alarms: a password in an address, `password=...`, and the prefixes
that well-known services give their keys. References such as `${NAME}` are no secrets.
"""

from __future__ import annotations

import re

# Sources: the services' documentation of their key formats; Yelp/detect-secrets' plugins.
_ASSIGNED = (
    r"(?i)(?:passw(?:or)?d|pwd|secret|token|(?:api|access|private)[_-]?key)[\"']?[=:][\"']?"
    r"(?!\$|<|\{|/|$)[^\s\"',;&]{4,}"
)
_SHAPES = (
    ("an address with a password in it", r"[a-z][a-z0-9+.-]*://[^\s/:@]*:(?!\$\{|\$\()[^\s/@]+@"),
    ("a password or key", _ASSIGNED),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{16,}"),
    ("a Slack token", r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),
    ("a Slack webhook", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{10,}"),
    ("a Discord webhook", r"discord(?:app)?\.com/api/webhooks/[0-9]+/[A-Za-z0-9_-]{10,}"),
    ("an API key", r"\bsk-[A-Za-z0-9_-]{16,}|\bhf_[A-Za-z0-9]{20,}|\bAIza[0-9A-Za-z_-]{30,}"),
    ("a bearer token", r"(?i)\bbearer\s+[a-z0-9._~+/-]{12,}"),
    ("a JSON web token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."),
)  # fmt: skip
_COMPILED = tuple((name, re.compile(shape)) for name, shape in _SHAPES)

# Every shape above holds one of these; most texts hold none and are done after one search.
_HINT = re.compile(
    r"(?i)://[^\s/]*@|pass|pwd|secret|token|key|AKIA|ASIA|gh[pousr]_|github_pat|glpat|xox|hooks\."
    r"|webhooks|sk-|hf_|AIza|bearer|eyJ"
)
_LONGEST_READ = 4096


def find_secret(text: str) -> str:
    """Return what sort of secret *text* holds, in words; empty if none."""
    text = text[:_LONGEST_READ]
    if _HINT.search(text) is None:
        return ""
    for name, shape in _COMPILED:
        if shape.search(text):
            return name
    return ""
