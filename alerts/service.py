"""
The one alert that says a service is down, from the one verdict and nothing else.

One rule per hold, per time it outlives recovery, and per severity: all three are facts of the
catalog (start period, dependants, objective) that the rule selects by label.

Compared with the public collections: `InstanceDown`/`TargetDown` (awesome-prometheus-alerts,
kube-prometheus) look at `up` of any target, so that a dead exporter looks like a dead
database; that half is ObserverDown here. "Exporter up but service down" (PostgresqlDown,
RedisDown, ProbeFailed) are all this one alert.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Remedy, Role, Severity, number
from alerts.verdict import NEVER, counts, down_severity, verdicts
from generator.model import Catalog
from generator.names import CATALOG_INFO, HEALTHY
from generator.quantities import write_duration


def pack(catalog: Catalog) -> Pack:
    """Return the verdict and ServiceDown for *catalog*."""
    variants = sorted(
        {
            (service.down_hold, catalog.down_keep[service.name], down_severity(service, catalog))
            for service in catalog.services
            if counts(service) != NEVER and down_severity(service, catalog) is not Severity.NONE
        }
    )
    return Pack(
        name="service",
        title="Services down",
        records=verdicts(catalog),
        alerts=tuple(service_down(*variant) for variant in variants),
        always=True,
    )


def service_down(hold: timedelta, keep: timedelta, severity: Severity) -> Alert:
    """Return ServiceDown for the services that share *hold*, *keep* and *severity*."""
    judged = {
        "hold": number(hold.total_seconds()),
        "keep": number(keep.total_seconds()),
        "severity": severity.value,
    }
    braces = "{" + ", ".join(f'{key}="{value}"' for key, value in judged.items()) + "}"
    info = CATALOG_INFO + braces.replace(", ", ",")
    return Alert(
        name="ServiceDown",
        severity=severity,
        expr=f"max by (service) ({HEALTHY} and on (service) {CATALOG_INFO}{braces})",
        op="==",
        threshold=0,
        hold=hold,
        keep=keep,
        role=Role.ROOT,
        remedy=Remedy.RESTART,
        family="service-down",
        labels={"hold": write_duration(hold), "keep": write_duration(keep)},
        board="tier",
        summary="{{ $labels.service }} ({{ $labels.tier }}) is down",
        description=(
            "The verdict on {{ $labels.service }} has been bad for longer than its start-up takes. "
            "Whatever needs it is failing or about to."
        ),
        fires={HEALTHY: "0", info: "1"},
        quiet={HEALTHY: "1", info: "1"},
        value=0,
    )
