"""Render prometheus.yml from the jobs."""

from __future__ import annotations

from typing import Any

from generator.artifacts import Artifact
from generator.model import Catalog
from generator.names import (
    ALERTMANAGER_KIND,
    BLACKBOX_JOB,
    BLACKBOX_KIND,
    CADVISOR_KIND,
    PROMETHEUS_DIR,
)
from generator.quantities import write_duration
from generator.scrape import containers, subjects
from generator.scrape.estimate import largest
from generator.scrape.jobs import DEFAULT_INTERVAL, Job, Target, jobs
from generator.yaml_write import dump_yaml

_EVALUATION = "30s"
_LABELS_MAX = 40  # cAdvisor's raw series carry some 25
_FALLBACK_SINCE = (3, 0)  # key `fallback_scrape_protocol`; older versions refuse it
_HEADROOM = 4  # a target may expose this many times its estimate before it is cut off
_LEAST_LIMIT = 1000


def render(catalog: Catalog) -> tuple[Artifact, ...]:
    """Return prometheus.yml."""
    return (Artifact(f"{PROMETHEUS_DIR}/prometheus.yml", dump_yaml(config(catalog), "catalog/")),)


def config(catalog: Catalog) -> dict[str, Any]:
    """Return the content of prometheus.yml."""
    content: dict[str, Any] = {
        "global": {
            "scrape_interval": write_duration(DEFAULT_INTERVAL),
            "scrape_timeout": "10s",
            "evaluation_interval": _EVALUATION,
            "external_labels": {"platform": catalog.platform.name},
        },
        "rule_files": ["rules/*.yml"],
    }
    managers = [
        f"{service.name}:{service.port or 9093}" for service in catalog.of_kind(ALERTMANAGER_KIND)
    ]
    if managers:
        content["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": managers}]}]}
    content["scrape_configs"] = [job_config(job, catalog) for job in jobs(catalog)]
    return content


def job_config(job: Job, catalog: Catalog) -> dict[str, Any]:
    """Return one entry of `scrape_configs`."""
    content: dict[str, Any] = {"job_name": job.name}
    if job.interval != DEFAULT_INTERVAL:
        content["scrape_interval"] = write_duration(job.interval)
        content["scrape_timeout"] = write_duration(min(job.interval * 0.8, job.interval))
    if job.honor_labels:
        content["honor_labels"] = True
    if job.name == BLACKBOX_JOB:
        content["metrics_path"] = "/probe"
    content["sample_limit"] = max(_LEAST_LIMIT, _HEADROOM * largest(job, catalog))
    content["label_limit"] = _LABELS_MAX
    if job.credentials_file:
        content["authorization"] = {"credentials_file": job.credentials_file}
    if job.fallback_scrape_protocol and catalog.platform.targets["prometheus"] >= _FALLBACK_SINCE:
        content["fallback_scrape_protocol"] = job.fallback_scrape_protocol
    content["static_configs"] = _static(job.targets)
    if job.name == BLACKBOX_JOB:
        content["relabel_configs"] = _through_prober(catalog)
    relabel = _metric_relabel(job, catalog)
    if relabel:
        content["metric_relabel_configs"] = relabel
    return content


def _static(targets: tuple[Target, ...]) -> list[dict[str, Any]]:
    return [{"targets": [target.address], "labels": dict(target.labels)} for target in targets]


def _through_prober(catalog: Catalog) -> list[dict[str, str | list[str]]]:
    """The usual three steps: the target becomes a parameter, the prober is what is scraped."""
    prober = catalog.of_kind(BLACKBOX_KIND)[0]
    return [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "instance"},
        {"target_label": "__address__", "replacement": f"{prober.name}:{prober.port or 9115}"},
    ]


def _metric_relabel(job: Job, catalog: Catalog) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    if job.drop:
        rules.append({"source_labels": ["__name__"], "regex": "|".join(job.drop), "action": "drop"})
    if job.name == CADVISOR_KIND:
        rules += containers.relabel(catalog)
    elif job.honor_labels:
        rules += subjects.complete(job, catalog)
    return rules
