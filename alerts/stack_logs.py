"""Loki and Promtail: log lines that are refused, lost, not found, or no longer sent."""

from __future__ import annotations

from datetime import timedelta

from alerts.births import counted
from alerts.kit import Alert, Severity

BOARD = "logs"
QUARTER = timedelta(minutes=15)
# Routes that wait for something to happen are slow on purpose.
ANSWERING = 'route!~"(?i).*tail.*|.*websocket.*|/schedulerpb.*|/frontend.*|.*getstreamrates.*"'


def _counted(name: str, metric: str, summary: str, description: str) -> Alert:
    """Return the alert on *metric* having counted at least once in 15 minutes."""
    return Alert(
        name=name,
        severity=Severity.WARNING,
        expr=f"sum by (service) (increase({metric}[15m]))",
        # One event counts; extrapolated it is at least 1.
        threshold=0.5,
        hold=timedelta(minutes=2),
        family="stack-logs-storage" if name.startswith("Loki") else "stack-logs-agent",
        board=BOARD,
        summary=summary,
        description=description,
        fires={metric: "2.13/h"},
        quiet={metric: "1.87/h"},
    )


REQUEST_ERRORS = Alert(
    name="LokiRequestErrors",
    severity=Severity.WARNING,
    expr="""sum by (service, route) (rate(loki_request_duration_seconds_count{status_code=~"5.."}[15m]))
/ sum by (service, route) (rate(loki_request_duration_seconds_count[15m]))""",
    threshold=0.1,
    hold=timedelta(minutes=10),
    family="stack-logs-requests",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the requests to {{ $labels.route }} of Loki fail",
    description="""{{ $labels.service }} answers {{ $value | humanizePercentage }} of the requests to
        {{ $labels.route }} with a server error. A failing push loses logs once Promtail gives up.""",
    fires={
        'loki_request_duration_seconds_count{method="POST",route="loki_api_v1_push",status_code="500",ws="false"}': "1.08/m",
        'loki_request_duration_seconds_count{method="POST",route="loki_api_v1_push",status_code="204",ws="false"}': "8.92/m",
    },
    quiet={
        'loki_request_duration_seconds_count{method="POST",route="loki_api_v1_push",status_code="500",ws="false"}': "0.92/m",
        'loki_request_duration_seconds_count{method="POST",route="loki_api_v1_push",status_code="204",ws="false"}': "9.08/m",
    },
    extra={"route": "loki_api_v1_push"},
    value=0.108,
)

REQUESTS_SLOW = Alert(
    name="LokiRequestsSlow",
    severity=Severity.WARNING,
    expr=f"""sum by (service, route) (rate(loki_request_duration_seconds_sum{{{ANSWERING}}}[15m]))
/ sum by (service, route) (rate(loki_request_duration_seconds_count{{{ANSWERING}}}[15m]))""",
    threshold=2,
    hold=timedelta(minutes=15),
    family="stack-logs-requests",
    board=BOARD,
    summary="A request to {{ $labels.route }} of Loki takes {{ $value | humanizeDuration }}",
    description="""{{ $labels.service }} needs {{ $value | humanizeDuration }} on average for a request to
        {{ $labels.route }}. Log panels and LogQL alerts come late.""",
    fires={
        'loki_request_duration_seconds_sum{method="GET",route="loki_api_v1_query_range",status_code="200",ws="false"}': "21.6/m",
        'loki_request_duration_seconds_count{method="GET",route="loki_api_v1_query_range",status_code="200",ws="false"}': "10/m",
    },
    quiet={
        'loki_request_duration_seconds_sum{method="GET",route="loki_api_v1_query_range",status_code="200",ws="false"}': "18.4/m",
        'loki_request_duration_seconds_count{method="GET",route="loki_api_v1_query_range",status_code="200",ws="false"}': "10/m",
    },
    extra={"route": "loki_api_v1_query_range"},
    value=2.16,
)

