"""
What is missing altogether: jobs without a single target, traffic that stopped.

`absent()` wants literal labels, or its result has none to route by; so one expression names
every default job. Only traffic is compared with an hour ago: other series come and go with
deployments (GitLab's TrafficAbsent and TrafficCessation; kube-prometheus has one
`absent(up{job=...})` alert per job, which differ in nothing but the name).
"""

from __future__ import annotations

from datetime import timedelta

from alerts import requests
from alerts.kit import Alert, Pack, Scope, Severity
from generator.model import Catalog
from generator.names import REQUESTS
from generator.scrape.jobs import jobs


def pack(catalog: Catalog) -> Pack:
    """Return the absence alerts; JobAbsent names every job that has a target by default."""
    optional = {service.name for service in catalog.services if service.optional}
    names = [
        job.name
        for job in jobs(catalog)
        if any(target.service not in optional for target in job.targets)
    ]
    alerts: tuple[Alert, ...] = (job_absent(names),) if names else ()
    if requests.records(catalog.kinds):
        alerts += (TRAFFIC_STOPPED,)
    return Pack(name="absence", title="Missing series", alerts=alerts, always=True)


def job_absent(names: list[str]) -> Alert:
    """Return the alert over all jobs called *names*; not empty."""
    first, *others = names
    present = {f'up{{job="{name}"}}': "1" for name in others}
    return Alert(
        name="JobAbsent",
        severity=Severity.WARNING,
        scope=Scope.PLATFORM,
        expr="\nor ".join(f'absent(up{{job="{name}"}})' for name in names),
        op="",
        hold=timedelta(minutes=5),
        family="absence",
        board="stack",
        summary="Prometheus has no target of job {{ $labels.job }}",
        description=(
            "Not one target of the job is being scraped, so nothing that is computed from it can "
            "alert. The rendered configuration has one: Prometheus runs another, or an older one."
        ),
        fires={f'up{{job="{first}"}}': "none", **present},
        quiet={f'up{{job="{first}"}}': "1", **present},
        value=1,
        extra={"job": first},
        survives_missed_scrape=False,
        # promtool's gaps are not staleness: the last sample is seen for five minutes more.
        settle=timedelta(minutes=5),
    )


TRAFFIC_STOPPED = Alert(
    name="TrafficStopped",
    severity=Severity.WARNING,
    expr=f"{REQUESTS} offset 1h",
    op=">",
    threshold=0.1,
    where=f"unless on (service) {REQUESTS} > 0",
    hold=timedelta(minutes=15),
    family="traffic",
    board="tier",
    summary="{{ $labels.service }} gets no requests any more (an hour ago: {{ $value | humanize }} per second)",
    description=(
        "Requests arrived an hour ago and none arrive now, while the service itself may look fine: "
        "look at what stands in front of it."
    ),
    fires={REQUESTS: "0"},
    quiet={REQUESTS: "0.105"},
    value=0.105,
    tight=False,
    settle=timedelta(0),
    step=timedelta(minutes=1),
)
