"""
Hold a file against a JSON Schema and say what is wrong as people want to read it.

Serves every process that reads a file of the generator: exporters and remediator. Out come
problems with place, fact and cure; the validator's own words never reach anybody.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from exporters.yaml_read import Document

Problem = tuple[int, str, str]  # line, `file:line`, text


def problem(document: Document, keys: tuple[str | int, ...], text: str) -> Problem:
    """Return *text* as a problem of what *keys* lead to in *document*."""
    place = document.place(keys)
    return int(place.rpartition(":")[2]), place, text


def told(problems: list[Problem]) -> str:
    """Return *problems* as text, one line each, sorted by line, none twice."""
    return "\n".join(f"{place}: {text}" for _, place, text in sorted(set(problems)))


def form_problems(document: Document, schema: Path) -> Iterator[Problem]:
    """Yield where *document* departs from the schema in the file *schema* (draft 2020-12)."""
    from jsonschema import Draft202012Validator

    form = json.loads(schema.read_text(encoding="utf-8"))
    for error in Draft202012Validator(form).iter_errors(document.data):
        keys = tuple(error.absolute_path)
        name = ".".join(str(key) for key in keys) or "the file"
        if error.validator == "additionalProperties":
            known = sorted(error.schema["properties"])
            for key in sorted(set(error.instance) - set(known)):
                text = f"{name}: {key!r} is not known. Known are {', '.join(known)}."
                yield problem(document, (*keys, key), text)
        elif error.validator == "required":
            missing = sorted(set(error.validator_value) - set(error.instance))
            yield problem(document, keys, f"{name}: {', '.join(missing)} is missing. Add it.")
        else:
            title = error.schema.get("title", "something else")
            text = f"{name}: {_shown(error.instance)} is not {title}.{_example(error.schema)}"
            yield problem(document, keys, text)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."


def _example(schema: Mapping[str, Any]) -> str:
    if schema.get("examples"):
        return f" Write it like {schema['examples'][0]!r}."
    return " Correct it."
