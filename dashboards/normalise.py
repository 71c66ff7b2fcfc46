"""
Turn what grafanalib 0.7.1 writes into Grafana's classic dashboard schema, version 42, the last.

Why: grafanalib stopped at schema 12. Every panel it writes is refused by Grafana's own schema
(nulls, keys of the Angular era, thresholds that are a string, gauges whose options lie in the
wrong place), and Grafana 11 shows some of them blank. This is the one place that repairs it.

In: `Dashboard.to_json_data()`, nested grafanalib objects and all. Out: plain data in which every
key is known to the schema, nothing is null but the base threshold, and every option that Grafana
would add on loading is already there. It adds no content: titles, queries, units are the boards'.

Source of the keys: the schema published with grafana-foundation-sdk 0.0.18.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

SCHEMA_VERSION = 42

_DASHBOARD = (
    "uid", "title", "description", "tags", "timezone", "editable", "graphTooltip", "time",
    "refresh", "version", "links",
)  # fmt: skip
_PANEL = (
    "type", "id", "title", "description", "datasource", "gridPos", "maxDataPoints",
    "transformations", "links",
)  # fmt: skip
_DEFAULTS = ("unit", "decimals", "min", "max", "mappings", "links", "noValue", "color")
_VARIABLE = (
    "type", "name", "label", "hide", "query", "datasource", "multi", "refresh", "sort",
    "includeAll", "allValue",
)  # fmt: skip
_PROMETHEUS_TARGET = ("datasource", "expr", "legendFormat", "refId", "instant", "format")
_LOKI_TARGET = ("datasource", "expr", "legendFormat", "refId")

_BASE_STEP = {"color": "green", "value": None}

_TOOLTIP = {"mode": "single", "sort": "none"}
_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_REDUCE = {"calcs": ["lastNotNull"], "values": False, "fields": ""}

# What Grafana 11 writes for a panel that was saved untouched; the board's own options go on top.
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
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
_CUSTOM = ("drawStyle", "fillOpacity", "lineWidth", "showPoints", "stacking", "thresholdsStyle")
_LINK = {
    "type": "link",
    "icon": "",
    "tooltip": "",
    "tags": [],
    "asDropdown": False,
    "targetBlank": False,
    "includeVars": False,
    "keepTime": False,
}
_TABLE_CUSTOM = {"align": "auto", "inspect": False, "cellOptions": {"type": "auto"}}
# Colour by threshold where a value is judged, by series where lines must be told apart.
_COLOR = {"timeseries": "palette-classic"}


def normalise(raw: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the dashboard *raw* in the classic schema 42.

    Keys that the schema does not know are dropped, whatever they say: a feature of grafanalib
    that a board wants to use needs its modern key named here.
    """
    data = plain(raw)
    made = _pick(data, _DASHBOARD)
    made["schemaVersion"] = SCHEMA_VERSION
    made["timepicker"] = {}
    made["panels"] = [_any_panel(panel) for panel in data["panels"]]
    made["templating"] = {"list": [_variable(each) for each in data["templating"]["list"]]}
    made["annotations"] = {"list": [_pruned(each) for each in data["annotations"]["list"]]}
    return made


def plain(value: Any) -> Any:
    """Return *value* with every grafanalib object in it replaced by its data."""
    if hasattr(value, "to_json_data"):
        return plain(value.to_json_data())
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def _any_panel(panel: dict[str, Any]) -> dict[str, Any]:
    if panel["type"] != "row":
        return _panel(panel)
    made = _pick(panel, ("type", "id", "title", "gridPos"))
    made["collapsed"] = bool(panel.get("collapsed"))
    made["panels"] = [_panel(inner) for inner in panel.get("panels", ())]
    return made


def _panel(panel: dict[str, Any]) -> dict[str, Any]:
    kind = panel["type"]
    made = _pick(panel, _PANEL)
    if not made.get("transformations"):
        made.pop("transformations", None)
    if not made.get("links"):
        made.pop("links", None)
    made["fieldConfig"] = _field_config(kind, panel)
    made["options"] = _options(kind, panel)
    if panel.get("targets"):
        made["targets"] = [_target(target) for target in panel["targets"]]
    return made


