"""The rendered configuration: which containers, which labels, which values."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from generator.artifacts import header
from generator.kinds import LOG_FORMATS
from generator.model import Catalog
from promtail.agent import config, pattern, render, scrape_config, stream_labels, streams
from promtail.bounds import stream_values
from promtail.formats import FORMATS
from promtail.levels import LEVELS
from promtail.masking import EXPRESSIONS
from promtail.pipeline import LABELS

MINIMUM_SAMPLES = 10


def relabel(job: dict[str, Any], container: dict[str, str]) -> dict[str, str]:
    """Return the labels that the job's relabel rules give a container, as Promtail applies them."""
    labels = dict(container)
    for rule in job["relabel_configs"]:
        value = ";".join(labels.get(name, "") for name in rule["source_labels"])
        match = re.fullmatch(rule.get("regex", "(.*)"), value)
        if match:
            text = rule.get("replacement", "$1")
            labels[rule["target_label"]] = match[1] if text == "$1" else text
    return {name: value for name, value in labels.items() if not name.startswith("__") and value}


def container(service: str, project: str = "demo") -> dict[str, str]:
    """Return what Docker discovery says about a container."""
    return {
        "__meta_docker_container_name": f"/{project}-{service}",
        "__meta_docker_container_log_stream": "stderr",
        "__meta_docker_container_label_com_docker_compose_project": project,
        "__meta_docker_container_label_com_docker_compose_service": service,
    }


def test_container_gets_the_labels_of_its_service(catalog: Catalog) -> None:
    """A container of a service carries service, tier, kind and owner of the catalog."""
    labels = relabel(scrape_config(catalog), container("graph.db"))

    assert labels == {
        "service": "graph.db",
        "tier": "core",
        "kind": "neo4j",
        "owner": "data",
        "log_format": "neo4j",
        "container": "/demo-graph.db",
        "log_stream": "stderr",
    }


@pytest.mark.parametrize(
    ("service", "project"),
    [("graphxdb", "demo"), ("db", "other"), ("db2", "demo"), ("stranger", "demo")],
)
def test_strangers_get_no_service(catalog: Catalog, service: str, project: str) -> None:
    """A container of another project, or whose name only looks like a service's, has no service."""
    labels = relabel(scrape_config(catalog), container(service, project))

    assert sorted(labels) == ["container", "log_stream"]


def test_every_label_is_bounded_by_the_catalog(catalog: Catalog) -> None:
    """The finished job can send exactly the labels and values that stream_labels names."""
    assert dict(stream_labels(catalog)) == stream_values(scrape_config(catalog))


def test_streams_are_the_services(catalog: Catalog) -> None:
    """There is one combination of labels per service, and its labels are those that arrive."""
    assert [stream["service"] for stream in streams(catalog)] == [s.name for s in catalog.services]
    assert {(*stream, "level") for stream in streams(catalog)} == {LABELS}


def with_labelmap(job: dict[str, Any]) -> None:
    """Plant: all labels of a container become labels of its stream."""
    job["relabel_configs"].append({"action": "labelmap", "regex": "__meta_docker_(.+)"})
    job["pipeline_stages"] = [s for s in job["pipeline_stages"] if "labelallow" not in s]


def with_container_id(job: dict[str, Any]) -> None:
    """Plant: the service is whatever the container says."""
    job["relabel_configs"][0]["regex"] = "demo;(.*)"


def with_raw_level(job: dict[str, Any]) -> None:
    """Plant: the level is taken from the line after it was made bounded."""
    at = next(i for i, stage in enumerate(job["pipeline_stages"]) if "labels" in stage)
    job["pipeline_stages"].insert(at, {"regex": {"expression": "(?P<level>.*)"}})


def with_user_label(job: dict[str, Any]) -> None:
    """Plant: a value out of the line becomes a label."""
    job["pipeline_stages"] += [{"labels": {"user": None}}]


@pytest.mark.parametrize(
    ("plant", "label"),
    [
        (with_labelmap, "$1"),
        (with_container_id, "service"),
        (with_raw_level, "level"),
        (with_user_label, "user"),
    ],
)
def test_unbounded_label_is_seen(
    catalog: Catalog, plant: Callable[[dict[str, Any]], None], label: str
) -> None:
    """A label whose values come from a container or a line is reported as unbounded."""
    job = copy.deepcopy(scrape_config(catalog))
    plant(job)

    assert stream_values(job)[label] is None


def test_only_formats_in_use_are_rendered(catalog: Catalog) -> None:
    """A pipeline holds one match per format that a service uses, in the order of FORMATS."""
    used = {service.log_format for service in catalog.services}
    selectors = [
        stage["match"]["selector"]
        for stage in scrape_config(catalog)["pipeline_stages"]
        if "match" in stage and "stages" in stage["match"]
    ]

    assert selectors == [f'{{log_format="{f.name}"}}' for f in FORMATS if f.name in used]


def test_addresses_come_from_the_catalog(catalog: Catalog) -> None:
    """Lines go to the catalog's Loki, containers are found through the catalog's proxy."""
    data = config(catalog)

    assert data["clients"][0]["url"] == "http://loki:3100/loki/api/v1/push"
    assert [sd["host"] for sd in data["scrape_configs"][0]["docker_sd_configs"]] == [
        "tcp://proxy:2375"
    ]


def test_rendering_is_whole_and_repeatable(catalog: Catalog) -> None:
    """The artifact is the configuration as YAML, names its source, and comes out the same twice."""
    (artifact,) = render(catalog)

    assert artifact.path == "promtail/config.yml"
    assert artifact.text.startswith(header("catalog/"))
    assert yaml.safe_load(artifact.text) == config(catalog)
    assert render(catalog) == (artifact,)


def test_formats_are_those_that_kinds_may_name() -> None:
    """Every format a kind may name has a module, and no module is orphaned."""
    assert sorted(LOG_FORMATS) == sorted(log_format.name for log_format in FORMATS)


@pytest.mark.parametrize("log_format", FORMATS, ids=lambda log_format: log_format.name)
def test_format_has_samples_of_every_sort(log_format: Any) -> None:
    """A format has at least ten samples with different claims, a dropped and a masked one among them."""
    samples = log_format.samples

    assert len({sample.claim for sample in samples}) == len(samples) >= MINIMUM_SAMPLES
    assert any(sample.dropped for sample in samples)
    assert any("<masked>" in sample.text for sample in samples)
    assert {sample.level for sample in samples} <= {"", *LEVELS}


def test_masks_replace_groups_only() -> None:
    """Every mask has its secret in a group: Promtail replaces groups and nothing else."""
    assert [e for e in EXPRESSIONS if not re.compile(e.replace("(?s:", "(?:")).groups] == []


def test_dots_in_names_are_dots() -> None:
    """A dot in a service's name does not match another character."""
    assert pattern(["a.b", "c-d_e"]) == r"a\.b|c-d_e"
