"""
Say what is wrong in a way a person can act on: place, fact, cure.

Every room reports problems as `Finding`s and raises one of the few errors below;
which class it is decides the reaction (exit code 2 for input, 1 for findings), not the wording.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands: file (as the user named it), line and column from 1, 0 if unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One problem. *fact* is lower case and says what is so; *cure* says what to do, may be empty."""

    place: Place
    fact: str
    cure: str = ""
    check: str = ""

    def __str__(self) -> str:
        cure = f" {self.cure}" if self.cure else ""
        return f"{self.place}: {self.fact}.{cure}"


class ObsError(Exception):
    """Base of everything this program raises on purpose."""


class FindingsError(ObsError):
    """Carries one or more findings, sorted by place."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(set(findings)))
        super().__init__("\n".join(str(finding) for finding in self.findings))


class CatalogError(FindingsError):
    """The input is wrong: nothing is written, exit 2."""


class RenderError(ObsError):
    """The generator itself made something impossible: a bug of ours, never of the catalog."""


class WriteError(ObsError):
    """The output folder cannot be written or is not ours; the old tree is untouched."""


class ToolError(ObsError):
    """A judge (promtool, amtool, ...) is missing or broke; carries fact and cure in its text."""
