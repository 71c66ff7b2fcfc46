"""Every failure that the exporters must survive has a test that plants it: failure_modes.yml says which."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
MODES = {
    f"{exporter}: {mode['fails']}": tuple(mode["tests"])
    for exporter, modes in yaml.safe_load((HERE / "failure_modes.yml").read_text("utf-8")).items()
    for mode in modes
}


@functools.cache
def _known(path: Path) -> tuple[set[str], set[str]]:
    """Return the tests of *path*, and the names that cases have: texts there or beside it, and folders."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    beside = [ast.parse(file.read_text(encoding="utf-8")) for file in path.parent.glob("*.py")]
    texts = {
        node.value
        for each in beside
        for node in ast.walk(each)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return tests, texts | {folder.name for folder in path.parent.glob("cases/*")}


def missing(test: str) -> str:
    """Return what is not there of FILE::NAME[CASE]; empty if it is all there."""
    file, _, rest = test.partition("::")
    name, _, case = rest.removesuffix("]").partition("[")
    if not (HERE / file).is_file():
        return file
    tests, cases = _known(HERE / file)
    if name not in tests:
        return name
    return case if case and case not in cases else ""


@pytest.mark.parametrize("mode", MODES)
def test_a_failure_has_its_tests(mode: str) -> None:
    """At least one, and each that is named exists, with its case."""
    tests = MODES[mode]

    assert tests
    assert [test for test in tests if missing(test)] == []


@pytest.mark.parametrize(
    ("test", "what"),
    [
        ("ollama/test_none.py::test_x", "ollama/test_none.py"),
        ("ollama/test_lists.py::test_x", "test_x"),
        ("ollama/test_lists.py::test_null_is_an_empty_list[no such case]", "no such case"),
        ("ollama/test_lists.py::test_null_is_an_empty_list", ""),
    ],
)
def test_a_test_that_is_not_there_is_missed(test: str, what: str) -> None:
    """The table cannot name what does not exist."""
    assert missing(test) == what
