"""What the rules of the book share: selectors, and how they look for a pattern in all lines."""

from __future__ import annotations

from loki.kit import count

ANY = 'service=~".+"'
BAD = 'level=~"error|critical"'
NO_QUERIES = '!~ "(?:query|expr|rule)\\\\w*\\\\\\\\?=" !~ "\\"(?:query|expr)\\\\w*\\""'


def matching(pattern: str, window: str) -> str:
    """Return the LogQL that counts lines that match *pattern* (RE2, no backtick) per subject."""
    return count(ANY, window, f"{NO_QUERIES} |~ `{pattern}`")
