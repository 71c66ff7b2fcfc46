"""
How table panels join and show their queries: transformations and per-column overrides.

Grafana's published schema allows objects only as override values and matcher options, so
columns are matched with `byNames` and get colours (objects), never a unit (a string): a table
has one unit, and a column in another says so in its title.
"""

from __future__ import annotations

from typing import Any

from dashboards.panels import Column, Panel


def transformations(panel: Panel) -> list[dict[str, Any]]:
    """Return: join rows with the same labels, then keep, order and name the columns."""
    # Grafana calls the value column `Value` for one query, `Value #A` … for several.
    fields = {column.field: _field(column, panel) for column in panel.columns}
    names = [fields[column.field] for column in panel.columns]
    return [
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": names}}},
        {
            "id": "organize",
            "options": {
                "indexByName": {name: index for index, name in enumerate(names)},
                "renameByName": {fields[column.field]: column.title for column in panel.columns},
                "excludeByName": {},
            },
        },
    ]


def overrides(panel: Panel) -> list[dict[str, Any]]:
    """Return one override per column that is judged, by its shown name; empty for other panels."""
    return [_override(column) for column in panel.columns if column.steps]


def _override(column: Column) -> dict[str, Any]:
    steps = [{"color": step.color, "value": step.value} for step in column.steps]
    return {
        "matcher": {"id": "byNames", "options": {"mode": "include", "names": [column.title]}},
        "properties": [
            {"id": "thresholds", "value": {"mode": "absolute", "steps": steps}},
            {"id": "custom.cellOptions", "value": {"type": "color-background"}},
        ],
    }


def _field(column: Column, panel: Panel) -> str:
    if not column.field.startswith("#"):
        return column.field
    return "Value" if len(panel.queries) == 1 else f"Value {column.field}"
