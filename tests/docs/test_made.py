"""The made pages say what the data says, and the data says something of everything."""

from __future__ import annotations

import json
import os
import re

import pytest

from generator.kinds.load import load_kinds
from generator.proofs import PROOFS
from tests.docs.markdown import ROOT
from tests.docs.pages import CATALOG_SCHEMA, PAGES, keys


@pytest.mark.parametrize("name", sorted(PAGES))
def test_page_is_current(name: str) -> None:
    """The page is what its data gives; TIERWATCH_GOLDEN=write renews it."""
    path = ROOT / "docs" / name
    text = PAGES[name]()
    if os.environ.get("TIERWATCH_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")

    assert path.read_text(encoding="utf-8") == text


def test_every_key_is_there() -> None:
    """Each property of the catalog's schema is a row of the page, at whatever depth it stands."""
    schema = json.loads((ROOT / CATALOG_SCHEMA).read_text(encoding="utf-8"))
    named = {
        name for definition in (*schema["$defs"].values(),) for name in _properties(definition)
    }
    shown = {
        part.removesuffix("[]")
        for start in ("platformFile", "tierFile")
        for key in keys(schema, start)
        for part in key.path.split(".")
    }

    assert named - shown == set()


def _properties(node: object) -> set[str]:
    """Return the names of all properties anywhere inside *node* of a schema."""
    if isinstance(node, list):
        return {name for entry in node for name in _properties(entry)}
    if not isinstance(node, dict):
        return set()
    own = set(node["properties"]) if isinstance(node.get("properties"), dict) else set()
    return own.union(*(_properties(child) for child in node.values()))


def test_every_need_is_told() -> None:
    """Each kind whose metrics must be switched on says so on the page of kinds, in its own words."""
    page = (ROOT / "docs" / "kinds.md").read_text(encoding="utf-8")
    kinds, _ = load_kinds()
    needs = {
        name: " ".join(kind.metrics.needs.split())
        for name, kind in kinds.items()
        if kind.metrics and kind.metrics.needs
    }

    assert {name for name, need in needs.items() if f"| `{name}` | `{need}` |" not in page} == set()
    assert {"kong", "consul", "n8n", "flowise", "langflow"} <= needs.keys()


def test_every_proof_is_told() -> None:
    """The operator's table has one line per proof, by its number, in order."""
    page = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
    numbers = re.findall(r"^\| (\d+) \w+ \|", page, re.MULTILINE)

    assert [int(number) for number in numbers] == [proof.number for proof in PROOFS]
