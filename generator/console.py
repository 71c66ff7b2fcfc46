"""Write to people: colour and progress only on a terminal, errors to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TextIO

_COLOURS = {"proven": "32", "failed": "31", "not proven": "33", "found": "31"}


def coloured(stream: TextIO) -> bool:
    """Whether *stream* is a terminal whose user has not asked for plain text (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Return *text* in the colour of a word of ours, plain when *stream* is no terminal."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if coloured(stream) else text


def say(lines: Iterable[str]) -> None:
    """Print *lines*, the verdict words in colour."""
    for line in lines:
        start = line.lstrip().split("  ", 1)[0].strip()
        if start in _COLOURS:
            line = line.replace(start, paint(start, start, sys.stdout), 1)  # noqa: PLW2901
        print(line)  # noqa: T201


def error(text: str) -> None:
    """Print *text* to standard error."""
    print(text, file=sys.stderr)  # noqa: T201


def progress(text: str) -> None:
    """Show *text* while something takes long; on a terminal only, gone when the next line comes."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)  # noqa: T201


def done() -> None:
    """Remove the progress line."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201
