"""
Those who watch: an exporter or prober that is gone, or that runs and cannot see.

Here alone `up` speaks of the observer (design 5.1): the label `exporter` names it and becomes
`service`.

Compared with the self-monitoring of postgres_mixin, redis-mixin and awesome-prometheus-alerts
(PostgresqlExporterError, "exporter down" in every section). Left out, and why:
- one "exporter down" rule per exporter: ObserverDown covers them all by label.
- slow collectors: the stack pack's StackScrapeSlow sees the whole scrape.
- node exporter's optional collectors, which report 0 wherever the hardware is missing: the host
  pack watches those that every Linux host has.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Remedy, Severity
from generator.model import Catalog

BOARD = "stack"

DOWN = Alert(
    name="ObserverDown",
    severity=Severity.WARNING,
    # One answering target shows that the observer lives, so the best of its targets counts.
    expr="""max by (service) (
  label_replace(last_over_time(up{exporter!=""}[3m]), "service", "$1", "exporter", "(.*)")
)""",
    op="==",
    threshold=0,
    hold=timedelta(minutes=3),
    family="observer",
    board=BOARD,
    remedy=Remedy.RESTART,
    summary="{{ $labels.service }} does not answer: what it watches is out of sight",
    description="""Prometheus has reached {{ $labels.service }} for none of its targets for three
        minutes. Nothing is known about the services it watches; they may be well.""",
    fires={'up{exporter="$service"}': "0"},
    quiet={'up{exporter="$service"}': "1"},
    value=0,
    tight=False,
)

DOCKER_UNREACHABLE = Alert(
    name="DockerUnreachable",
    severity=Severity.WARNING,
    expr="min by (service) (last_over_time(agent_docker_up[3m]))",
    op="==",
    threshold=0,
    hold=timedelta(minutes=3),
    family="observer-docker",
    board=BOARD,
    summary="{{ $labels.service }} cannot ask Docker",
    description="""{{ $labels.service }} has had no answer from the Docker API for three minutes.
        States, health and restarts of all containers are unknown.""",
    fires={"agent_docker_up": "0"},
    quiet={"agent_docker_up": "1"},
    value=0,
    tight=False,
)

CADVISOR_ERRORS = Alert(
    name="CadvisorScrapeErrors",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(container_scrape_error[3m]))",
    threshold=0.5,
    hold=timedelta(minutes=5),
    family="observer-collector",
    board=BOARD,
    summary="{{ $labels.service }} cannot read container metrics",
    description="""{{ $labels.service }} reports an error each time it collects container metrics.
        Memory, CPU and out-of-memory alerts of containers are blind.""",
    fires={"container_scrape_error": "1"},
    quiet={"container_scrape_error": "0"},
    value=1,
    tight=False,
)

POSTGRES_EXPORTER_ERRORS = Alert(
    name="PostgresExporterErrors",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(pg_exporter_last_scrape_error[3m]))",
    op="==",
    threshold=1,
    hold=timedelta(minutes=5),
    family="observer-collector",
    board="kind-postgres",
    summary="The exporter of {{ $labels.service }} reads it with errors",
    description="""The exporter reaches {{ $labels.service }}, but some of its queries fail: a role
        without pg_monitor, a view of another version, a statement timeout. Some PostgreSQL alerts
        are blind.""",
    fires={"pg_exporter_last_scrape_error": "1"},
    quiet={"pg_exporter_last_scrape_error": "0"},
    tight=False,
)

REDIS_EXPORTER_ERRORS = Alert(
    name="RedisExporterErrors",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(redis_exporter_last_scrape_error[3m]))",
    op="==",
    threshold=1,
    where="""and on (service) (
  max by (service) (last_over_time(redis_up[3m])) == 1
)""",
    hold=timedelta(minutes=5),
    family="observer-collector",
    board="kind-redis",
    summary="The exporter of {{ $labels.service }} reads it with errors",
    description="""The exporter reaches {{ $labels.service }}, but some of its commands fail, mostly for
        want of a permission (INFO, CONFIG, XINFO) or because of a renamed command. Some Redis
        alerts are blind.""",
    fires={'redis_exporter_last_scrape_error{err="NOPERM"}': "1", "redis_up": "1"},
    quiet={'redis_exporter_last_scrape_error{err="NOPERM"}': "0", "redis_up": "1"},
    value=1,
    tight=False,
)


def _collector_failing(name: str, prefix: str, what: str, blind: str, board: str) -> Alert:
    """Return the alert on a failing collector of one of our own exporters (`<prefix>_collector_up`)."""
    metric = f"{prefix}_collector_up"
    return Alert(
        name=name,
        severity=Severity.WARNING,
        expr=f"min by (service, collector) (last_over_time({metric}[3m]))",
        op="==",
        threshold=0,
        hold=timedelta(minutes=5),
        family="observer-collector",
        board=board,
        summary="Collector {{ $labels.collector }} of {{ $labels.service }} fails",
        description=f"""{{{{ $labels.service }}}} runs, but its collector
            {{{{ $labels.collector }}}} could not read {what} for five minutes. {blind}""",
        fires={f'{metric}{{collector="main"}}': "0"},
        quiet={f'{metric}{{collector="main"}}': "1"},
        extra={"collector": "main"},
        value=0,
        tight=False,
    )


OLLAMA_COLLECTOR = _collector_failing(
    "OllamaCollectorFailing",
    "ollama",
    "what Ollama says of itself",
    "Alerts on models, memory and speed are blind.",
    "models",
)
AGENT_COLLECTOR = _collector_failing(
    "AgentCollectorFailing",
    "agent",
    "the state of services or containers",
    "The verdict on services without metrics of their own may be old.",
    "agents",
)
HARDWARE_COLLECTOR = _collector_failing(
    "HardwareCollectorFailing",
    "hw",
    "GPUs or control groups",
    "GPU alerts are blind.",
    "hardware",
)

# Which alerts need which kind of observer in the catalog.
BY_KIND = (
    ("agents-exporter", (DOCKER_UNREACHABLE, AGENT_COLLECTOR)),
    ("cadvisor", (CADVISOR_ERRORS,)),
    ("postgres-exporter", (POSTGRES_EXPORTER_ERRORS,)),
    ("redis-exporter", (REDIS_EXPORTER_ERRORS,)),
    ("ollama-exporter", (OLLAMA_COLLECTOR,)),
    ("hardware-exporter", (HARDWARE_COLLECTOR,)),
)


def pack(catalog: Catalog) -> Pack:
    """Return the observer pack with the alerts of the observers that *catalog* has."""
    found = tuple(alert for kind, alerts in BY_KIND if catalog.of_kind(kind) for alert in alerts)
    watched = any(service.observes for service in catalog.services)
    observers = any(kind.observer for kind in catalog.kinds.values())
    return Pack(
        name="observer",
        title="Observers",
        alerts=((DOWN,) if watched or observers or found else ()) + found,
        always=True,
    )
