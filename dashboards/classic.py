"""
The classic dashboard schema as data: which keys it knows, and what Grafana 11 writes by itself.

Source: the schema published with grafana-foundation-sdk 0.0.18, and its typed models, which say
what each panel type demands. Values here are shared by all panels: nobody may change them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEMA_VERSION = 42

DASHBOARD = (
    "uid", "title", "description", "tags", "timezone", "editable", "graphTooltip", "time",
    "refresh", "version", "links",
)  # fmt: skip
PANEL = (
    "type", "id", "title", "description", "datasource", "gridPos", "maxDataPoints",
    "transformations", "links",
)  # fmt: skip
DEFAULTS = ("unit", "decimals", "min", "max", "mappings", "links", "noValue", "color")
VARIABLE = (
    "type", "name", "label", "hide", "query", "datasource", "multi", "refresh", "sort",
    "includeAll", "allValue",
)  # fmt: skip
PROMETHEUS_TARGET = ("datasource", "expr", "legendFormat", "refId", "instant", "format")
LOKI_TARGET = ("datasource", "expr", "legendFormat", "refId")

BASE_STEP = {"color": "green", "value": None}

_TOOLTIP = {"mode": "single", "sort": "none"}
_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_REDUCE = {"calcs": ["lastNotNull"], "values": False, "fields": ""}

# What Grafana 11 writes for a panel that was saved untouched; the board's own options go on top.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "timeseries": {"legend": _LEGEND, "tooltip": _TOOLTIP},
    "stat": {
        "graphMode": "none",
        "colorMode": "value",
        "justifyMode": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
        "orientation": "auto",
        "reduceOptions": _REDUCE,
    },
    "gauge": {
        "showThresholdLabels": False,
        "showThresholdMarkers": True,
        "sizing": "auto",
        "minVizWidth": 75,
        "minVizHeight": 75,
        "orientation": "auto",
        "reduceOptions": _REDUCE,
    },
    "bargauge": {
        "displayMode": "gradient",
        "valueMode": "color",
        "namePlacement": "auto",
        "showUnfilled": True,
        "sizing": "auto",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 300,
        "legend": {**_LEGEND, "showLegend": False},
        "orientation": "horizontal",
        "reduceOptions": _REDUCE,
    },
    "table": {"frameIndex": 0, "showHeader": True, "cellHeight": "sm"},
    "state-timeline": {
        "showValue": "auto",
        "rowHeight": 0.9,
        "mergeValues": True,
        "alignValue": "left",
        "legend": _LEGEND,
        "tooltip": _TOOLTIP,
    },
    "logs": {
        "showLabels": False,
        "showCommonLabels": False,
        "showTime": True,
        "showLogContextToggle": False,
        "wrapLogMessage": True,
        "prettifyLogMessage": False,
        "enableLogDetails": True,
        "sortOrder": "Descending",
        "dedupStrategy": "none",
    },
    "text": {"mode": "markdown", "content": ""},
}
# How lines are drawn; the two dozen other keys say what Grafana does anyhow.
CUSTOM = ("drawStyle", "fillOpacity", "lineWidth", "showPoints", "stacking", "thresholdsStyle")
LINK = {
    "type": "link",
    "icon": "",
    "tooltip": "",
    "tags": [],
    "asDropdown": False,
    "targetBlank": False,
    "includeVars": False,
    "keepTime": False,
}
TABLE_CUSTOM = {"align": "auto", "inspect": False, "cellOptions": {"type": "auto"}}
# Colour by threshold where a value is judged, by series where lines must be told apart.
COLOR = {"timeseries": "palette-classic"}
