"""Whether remediation can see, decide and act at all: frozen, blind, paused, cut off, stuck."""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Severity

BOARD = "remediation"


def _state(name: str, metric: str, hold: timedelta, summary: str, description: str) -> Alert:
    """Return the alert on *metric* being 1 for *hold*; what stops for hours by intent only warns."""
    return Alert(
        name=name,
        severity=Severity.CRITICAL if hold < timedelta(hours=1) else Severity.WARNING,
        expr=f"max by (service) (last_over_time({metric}[3m]))",
        op="==",
        threshold=1,
        hold=hold,
        family=f"remediation-{metric.removeprefix('remediation_')}",
        board=BOARD,
        summary=summary,
        description=description,
        fires={metric: "1"},
        quiet={metric: "0"},
        tight=False,
    )


FROZEN = _state(
    "RemediationFrozen",
    "remediation_frozen",
    timedelta(minutes=1),
    "Remediation is frozen: too much fails at once",
    "Too many unrelated services in two or more tiers failed together, so {{ $labels.service }} "
    "restarts nothing until a human releases it or it has cooled down. Look for the common cause: "
    "host, network, disk, Docker.",
)
BLIND = _state(
    "RemediationBlind",
    "remediation_blind",
    timedelta(minutes=1),
    "Remediation is blind: the Watchdog does not arrive",
    "{{ $labels.service }} has not seen the Watchdog for three minutes. The way from Prometheus "
    "through Alertmanager is broken somewhere, so it acts on nothing.",
)
PAUSED = _state(
    "RemediationPausedLong",
    "remediation_paused",
    timedelta(hours=4),
    "Remediation has been paused for hours",
    "A human paused {{ $labels.service }} more than four hours ago. Nothing is healed until it "
    "is resumed.",
)


def _unreachable(name: str, metric: str, what: str, lost: str) -> Alert:
    """Return the alert on the remediator not reaching *what*."""
    return Alert(
        name=name,
        severity=Severity.WARNING,
        expr=f"min by (service) (last_over_time({metric}[3m]))",
        op="==",
        threshold=0,
        hold=timedelta(minutes=3),
        family=f"remediation-{metric.removeprefix('remediation_').removesuffix('_up')}",
        board=BOARD,
        summary=f"{{{{ $labels.service }}}} does not reach {what}",
        description=f"{{{{ $labels.service }}}} has had no answer from {what} for three minutes. {lost}",
        fires={metric: "0"},
        quiet={metric: "1"},
        value=0,
        tight=False,
    )


DOCKER = _unreachable(
    "RemediationDockerUnreachable",
    "remediation_docker_up",
    "Docker",
    "It can neither see the state of a container nor restart one.",
)
ALERTMANAGER = _unreachable(
    "RemediationAlertmanagerUnreachable",
    "remediation_alertmanager_up",
    "Alertmanager",
    "It cannot confirm that an alert is active and not silenced, so it does not act.",
)

QUEUE = Alert(
    name="RemediationQueueGrows",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(remediation_queue_length[3m]))",
    # A whole platform going down at once makes about 60 alerts, decided within seconds.
    threshold=100,
    hold=timedelta(minutes=2),
    family="remediation-queue",
    board=BOARD,
    summary="{{ $value }} alerts wait for a decision of {{ $labels.service }}",
    description="""{{ $labels.service }} has accepted {{ $value }} alerts and not decided on them. It is
        stuck or overrun; what it decides now is late.""",
    fires={"remediation_queue_length": "106"},
    quiet={"remediation_queue_length": "94"},
)

RECONCILE_STALE = Alert(
    name="RemediationReconcileStale",
    severity=Severity.WARNING,
    expr="time() - max by (service) (last_over_time(remediation_last_reconcile_timestamp_seconds[3m]))",
    threshold=300,
    hold=timedelta(minutes=2),
    family="remediation-stale",
    board=BOARD,
    summary="{{ $labels.service }} has not looked at the world for minutes",
    description="""{{ $labels.service }} compares its open incidents with Alertmanager all the time; the
        last comparison is more than five minutes old. Alerts that it missed stay missed.""",
    fires={"remediation_last_reconcile_timestamp_seconds": "now-320"},
    quiet={"remediation_last_reconcile_timestamp_seconds": "now-280"},
    value=320,
)

JOURNAL_STALE = Alert(
    name="RemediationJournalStale",
    severity=Severity.CRITICAL,
    expr="time() - max by (service) (last_over_time(remediation_journal_last_commit_timestamp_seconds[3m]))",
    threshold=600,
    # An idle journal is old without harm; alerts that arrive must get into it.
    where="""and on (service) (
  sum by (service) (increase(remediation_intake_total[10m])) > 0
)""",
    hold=timedelta(minutes=2),
    family="remediation-stale",
    board=BOARD,
    summary="The journal of {{ $labels.service }} is not written",
    description="""Alerts reach {{ $labels.service }}, but its journal has not been written for
        ten minutes: its disk is full or read-only, or the file is locked. Without
        the journal it must not act.""",
    fires={
        "remediation_journal_last_commit_timestamp_seconds": "now-640",
        'remediation_intake_total{result="accepted"}': "1/m",
    },
    quiet={
        "remediation_journal_last_commit_timestamp_seconds": "now-560",
        'remediation_intake_total{result="accepted"}': "1/m",
    },
    value=640,
    settle=timedelta(0),
)

INTAKE_REFUSED = Alert(
    name="RemediationIntakeRefused",
    severity=Severity.WARNING,
    expr="""sum by (service, result) (
  increase(remediation_intake_total{result!~"accepted|duplicate|ignored"}[15m])
)""",
    threshold=3,
    hold=timedelta(minutes=2),
    family="remediation-intake",
    board=BOARD,
    summary="{{ $labels.service }} refuses alerts: {{ $labels.result }}",
    description="""{{ $labels.service }} refused {{ $value | printf "%.0f" }} deliveries in 15 minutes
        ({{ $labels.result }}): a wrong token, a body it does not understand, or a journal it cannot
        write.""",
    fires={'remediation_intake_total{result="unauthorized"}': "12.8/h"},
    quiet={'remediation_intake_total{result="unauthorized"}': "11.2/h"},
    extra={"result": "unauthorized"},
    value=3.2,
)

ALERTS = (
    FROZEN,
    BLIND,
    PAUSED,
    DOCKER,
    ALERTMANAGER,
    QUEUE,
    RECONCILE_STALE,
    JOURNAL_STALE,
    INTAKE_REFUSED,
)
