"""Prometheus at work: taking samples in, evaluating rules, handing alerts on."""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Severity

BOARD = "stack"


def _counted(name: str, metric: str, family: str, summary: str, description: str) -> Alert:
    """Return the alert on *metric* having counted at least once in 15 minutes."""
    return Alert(
        name=name,
        severity=Severity.WARNING,
        expr=f"sum by (service) (increase({metric}[15m]))",
        # One event counts; extrapolated it is at least 1.
        threshold=0.5,
        hold=timedelta(minutes=2),
        family=family,
        board=BOARD,
        summary=summary,
        description=description,
        fires={metric: "2.13/h"},
        quiet={metric: "1.87/h"},
    )


SAMPLE_LIMIT = _counted(
    "StackSampleLimitHit",
    "prometheus_target_scrapes_exceeded_sample_limit_total",
    "stack-limits",
    "{{ $labels.service }} throws scrapes away: too many samples",
    "A target exposes more samples than its job allows, so {{ $labels.service }} drops its whole "
    "scrape and treats it as down.",
)
BODY_LIMIT = _counted(
    "StackBodyLimitHit",
    "prometheus_target_scrapes_exceeded_body_size_limit_total",
    "stack-limits",
    "{{ $labels.service }} throws scrapes away: too large",
    "A target answers with more bytes than its job allows, so {{ $labels.service }} drops its whole "
    "scrape and treats it as down.",
)
TARGET_LIMIT = _counted(
    "StackTargetLimitHit",
    "prometheus_target_scrape_pool_exceeded_target_limit_total",
    "stack-limits",
    "{{ $labels.service }} ignores a job: too many targets",
    "A job has more targets than its limit, so {{ $labels.service }} fails all of them.",
)
LABEL_LIMIT = _counted(
    "StackLabelLimitHit",
    "prometheus_target_scrape_pool_exceeded_label_limits_total",
    "stack-limits",
    "{{ $labels.service }} throws scrapes away: too many or too long labels",
    "Series of a target carry more or longer labels than its job allows, so {{ $labels.service }} "
    "drops its whole scrape.",
)
DUPLICATES = _counted(
    "StackSamplesDuplicate",
    "prometheus_target_scrapes_sample_duplicate_timestamp_total",
    "stack-samples",
    "{{ $labels.service }} gets one series twice with different values",
    "Two targets, or one target twice, give the same series at the same time. {{ $labels.service }} "
    "keeps one of them, nobody knows which.",
)
OUT_OF_ORDER = _counted(
    "StackSamplesOutOfOrder",
    "prometheus_target_scrapes_sample_out_of_order_total",
    "stack-samples",
    "{{ $labels.service }} refuses samples that come late",
    "Samples arrive with older time stamps than what is stored. A target sets times of its own, or "
    "the host's clock went back.",
)
OUT_OF_BOUNDS = _counted(
    "StackSamplesOutOfBounds",
    "prometheus_target_scrapes_sample_out_of_bounds_total",
    "stack-samples",
    "{{ $labels.service }} refuses samples with impossible times",
    "Samples arrive with times too far from now. A target's clock, or the host's, is wrong.",
)
ALERTS_INVALID_TEMPLATE = _counted(
    "StackTemplateFailures",
    "prometheus_template_text_expansion_failures_total",
    "stack-rules",
    "{{ $labels.service }} cannot write the text of an alert",
    "The template of an annotation failed. The alert is sent with the error in place of its text.",
)

RULE_FAILURES = Alert(
    name="StackRuleFailures",
    severity=Severity.CRITICAL,
    expr="sum by (service, rule_group) (increase(prometheus_rule_evaluation_failures_total[15m]))",
    threshold=3,
    hold=timedelta(minutes=2),
    family="stack-rules",
    board=BOARD,
    summary="{{ $labels.service }} cannot evaluate rules of {{ $labels.rule_group }}",
    description="""Rules of group {{ $labels.rule_group }} failed {{ $value | printf "%.0f" }} times in 15
        minutes on {{ $labels.service }}. Their alerts do not fire, whatever happens.""",
    fires={'prometheus_rule_evaluation_failures_total{rule_group="/r/host.yml;host"}': "12.8/h"},
    quiet={'prometheus_rule_evaluation_failures_total{rule_group="/r/host.yml;host"}': "11.2/h"},
    extra={"rule_group": "/r/host.yml;host"},
    value=3.2,
)

RULES_SLOW = Alert(
    name="StackRuleGroupSlow",
    severity=Severity.WARNING,
    expr="""max by (service, rule_group) (
  last_over_time(prometheus_rule_group_last_duration_seconds[3m])
  / last_over_time(prometheus_rule_group_interval_seconds[3m])
)""",
    threshold=0.7,
    hold=timedelta(minutes=10),
    family="stack-rules",
    board=BOARD,
    summary="Rule group {{ $labels.rule_group }} takes {{ $value | humanizePercentage }} of its interval",
    description="""{{ $labels.service }} needs {{ $value | humanizePercentage }} of the interval of group
        {{ $labels.rule_group }} to evaluate it. Above 100 % evaluations are skipped and alerts
        come late.""",
    fires={
        'prometheus_rule_group_last_duration_seconds{rule_group="g"}': "22.5",
        'prometheus_rule_group_interval_seconds{rule_group="g"}': "30",
    },
    quiet={
        'prometheus_rule_group_last_duration_seconds{rule_group="g"}': "19.5",
        'prometheus_rule_group_interval_seconds{rule_group="g"}': "30",
    },
    extra={"rule_group": "g"},
    value=0.75,
)

