"""
Remediation: what it is at, what it could not heal, and what waits for a human.

Whether it can see and act at all stands in `remediation_health`.

Compared with prometheus-am-executor's metrics and the self-monitoring of stackstorm and
keptn. No public collection has alerts for this, so they follow from design section 8. Left
out, and why:
- each restart that worked: a log line and an annotation, not an alert.
- time to healthy as an objective: on the board; there is no promise about it yet.
- slow webhook: Alertmanager's own notification latency shows it.
"""

from __future__ import annotations

from datetime import timedelta

from alerts import remediation_health
from alerts.kit import Alert, Pack, Scope, Severity
from generator.model import Catalog

BOARD = "remediation"

IN_PROGRESS = Alert(
    name="RemediationInProgress",
    severity=Severity.NONE,
    expr="max by (service) (last_over_time(remediation_in_progress[3m]))",
    op="==",
    threshold=1,
    # It inhibits the service's symptoms, so it must fire before their holds end and outlast
    # the start of the service.
    hold=timedelta(seconds=30),
    keep=timedelta(minutes=5),
    family="remediation-progress",
    board=BOARD,
    summary="{{ $labels.service }} is being healed",
    description="""The remediator is restarting {{ $labels.service }} or waiting for it to be healthy.
        Symptoms of that service are held back meanwhile.""",
    fires={"remediation_in_progress": "1"},
    quiet={"remediation_in_progress": "0"},
    tight=False,
)

ACTION_FAILED = Alert(
    name="RemediationActionFailed",
    severity=Severity.WARNING,
    # The time of the failure, not a count of failures: the first one of a service would make a
    # series that begins with 1, which no increase() sees; and this one outlives the remediator.
    expr="""time() - max by (service, rung) (
  last_over_time(remediation_last_failed_action_timestamp_seconds[3m])
)""",
    op="<",
    threshold=1800,
    hold=timedelta(minutes=1),
    family="remediation-action",
    board=BOARD,
    summary="Healing {{ $labels.service }} failed at rung {{ $labels.rung }}",
    description="""The remediator tried rung {{ $labels.rung }} for {{ $labels.service }} in the last half
        hour; the restart failed, or its outcome is unknown. It climbs the ladder while it may.""",
    fires={'remediation_last_failed_action_timestamp_seconds{rung="service"}': "now-1700"},
    quiet={'remediation_last_failed_action_timestamp_seconds{rung="service"}': "now-1900"},
    value=1700,
    extra={"rung": "service"},
)

ESCALATED = Alert(
    name="RemediationGaveUp",
    severity=Severity.CRITICAL,
    # How things stand, read from the journal, not a count of calls: it outlives the remediator.
    expr="max by (service, name, reason) (last_over_time(remediation_needs_human[3m]))",
    threshold=0,
    hold=timedelta(minutes=1),
    family="remediation-gave-up",
    board=BOARD,
    summary="Remediation hands {{ $labels.name }} to a human: {{ $labels.reason }}",
    description="""{{ $labels.service }} has decided that it cannot heal {{ $labels.name }} by itself
        ({{ $labels.reason }}). Nothing more is restarted for it until it is healthy again.""",
    fires={'remediation_needs_human{name="backend",reason="ladder_exhausted"}': "1"},
    quiet={'remediation_needs_human{name="backend",reason="ladder_exhausted"}': "0"},
    extra={"name": "backend", "reason": "ladder_exhausted"},
    value=1,
    tight=False,
)

BUDGET_SPENT = Alert(
    name="RemediationBudgetSpent",
    severity=Severity.WARNING,
    # `scope` is a label of every alert and means something else there.
    expr="""min by (service, budget, name, window) (
  label_replace(
    last_over_time(remediation_budget_remaining[3m]), "budget", "$1", "scope", "(.*)"
  )
)""",
    op="<=",
    threshold=0,
    hold=timedelta(minutes=1),
    family="remediation-budget",
    board=BOARD,
    summary="No restarts are left for {{ $labels.budget }} {{ $labels.name }} ({{ $labels.window }})",
    description="""The remediator has used all restarts that {{ $labels.budget }} {{ $labels.name }} may
        have per {{ $labels.window }}. Until the window moves on, it only calls for a human.""",
    fires={'remediation_budget_remaining{scope="service",name="backend",window="1h"}': "0"},
    quiet={'remediation_budget_remaining{scope="service",name="backend",window="1h"}': "1"},
    extra={"budget": "service", "name": "backend", "window": "1h"},
    value=0,
    tight=False,
)


INCIDENT_OPEN = Alert(
    name="RemediationIncidentOpenLong",
    severity=Severity.WARNING,
    expr="max by (tier) (last_over_time(remediation_open_incidents[3m]))",
    threshold=0,
    hold=timedelta(hours=1),
    scope=Scope.TIER,
    family="remediation-incident",
    board=BOARD,
    summary="Tier {{ $labels.tier }} has had an open incident for an hour",
    description="""The remediator has had {{ $value }} open incidents in tier {{ $labels.tier }} for an
        hour: it waits for approval, for a budget, or for something it cannot heal.""",
    fires={"remediation_open_incidents": "1"},
    quiet={"remediation_open_incidents": "0"},
    tight=False,
)

OBSERVING_LONG = Alert(
    name="RemediationObservingLong",
    severity=Severity.INFO,
    # Windows and hold span days, so that a restart of Prometheus does not begin the count anew.
    expr='max by (tier) (last_over_time(remediation_mode_info{mode="observe"}[1d]))',
    op="==",
    threshold=1,
    hold=timedelta(days=14),
    scope=Scope.TIER,
    family="remediation-mode",
    board=BOARD,
    summary="Tier {{ $labels.tier }} has been observed for 14 days without healing it",
    description="""Remediation only watches tier {{ $labels.tier }} and has done so for 14 days. Its board
        shows what it would have done; decide whether it may.""",
    fires={'remediation_mode_info{mode="observe"}': "1"},
    quiet={'remediation_mode_info{mode="observe"}': "0"},
    tight=False,
    step=timedelta(hours=6),
)


def pack(_catalog: Catalog) -> Pack:
    """Return the remediation pack; it is the same for every catalog with a remediator."""
    return Pack(
        name="remediation",
        title="Remediation",
        alerts=(
            IN_PROGRESS,
            ESCALATED,
            ACTION_FAILED,
            BUDGET_SPENT,
            INCIDENT_OPEN,
            OBSERVING_LONG,
            *remediation_health.ALERTS,
        ),
    )
