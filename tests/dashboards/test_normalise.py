"""What grafanalib 0.7.1 gets wrong, and that the normaliser repairs exactly that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grafanalib.core as g
import jsonschema
import pytest

from dashboards.normalise import normalise
from generator.errors import RenderError

SCHEMA = Path(__file__).parents[3] / "shared" / "judges" / "grafana-dashboard-classic.schema.json"
SOURCE = {"type": "prometheus", "uid": "p"}


def raw(*panels: Any) -> g.Dashboard:
    """Return a dashboard as grafanalib makes it when nobody helps."""
    template = g.Template(name="service", query="label_values(up, service)", dataSource=SOURCE)
    return g.Dashboard(
        title="Raw", uid="raw-board", panels=list(panels), templating=g.Templating(list=[template])
    )


def shared() -> dict[str, Any]:
    """Return the arguments every panel of these tests has."""
    target = g.Target(expr="up{}", refId="A", datasource=SOURCE)
    return {
        "title": "T",
        "id": 7,
        "gridPos": g.GridPos(8, 8, 0, 0),
        "dataSource": SOURCE,
        "targets": [target],
    }


MAKERS = (
    g.TimeSeries,
    g.Stat,
    g.GaugePanel,
    g.BarGauge,
    g.Table,
    g.StateTimeline,
    g.Logs,
    g.Text,
    g.RowPanel,
)


@pytest.mark.parametrize("make", MAKERS)
def test_grafanalibs_defaults_are_refused_raw_and_accepted_normalised(make: Any) -> None:
    """Grafana's schema refuses the panel as grafanalib writes it and accepts it normalised."""
    if not SCHEMA.exists():
        pytest.skip(f"not judged: Grafana's schema is missing at ../shared/judges/{SCHEMA.name}")
    judge = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))
    board = raw(make(**shared()))
    before = json.loads(json.dumps(board, default=lambda each: each.to_json_data()))

    assert not judge.is_valid(before)
    assert [error.message for error in judge.iter_errors(normalise(board))] == []


def test_thresholds_become_steps_with_a_base() -> None:
    """Steps given as a string, or with the string "null", become a list whose first value is null."""
    stat, bar = normalise(raw(g.Stat(**shared()), g.BarGauge(**shared())))["panels"]
    steps = [panel["fieldConfig"]["defaults"]["thresholds"]["steps"] for panel in (stat, bar)]

    assert steps == [
        [{"color": "green", "value": None}],
        [{"color": "green", "value": None}, {"color": "red", "value": 80.0}],
    ]


def test_options_of_gauges_move_to_where_grafana_reads_them() -> None:
    """Calculation, limits and unit of both gauges end in options and field defaults."""
    made = [
        make(**shared(), calc="max", max=5, min=1, format="s")
        for make in (g.GaugePanel, g.BarGauge)
    ]
    found = [
        (
            panel["options"]["reduceOptions"]["calcs"],
            [panel["fieldConfig"]["defaults"].get(key) for key in ("min", "max", "unit")],
            "fieldOptions" in panel["options"],
        )
        for panel in normalise(raw(*made))["panels"]
    ]

    assert found == [(["max"], [1, 5, "s"], False)] * 2


def test_a_target_keeps_its_query_and_loses_the_rest() -> None:
    """Of grafanalib's thirteen keys a Prometheus target keeps six; instant or range is said."""
    (panel,) = normalise(raw(g.TimeSeries(**shared())))["panels"]

    assert panel["targets"] == [
        {
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": "up{}",
            "format": "time_series",
            "instant": False,
            "legendFormat": "",
            "range": True,
            "refId": "A",
        }
    ]


def test_a_panel_type_nobody_described_is_refused() -> None:
    """A type without an entry in `classic` is our own mistake and says so."""
    with pytest.raises(RenderError, match="panel type 'heatmap' has no entry"):
        normalise(raw(g.Heatmap(**shared())))
