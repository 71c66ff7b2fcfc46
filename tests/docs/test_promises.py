"""The table of the remediator's promises: every invariant has its row, every row its tests, and those exist."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "remediation.md"
TESTS = ROOT / "tests" / "remediation"
_ROW = re.compile(r"^\| (I\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
_SHOWN = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")


def missing(root: Path, shown: str) -> list[str]:
    """Return what *shown* (a cell of the table) names and is not there."""
    found = []
    for file, function in _SHOWN.findall(shown):
        path = root / file
        if not path.is_file():
            found.append(file)
        elif function and f"def {function}(" not in path.read_text(encoding="utf-8"):
            found.append(f"{file}::{function}")
    return found


def test_every_invariant_has_its_row() -> None:
    """I1 to I34, each once, in order, each with a test at least."""
    rows = _ROW.findall(PAGE.read_text(encoding="utf-8"))

    assert [name for name, _, _ in rows] == [f"I{number}" for number in range(1, 35)]
    assert [name for name, _, shown in rows if not _SHOWN.search(shown)] == []


def test_the_tests_of_the_rows_exist() -> None:
    """No row names a test that is not there."""
    rows = _ROW.findall(PAGE.read_text(encoding="utf-8"))

    assert {name: gone for name, _, shown in rows if (gone := missing(TESTS, shown))} == {}


def test_a_missing_test_is_seen(tmp_path: Path) -> None:
    """A file or a function that does not exist is named."""
    (tmp_path / "a.py").write_text("def test_x(\n")

    assert missing(tmp_path, "`a.py::test_x`, `a.py::test_y`, `b.py`") == ["a.py::test_y", "b.py"]
