"""The one YAML dumper: stable bytes, readable blocks, a first line that names the source."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.artifacts import header
from generator.errors import RenderError
from generator.yaml_write import dump_yaml

# Words that YAML readers take for something else, and texts that break sloppy writers.
_UGLY = (
    "", " ", "~", "=", "<<", "-", "?", ":", "- a", "? a", ": a", "a:", "a: b", "a #b", "#a", "...", "---",
    "--- a", "no", "Off", "nULL", "null", "0", "-0", "0o17", "017", "0x1f", "0b1", "1_000", "1e3", "1.5e+3",
    ".5", ".inf", ".NaN", "12:30", "12:30:45.5", "2024-01-01", "2024-01-01 10:00:00 +1", "{{ $labels.x }}",
    "[a]", "&a", "*a", "!a", "!!int 3", "|", ">", "%a", "@a", "`a`", "'", '"', "it's", 'say "no"', "\\",
    "tab\tin", "\ttab", "tail ", " lead", "two\nlines", "two\n\nlines\n", "end\n\n", "\n", "\n\na", "a \nb",
    "a\n b", " a\nb", "a\r\nb", "a\tb\nc", "\x00", "\x1b[31m", "\x7f", "\x85", "\xa0", "\u2028", "\ufeffa",
    "\ufffe", "\U0001f600", "\U0001fffe", "é\nè", "x" * 2000, "x: " * 60, "a\n---\nb", "a\n...\n", "%a\n#b",
)  # fmt: skip
_TEXTS = st.one_of(
    st.sampled_from(_UGLY),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text("ab0:-#?,[]{}&*!|>'\"%@`\\ \n\t~=.+_", max_size=12),
)
_SCALARS = st.one_of(_TEXTS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False))
_DATA = st.recursive(
    _SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(_TEXTS, inner))
)


@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader])
def test_ugly_texts_come_back(loader: Any) -> None:
    """Both of YAML's loaders read each ugly text back, as key, as value, in lists and in depth."""
    data = {text: [text, [text, {text: text}], {"a": {text: [text]}}] for text in _UGLY}

    assert data == yaml.load(dump_yaml(data, "catalog/"), Loader=loader)  # noqa: S506 - both are safe


@settings(max_examples=200, deadline=None)
@given(data=st.one_of(st.lists(_DATA), st.dictionaries(_TEXTS, _DATA)))
def test_every_value_comes_back(data: Any) -> None:
    """Whatever plain data is written, the C loader reads the same values of the same types back."""
    read = yaml.load(dump_yaml(data, "catalog/"), Loader=yaml.CSafeLoader)

    assert _typed(data) == _typed(read)


def _typed(data: Any) -> Any:
    """Return *data* with the type of every leaf beside it: 1, 1.0 and True are equal to Python."""
    if isinstance(data, dict):
        return {key: _typed(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_typed(value) for value in data]
    return type(data), data


def test_text_is_whole_and_in_order() -> None:
    """Keys keep their order, several lines become a block, shared values are written twice."""
    shared = {"x": "1"}

    text = dump_yaml(
        {"b": shared, "a": shared, "query": "one\ntwo\n", "long": "w " * 90}, "catalog/"
    )

    assert (
        header("catalog/")
        + "b:\n  x: '1'\na:\n  x: '1'\nquery: |\n  one\n  two\nlong: '"
        + "w " * 90
        + "'\n"
    ) == text


@pytest.mark.parametrize(
    "value",
    [
        "yes",
        "12:30",
        "0x1f",
        "{{ $labels.service }}",
        "a: b",
        "tail \n",
        "\x1b[31m",
        "é",
        "",
        "a\n\n b",
    ],
)
def test_strings_come_back_as_they_were(value: str) -> None:
    """A string that looks like something else in YAML is read back as the same string."""
    assert {"k": value} == yaml.safe_load(dump_yaml({"k": value}, "catalog/"))


def test_objects_are_refused() -> None:
    """A value that is not plain data is an error and not a Python tag."""
    with pytest.raises(RenderError, match="not plain data"):
        dump_yaml({"k": object()}, "catalog/")
