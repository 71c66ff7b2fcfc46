"""
Read the kinds: ours from this folder, a catalog's own from its `kinds/` folder.

Ours are read fast and without validation (a test validates them all), because every run of the
command waits for them: the head of a file by the C YAML parser, the long list of metrics, one on a
line, by a regular expression. A test shows that both ways of reading give the same. A catalog's own
kinds are read strictly, validated, and all that is wrong with them is said at once.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from generator.errors import CatalogError, Finding, Place, RenderError
from generator.kinds.build import build_kind
from generator.software import Kind

BUILTIN_DIR = Path(__file__).parent
_BUILTIN_SHOWN = "generator/kinds"
_DECLARES = "\ndeclares:\n"

# One metric on one line, keys in this order: the form that all built-in files keep to.
_METRIC_LINE = re.compile(
    r"  ([A-Za-z_:][\w:]*): \{type: (\w+), unit: (\w+), labels: \[([\w, ]*)\], "
    r'help: "([^"\\]*)"(, absent: true)?(?:, versions: "([^"\\]*)")?\}'
)


def load_kinds(
    extra: Path | None = None, shown: str = "kinds"
) -> tuple[dict[str, Kind], list[Finding]]:
    """
    Return all kinds by name, sorted, and what is wrong with the catalog's own.

    Args:
        extra: The catalog's `kinds/` folder; it need not exist.
        shown: How findings call that folder.

    Returns:
        Kinds with a finding against them are left out, so that nothing is built from them.

    Source: design 3, "a kind = one YAML file".
    """
    kinds = {path.stem: read_builtin(path) for path in sorted(BUILTIN_DIR.glob("*.yml"))}
    if extra is None or not extra.is_dir():
        return kinds, []
    own, findings = _load_own(extra, shown, kinds)
    kinds.update(own)
    return dict(sorted(kinds.items())), sorted(set(findings))


def read_builtin(path: Path) -> Kind:
    """Return the built-in kind in *path*, by the fast way."""
    head, found, tail = path.read_text(encoding="utf-8").partition(_DECLARES)
    data: dict[str, Any] = yaml.load(head, Loader=yaml.CSafeLoader)
    if found:
        data["declares"] = _read_metrics(tail)
    return build_kind(data, Place(f"{_BUILTIN_SHOWN}/{path.name}"))


def _read_metrics(text: str) -> dict[str, dict[str, Any]]:
    """Return the metrics of a built-in file as YAML would; empty lines and comments are passed over."""
    metrics: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        if not line or line.lstrip().startswith("#"):
            continue
        match = _METRIC_LINE.fullmatch(line)
        if match is None:
            raise RenderError(f"not a metric on one line: {line!r}")
        name, type_, unit, labels, help_, absent, versions = match.groups()
        metrics[name] = {
            "type": type_,
            "unit": unit,
            "labels": labels.split(", ") if labels else [],
            "help": help_,
            "absent": absent is not None,
            "versions": versions or "",
        }
    return metrics


def _load_own(
    folder: Path, shown: str, builtin: dict[str, Kind]
) -> tuple[dict[str, Kind], list[Finding]]:
    # Imported here: only catalogs with kinds of their own pay for the strict reader and the schema.
    from generator.kinds.check import check_document, check_references
    from generator.yaml_read import read_yaml

    own: dict[str, Kind] = {}
    documents = {}
    findings: list[Finding] = []
    for path in sorted(folder.glob("*.yml")):
        try:
            document = read_yaml(path, f"{shown}/{path.name}")
        except CatalogError as error:
            findings.extend(error.findings)
            continue
        documents[path.stem] = document
        wrong = check_document(document, path.stem, builtin)
        findings.extend(wrong)
        if not wrong:
            own[path.stem] = build_kind(document.data, document.place())
    known = {**builtin, **own}
    unread = {path.stem for path in folder.glob("*.yml")} - own.keys()
    for name, document in documents.items():
        wrong = check_references(document, known, unread)
        findings.extend(wrong)
        if wrong:
            own.pop(name, None)
    return own, findings
