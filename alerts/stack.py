"""
The observability stack watching itself: what does not scrape, evaluate, notify, store or show.

Prometheus stands in `stack_prometheus` and `stack_tsdb`, Alertmanager in `stack_alertmanager`,
Loki and Promtail in `stack_logs`, Grafana in `stack_grafana`; each is left out where the
catalog has no such service. This module holds what is true of every scrape, and the Watchdog.

Compared with prometheus-mixin, alertmanager-mixin, loki-mixin, promtail-mixin, grafana-mixin and
awesome-prometheus-alerts (Prometheus, Loki, Promtail, Grafana). Left out, and why:
- PrometheusJobMissing, TargetMissing, AllTargetsMissing: ServiceDown and ObserverDown, and the
  absence pack for jobs without any series.
- PrometheusRemoteStorageFailures, RemoteWriteBehind, RemoteWriteDesiredShards: nothing is written
  to remote storage.
- PrometheusHighQueryLoad: users' queries on one host; StackRuleGroupSlow shows when it hurts.
- PrometheusTargetScrapingSlow (interval quantiles) and PrometheusTimeseriesCardinality per metric:
  StackScrapeSlow and StackSeriesTooMany.
- PrometheusSDRefreshFailure: targets come from files made from the catalog.
- TSDB head GC, tombstones, exemplars: tuning, not symptoms.
- AlertmanagerClusterCrashlooping and -Down: ServiceDown and StackRestartsOften.
- LokiTooManyCompactorsRunning: one binary has one; LokiCompactorStopped is the danger here.
- PromtailFileLagging, -FileMissing: containers are read over the Docker API, which has no files.
"""

from __future__ import annotations

from datetime import timedelta

from alerts import stack_alertmanager, stack_grafana, stack_logs, stack_prometheus, stack_tsdb
from alerts.kit import Alert, Pack, Scope, Severity
from generator.model import Catalog
from generator.names import BLACKBOX_JOB, WATCHDOG

BOARD = "stack"
STACK_KINDS = ("prometheus", "alertmanager", "loki", "promtail", "grafana")

WATCHDOG_ALERT = Alert(
    name=WATCHDOG,
    severity=Severity.NONE,
    expr="vector(1)",
    op="",
    scope=Scope.PLATFORM,
    family="watchdog",
    board=BOARD,
    summary="Alerting works",
    description="""This alert always fires. It travels to the remediator and to a heartbeat outside the
        host, which raise the alarm when it stops arriving: then Prometheus, Alertmanager or the way
        between them is broken.""",
    fires={},
    quiet={},
    value=1,
    tight=False,
    survives_missed_scrape=False,
)

TARGET_MISSING = Alert(
    name="StackTargetMissing",
    severity=Severity.WARNING,
    expr='min by (service) (last_over_time(up{exporter=""}[3m]))',
    op="==",
    threshold=0,
    # Where `up` is the verdict it is down, and ServiceDown says so.
    where="and on (service) (service:healthy:bool == 1)",
    hold=timedelta(minutes=10),
    family="stack-target",
    board=BOARD,
    summary="{{ $labels.service }} is well, but gives no metrics",
    description="""{{ $labels.service }} answers its probe, but its metrics could not be scraped for ten
        minutes: they are not switched on, ask for a password, or stand on another port or path.""",
    fires={"up": "0", "service:healthy:bool": "1"},
    quiet={"up": "1", "service:healthy:bool": "1"},
    value=0,
    tight=False,
)


