"""
The pages of docs/ that are made from data: every catalog key, every kind, every alert.

`make golden` writes them, a test compares them, so that they cannot say what is no longer so.
Prose about the same things stands in the operator's page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts import packs as alert_packs
from alerts.kit import Pack
from generator.catalog import load_catalog
from generator.kinds.load import load_kinds
from generator.quantities import write_duration
from generator.software import Kind
from generator.universe import Universe
from loki import rules as log_rules
from tests.docs import prose

ROOT = Path(__file__).parents[2]
CATALOG_SCHEMA = "generator/schema/catalog.schema.json"
KIND_SCHEMA = "generator/kinds/kind.schema.json"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a schema. *path* is how a person would say it (`services.NAME.slo`)."""

    path: str
    expects: str
    meaning: str
    required: bool


def keys(schema: Mapping[str, Any], start: str) -> Iterator[Key]:
    """Yield every key below the definition *start*, parents first, in the order of the schema."""
    yield from _below({"$ref": f"#/$defs/{start}"}, "", schema["$defs"])


def _resolved(node: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    """Return *node* with its reference followed; what stands beside a reference wins."""
    found = {key: value for key, value in node.items() if key != "$ref"}
    if "$ref" in node:
        return {**_resolved(defs[node["$ref"].rpartition("/")[2]], defs), **found}
    return found


def _below(node: Mapping[str, Any], path: str, defs: Mapping[str, Any]) -> Iterator[Key]:
    whole = _resolved(node, defs)
    head = f"{path}." if path else ""
    for name, child in whole.get("properties", {}).items():
        yield from _key(
            f"{head}{name}", child, required=name in whole.get("required", ()), defs=defs
        )
    if isinstance(whole.get("additionalProperties"), dict):
        yield from _key(f"{head}NAME", whole["additionalProperties"], required=False, defs=defs)
    if "properties" in _resolved(whole.get("items", {}), defs):
        yield from _below(whole["items"], f"{path}[]", defs)
    for choice in whole.get("anyOf", ()):
        yield from _below(choice, path, defs)


def _key(
    path: str, node: Mapping[str, Any], *, required: bool, defs: Mapping[str, Any]
) -> Iterator[Key]:
    whole = _resolved(node, defs)
    expects = str(whole.get("title", whole.get("type", "")))
    if "examples" in whole:
        expects += f" (`{whole['examples'][0]}`)"
    yield Key(path, expects, str(whole.get("description", "")), required)
    yield from _below(node, path, defs)


def catalog_page() -> str:
    """Return docs/catalog.md."""
    catalog, kind = _schema(CATALOG_SCHEMA), _schema(KIND_SCHEMA)
    tier = [key for key in keys(catalog, "tierFile") if not key.path.startswith("services.NAME.")]
    service = [
        Key(key.path.removeprefix("services.NAME."), key.expects, key.meaning, key.required)
        for key in keys(catalog, "tierFile")
        if key.path.startswith("services.NAME.")
    ]
    parts = [
        prose.CATALOG,
        "## platform.yml",
        _key_table(keys(catalog, "platformFile")),
        "## A tier's file",
        _key_table(tier),
        "## A service",
        "Below `services.NAME` of a tier's file.",
        _key_table(service),
        "## A kind of your own",
        prose.OWN_KINDS,
        _key_table(keys(kind, "kind")),
    ]
    return "\n\n".join(parts) + "\n"


def _schema(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / path).read_text(encoding="utf-8"))
    return found


def _key_table(found: Iterable[Key]) -> str:
    return _table(
        ("key", "expects", "means"),
        (
            (f"**`{key.path}`**" if key.required else f"`{key.path}`", key.expects, key.meaning)
            for key in found
        ),
    )


