"""Grafana: pages that fail, data sources that do not answer, its database running short."""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Severity

BOARD = "stack"
# What a data source answers is counted apart.
OWN = 'handler!~"/api/ds/query|/api/datasources/proxy/.*|/api/tsdb/query"'
HANDLER = 'handler="/api/dashboards/uid/:uid",method="GET"'

REQUESTS_FAIL = Alert(
    name="GrafanaRequestsFail",
    severity=Severity.WARNING,
    expr=f"""sum by (service) (
  rate(grafana_http_request_duration_seconds_count{{{OWN},status_code=~"5.."}}[15m])
)
/ sum by (service) (rate(grafana_http_request_duration_seconds_count{{{OWN}}}[15m]))""",
    threshold=0.1,
    hold=timedelta(minutes=10),
    family="grafana-requests",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the requests to {{ $labels.service }} fail",
    description="""{{ $labels.service }} answers {{ $value | humanizePercentage }} of its requests with a
        server error. Boards do not load.""",
    fires={
        f'grafana_http_request_duration_seconds_count{{{HANDLER},status_code="500"}}': "1.08/m",
        f'grafana_http_request_duration_seconds_count{{{HANDLER},status_code="200"}}': "8.92/m",
    },
    quiet={
        f'grafana_http_request_duration_seconds_count{{{HANDLER},status_code="500"}}': "0.92/m",
        f'grafana_http_request_duration_seconds_count{{{HANDLER},status_code="200"}}': "9.08/m",
    },
    value=0.108,
)

DATASOURCE_ERRORS = Alert(
    name="GrafanaDatasourceErrors",
    severity=Severity.WARNING,
    expr="""sum by (service, datasource) (rate(grafana_datasource_request_total{code!~"2.."}[15m]))
/ sum by (service, datasource) (rate(grafana_datasource_request_total[15m]))""",
    threshold=0.2,
    hold=timedelta(minutes=10),
    family="grafana-datasource",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the queries to {{ $labels.datasource }} fail",
    description="""Data source {{ $labels.datasource }} of {{ $labels.service }} refuses
        {{ $value | humanizePercentage }} of the queries. Panels stay empty or show an error.""",
    fires={
        'grafana_datasource_request_total{code="502",datasource="Prometheus",method="POST"}': "2.16/m",
        'grafana_datasource_request_total{code="200",datasource="Prometheus",method="POST"}': "7.84/m",
    },
    quiet={
        'grafana_datasource_request_total{code="502",datasource="Prometheus",method="POST"}': "1.84/m",
        'grafana_datasource_request_total{code="200",datasource="Prometheus",method="POST"}': "8.16/m",
    },
    extra={"datasource": "Prometheus"},
    value=0.216,
)

ALERTING_FAILS = Alert(
    name="GrafanaAlertingFails",
    severity=Severity.WARNING,
    expr="""sum by (service) (rate(grafana_alerting_rule_evaluation_failures_total[15m]))
/ sum by (service) (rate(grafana_alerting_rule_evaluations_total[15m]))""",
    threshold=0.1,
    hold=timedelta(minutes=10),
    family="grafana-alerting",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the alert rules kept in {{ $labels.service }} fail",
    description="""Somebody keeps alert rules in {{ $labels.service }} itself, and
        {{ $value | humanizePercentage }} of their evaluations fail. They do not fire, whatever
        happens.""",
    fires={
        'grafana_alerting_rule_evaluation_failures_total{org="1"}': "1.08/m",
        'grafana_alerting_rule_evaluations_total{org="1"}': "10/m",
    },
    quiet={
        'grafana_alerting_rule_evaluation_failures_total{org="1"}': "0.92/m",
        'grafana_alerting_rule_evaluations_total{org="1"}': "10/m",
    },
    value=0.108,
)

DATABASE_BUSY = Alert(
    name="GrafanaDatabaseBusy",
    severity=Severity.INFO,
    expr="sum by (service) (rate(grafana_database_conn_wait_count_total[15m]))",
    threshold=1,
    hold=timedelta(minutes=15),
    family="grafana-database",
    board=BOARD,
    summary="{{ $labels.service }} waits for its own database",
    description="""Requests to {{ $labels.service }} wait for a connection to its database, more than once
        per second. Boards load slowly.""",
    fires={"grafana_database_conn_wait_count_total": "1.08/s"},
    quiet={"grafana_database_conn_wait_count_total": "0.92/s"},
)

ALERTS = (REQUESTS_FAIL, DATASOURCE_ERRORS, ALERTING_FAILS, DATABASE_BUSY)
