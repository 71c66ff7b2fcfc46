"""Alertmanager: notifications that do not go out, alerts it does not take, members that disagree."""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Scope, Severity

BOARD = "stack"

FAILED_SHARE = """sum by (service, integration) (rate(alertmanager_notifications_failed_total[15m]))
/ sum by (service, integration) (rate(alertmanager_notifications_total[15m]))"""
WEBHOOK = {"integration": "webhook"}


def _notifications(failed: str) -> dict[str, str]:
    """Return samples of 10 notifications per minute, *failed* of them in vain."""
    return {
        'alertmanager_notifications_failed_total{integration="webhook",reason="other"}': f"{failed}/m",
        'alertmanager_notifications_total{integration="webhook"}': "10/m",
    }


SOME_FAIL = Alert(
    name="AlertmanagerNotificationsFail",
    severity=Severity.WARNING,
    expr=FAILED_SHARE,
    threshold=0.05,
    hold=timedelta(minutes=5),
    family="stack-notifications",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the {{ $labels.integration }} notifications fail",
    description="""{{ $labels.service }} could not deliver {{ $value | humanizePercentage }} of its
        notifications by {{ $labels.integration }}, after all retries. Somebody was not told.""",
    fires=_notifications("0.53"),
    quiet=_notifications("0.47"),
    extra=WEBHOOK,
    value=0.053,
)

ALL_FAIL = Alert(
    name="AlertmanagerNotificationsDead",
    severity=Severity.CRITICAL,
    expr=FAILED_SHARE,
    threshold=0.9,
    hold=timedelta(minutes=5),
    family="stack-notifications",
    board=BOARD,
    summary="No {{ $labels.integration }} notification gets through",
    description="""{{ $labels.service }} fails to deliver {{ $value | humanizePercentage }} of its
        notifications by {{ $labels.integration }}. This message reached you by another way.""",
    fires=_notifications("9.5"),
    quiet=_notifications("8.5"),
    extra=WEBHOOK,
    value=0.95,
)

SLOW = Alert(
    name="AlertmanagerNotificationsSlow",
    severity=Severity.WARNING,
    expr="""sum by (service, integration) (rate(alertmanager_notification_latency_seconds_sum[15m]))
/ sum by (service, integration) (rate(alertmanager_notification_latency_seconds_count[15m]))""",
    threshold=5,
    hold=timedelta(minutes=10),
    family="stack-notifications",
    board=BOARD,
    summary="A {{ $labels.integration }} notification takes {{ $value | humanizeDuration }}",
    description="""{{ $labels.service }} needs {{ $value | humanizeDuration }} on average to deliver a
        notification by {{ $labels.integration }}. Groups wait for one another.""",
    fires={
        'alertmanager_notification_latency_seconds_sum{integration="webhook"}': "54/m",
        'alertmanager_notification_latency_seconds_count{integration="webhook"}': "10/m",
    },
    quiet={
        'alertmanager_notification_latency_seconds_sum{integration="webhook"}': "46/m",
        'alertmanager_notification_latency_seconds_count{integration="webhook"}': "10/m",
    },
    extra=WEBHOOK,
    value=5.4,
)

INVALID = Alert(
    name="AlertmanagerRefusesAlerts",
    severity=Severity.WARNING,
    expr="sum by (service) (increase(alertmanager_alerts_invalid_total[15m]))",
    # One refused alert counts; extrapolated it is at least 1.
    threshold=0.5,
    hold=timedelta(minutes=2),
    family="stack-alerts-invalid",
    board=BOARD,
    summary="{{ $labels.service }} refuses alerts as invalid",
    description="""{{ $labels.service }} got alerts that it does not understand (a label name or time it
        does not allow) and threw them away.""",
    fires={'alertmanager_alerts_invalid_total{version="v2"}': "2.13/h"},
    quiet={'alertmanager_alerts_invalid_total{version="v2"}': "1.87/h"},
)

STATE_UNREADABLE = Alert(
    name="AlertmanagerStateUnreadable",
    severity=Severity.WARNING,
    expr="""sum by (service) (increase(alertmanager_silences_query_errors_total[15m]))
+ sum by (service) (increase(alertmanager_nflog_query_errors_total[15m]))""",
    threshold=0.5,
    hold=timedelta(minutes=2),
    family="stack-alertmanager-state",
    board=BOARD,
    summary="{{ $labels.service }} cannot read its silences or its notification log",
    description="""{{ $labels.service }} fails to look up what is silenced or what was already sent.
        Silenced alerts may be sent, or alerts sent twice.""",
    fires={
        "alertmanager_silences_query_errors_total": "2.13/h",
        "alertmanager_nflog_query_errors_total": "0/h",
    },
    quiet={
        "alertmanager_silences_query_errors_total": "1.87/h",
        "alertmanager_nflog_query_errors_total": "0/h",
    },
)

CONFIG_DIFFERS = Alert(
    name="AlertmanagerConfigDiffers",
    severity=Severity.WARNING,
    expr="""count(count_values by () ("config_hash", last_over_time(alertmanager_config_hash[3m])))""",
    threshold=1,
    hold=timedelta(minutes=20),
    scope=Scope.PLATFORM,
    family="stack-alertmanager-config",
    board=BOARD,
    summary="The Alertmanagers run with {{ $value }} different configurations",
    description="""The members of the Alertmanager cluster have {{ $value }} different configurations. Which
        of them sends an alert decides who is told.""",
    fires={
        'alertmanager_config_hash{instance="am-1:9093"}': "11",
        'alertmanager_config_hash{instance="am-2:9093"}': "22",
    },
    quiet={
        'alertmanager_config_hash{instance="am-1:9093"}': "11",
        'alertmanager_config_hash{instance="am-2:9093"}': "11",
    },
    value=2,
    tight=False,
    step=timedelta(minutes=2),
)

PEERS_FAILED = Alert(
    name="AlertmanagerPeersLost",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(alertmanager_cluster_failed_peers[3m]))",
    threshold=0,
    hold=timedelta(minutes=15),
    family="stack-alertmanager-cluster",
    board=BOARD,
    summary="{{ $labels.service }} misses {{ $value }} members of its cluster",
    description="""{{ $labels.service }} has not heard from {{ $value }} members of its cluster for 15
        minutes. Notifications may be sent twice, and silences do not reach everyone.""",
    fires={"alertmanager_cluster_failed_peers": "1"},
    quiet={"alertmanager_cluster_failed_peers": "0"},
    tight=False,
)

ALERTS = (
    SOME_FAIL,
    ALL_FAIL,
    SLOW,
    INVALID,
    STATE_UNREADABLE,
    CONFIG_DIFFERS,
    PEERS_FAILED,
)
