"""
A kind's file as a `Kind`: defaults filled in, durations as timedeltas, lists as tuples.

Pure, and trusting: the data has passed kind.schema.json, at run time for a catalog's own kinds
and in the tests for the built-in ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from generator.errors import Place
from generator.kinds.words import DEFAULT_HEALTH
from generator.names import EXPORTER_LABEL, SUBJECT_LABELS
from generator.quantities import read_duration
from generator.software import (
    VERDICT_UP,
    BodyDependency,
    Kind,
    Metric,
    MetricsSource,
    MultiTarget,
    Probe,
)

_NOTHING: Mapping[str, str] = MappingProxyType({})

# An own label of one of these names is stored as `exported_<name>`: the scrape's label wins.
_TAKEN = frozenset((*SUBJECT_LABELS, EXPORTER_LABEL, "instance", "job"))

# Estimated series of a target that does not say: about what a small Go program exposes.
_DEFAULT_SERIES = 100


def build_kind(data: Mapping[str, Any], place: Place) -> Kind:
    """Return the kind that *data* (a whole file, checked) describes; *place* is where it stands."""
    metrics = data.get("metrics")
    honored = bool(metrics and metrics.get("honor_labels"))
    return Kind(
        name=data["kind"],
        title=data["title"],
        port=data.get("port"),
        metrics=_source(metrics) if metrics else None,
        probes=tuple(build_probe(probe) for probe in data.get("probes", ())),
        prober=data.get("prober", "blackbox"),
        verdict=data.get("verdict", VERDICT_UP),
        observer=data.get("observer", False),
        health=data.get("health", DEFAULT_HEALTH),
        health_note=data.get("health_note", ""),
        log=data.get("log", "plain"),
        packs=tuple(data.get("packs", ())),
        board=data.get("board", ""),
        stateful=data.get("stateful", False),
        oneshot=data.get("oneshot", False),
        restart_note=data.get("restart", {}).get("note", ""),
        sources=tuple(data.get("sources", ())),
        notes=tuple(data.get("notes", ())),
        declares=MappingProxyType(
            {
                name: _metric(name, entry, honored=honored)
                for name, entry in data.get("declares", {}).items()
            }
        ),
        place=place,
    )


def build_probe(entry: Mapping[str, Any]) -> Probe:
    """Return one probe, with what its body tells of dependencies."""
    told = tuple(
        BodyDependency(each["name"], each["pointer"], tuple(each["good"]))
        for each in entry.get("dependencies", ())
    )
    return Probe(**{**entry, "dependencies": told})


def stored_label(own: str) -> str:
    """Return the name under which a label the software sets is stored after a scrape."""
    return f"exported_{own}" if own in _TAKEN else own


def _metric(name: str, entry: Mapping[str, Any], *, honored: bool) -> Metric:
    labels = entry["labels"]
    return Metric(
        name=name,
        type=entry["type"],
        unit=entry["unit"],
        help=entry["help"],
        labels=tuple(sorted(labels if honored else map(stored_label, labels))),
        absent=entry.get("absent", False),
        versions=entry.get("versions", ""),
    )


def _source(data: Mapping[str, Any]) -> MetricsSource:
    multi = data.get("multi_target")
    interval, timeout = data.get("interval"), data.get("timeout")
    return MetricsSource(
        source=data["from"],
        exporter=data.get("exporter", ""),
        port=data["port"],
        path=data.get("path", "/metrics"),
        params=MappingProxyType(dict(data["params"])) if "params" in data else _NOTHING,
        multi_target=MultiTarget(**multi) if multi else None,
        fallback_scrape_protocol=data.get("fallback_scrape_protocol", ""),
        interval=read_duration(interval) if interval else None,
        timeout=read_duration(timeout) if timeout else None,
        needs=data.get("needs", ""),
        drop=tuple(data.get("drop", ())),
        series=data.get("series", _DEFAULT_SERIES),
        honor_labels=data.get("honor_labels", False),
        credentials_file=data.get("credentials_file", ""),
    )