DISCARDED = Alert(
    name="LokiDiscardsLines",
    severity=Severity.WARNING,
    # A reason's series is born by the first lines that it costs, often thousands at once.
    expr=f"""sum by (service, reason) (
  {counted("loki_discarded_samples_total", QUARTER, "process_start_time_seconds")}
)""",
    threshold=10,
    hold=timedelta(minutes=5),
    family="stack-logs-discarded",
    board=BOARD,
    summary='{{ $labels.service }} refused {{ $value | printf "%.0f" }} log lines: {{ $labels.reason }}',
    description="""{{ $labels.service }} refused {{ $value | printf "%.0f" }} log lines in 15 minutes,
        because of {{ $labels.reason }}. They are lost.""",
    fires={
        'loki_discarded_samples_total{reason="rate_limited",tenant="fake"}': "42.4/h",
        "process_start_time_seconds": "0",
        "up": "1",
    },
    quiet={
        'loki_discarded_samples_total{reason="rate_limited",tenant="fake"}': "37.6/h",
        "process_start_time_seconds": "0",
        "up": "1",
    },
    extra={"reason": "rate_limited"},
    value=10.6,
)

COMPACTOR = Alert(
    name="LokiCompactorStopped",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(loki_boltdb_shipper_compactor_running[3m]))",
    op="==",
    threshold=0,
    hold=timedelta(minutes=30),
    family="stack-logs-retention",
    board=BOARD,
    summary="The compactor of {{ $labels.service }} does not run",
    description="""No compactor has run in {{ $labels.service }} for half an hour. Old logs are not
        deleted, and the disk fills.""",
    fires={"loki_boltdb_shipper_compactor_running": "0"},
    quiet={"loki_boltdb_shipper_compactor_running": "1"},
    value=0,
    tight=False,
    step=timedelta(minutes=2),
)

RETENTION = Alert(
    name="LokiRetentionStale",
    severity=Severity.WARNING,
    expr="""(time() - max by (service) (
  last_over_time(loki_compactor_apply_retention_last_successful_run_timestamp_seconds[3m])
)) / 3600""",
    threshold=6,
    # After a start it reads 0 until the first run, some ten minutes later.
    hold=timedelta(hours=1),
    family="stack-logs-retention",
    board=BOARD,
    summary="{{ $labels.service }} has not deleted old logs for hours",
    description="""{{ $labels.service }} last applied its retention more than
        six hours ago; it should every few minutes. Old logs stay, and the
        disk fills.""",
    fires={"loki_compactor_apply_retention_last_successful_run_timestamp_seconds": "now-23040"},
    quiet={"loki_compactor_apply_retention_last_successful_run_timestamp_seconds": "now-20160"},
    value=6.4,
    step=timedelta(minutes=2),
)

PANICS = _counted(
    "LokiPanics",
    "loki_panic_total",
    "{{ $labels.service }} caught a panic",
    "A request made {{ $labels.service }} panic. It lives on, the request failed; the stack trace is "
    "in its log.",
)
FLUSHES = _counted(
    "LokiFlushesFail",
    "loki_ingester_chunks_flush_failures_total",
    "{{ $labels.service }} cannot write logs to storage",
    "{{ $labels.service }} failed to write chunks. They stay in memory and in its write-ahead log "
    "until both are full: its disk is full, or the folder is not writable.",
)
WAL_FULL = _counted(
    "LokiWalDiskFull",
    "loki_ingester_wal_disk_full_failures_total",
    "The disk under the write-ahead log of {{ $labels.service }} is full",
    "{{ $labels.service }} takes logs without writing them to its log first. What is in memory is "
    "lost when it stops.",
)
RULER = _counted(
    "LokiRuleFailures",
    "loki_prometheus_rule_evaluation_failures_total",
    "{{ $labels.service }} cannot evaluate its LogQL alerts",
    "LogQL rules of {{ $labels.service }} failed. Alerts on log lines do not fire, whatever is logged.",
)

