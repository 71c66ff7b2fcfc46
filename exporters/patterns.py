"""
Regular expressions over what targets answer: RE2, as the blackbox exporter and the catalog use.

Not Python's `re`: a hostile or broken answer could keep that busy for hours, with the interpreter's
lock held, and its language differs. RE2 takes time in proportion to the body.
"""

from __future__ import annotations

from typing import Protocol


class PatternError(ValueError):
    """Not an RE2 expression."""


class Pattern(Protocol):
    """A compiled expression."""

    def search(self, text: bytes) -> object | None:
        """Return a match anywhere in *text*, or None."""
        ...


def compile_pattern(text: str) -> Pattern | None:
    """
    Return *text* compiled for bodies as bytes; None if it is empty.

    Raises:
        PatternError: It is not RE2; the text says why.
    """
    if not text:
        return None
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        compiled: Pattern = re2.compile(text.encode(), options)
    except re2.error as error:
        what = error.args[0] if error.args else b"unknown"
        raise PatternError(what.decode() if isinstance(what, bytes) else str(what)) from error
    return compiled
