"""The host's block devices: busy, slow, waited for, failing in an array."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from alerts.kit import Alert, Scope, Severity

HostAlert = partial(Alert, scope=Scope.HOST, board="hardware")

DISKS = 'device!~"loop.*|ram.*|sr.*|fd.*"'
SDA = {"device": "sda"}

SATURATED = HostAlert(
    name="HostDiskSaturated",
    severity=Severity.WARNING,
    # The weighted time per second is the average number of requests waiting or served.
    expr=f"max by (instance, device) "
    f"(rate(node_disk_io_time_weighted_seconds_total{{{DISKS}}}[15m]))",
    threshold=10,
    hold=timedelta(minutes=15),
    family="host-disk-io",
    summary='On average {{ $value | printf "%.0f" }} requests wait for {{ $labels.device }}',
    description="""On {{ $labels.instance }}, {{ $value | printf "%.0f" }} requests on average wait for
        {{ $labels.device }} or are served by it, for half an hour. Whatever needs this disk is slow.""",
    fires={'node_disk_io_time_weighted_seconds_total{device="sda"}': "10.8/s"},
    quiet={'node_disk_io_time_weighted_seconds_total{device="sda"}': "9.2/s"},
    extra=SDA,
    value=10.8,
)


def _slow(name: str, what: str, verb: str) -> Alert:
    """Return the alert on the mean time of one *what* (reads, writes) on a disk."""
    seconds, count = f"node_disk_{what}_time_seconds_total", f"node_disk_{what}s_completed_total"
    return HostAlert(
        name=name,
        severity=Severity.WARNING,
        expr=f"""max by (instance, device) (
  rate({seconds}{{{DISKS}}}[15m]) / rate({count}{{{DISKS}}}[15m])
)""",
        threshold=0.2,
        # A handful of slow requests on a sleeping disk hurts nobody.
        where=f"""and on (instance, device) (
  max by (instance, device) (rate({count}{{{DISKS}}}[15m])) > 1
)""",
        hold=timedelta(minutes=10),
        family=f"host-disk-{what}",
        summary=f"{{{{ $labels.device }}}} on {{{{ $labels.instance }}}} takes "
        f"{{{{ $value | humanizeDuration }}}} per {what}",
        description=f"""To {verb} once takes {{{{ $value | humanizeDuration }}}} on
            {{{{ $labels.device }}}} of {{{{ $labels.instance }}}}; a healthy disk needs a few
            milliseconds.""",
        fires={
            f'{seconds}{{device="sda"}}': "2.12/s",
            f'{count}{{device="sda"}}': "10/s",
        },
        quiet={
            f'{seconds}{{device="sda"}}': "1.88/s",
            f'{count}{{device="sda"}}': "10/s",
        },
        extra=SDA,
        value=0.212,
    )


READS_SLOW = _slow("HostDiskReadsSlow", "read", "read")
WRITES_SLOW = _slow("HostDiskWritesSlow", "write", "write")

PRESSURE = HostAlert(
    name="HostIoPressure",
    severity=Severity.WARNING,
    expr="max by (instance) (rate(node_pressure_io_stalled_seconds_total[15m]))",
    threshold=0.3,
    hold=timedelta(minutes=10),
    family="host-disk-io",
    summary="{{ $labels.instance }} stands still {{ $value | humanizePercentage }} of the time for its disks",
    description="""For {{ $value | humanizePercentage }} of the last 15 minutes every runnable task on
        {{ $labels.instance }} waited for input or output.""",
    fires={"node_pressure_io_stalled_seconds_total": "0.322/s"},
    quiet={"node_pressure_io_stalled_seconds_total": "0.278/s"},
    value=0.322,
)

RAID_DEGRADED = HostAlert(
    name="HostRaidDegraded",
    severity=Severity.CRITICAL,
    expr="""max by (instance, device) (
  last_over_time(node_md_disks_required[3m])
  - ignoring (state) last_over_time(node_md_disks{state="active"}[3m])
)""",
    threshold=0,
    hold=timedelta(minutes=5),
    family="host-raid",
    summary="{{ $labels.device }} on {{ $labels.instance }} lacks {{ $value }} of its disks",
    description="""The array {{ $labels.device }} on {{ $labels.instance }} runs with {{ $value }} disks
        fewer than it needs. The next failure may lose the data.""",
    fires={
        'node_md_disks_required{device="md0"}': "2",
        'node_md_disks{device="md0",state="active"}': "1",
    },
    quiet={
        'node_md_disks_required{device="md0"}': "2",
        'node_md_disks{device="md0",state="active"}': "2",
    },
    extra={"device": "md0"},
    value=1,
    tight=False,
)

RAID_DISK_FAILED = HostAlert(
    name="HostRaidDiskFailed",
    severity=Severity.WARNING,
    expr="""max by (instance, device) (last_over_time(node_md_disks{state="failed"}[3m]))""",
    threshold=0,
    hold=timedelta(minutes=5),
    family="host-raid",
    summary="{{ $value }} disks of {{ $labels.device }} on {{ $labels.instance }} have failed",
    description="""The array {{ $labels.device }} on {{ $labels.instance }} has {{ $value }} failed disks;
        a spare may have taken over. Replace them before the next one fails.""",
    fires={'node_md_disks{device="md0",state="failed"}': "1"},
    quiet={'node_md_disks{device="md0",state="failed"}': "0"},
    extra={"device": "md0"},
    tight=False,
)

ALERTS = (SATURATED, READS_SLOW, WRITES_SLOW, PRESSURE, RAID_DEGRADED, RAID_DISK_FAILED)