def _field_config(kind: str, panel: dict[str, Any]) -> dict[str, Any]:
    config = panel.get("fieldConfig", {})
    raw = config.get("defaults", {})
    # grafanalib's bar gauge still writes the `fieldOptions` of Grafana 6; what extraJson says wins.
    old = (panel.get("options") or {}).get("fieldOptions", {}) if kind == "bargauge" else {}
    defaults = _pick({**old.get("defaults", {}), **_pruned(raw)}, _DEFAULTS)
    steps = (raw.get("thresholds") or {}).get("steps") or old.get("thresholds")
    defaults["thresholds"] = {"mode": "absolute", "steps": _steps(steps)}
    defaults.setdefault("color", {"mode": _COLOR.get(kind, "thresholds")})
    links = defaults.pop("links", None)
    if links:
        # The schema knows one kind of link, with all keys; the value's own links use title and url.
        defaults["links"] = [{**_LINK, **link} for link in links]
    if not defaults.get("mappings"):
        defaults.pop("mappings", None)
    if kind == "table":
        defaults["custom"] = deepcopy(_TABLE_CUSTOM)
    elif raw.get("custom"):
        custom = raw["custom"]
        defaults["custom"] = {
            key: custom[key] for key in _CUSTOM if custom.get(key) not in (None, {})
        }
    return {"defaults": defaults, "overrides": config.get("overrides") or []}


def _steps(raw: Any) -> list[dict[str, Any]]:
    """Return threshold steps, base first with value null; grafanalib gives `""`, or `"null"` for null."""
    if not isinstance(raw, list) or not raw:
        return [dict(_BASE_STEP)]
    steps = [{"color": step["color"], "value": step.get("value")} for step in raw]
    steps[0]["value"] = None
    return steps


def _options(kind: str, panel: dict[str, Any]) -> dict[str, Any]:
    options = deepcopy(dict(_OPTIONS.get(kind, {})))
    raw = panel.get("options")
    given = _pruned(raw) if isinstance(raw, dict) else {}
    calcs = given.pop("fieldOptions", {}).get("calcs")
    if kind == "gauge":
        calcs = panel["fieldConfig"]["defaults"].get("calcs")
    for key in ("showThresholdLabels", "showThresholdMarkers"):
        value = given.pop(key, None) if kind == "bargauge" else given.get(key)
        if kind == "gauge":
            value = panel["fieldConfig"].get(key, value)
            if value is not None:
                given[key] = value
    _merge(options, given)
    if calcs and "reduceOptions" in options:
        options["reduceOptions"]["calcs"] = calcs
    if kind == "table" and not options.get("sortBy"):
        options.pop("sortBy", None)
    return options


def _target(target: dict[str, Any]) -> dict[str, Any]:
    source = target.get("datasource") or {}
    if source.get("type") == "loki":
        made = _pick(target, _LOKI_TARGET)
        made["queryType"] = "instant" if target.get("instant") else "range"
    else:
        made = _pick(target, _PROMETHEUS_TARGET)
        made["range"] = not target.get("instant")
    made["editorMode"] = "code"
    return made


def _variable(raw: dict[str, Any]) -> dict[str, Any]:
    made = _pick(raw, _VARIABLE)
    if raw.get("includeAll"):
        made["current"] = {"selected": True, "text": ["All"], "value": ["$__all"]}
        made["definition"] = raw["query"]
    else:
        value = raw["query"]
        made["current"] = {"selected": True, "text": value, "value": value}
    return made


def _pick(data: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return those of *keys* that *data* has and that are not null."""
    return {key: data[key] for key in keys if data.get(key) is not None}


def _pruned(data: Any) -> Any:
    """Return *data* without the keys whose value is null, at every depth."""
    if isinstance(data, dict):
        return {key: _pruned(value) for key, value in data.items() if value is not None}
    if isinstance(data, list):
        return [_pruned(value) for value in data]
    return data


def _merge(base: dict[str, Any], extra: Mapping[str, Any]) -> None:
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
