"""What every panel must say and where it must stand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboards.board import Board, check_keys, panel_id
from dashboards.builders import stat
from dashboards.kit import dashboard
from dashboards.panels import Row
from generator.errors import RenderError


def all_panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of *board* as Grafana shows them, those of collapsed rows included."""
    found = []
    for panel in board["panels"]:
        found += panel["panels"] if panel["type"] == "row" else [panel]
    return found


def silences(board: dict[str, Any]) -> list[str]:
    """Return what panels of *board* fail to say: description, unit, thresholds, data source."""
    found = []
    for panel in all_panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        steps = defaults["thresholds"]["steps"]
        sources = {target["datasource"]["uid"] for target in panel.get("targets", ())}
        checks = {
            "description": len(panel.get("description", "")) > 10,
            "unit": bool(defaults.get("unit")),
            "thresholds": steps[:1] == [{"color": steps[0]["color"], "value": None}],
            "order": [step["value"] for step in steps[1:]]
            == sorted({step["value"] for step in steps[1:]}),
            "data source": sources <= {panel.get("datasource", {}).get("uid")},
            "points": panel["maxDataPoints"] == 1000,
        }
        found += [f"{panel['title']}: {name}" for name, good in checks.items() if not good]
    return found


def test_every_panel_has_description_unit_and_thresholds(
    rendered: dict[str, dict[str, Any]],
) -> None:
    """No panel lacks a description, a unit, thresholds in order, or its data source by uid."""
    found = {name: silences(board) for name, board in rendered.items()}

    assert found == {name: [] for name in rendered}


@pytest.mark.parametrize("missing", ["description", "unit", "order"])
def test_a_silent_panel_is_found(rendered: dict[str, dict[str, Any]], missing: str) -> None:
    """A panel whose description, unit or threshold order is taken away is named."""
    board = {"panels": [dict(all_panels(rendered["home"])[1])]}
    panel = board["panels"][0]
    if missing == "description":
        panel["description"] = ""
    else:
        wrong = {"unit": ""} if missing == "unit" else {}
        steps = [{"color": "red", "value": value} for value in (None, 5, 1)]
        defaults = {**panel["fieldConfig"]["defaults"], **wrong}
        if missing == "order":
            defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        panel["fieldConfig"] = {"defaults": defaults, "overrides": []}

    assert silences(board) == [f"{panel['title']}: {missing}"]


def test_a_board_carries_what_provisioning_needs(rendered: dict[str, dict[str, Any]]) -> None:
    """Every board has a uid of 8 to 40 characters, no id, schema 42, browser time, 30 s refresh."""
    heads = {
        (
            8 <= len(board["uid"]) <= 40,
            "id" in board,
            "__inputs" in board,
            board["schemaVersion"],
            board["timezone"],
            board["refresh"],
            board["editable"],
        )
        for board in rendered.values()
    }

    assert heads == {(True, False, False, 42, "browser", "30s", False)}
    assert len({board["uid"] for board in rendered.values()}) == len(rendered)


def test_no_two_panels_overlap(rendered: dict[str, dict[str, Any]]) -> None:
    """On every board each cell of the grid belongs to one panel at most, within 24 columns."""
    for name, board in rendered.items():
        shown: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            spot = panel["gridPos"]
            cells = {
                (spot["x"] + x, spot["y"] + y) for x in range(spot["w"]) for y in range(spot["h"])
            }
            assert not cells & shown, (name, panel["title"])
            assert spot["x"] + spot["w"] <= 24
            shown |= cells


def test_ids_stay_when_a_panel_is_inserted(platform: tuple[Board, ...]) -> None:
    """A new panel in front of all others changes the id of none of them."""
    home = platform[0]
    new = stat("new", "New", "A panel nobody knew.", "up{}", unit="none")
    first = Row(home.rows[0].title, (new, *home.rows[0].panels))
    grown = replace(home, rows=(first, *home.rows[1:]))
    before = {panel["title"]: panel["id"] for panel in all_panels(dashboard(home))}
    after = {panel["title"]: panel["id"] for panel in all_panels(dashboard(grown))}

    assert after == {**before, "New": panel_id("new")}


def test_two_panels_with_one_key_are_refused() -> None:
    """A key used twice on a board is an error that names the board and the key."""
    twice = stat("same", "One", "First of two.", "up{}", unit="none")
    board = Board("x", "X", "Two panels.", (Row("Row", (twice, replace(twice, title="Two"))),))

    with pytest.raises(RenderError, match="board 'x': panels 'same' and 'same' have one id"):
        check_keys(board)
