"""The one YAML dumper: stable bytes, readable blocks, a first line that names the source."""

from __future__ import annotations

import pytest
import yaml

from generator.artifacts import header
from generator.yaml_write import dump_yaml


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
    with pytest.raises(yaml.representer.RepresenterError):
        dump_yaml({"k": object()}, "catalog/")
