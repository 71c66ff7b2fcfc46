"""
Two sorts of alert for vector stores without metrics: seen through their probe, earlier than others.

Chroma and the FAISS service answer their health check without touching data. So a check that is
slow, or fails now and then, means that the one process is busy or starved long before ProbeSlow
(three seconds) or ServiceDown (minutes) says so.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Severity


def slow(name: str, kind: str) -> Alert:
    """Return the alert *name*: every probe of services of *kind* took over a second for five minutes."""
    series = f'probe_duration_seconds{{kind="{kind}"}}'
    return Alert(
        name=name,
        severity=Severity.WARNING,
        # The quickest of five minutes: one slow probe is chance, ten are a busy process.
        expr=f"max by (service) (min_over_time({series}[5m]))",
        threshold=1,
        hold=timedelta(minutes=5),
        family=f"{kind}-latency",
        board="tier",
        summary="{{ $labels.service }} needs {{ $value | humanizeDuration }} to say that it lives",
        description="""The health check of {{ $labels.service }} touches no data and still takes
            {{ $value | humanizeDuration }}. The process is busy or starved; searches take far longer.""",
        fires={series: "1.08"},
        quiet={series: "0.92"},
        surge={series: "5"},
    )


def unsteady(name: str, kind: str) -> Alert:
    """Return the alert *name*: a tenth of the probes of services of *kind* failed in half an hour."""
    series = f'probe_success{{kind="{kind}"}}'
    return Alert(
        name=name,
        severity=Severity.WARNING,
        expr=f"min by (service) (avg_over_time({series}[30m]))",
        op="<",
        threshold=0.9,
        hold=timedelta(minutes=5),
        family=f"{kind}-unsteady",
        board="tier",
        summary="{{ $labels.service }} answered only {{ $value | humanizePercentage }} of its probes",
        description="""In the last 30 minutes {{ $labels.service }} answered
            {{ $value | humanizePercentage }} of its probes. Each gap is too short for ServiceDown, but
            requests in it failed.""",
        fires={series: "0.85"},
        quiet={series: "0.98"},
        value=0.85,
        surge={series: "0"},
    )
