"""The shipped schema and our reading of it, judged by the public JSON Schema validator."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.kinds import SCHEMA_FILE
from generator.schema import CATALOG_SCHEMA
from generator.schema_check import compile_schema

SCHEMA = json.loads(CATALOG_SCHEMA.read_text(encoding="utf-8"))
JUDGE = jsonschema.Draft202012Validator(SCHEMA)
CATALOG = Path(__file__).parents[2] / "catalog"
FILES = sorted(CATALOG.glob("*.yml"))
DATA = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES}

# One value of every sort that a person or a fuzzer may write anywhere.
_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, False, 0, 1, -1, 7, 80, 65535, 65536, 0.5, 1e300, "", " ", "x", "on", "hard",
        "10s", "0s", "99.9%", "0%", "100%", "512M", "0M", "80:80", "a\nb", "A", "{{x}}", "é", "/x",
        "http://x", "http://u:p@x", "#x", "a@b.c", "22:00", "24:00", "x" * 600, [], ["x"],
        ["x", "x"], [80], [None], {}, {"x": "hard"}, {"memory": "1G", "cpus": 1}, {"memory": 5},
        {"type": "http"}, {"url": "http://x"}, {"x": {}}, {"a b": "c"},
    ]
)  # fmt: skip


def paths(data: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything inside *data*."""
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    return [here] + [path for key, item in items for path in paths(item, (*here, key))]


def test_schema_is_itself_valid() -> None:
    """The schema is a valid schema of draft 2020-12."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", sorted(DATA))
def test_shipped_catalog_fits_the_schema(name: str) -> None:
    """An editor that uses the schema finds nothing wrong with the shipped files."""
    assert [error.message for error in JUDGE.iter_errors(DATA[name])] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_shipped_files_name_their_schema(path: Path) -> None:
    """The first line of every shipped file tells editors where the schema is."""
    first = path.read_text(encoding="utf-8").splitlines()[0]

    prefix = "# yaml-language-server: $schema="
    assert first.startswith(prefix)
    assert (path.parent / first.removeprefix(prefix)).resolve() == CATALOG_SCHEMA


NUMBERS = (float("-inf"), -1e300, -1, -5e-324, -0.0, 0, 5e-324, 0.5, 1, 65535, 1e15, 1.1e15, True)


@pytest.mark.parametrize("file", [CATALOG_SCHEMA, SCHEMA_FILE], ids=lambda path: path.name)
def test_every_keyword_of_the_schemas_is_read(file: Path) -> None:
    """No part of a shipped schema has a keyword that our check would pass over."""
    schema = json.loads(file.read_text(encoding="utf-8"))

    for start in schema["$defs"]:
        compile_schema(schema, start)


@pytest.mark.parametrize(
    "node",
    [
        {"type": "number", "exclusiveMaximum": 1},
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "format": "date"}},
        {"type": "object", "minProperties": 1},
        {"anyOf": [{"type": "string"}, {"type": "number", "multipleOf": 2}]},
        {"$ref": "#/$defs/other", "minimum": 1},
    ],
)
def test_a_keyword_that_is_not_read_is_refused(node: dict[str, Any]) -> None:
    """A schema that says more than our check reads does not compile, wherever it says it."""
    with pytest.raises(KeyError):
        compile_schema({"$defs": {"start": node, "other": {"type": "number"}}}, "start")


@pytest.mark.parametrize("limit", ["minimum", "exclusiveMinimum", "maximum"])
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_limits_of_numbers_hold_as_the_public_validator_says(kind: str, limit: str) -> None:
    """A number at, above or below a limit is accepted exactly where the standard accepts it."""
    node = {"type": kind, limit: 0}
    check = compile_schema({"$defs": {"start": node}}, "start")
    judge = jsonschema.Draft202012Validator(node)
    tried = [n for n in NUMBERS if kind == "number" or isinstance(n, int)]

    assert [(n, list(check(n, ())) == []) for n in tried] == [(n, judge.is_valid(n)) for n in tried]


def test_everything_a_person_can_write_is_described() -> None:
    """Each key of a service, a tier and the platform has a description or a title for editors."""
    bare = [
        (name, key)
        for name in ("platformFile", "tierFile", "service")
        for key, node in SCHEMA["$defs"][name]["properties"].items()
        if not node.get("description") and not node.get("title") and "$ref" not in node
    ]

    assert bare == []


@settings(max_examples=300, deadline=None)
@given(chooser=st.data())
def test_our_check_agrees_with_the_public_validator(chooser: st.DataObject) -> None:
    """Whatever value is put anywhere into a catalog, both accept it or both refuse it."""
    name = chooser.draw(st.sampled_from(["platform.yml", "3-mesh.yml", "8-experimental.yml"]))
    data = copy.deepcopy(DATA[name])
    for _ in range(chooser.draw(st.integers(1, 3))):
        path = chooser.draw(st.sampled_from(paths(data)))
        odd = copy.deepcopy(chooser.draw(_ODD))
        if not path:
            data = odd
            break
        parent = data
        for key in path[:-1]:
            parent = parent[key]
        how = chooser.draw(st.sampled_from(["set", "drop", "add"]))
        if how == "set":
            parent[path[-1]] = odd
        elif how == "drop":
            del parent[path[-1]]
        elif isinstance(parent, dict):
            parent[chooser.draw(st.sampled_from(["x", "slo", "probes", "log", "metrics", "A"]))] = (
                odd
            )

    start = "platformFile" if name == "platform.yml" else "tierFile"
    definitions = {"$ref": f"#/$defs/{start}", "$defs": SCHEMA["$defs"]}
    ours = list(compile_schema(SCHEMA, start)(data, ()))

    assert jsonschema.Draft202012Validator(definitions).is_valid(data) == (ours == [])
