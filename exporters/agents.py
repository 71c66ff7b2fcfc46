"""
The agents exporter: are the services alive, by their own answers and by Docker's word?

`/metrics` asks all at once. `/probe?target=SERVICE` asks one, in the blackbox exporter's names, and
`/sd` lists the targets for Prometheus's HTTP service discovery: for those who want one scrape each.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from exporters.agents_containers import Containers
from exporters.agents_docker import DockerApi
from exporters.agents_loop import run_all
from exporters.agents_probe import Outcome, probe
from exporters.agents_probes import Probes
from exporters.agents_resolve import Resolver
from exporters.config import LABELS, Config, Target
from exporters.frame import Exporter
from exporters.page import Page
from exporters.web import Request, Response

log = logging.getLogger(__name__)


def build(config: Config) -> Exporter:
    """Return the exporter of what *config* names."""
    resolver = Resolver()
    if config.docker is None:
        log.warning("the file names no docker: no word on containers, agent_docker_up is 0")
    api = DockerApi(config.docker, resolver) if config.docker else None
    asked = {target.service: target for target in config.targets if target.probe != "container"}
    return Exporter(
        "agent",
        [Probes(config.targets, resolver), Containers(config.targets, api)],
        (
            *Probes.reasons,
            *(reason for reason in Containers.reasons if reason not in Probes.reasons),
        ),
        routes={
            "/probe": lambda request: _probe_page(asked, resolver, request),
            "/sd": lambda _: _discovery(list(asked.values())),
        },
        title="Tierwatch agents exporter",
    )


def _probe_page(targets: Mapping[str, Target], resolver: Resolver, request: Request) -> Response:
    target = targets.get(request.query.get("target", ""))
    if target is None:
        return Response(400, b"say which: /probe?target=SERVICE, with one that /sd lists\n")
    outcome = Outcome(target)
    run_all([probe(outcome)], request.deadline, resolver)
    if not outcome.asked:
        return Response(503, f"{outcome.detail}\n".encode())
    body, content_type, _ = Page(_probe_metrics(outcome)).render(
        request.headers.get("accept", ""), ""
    )
    return Response(200, body, content_type)


def _probe_metrics(outcome: Outcome) -> list[Metric]:
    """Return the outcome in the names that dashboards for the blackbox exporter know."""
    found: list[Metric] = [
        GaugeMetricFamily("probe_success", "Whether the probe succeeded", value=float(outcome.up)),
        GaugeMetricFamily("probe_duration_seconds", "How long it took", value=outcome.seconds),
    ]
    if outcome.target.probe == "http":
        text = "Status of the answer, 0 if there was none"
        found.append(GaugeMetricFamily("probe_http_status_code", text, value=outcome.status))
        phases = GaugeMetricFamily(
            "probe_http_duration_seconds", "Duration per phase", labels=["phase"]
        )
        for phase, seconds in outcome.phases.items():
            phases.add_metric([phase], seconds)
        found.append(phases)
    return found


def _discovery(targets: Sequence[Target]) -> Response:
    """Return the list that Prometheus's http_sd_configs reads; relabel __address__ to the parameter target."""
    data = [
        {"targets": [target.service], "labels": dict(zip(LABELS, target.labels, strict=True))}
        for target in targets
    ]
    return Response(200, json.dumps(data).encode(), "application/json")
