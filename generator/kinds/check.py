"""
What is wrong with a catalog's own kind: its form (kind.schema.json) and the names it mentions.

Every problem is a finding with place, fact and cure; the validator's own words are never shown.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError

from generator.errors import Finding, Place
from generator.kinds.build import build_kind
from generator.kinds.load import SCHEMA_FILE
from generator.kinds.words import GIVEN_VERDICTS, LOG_FORMATS, PACKS
from generator.software import VERDICT_AGENT, VERDICT_PROBE, Kind
from generator.yaml_read import Document

CHECK = "kinds"

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
}

_LIMITS = {
    "minimum": "smallest value",
    "maximum": "largest value",
    "minLength": "smallest length",
    "maxLength": "largest length",
    "maxItems": "largest number of items",
    "maxProperties": "largest number of keys",
}


def check_document(document: Document, stem: str, builtin: Mapping[str, Kind]) -> list[Finding]:
    """
    Return what is wrong with one file by itself: form, file name, a built-in kind taken over.

    Args:
        document: The file, read strictly.
        stem: Name of the file without `.yml`; the kind must be called the same.
        builtin: Our own kinds, which may only be replaced on purpose.
    """
    data = document.data
    findings = [_finding(document, error) for error in _validator().iter_errors(data)]
    if findings:
        return findings
    name = data["kind"]
    if name != stem:
        findings.append(
            _at(document, ("kind",), f"kind {name!r} stands in '{stem}.yml'",
                f"Name the file '{name}.yml' or the kind {stem!r}.")
        )  # fmt: skip
    if name in builtin and not data.get("replaces", False):
        findings.append(
            _at(document, ("kind",), f"kind {name!r} exists already",
                "Choose another name, or say `replaces: true` to take the place of ours.")
        )  # fmt: skip
    if name not in builtin and data.get("replaces", False):
        findings.append(
            _at(document, ("replaces",), f"there is no built-in kind {name!r} to replace",
                "Remove `replaces`.")
        )  # fmt: skip
    return findings


def check_references(document: Document, known: Mapping[str, Kind]) -> list[Finding]:
    """Return what the kind in *document* mentions and nobody has: exporter, verdict, log, packs."""
    return [
        *_check_exporter(document, known),
        *_check_verdict(document),
        *_check_words(document),
        *_check_templates(document),
        *_check_dropped(document),
    ]


def _check_exporter(document: Document, known: Mapping[str, Kind]) -> Iterator[Finding]:
    exporter = document.data.get("metrics", {}).get("exporter")
    if exporter is None:
        return
    keys = ("metrics", "exporter")
    if exporter not in known:
        yield _at(
            document, keys, f"unknown exporter kind {exporter!r}", _did_you_mean(exporter, known)
        )
    elif not known[exporter].observer:
        yield _at(document, keys, f"kind {exporter!r} is not an observer",
                  f"Say `observer: true` in the kind {exporter!r}, or name another.")  # fmt: skip


def _check_verdict(document: Document) -> Iterator[Finding]:
    data = document.data
    verdict = data.get("verdict", "up")
    keys = ("verdict",) if "verdict" in data else ("kind",)
    metrics = data.get("metrics")
    if verdict not in GIVEN_VERDICTS:
        if verdict not in data.get("declares", {}):
            yield _at(document, keys, f"verdict {verdict!r} is not a declared metric",
                      "Declare it under `declares`, or use up, probe_success, agent_up or "
                      "agent_container_running.")  # fmt: skip
    elif verdict == "up" and (metrics is None or metrics["from"] != "native"):
        yield _at(document, keys, "the verdict 'up' needs native metrics, and there are none",
                  "Add `metrics: {from: native, ...}`, or say `verdict: probe_success`.")  # fmt: skip
    elif verdict in (VERDICT_PROBE, VERDICT_AGENT) and not data.get("probes"):
        yield _at(document, keys, f"the verdict {verdict!r} needs a probe, and there is none",
                  "Add one under `probes`.")  # fmt: skip
    prober = "agents" if verdict == VERDICT_AGENT else "blackbox"
    if verdict in (VERDICT_PROBE, VERDICT_AGENT) and data.get("prober", "blackbox") != prober:
        yield _at(document, keys, f"the verdict {verdict!r} comes from the prober {prober!r}",
                  f"Say `prober: {prober}`.")  # fmt: skip


def _check_words(document: Document) -> Iterator[Finding]:
    log = document.data.get("log", "plain")
    if log not in LOG_FORMATS:
        yield _at(
            document, ("log",), f"unknown log format {log!r}", _did_you_mean(log, LOG_FORMATS)
        )
    for index, pack in enumerate(document.data.get("packs", ())):
        if pack not in PACKS:
            yield _at(
                document, ("packs", index), f"unknown pack {pack!r}", _did_you_mean(pack, PACKS)
            )


def _check_templates(document: Document) -> Iterator[Finding]:
    multi = document.data.get("metrics", {}).get("multi_target")
    if multi is None:
        return
    try:
        multi["value"].format(service="x", port=1)
    except (KeyError, IndexError, ValueError, AttributeError):
        yield _at(document, ("metrics", "multi_target", "value"),
                  f"{multi['value']!r} is not a template we can fill",
                  "Use {service} and {port} only.")  # fmt: skip


def _check_dropped(document: Document) -> Iterator[Finding]:
    """Yield what is declared and thrown away at the scrape: an alert on it would be dead."""
    metrics = build_kind(document.data, document.place()).declares
    for index, pattern in enumerate(document.data.get("metrics", {}).get("drop", ())):
        keys = ("metrics", "drop", index)
        try:
            dropped = re.compile(pattern)
        except re.error as error:
            yield _at(document, keys, f"{pattern!r} is not a regular expression: {error.msg}", "")
            continue
        for name, metric in metrics.items():
            if any(dropped.fullmatch(series) for series in metric.series_names):
                yield _at(document, keys, f"{pattern!r} drops the declared metric {name!r}",
                          "Narrow the pattern, or remove the metric from `declares`.")  # fmt: skip


@cache
def _validator() -> Any:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def _finding(document: Document, error: ValidationError) -> Finding:
    """Return *error* in our own words, at the place of the value or of the unknown key."""
    rule, schema = str(error.validator), _schema(error)
    keys = tuple(error.absolute_path)
    where = f"{'.'.join(str(key) for key in keys)}: " if keys else ""
    fact, cure = _explain(rule, error.validator_value, error.instance, schema)
    if rule == "additionalProperties":
        keys = (*keys, _unknown_keys(error.instance, schema)[0])
    return _at(document, keys, where + fact, cure)


def _schema(error: ValidationError) -> Mapping[str, Any]:
    return error.schema if isinstance(error.schema, Mapping) else {}


def _explain(rule: str, wanted: Any, found: Any, schema: Mapping[str, Any]) -> tuple[str, str]:
    """Return fact and cure for one broken rule of the schema; *wanted* is the rule's value."""
    cure = str(schema.get("description", ""))
    match rule:
        case "additionalProperties":
            keys = _unknown_keys(found, schema)
            names = ", ".join(repr(key) for key in keys)
            word = "key" if len(keys) == 1 else "keys"
            return f"unknown {word} {names}", _did_you_mean(str(keys[0]), schema["properties"])
        case "required":
            missing = ", ".join(repr(key) for key in wanted if key not in found)
            return f"{missing} is missing", "Add it."
        case "type":
            return f"{_show(found)} is not {_TYPES.get(str(wanted), str(wanted))}", cure
        case "enum":
            return f"{_show(found)} is not one of {', '.join(map(str, wanted))}", cure
        case "pattern":
            return f"{_show(found)} does not have the form {wanted}", cure
        case "minimum" | "maximum" | "minLength" | "maxLength" | "maxItems" | "maxProperties":
            return f"{_show(found)} is beyond the {_LIMITS[rule]} {wanted}", cure
        case "not":
            return "'exporter' goes with `from: exporter` only", "Remove one of the two."
        case _:
            return f"{_show(found)} is not allowed here", cure


def _unknown_keys(found: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    return sorted((key for key in found if key not in schema.get("properties", {})), key=str)


def _show(value: Any) -> str:
    """Return *value* quoted and short, whatever it is."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _did_you_mean(word: str, choices: Iterable[str]) -> str:
    names = sorted(choices)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(names)}." if len(names) <= 30 else ""


def _at(document: Document, keys: tuple[Any, ...], fact: str, cure: str) -> Finding:
    place: Place = document.place(*keys)
    return Finding(place=place, fact=fact, cure=cure, check=CHECK)
