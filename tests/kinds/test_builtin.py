"""The built-in kinds: each file is true to the form, and what it mentions exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from alerts import packs
from generator.errors import Place
from generator.kinds import (
    BUILTIN_DIR,
    BUILTIN_METRICS,
    LOG_FORMATS,
    PACKS,
    SCHEMA_FILE,
    load_kinds,
)
from generator.kinds.build import build_kind
from generator.kinds.check import check_document, check_references
from generator.kinds.load import read_builtin
from generator.software import Kind, Metric
from generator.yaml_read import read_yaml
from promtail.formats import BY_NAME

FILES = sorted(BUILTIN_DIR.glob("*.yml"))
KINDS = load_kinds()[0]
# Upstream's own names that break the rules of naming: true all the same, so listed one by one.
TOTAL_GAUGES = {
    "cluster_pending_operations_total", "cluster_peers_total", "collections_total",
    "collections_vector_total", "kernel_currently_running_total", "kong_nginx_connections_total",
    "kong_nginx_requests_total", "nodejs_active_handles_total", "promtail_file_bytes_total",
    "promtail_files_active_total", "promtail_read_bytes_total", "promtail_targets_active_total",
    "terminal_currently_running_total",
}  # fmt: skip
# Kinds whose software counts without `_total`.
COUNTS_WITHOUT_TOTAL = re.compile(
    r"(pg|consul|chatflow|agentflow|cluster|nginx|milvus)_.*|n8n_scaling_mode_.*|kong_bandwidth_bytes"
    r"|redis_total_error_replies|DCGM_.*|container_memory_failcnt"
)
UNITS = {
    "_timestamp_seconds": {"timestamp"},
    "_seconds": {"seconds", "timestamp"},  # node_boot_time_seconds and its like are timestamps
    "_bytes": {"bytes", "bytes_per_second"},
    "_celsius": {"celsius"},
    "_ratio": {"ratio"},
    "_info": {"info"},
    "_watts": {"watts"},
    "_hertz": {"hertz"},
    "_joules": {"joules"},
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_has_the_form_and_names_what_exists(path: Path) -> None:
    """No built-in file breaks the schema, mentions an unknown name or drops what it declares."""
    document = read_yaml(path, path.name)

    assert check_document(document, path.stem, {}) == []
    assert check_references(document, KINDS) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_fast_reading_gives_what_strict_reading_gives(path: Path) -> None:
    """The line-by-line reader of built-in files agrees with the strict YAML reader on every value."""
    place = Place(f"generator/kinds/{path.name}")

    assert build_kind(read_yaml(path, path.name).data, place) == read_builtin(path)


def test_schema_is_a_schema() -> None:
    """The shipped schema is valid JSON Schema of draft 2020-12."""
    schema = json.loads(SCHEMA_FILE.read_text())

    jsonschema.Draft202012Validator.check_schema(schema)

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_metrics_are_named_as_their_type_says(kind: Kind) -> None:
    """A gauge ends in `_total`, or a counter does not, only where upstream really does so."""
    assert [metric.name for metric in kind.declares.values() if not _fits_its_type(metric)] == []


def _fits_its_type(metric: Metric) -> bool:
    total = metric.name.endswith("_total")
    if metric.type == "counter":
        return total or COUNTS_WITHOUT_TOTAL.fullmatch(metric.name) is not None
    bare = metric.name.removeprefix("flowise_").removeprefix("n8n_")
    return not total or bool({metric.name, bare} & TOTAL_GAUGES)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_units_agree_with_names(kind: Kind) -> None:
    """A name that carries a base unit is declared in that unit."""
    assert [metric.name for metric in kind.declares.values() if not _fits_its_unit(metric)] == []


def _fits_its_unit(metric: Metric) -> bool:
    stem = metric.name.removesuffix("_total")
    units = next((units for suffix, units in UNITS.items() if stem.endswith(suffix)), None)
    return units is None or metric.unit in units


def test_one_name_means_one_thing_unless_the_kinds_never_meet() -> None:
    """A metric that two kinds declare has one type in both."""
    types: dict[str, set[str]] = {}
    for kind in KINDS.values():
        for metric in kind.declares.values():
            types.setdefault(metric.name, set()).add(metric.type)

    assert {name: kinds for name, kinds in types.items() if len(kinds) > 1} == {}


def test_builtin_metrics_are_declared_by_no_kind() -> None:
    """What Prometheus adds to every scrape stands in one place only."""
    declared = {name for kind in KINDS.values() for name in kind.declares}

    assert declared & set(BUILTIN_METRICS) == set()


def test_every_pack_and_format_is_used_by_some_kind() -> None:
    """No pack and no log format is known that no kind switches on."""
    named = {pack for kind in KINDS.values() for pack in kind.packs}
    formats = {kind.log for kind in KINDS.values()}

    assert (named, formats) == (set(PACKS), set(LOG_FORMATS))


def test_words_are_those_of_the_rooms_that_own_them() -> None:
    """The log formats are exactly Promtail's modules, and every pack is a pack of the alerts."""
    formats = tuple(sorted(BY_NAME))

    assert (formats, set(PACKS) - set(packs.PACKS)) == (LOG_FORMATS, set())


def test_only_kinds_with_metrics_have_a_board_and_it_bears_their_name() -> None:
    """A board of a kind exists only for metrics of its own, under its own name."""
    boards = {kind.name: kind.board for kind in KINDS.values() if kind.board}

    assert boards == {name: name for name in boards if KINDS[name].metrics and KINDS[name].declares}


def test_an_exporter_watches_and_its_subject_agrees_on_the_port() -> None:
    """Every exporter a kind names is an observer that serves metrics on the port the subject says."""
    wrong = [
        kind.name
        for kind in KINDS.values()
        if kind.metrics
        and kind.metrics.exporter
        and (
            not KINDS[kind.metrics.exporter].observer
            or KINDS[kind.metrics.exporter].metrics is None
            or kind.metrics.port != KINDS[kind.metrics.exporter].metrics.port  # type: ignore[union-attr]
        )
    ]

    assert wrong == []


def test_labels_taken_by_the_scrape_are_stored_as_exported() -> None:
    """An own label `service` becomes `exported_service`, except where the target's labels win."""
    kong = KINDS["kong"].declares["kong_http_requests_total"]
    healer = KINDS["remediator"].declares["remediation_in_progress"]

    assert kong.labels == ("code", "consumer", "exported_service", "route", "source")
    assert healer.labels == ("service", "tier")
