"""
The only place that knows grafanalib: a `Board` becomes grafanalib objects, these become JSON data.

grafanalib is imported when the first board is built, not before: it costs a tenth of a second
that `--help` and a broken catalog need not pay. What its 0.7.1 writes is refused by Grafana's
own schema; `dashboards.normalise` repairs that in one place, so nothing is patched here.
"""

from __future__ import annotations

from typing import Any

from dashboards.board import Annotation, Board, Variable, check_keys, panel_id, row_key
from dashboards.layout import place
from dashboards.normalise import normalise
from dashboards.panels import LOKI, Link, Panel, Query, Step, Viz
from dashboards.tables import overrides, transformations
from generator.names import DATASOURCE_LOKI, DATASOURCE_PROMETHEUS

__all__ = ["Board", "dashboard"]

_PROMETHEUS = {"type": "prometheus", "uid": DATASOURCE_PROMETHEUS}
_LOKI = {"type": "loki", "uid": DATASOURCE_LOKI}

# Points per line. grafanalib's 100 is coarse on any screen; 1,000 is a point per two pixels on a wide one.
MAX_DATA_POINTS = 1000


def dashboard(board: Board) -> dict[str, Any]:
    """
    Return *board* in Grafana's classic schema, ready for `json.dumps`.

    Raises RenderError when two of its panels have one key.
    """
    import grafanalib.core as g

    check_keys(board)
    made = g.Dashboard(
        title=board.title,
        description=board.description,
        uid=board.uid,
        tags=["tierwatch", board.folder],
        editable=False,
        graphTooltip=g.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
        refresh="30s",
        timezone="browser",
        time=g.Time(board.since, "now"),
        templating=g.Templating(list=[_variable(g, each) for each in board.variables]),
        annotations=g.Annotations(list=[_annotation(each) for each in board.annotations]),
        links=[_top_link(g, link) for link in board.navigation],
        panels=_panels(g, board),
        version=1,
    )
    return normalise(made.to_json_data())


def _panels(g: Any, board: Board) -> list[Any]:
    made: list[Any] = []
    for placed in place(board.rows):
        inside = [_panel(g, panel, g.GridPos(*spot)) for panel, spot in placed.panels]
        made.append(
            g.RowPanel(
                title=placed.row.title,
                id=panel_id(row_key(placed.row.title)),
                gridPos=g.GridPos(*placed.spot),
                collapsed=placed.row.collapsed,
                panels=inside if placed.row.collapsed else [],
            )
        )
        if not placed.row.collapsed:
            made.extend(inside)
    return made


def _panel(g: Any, panel: Panel, spot: Any) -> Any:
    table = panel.viz is Viz.TABLE
    shared = {
        "title": panel.title,
        "description": panel.description,
        "id": panel_id(panel.key),
        "gridPos": spot,
        "dataSource": _source(panel),
        "targets": [_target(g, query, table=table) for query in panel.queries],
        "thresholds": [_step(step) for step in panel.steps],
        "maxDataPoints": MAX_DATA_POINTS,
        "extraJson": _extra(panel),
    }
    if table:
        shared["transformations"] = transformations(panel)
    return _MAKERS[panel.viz](g, panel, shared)


def _extra(panel: Panel) -> dict[str, Any]:
    """Return what every panel type takes but not every grafanalib class has an argument for."""
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": panel.minimum,
        "max": panel.maximum,
        "links": [{"title": link.title, "url": link.url} for link in panel.links],
    }
    if panel.words is not None:
        options = {
            number: {"text": word.text, "color": word.color, "index": index}
            for index, (number, word) in enumerate(panel.words.items())
        }
        defaults["mappings"] = [{"type": "value", "options": options}]
    return {"fieldConfig": {"defaults": defaults, "overrides": overrides(panel)}}


def _timeseries(g: Any, panel: Panel, shared: dict[str, Any]) -> Any:
    judged = len(panel.steps) > 1
    return g.TimeSeries(
        **shared,
        fillOpacity=30 if panel.stacked else 8,
        stacking={"mode": "normal", "group": "A"} if panel.stacked else {},
        showPoints="never",
        thresholdsStyleMode="dashed" if judged else "off",
        tooltipMode="multi",
        tooltipSort="desc",
        legendCalcs=["lastNotNull", "max"],
        legendDisplayMode="table",
    )


