"""Every board is accepted by Grafana's own schema and survives its own SDK."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

# The SDK would rather have everybody on schema v2, which file provisioning refuses.
pytestmark = pytest.mark.filterwarnings("ignore:Prefer using dashboardv2")

SCHEMA = Path(__file__).parents[3] / "shared" / "judges" / "grafana-dashboard-classic.schema.json"

# What the SDK adds on dumping because its classes have these defaults; none of it changes a board.
SDK_DEFAULTS = {
    "allowCustomValue": True,
    "auto": False,
    "auto_count": 30,
    "auto_min": "10s",
    "builtIn": 0,
    "fiscalYearStartMonth": 0,
    "footer": {"show": False, "reducer": [], "countRows": False},
    "hidden": False,
    "hide": False,
    "perPage": 20,
    "placement": "inControlsMenu",
    "refresh_intervals": ["5s", "10s", "30s", "1m", "5m", "15m", "30m", "1h", "2h", "1d"],
    "repeatDirection": "h",
    "showTypeIcons": False,
    "skipUrlSync": False,
    "transparent": False,
}


@pytest.fixture(scope="module")
def judge() -> jsonschema.Draft7Validator:
    """Return Grafana's schema, or skip loudly where it is not handed out with the checkout."""
    if not SCHEMA.exists():
        pytest.skip(f"not judged: Grafana's schema is missing at ../shared/judges/{SCHEMA.name}")
    return jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))


def schema_errors(judge: jsonschema.Draft7Validator, board: dict[str, Any]) -> list[str]:
    """Return the schema's complaints about the whole *board* and about each of its panels alone."""
    complaints = [
        f"{list(error.path)}: {error.message[:200]}"
        for error in judge.iter_errors({**board, "panels": []})
    ]
    for panel in board["panels"]:
        name = "RowPanel" if panel["type"] == "row" else "Panel"
        schema = {**judge.schema, "$ref": f"#/definitions/{name}"}
        complaints += [
            f"{panel['title']}: {list(error.path)}: {error.message[:200]}"
            for error in jsonschema.Draft7Validator(schema).iter_errors(panel)
        ]
    return complaints


def test_every_board_is_accepted_by_grafanas_schema(
    judge: jsonschema.Draft7Validator, rendered: dict[str, dict[str, Any]]
) -> None:
    """No board breaks the published schema, as a whole or in any panel."""
    found = {name: schema_errors(judge, board) for name, board in rendered.items()}

    assert {name: [] for name in rendered} == found
    assert all(judge.is_valid(board) for board in rendered.values())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("panels", 1, "height"), "250px"),
        (("panels", 1, "fieldConfig", "defaults", "thresholds", "steps"), ""),
        (("panels", 1, "fieldConfig", "defaults", "decimals"), None),
        (("panels", 1, "datasource"), "Prometheus"),
        (("__inputs",), []),
        (("templating", "list", 0, "useTags"), False),
    ],
)
def test_the_schema_refuses_what_grafanalib_writes(
    judge: jsonschema.Draft7Validator,
    rendered: dict[str, dict[str, Any]],
    path: tuple[str | int, ...],
    value: object,
) -> None:
    """Putting back any one of grafanalib's habits makes the judge complain."""
    board = copy.deepcopy(rendered["home"])
    target: Any = board
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value

    assert schema_errors(judge, board)


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Yield what *theirs* lost, changed, or added beyond the SDK's defaults."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(set(ours) | set(theirs)):
            if key not in theirs:
                yield f"lost {path}/{key}"
            elif key not in ours:
                if key not in SDK_DEFAULTS or theirs[key] != SDK_DEFAULTS[key]:
                    yield f"added {path}/{key}"
            else:
                yield from differences(ours[key], theirs[key], f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{path}/{index}")
    elif ours != theirs or type(ours) is not type(theirs):
        yield f"changed {path}: {ours!r} to {theirs!r}"


def round_trip(board: dict[str, Any]) -> Any:
    """Return *board* after loading it into the SDK's typed models and dumping it again."""
    register_default_plugins()
    loaded = Dashboard.from_json(copy.deepcopy(board))
    return json.loads(JSONEncoder().encode(loaded))


def test_the_sdk_round_trip_loses_nothing(rendered: dict[str, dict[str, Any]]) -> None:
    """Loaded into the foundation SDK and dumped again, every board says what it said before."""
    found = {name: list(differences(board, round_trip(board))) for name, board in rendered.items()}

    assert {name: [] for name in rendered} == found


def test_the_round_trip_sees_a_key_that_the_sdk_does_not_know(
    rendered: dict[str, dict[str, Any]],
) -> None:
    """A legacy key of a target, an option or the board is reported as lost."""
    board = copy.deepcopy(rendered["home"])
    board["hideControls"] = False
    board["panels"][1]["targets"][0]["step"] = 10
    board["panels"][2]["options"]["fieldOptions"] = {}

    expected = [
        "lost /hideControls",
        "lost /panels/1/targets/0/step",
        "lost /panels/2/options/fieldOptions",
    ]

    assert expected == list(differences(board, round_trip(board)))
