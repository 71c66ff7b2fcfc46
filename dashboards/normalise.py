"""
Turn what grafanalib 0.7.1 writes into Grafana's classic dashboard schema, version 42, the last.

Why: grafanalib stopped at schema 12. Every panel it writes is refused by Grafana's own schema
(nulls, keys of the Angular era, thresholds that are a string, gauges whose options lie in the
wrong place), and Grafana 11 shows some of them blank. This is the one place that repairs it.

In: a grafanalib `Dashboard`, or its data. Out: plain data in which every key is known to the
schema, nothing is null but the base threshold, and every option that a panel type demands is
there. It adds no content: titles, queries, units are the boards'. What it returns may share
parts with other results; it is for writing, not for changing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dashboards.classic import (
    BASE_STEP,
    COLOR,
    CUSTOM,
    DASHBOARD,
    DEFAULTS,
    LINK,
    LOKI_TARGET,
    OPTIONS,
    PANEL,
    PROMETHEUS_TARGET,
    SCHEMA_VERSION,
    TABLE_CUSTOM,
    VARIABLE,
)
from generator.errors import RenderError


def normalise(raw: Any) -> dict[str, Any]:
    """
    Return the dashboard *raw* in the classic schema 42.

    Keys that the schema does not know are dropped, whatever they say: a feature of grafanalib
    that a board wants to use needs its modern key named in `dashboards.classic`. Raises
    RenderError for a panel type that is not named there.
    """
    data = _data(raw)
    made = _pick(data, DASHBOARD)
    made["time"] = _data(data["time"])
    made["links"] = [_data(link) for link in data["links"]]
    made["schemaVersion"] = SCHEMA_VERSION
    made["timepicker"] = {}
    made["panels"] = [_any_panel(_data(panel)) for panel in data["panels"]]
    variables = _data(data["templating"])["list"]
    made["templating"] = {"list": [_variable(_data(each)) for each in variables]}
    marks = _data(data["annotations"])["list"]
    made["annotations"] = {"list": [_plain(each) for each in marks]}
    return made


def _data(value: Any) -> Any:
    """Return the data of a grafanalib object, one level deep; anything else as it is."""
    return value.to_json_data() if hasattr(value, "to_json_data") else value


def _plain(value: Any) -> Any:
    """Return *value* as plain data without nulls, at every depth."""
    value = _data(value)
    if type(value) is dict:
        return {key: _plain(each) for key, each in value.items() if each is not None}
    if type(value) is list:
        return [_plain(each) for each in value]
    return value


def _pick(data: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return those of *keys* that *data* has and that are neither null nor an empty list."""
    return {key: data[key] for key in keys if data.get(key) not in (None, [])}


def _any_panel(panel: dict[str, Any]) -> dict[str, Any]:
    if panel["type"] != "row":
        return _panel(panel)
    made = _pick(panel, ("type", "id", "title"))
    made["gridPos"] = _data(panel["gridPos"])
    made["collapsed"] = bool(panel.get("collapsed"))
    made["panels"] = [_panel(_data(inner)) for inner in panel.get("panels", ())]
    return made


def _panel(panel: dict[str, Any]) -> dict[str, Any]:
    kind = panel["type"]
    if kind not in OPTIONS:
        raise RenderError(f"panel type {kind!r} has no entry in dashboards.classic")
    made = _pick(panel, PANEL)
    made["gridPos"] = _data(panel["gridPos"])
    made["fieldConfig"] = _field_config(kind, panel)
    made["options"] = _options(kind, panel)
    if panel.get("targets"):
        made["targets"] = [_target(_data(target)) for target in panel["targets"]]
    return made


def _field_config(kind: str, panel: dict[str, Any]) -> dict[str, Any]:
    config = panel.get("fieldConfig") or {}
    raw = config.get("defaults") or {}
    # grafanalib's bar gauge still writes the `fieldOptions` of Grafana 6; what extraJson says wins.
    old = _field_options(panel)
    defaults = {**_pick(old.get("defaults", {}), DEFAULTS), **_pick(raw, DEFAULTS)}
    steps = (raw.get("thresholds") or {}).get("steps") or old.get("thresholds")
    defaults["thresholds"] = {"mode": "absolute", "steps": _steps(steps)}
    defaults.setdefault("color", {"mode": COLOR.get(kind, "thresholds")})
    if "links" in defaults:
        # The schema knows one kind of link, with all keys; the value's own links use title and url.
        defaults["links"] = [{**LINK, **_data(link)} for link in defaults["links"]]
    custom = raw.get("custom")
    if kind == "table":
        defaults["custom"] = TABLE_CUSTOM
    elif custom:
        kept = {key: custom[key] for key in CUSTOM if custom.get(key) not in (None, {})}
        defaults["custom"] = kept
    return {"defaults": defaults, "overrides": config.get("overrides") or []}


def _field_options(panel: dict[str, Any]) -> dict[str, Any]:
    options = panel.get("options")
    return options.get("fieldOptions", {}) if isinstance(options, dict) else {}


def _steps(raw: Any) -> list[dict[str, Any]]:
    """Return threshold steps, base first with value null; grafanalib gives `""`, or `"null"` for null."""
    if not isinstance(raw, list) or not raw:
        return [BASE_STEP]
    steps = [_data(step) for step in raw]
    rest = [{"color": step["color"], "value": step["value"]} for step in steps[1:]]
    return [{"color": steps[0]["color"], "value": None}, *rest]


def _options(kind: str, panel: dict[str, Any]) -> dict[str, Any]:
    raw = panel.get("options")
    given = _plain(raw) if isinstance(raw, dict) else {}
    calcs = given.pop("fieldOptions", {}).get("calcs")
    config = panel.get("fieldConfig") or {}
    if kind == "gauge":
        # grafanalib writes a gauge's options among its field's defaults.
        calcs = config["defaults"].get("calcs")
        given.update(_pick(config, ("showThresholdLabels", "showThresholdMarkers")))
    options = _merged(OPTIONS[kind], {key: value for key, value in given.items() if value != []})
    if calcs:
        options["reduceOptions"] = {**options["reduceOptions"], "calcs": calcs}
    if kind == "bargauge":
        options.pop("showThresholdLabels", None)
        options.pop("showThresholdMarkers", None)
    return options


def _merged(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return *base* with *extra* laid over it, at every depth; neither is changed."""
    made = dict(base)
    for key, value in extra.items():
        under = made.get(key)
        nested = isinstance(value, dict) and isinstance(under, dict)
        made[key] = _merged(under, value) if nested else value  # type: ignore[arg-type]  # under is a dict then
    return made


def _target(target: dict[str, Any]) -> dict[str, Any]:
    source = target.get("datasource") or {}
    if source.get("type") == "loki":
        made = _pick(target, LOKI_TARGET)
        made["queryType"] = "instant" if target.get("instant") else "range"
    else:
        made = _pick(target, PROMETHEUS_TARGET)
        made["range"] = not target.get("instant")
    made["editorMode"] = "code"
    return made


def _variable(raw: dict[str, Any]) -> dict[str, Any]:
    made = _pick(raw, VARIABLE)
    if raw.get("includeAll"):
        made["current"] = {"selected": True, "text": ["All"], "value": ["$__all"]}
        made["definition"] = raw["query"]
    else:
        value = raw["query"]
        made["current"] = {"selected": True, "text": value, "value": value}
    return made