RULES_MISSED = Alert(
    name="StackRuleEvaluationsMissed",
    severity=Severity.WARNING,
    expr="sum by (service, rule_group) (increase(prometheus_rule_group_iterations_missed_total[15m]))",
    threshold=3,
    hold=timedelta(minutes=2),
    family="stack-rules",
    board=BOARD,
    summary="{{ $labels.service }} skips evaluations of {{ $labels.rule_group }}",
    description="""{{ $labels.service }} left out {{ $value | printf "%.0f" }} evaluations of group
        {{ $labels.rule_group }} in 15 minutes because the one before was not done.""",
    fires={'prometheus_rule_group_iterations_missed_total{rule_group="g"}': "12.8/h"},
    quiet={'prometheus_rule_group_iterations_missed_total{rule_group="g"}': "11.2/h"},
    extra={"rule_group": "g"},
    value=3.2,
)

NO_ALERTMANAGER = Alert(
    name="StackNoAlertmanager",
    severity=Severity.CRITICAL,
    expr="max by (service) (last_over_time(prometheus_notifications_alertmanagers_discovered[3m]))",
    op="<",
    threshold=1,
    hold=timedelta(minutes=5),
    family="stack-notify",
    board=BOARD,
    summary="{{ $labels.service }} knows no Alertmanager",
    description="""{{ $labels.service }} has no Alertmanager to send alerts to. Nobody is told about
        anything; only the missing heartbeat outside the host shows it.""",
    fires={"prometheus_notifications_alertmanagers_discovered": "0"},
    quiet={"prometheus_notifications_alertmanagers_discovered": "1"},
    value=0,
    tight=False,
)

NOTIFY_DROPPED = Alert(
    name="StackAlertsDropped",
    severity=Severity.CRITICAL,
    expr="sum by (service) (increase(prometheus_notifications_dropped_total[15m]))",
    threshold=3,
    hold=timedelta(minutes=2),
    family="stack-notify",
    board=BOARD,
    summary="{{ $labels.service }} could not deliver alerts to Alertmanager",
    description="""{{ $labels.service }} gave up {{ $value | printf "%.0f" }} alerts in 15 minutes because
        no Alertmanager took them.""",
    fires={"prometheus_notifications_dropped_total": "12.8/h"},
    quiet={"prometheus_notifications_dropped_total": "11.2/h"},
    value=3.2,
)

NOTIFY_ERRORS = Alert(
    name="StackAlertsRefused",
    severity=Severity.WARNING,
    expr="""sum by (service, alertmanager) (rate(prometheus_notifications_errors_total[15m]))
/ sum by (service, alertmanager) (rate(prometheus_notifications_sent_total[15m]))""",
    threshold=0.01,
    hold=timedelta(minutes=10),
    family="stack-notify",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the alerts sent to {{ $labels.alertmanager }} fail",
    description="""{{ $labels.alertmanager }} does not take {{ $value | humanizePercentage }} of what
        {{ $labels.service }} sends. With one Alertmanager those alerts come a round later, or never.""",
    fires={
        'prometheus_notifications_errors_total{alertmanager="http://am/"}': "1.06/m",
        'prometheus_notifications_sent_total{alertmanager="http://am/"}': "100/m",
    },
    quiet={
        'prometheus_notifications_errors_total{alertmanager="http://am/"}': "0.94/m",
        'prometheus_notifications_sent_total{alertmanager="http://am/"}': "100/m",
    },
    extra={"alertmanager": "http://am/"},
    value=0.0106,
)

NOTIFY_QUEUE = Alert(
    name="StackAlertQueueFills",
    severity=Severity.WARNING,
    expr="""max by (service) (last_over_time(prometheus_notifications_queue_length[3m]))
/ max by (service) (last_over_time(prometheus_notifications_queue_capacity[3m]))""",
    threshold=0.5,
    hold=timedelta(minutes=5),
    family="stack-notify",
    board=BOARD,
    summary="The queue of alerts in {{ $labels.service }} is {{ $value | humanizePercentage }} full",
    description="""Alerts wait in {{ $labels.service }} because Alertmanager takes them too slowly. When
        the queue is full, the oldest are thrown away.""",
    fires={
        "prometheus_notifications_queue_length": "5300",
        "prometheus_notifications_queue_capacity": "10000",
    },
    quiet={
        "prometheus_notifications_queue_length": "4700",
        "prometheus_notifications_queue_capacity": "10000",
    },
    value=0.53,
)

ALERTS = (
    SAMPLE_LIMIT,
    BODY_LIMIT,
    TARGET_LIMIT,
    LABEL_LIMIT,
    DUPLICATES,
    OUT_OF_ORDER,
    OUT_OF_BOUNDS,
    RULE_FAILURES,
    RULES_SLOW,
    RULES_MISSED,
    ALERTS_INVALID_TEMPLATE,
    NO_ALERTMANAGER,
    NOTIFY_DROPPED,
    NOTIFY_ERRORS,
    NOTIFY_QUEUE,
)