def _table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    columns = tuple(head)
    cells = [columns, ("---",) * len(columns), *(tuple(map(_cell, line)) for line in lines)]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def _cell(text: str) -> str:
    # Outside of code < would begin a tag; a bar would end the cell even inside code.
    plain = " ".join(text.split()).replace("|", "\\|")
    return plain if "`" in plain else plain.replace("<", "&lt;")


def kinds_page() -> str:
    """Return docs/kinds.md."""
    kinds, _ = load_kinds()
    needs = [kind for kind in kinds.values() if kind.metrics and kind.metrics.needs]
    noted = [kind for kind in kinds.values() if kind.notes or kind.restart_note]
    parts = [
        prose.KINDS,
        _table(
            ("kind", "software", "port", "metrics from", "verdict", "log format", "packs"),
            (_kind_line(kind) for kind in kinds.values()),
        ),
        "## What must be switched on",
        prose.NEEDS,
        _table(
            ("kind", "needs"),
            ((f"`{kind.name}`", f"`{kind.metrics.needs}`") for kind in needs if kind.metrics),
        ),
        "## Worth knowing",
        "\n".join(line for kind in noted for line in _notes(kind)),
    ]
    return "\n\n".join(parts) + "\n"


def _kind_line(kind: Kind) -> tuple[str, ...]:
    metrics = "none"
    if kind.metrics:
        teller = f"`{kind.metrics.exporter}`" if kind.metrics.exporter else "itself"
        metrics = f"{teller}, `:{kind.metrics.port}{kind.metrics.path}`"
    port = str(kind.port) if kind.port else ""
    packs = ", ".join(kind.packs)
    return (f"`{kind.name}`", kind.title, port, metrics, f"`{kind.verdict}`", kind.log, packs)


def _notes(kind: Kind) -> Iterator[str]:
    yield f"- **{kind.title}** (`{kind.name}`)"
    for note in kind.notes:
        yield f"  - `{note}`" if "<" in note else f"  - {note}"
    if kind.restart_note:
        yield f"  - on restart: {kind.restart_note}"


def alerts_page() -> str:
    """Return docs/alerts.md: all alerts of the catalog that ships."""
    catalog = load_catalog(ROOT / "catalog", "catalog")
    packs, _ = Universe(catalog).trim(alert_packs.active(catalog))
    parts = [prose.ALERTS]
    for pack in packs:
        lines = [_pack_line(pack, name) for name in dict.fromkeys(a.name for a in pack.alerts)]
        if lines:
            parts += [f"## {pack.title}", _table(_ALERT_HEAD, lines)]
    parts += [
        "## Log lines",
        _table(
            _ALERT_HEAD,
            (
                _alert_line(rule.name, rule.severity.value, write_duration(rule.hold), rule.summary)
                for rule in log_rules.rules(catalog)
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


_ALERT_HEAD = ("alert", "severity", "hold", "says")


def _pack_line(pack: Pack, name: str) -> tuple[str, ...]:
    """Return the line of alert *name*, whose variants differ in severity or hold."""
    variants = [alert for alert in pack.alerts if alert.name == name]
    severities = ", ".join(dict.fromkeys(alert.severity.value for alert in variants))
    holds = sorted({alert.hold for alert in variants})
    hold = " to ".join(map(write_duration, holds[:1] + holds[1:][-1:]))
    return _alert_line(name, severities, hold, variants[0].summary)


def _alert_line(name: str, severity: str, hold: str, says: str) -> tuple[str, ...]:
    return f"[{name}](../alerts/runbooks/{name}.md)", severity, hold, f"`{says}`"


def decisions_page() -> str:
    """Return docs/decisions/README.md: number and title of each decision, in order."""
    lines = []
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        number, _, said = title.partition(": ")
        lines.append((f"[{number}]({path.name})", said))
    return f"{prose.DECISIONS}\n\n{_table(('number', 'decision'), lines)}\n"


PAGES = {
    "catalog.md": catalog_page,
    "kinds.md": kinds_page,
    "alerts.md": alerts_page,
    "decisions/README.md": decisions_page,
}