def _stat(g: Any, panel: Panel, shared: dict[str, Any]) -> Any:
    return g.Stat(
        **shared,
        format=panel.unit,
        reduceCalc="lastNotNull",
        colorMode="background" if len(panel.steps) > 1 else "value",
        graphMode="none",
        noValue="no data",
    )


def _gauge(g: Any, panel: Panel, shared: dict[str, Any]) -> Any:
    return g.GaugePanel(**shared, calc="lastNotNull", min=panel.minimum, max=panel.maximum)


def _bargauge(g: Any, panel: Panel, shared: dict[str, Any]) -> Any:
    return g.BarGauge(
        **shared,
        calc="lastNotNull",
        displayMode="gradient" if len(panel.steps) > 1 else "basic",
        min=panel.minimum,
        max=panel.maximum,
    )


def _table(g: Any, panel: Panel, shared: dict[str, Any]) -> Any:
    column = panel.sort.removeprefix("-")
    sort = [g.TableSortByField(column, desc=panel.sort != column)] if column else []
    return g.Table(**shared, sortBy=sort)


def _states(g: Any, panel: Panel, shared: dict[str, Any]) -> Any:
    return g.StateTimeline(**shared, showValue="never" if panel.words else "auto")


def _logs(g: Any, panel: Panel, shared: dict[str, Any]) -> Any:
    del panel
    return g.Logs(**shared, showTime=True, wrapLogMessages=True, enableLogDetails=True)


def _text(g: Any, panel: Panel, shared: dict[str, Any]) -> Any:
    return g.Text(**shared, content=panel.content, mode="markdown")


_MAKERS = {
    Viz.TIMESERIES: _timeseries,
    Viz.STAT: _stat,
    Viz.GAUGE: _gauge,
    Viz.BARGAUGE: _bargauge,
    Viz.TABLE: _table,
    Viz.STATES: _states,
    Viz.LOGS: _logs,
    Viz.TEXT: _text,
}


def _source(panel: Panel) -> dict[str, str] | None:
    if not panel.queries:
        return None
    return _LOKI if panel.queries[0].datasource == LOKI else _PROMETHEUS


def _target(g: Any, query: Query, *, table: bool) -> Any:
    return g.Target(
        expr=query.expr,
        legendFormat=query.legend,
        refId=query.ref,
        instant=query.instant,
        format="table" if table else "time_series",
        datasource=_LOKI if query.datasource == LOKI else _PROMETHEUS,
    )


def _step(step: Step) -> dict[str, Any]:
    return {"color": step.color, "value": step.value}


def _variable(g: Any, variable: Variable) -> Any:
    if not variable.query:
        return g.Template(
            name=variable.name,
            label=variable.label,
            query=variable.value,
            default=variable.value,
            type="constant",
            hide=g.HIDE_VARIABLE,
        )
    # `.+` and not the list of all values: the list grows with the platform, the request must not.
    return g.Template(
        name=variable.name,
        label=variable.label,
        query=variable.query,
        dataSource=_LOKI if variable.source == LOKI else _PROMETHEUS,
        includeAll=True,
        multi=True,
        allValue=".+",
        refresh=g.REFRESH_ON_TIME_RANGE_CHANGE,
    )


def _annotation(mark: Annotation) -> dict[str, Any]:
    return {
        "name": mark.name,
        "datasource": _PROMETHEUS,
        "enable": True,
        "iconColor": mark.color,
        "expr": mark.expr,
        "titleFormat": mark.title,
        "textFormat": mark.text,
        "step": "60s",
        "useValueForTime": mark.at_value,
    }


def _top_link(g: Any, link: Link) -> Any:
    board = link.url.startswith("/")
    return g.DashboardLink(
        type="link",
        title=link.title,
        uri=link.url,
        icon="dashboard" if board else "doc",
        includeVars=board,
        keepTime=board,
        targetBlank=not board,
    )