def _scrape_slow(catalog: Catalog) -> Alert:
    """Return the alert on slow scrapes; probes are left out, they wait for what they probe."""
    probes = f'{{job!="{BLACKBOX_JOB}"}}' if catalog.of_kind("blackbox-exporter") else ""
    return Alert(
        name="StackScrapeSlow",
        severity=Severity.WARNING,
        expr=f"max by (service) (avg_over_time(scrape_duration_seconds{probes}[10m]))",
        # Half of Prometheus' default deadline of 10 s.
        threshold=5,
        hold=timedelta(minutes=5),
        family="stack-scrape",
        board=BOARD,
        summary="Scraping {{ $labels.service }} takes {{ $value | humanizeDuration }}",
        description="""A scrape that tells about {{ $labels.service }} has taken
            {{ $value | humanizeDuration }} on average for ten minutes. At 10 s it is given up, and
            the service counts as down.""",
        fires={"scrape_duration_seconds": "5.4"},
        quiet={"scrape_duration_seconds": "4.6"},
        surge={"scrape_duration_seconds": "400"},
    )


def _restarts(kinds: tuple[str, ...]) -> Alert:
    """Return the alert on a part of the stack, of one of *kinds*, that starts again and again."""
    return Alert(
        name="StackRestartsOften",
        severity=Severity.WARNING,
        expr="max by (service) "
        f'(changes(process_start_time_seconds{{kind=~"{"|".join(kinds)}"}}[1h]))',
        threshold=2,
        hold=timedelta(minutes=10),
        family="stack-restarts",
        board=BOARD,
        summary="{{ $labels.service }} was restarted more than twice in an hour",
        description="""{{ $labels.service }}, a part of the observability stack, started more than twice
            in the last hour. What happened while it was away was not seen, kept or told.""",
        fires={f'process_start_time_seconds{{kind="{kinds[0]}"}}': "flip 1000 2000"},
        quiet={f'process_start_time_seconds{{kind="{kinds[0]}"}}': "1000"},
        tight=False,
        step=timedelta(minutes=2),
    )


def _reload_failed(kind: str, metric: str) -> Alert:
    """Return the alert on a *kind* whose last reload, told by *metric*, was refused."""
    return Alert(
        name=f"{kind.title().replace('-', '')}ReloadFailed",
        severity=Severity.WARNING,
        expr=f"min by (service) (last_over_time({metric}[3m]))",
        op="==",
        threshold=0,
        hold=timedelta(minutes=5),
        family="stack-reload",
        board=BOARD,
        summary="{{ $labels.service }} refused its new configuration",
        description="""The last reload of {{ $labels.service }} failed. It runs on with the old
            configuration, and will not start again with the new one.""",
        fires={metric: "0"},
        quiet={metric: "1"},
        value=0,
        tight=False,
    )


# Loki reads its configuration at start only; Promtail counts failed reloads (stack_logs).
RELOADS = {
    "prometheus": "prometheus_config_last_reload_successful",
    "alertmanager": "alertmanager_config_last_reload_successful",
    "blackbox-exporter": "blackbox_exporter_config_last_reload_successful",
    "ollama-exporter": "ollama_exporter_config_last_reload_successful",
    "agents-exporter": "agent_exporter_config_last_reload_successful",
    "hardware-exporter": "hw_exporter_config_last_reload_successful",
}


def pack(catalog: Catalog) -> Pack:
    """Return the stack pack with the parts of the stack that *catalog* has; never empty."""
    here = tuple(kind for kind in STACK_KINDS if catalog.of_kind(kind))
    parts = {
        "prometheus": (*stack_prometheus.ALERTS, *stack_tsdb.alerts(catalog)),
        "alertmanager": stack_alertmanager.ALERTS,
        "loki": stack_logs.LOKI,
        "promtail": stack_logs.PROMTAIL,
        "grafana": stack_grafana.ALERTS,
    }
    return Pack(
        name="stack",
        title="Observability stack",
        alerts=(
            WATCHDOG_ALERT,
            TARGET_MISSING,
            _scrape_slow(catalog),
            *((_restarts(here),) if here else ()),
            *(
                _reload_failed(kind, metric)
                for kind, metric in RELOADS.items()
                if catalog.of_kind(kind)
            ),
            *(alert for kind in here for alert in parts[kind]),
        ),
        always=True,
    )