REQUESTS_REFUSED = Alert(
    name="PromtailRequestErrors",
    severity=Severity.WARNING,
    expr="""sum by (service) (rate(promtail_request_duration_seconds_count{status_code!~"2.."}[15m]))
/ sum by (service) (rate(promtail_request_duration_seconds_count[15m]))""",
    threshold=0.1,
    hold=timedelta(minutes=10),
    family="stack-logs-agent",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the pushes of {{ $labels.service }} fail",
    description="""Loki does not take {{ $value | humanizePercentage }} of what {{ $labels.service }} sends.
        It tries again for some minutes, then drops the lines.""",
    fires={
        'promtail_request_duration_seconds_count{host="loki:3100",status_code="429"}': "1.08/m",
        'promtail_request_duration_seconds_count{host="loki:3100",status_code="204"}': "8.92/m",
    },
    quiet={
        'promtail_request_duration_seconds_count{host="loki:3100",status_code="429"}': "0.92/m",
        'promtail_request_duration_seconds_count{host="loki:3100",status_code="204"}': "9.08/m",
    },
    value=0.108,
)

DROPPED = Alert(
    name="PromtailDropsLines",
    severity=Severity.WARNING,
    expr="sum by (service, reason) (increase(promtail_dropped_entries_total[15m]))",
    threshold=10,
    hold=timedelta(minutes=2),
    family="stack-logs-agent",
    board=BOARD,
    summary='{{ $labels.service }} lost {{ $value | printf "%.0f" }} log lines: {{ $labels.reason }}',
    description="""{{ $labels.service }} gave up {{ $value | printf "%.0f" }} log lines in 15 minutes
        ({{ $labels.reason }}). They are lost.""",
    fires={
        'promtail_dropped_entries_total{host="loki:3100",reason="rate_limited",tenant=""}': "42.4/h"
    },
    quiet={
        'promtail_dropped_entries_total{host="loki:3100",reason="rate_limited",tenant=""}': "37.6/h"
    },
    extra={"reason": "rate_limited"},
    value=10.6,
)

NO_TARGETS = Alert(
    name="PromtailNoTargets",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(promtail_targets_active_total[3m]))",
    op="<",
    threshold=1,
    hold=timedelta(minutes=5),
    family="stack-logs-agent",
    board=BOARD,
    summary="{{ $labels.service }} reads no container at all",
    description="""{{ $labels.service }} has found nothing to read for five minutes: it does not reach
        Docker through its proxy, or no container carries the labels it looks for.""",
    fires={"promtail_targets_active_total": "0"},
    quiet={"promtail_targets_active_total": "1"},
    value=0,
    tight=False,
)

SILENT = Alert(
    name="PromtailSendsNothing",
    severity=Severity.WARNING,
    expr="sum by (service) (rate(promtail_sent_entries_total[15m]))",
    op="<",
    # One line per hundred seconds; a platform of any size logs more than that.
    threshold=0.01,
    # The window fills after a start: before that, silence says nothing yet.
    where="""and on (service) (
  time() - max by (service) (last_over_time(process_start_time_seconds{kind="promtail"}[3m])) > 900
)""",
    hold=timedelta(minutes=10),
    family="stack-logs-agent",
    board=BOARD,
    summary="{{ $labels.service }} has sent next to no log lines for 25 minutes",
    description="""{{ $labels.service }} runs and sends nothing to Loki. Log panels stay empty and LogQL
        alerts cannot fire.""",
    fires={
        'promtail_sent_entries_total{host="loki:3100"}': "0.0092/s",
        'process_start_time_seconds{kind="promtail"}': "now-90000",
    },
    quiet={
        'promtail_sent_entries_total{host="loki:3100"}': "0.0108/s",
        'process_start_time_seconds{kind="promtail"}': "now-90000",
    },
    value=0.0092,
)

RELOAD = _counted(
    "PromtailReloadFailed",
    "promtail_config_reload_fail_total",
    "{{ $labels.service }} refused its new configuration",
    "The last reload of {{ $labels.service }} failed. It runs on with the old configuration, and will "
    "not start again with the new one.",
)

LOKI = (
    REQUEST_ERRORS,
    REQUESTS_SLOW,
    DISCARDED,
    COMPACTOR,
    RETENTION,
    PANICS,
    FLUSHES,
    WAL_FULL,
    RULER,
)
PROMTAIL = (REQUESTS_REFUSED, DROPPED, NO_TARGETS, SILENT, RELOAD)
