"""The host's kernel and hardware: clock, descriptors, heat, failing memory, a reboot."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from alerts.kit import Alert, Scope, Severity

HostAlert = partial(Alert, scope=Scope.HOST, board="hardware")

CLOCK_SKEW = HostAlert(
    name="HostClockSkew",
    severity=Severity.WARNING,
    expr="max by (instance) (abs(last_over_time(node_timex_offset_seconds[3m])))",
    threshold=0.05,
    hold=timedelta(minutes=10),
    family="host-clock",
    summary="The clock of {{ $labels.instance }} is off by {{ $value | humanizeDuration }}",
    description="""The clock of {{ $labels.instance }} differs from its time source by
        {{ $value | humanizeDuration }} and does not come back. Certificates, tokens, log order and
        alerts depend on it.""",
    fires={"node_timex_offset_seconds": "-0.053"},
    quiet={"node_timex_offset_seconds": "-0.047"},
    value=0.053,
)

CLOCK_NOT_SYNCED = HostAlert(
    name="HostClockNotSynchronising",
    severity=Severity.WARNING,
    expr="max by (instance) (last_over_time(node_timex_sync_status[3m]))",
    op="==",
    threshold=0,
    # The kernel lets its estimate of the error grow to 16 s when nobody disciplines the clock.
    where="""and on (instance) (
  max by (instance) (last_over_time(node_timex_maxerror_seconds[3m])) >= 16
)""",
    hold=timedelta(minutes=10),
    family="host-clock",
    summary="The clock of {{ $labels.instance }} is not synchronised",
    description="""No time service has corrected the clock of {{ $labels.instance }} for hours; it drifts
        by a second or so per day, more under load.""",
    fires={"node_timex_sync_status": "0", "node_timex_maxerror_seconds": "16"},
    quiet={"node_timex_sync_status": "0", "node_timex_maxerror_seconds": "1"},
    value=0,
    tight=False,
)

FILE_DESCRIPTORS = HostAlert(
    name="HostFileDescriptorsNearLimit",
    severity=Severity.WARNING,
    expr="""max by (instance) (
  last_over_time(node_filefd_allocated[3m]) / last_over_time(node_filefd_maximum[3m])
)""",
    threshold=0.8,
    hold=timedelta(minutes=10),
    family="host-file-descriptors",
    summary="{{ $labels.instance }} has {{ $value | humanizePercentage }} of its file descriptors open",
    description="""The kernel of {{ $labels.instance }} allows a fixed number of open files and sockets;
        {{ $value | humanizePercentage }} are taken. At the end no service can accept a connection.""",
    fires={"node_filefd_allocated": "840", "node_filefd_maximum": "1000"},
    quiet={"node_filefd_allocated": "760", "node_filefd_maximum": "1000"},
    value=0.84,
)

REBOOTED = HostAlert(
    name="HostRebooted",
    severity=Severity.INFO,
    expr="time() - max by (instance) (last_over_time(node_boot_time_seconds[3m]))",
    op="<",
    threshold=600,
    hold=timedelta(minutes=1),
    family="host-rebooted",
    summary="{{ $labels.instance }} has started anew",
    description="""{{ $labels.instance }} booted less than ten minutes ago. Services come up in order of
        their dependencies; remediation holds still meanwhile.""",
    fires={"node_boot_time_seconds": "now-560"},
    quiet={"node_boot_time_seconds": "now-640"},
    value=560,
)

HOT = HostAlert(
    name="HostHot",
    severity=Severity.WARNING,
    # Boards without a critical limit of their own report none, or nonsense far above 200.
    expr="""max by (instance, chip, sensor) (
  last_over_time(node_hwmon_temp_celsius[3m])
  / (last_over_time(node_hwmon_temp_crit_celsius[3m]) > 0 < 200)
)""",
    threshold=0.95,
    hold=timedelta(minutes=5),
    family="host-heat",
    summary="{{ $labels.chip }} of {{ $labels.instance }} is at {{ $value | humanizePercentage }} of its critical heat",
    description="""Sensor {{ $labels.sensor }} of {{ $labels.chip }} on {{ $labels.instance }} shows
        {{ $value | humanizePercentage }} of the temperature at which the hardware protects itself
        by switching off.""",
    fires={
        'node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp1"}': "98",
        'node_hwmon_temp_crit_celsius{chip="platform_coretemp_0",sensor="temp1"}': "100",
    },
    quiet={
        'node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp1"}': "92",
        'node_hwmon_temp_crit_celsius{chip="platform_coretemp_0",sensor="temp1"}': "100",
    },
    extra={"chip": "platform_coretemp_0", "sensor": "temp1"},
    value=0.98,
)

MEMORY_ERRORS = HostAlert(
    name="HostMemoryErrors",
    severity=Severity.WARNING,
    expr="sum by (instance) (increase(node_edac_uncorrectable_errors_total[30m]))",
    # One error counts; extrapolated it is at least 1.
    threshold=0.5,
    hold=timedelta(minutes=1),
    family="host-memory-errors",
    summary="{{ $labels.instance }} has memory errors that cannot be corrected",
    description="""The memory controller of {{ $labels.instance }} reported uncorrectable errors in the last
        half hour. Data in memory is wrong; a module is failing.""",
    fires={'node_edac_uncorrectable_errors_total{controller="0"}': "1.06/h"},
    quiet={'node_edac_uncorrectable_errors_total{controller="0"}': "0.94/h"},
    step=timedelta(minutes=1),
)

# Those that every Linux host has; the others report 0 wherever their hardware is missing.
COLLECTORS = "cpu|diskstats|filesystem|loadavg|meminfo|netdev|stat|time|timex|vmstat"

COLLECTOR_FAILING = HostAlert(
    name="HostCollectorFailing",
    severity=Severity.WARNING,
    expr=f"""min by (instance, collector) (
  last_over_time(node_scrape_collector_success{{collector=~"{COLLECTORS}"}}[3m])
)""",
    op="==",
    threshold=0,
    hold=timedelta(minutes=10),
    family="host-collector",
    summary="Collector {{ $labels.collector }} on {{ $labels.instance }} fails",
    description="""node_exporter on {{ $labels.instance }} runs, but its collector
        {{ $labels.collector }} could not read the kernel for ten minutes. The alerts that need it
        are blind.""",
    fires={'node_scrape_collector_success{collector="meminfo"}': "0"},
    quiet={'node_scrape_collector_success{collector="meminfo"}': "1"},
    extra={"collector": "meminfo"},
    value=0,
    tight=False,
)

ALERTS = (
    CLOCK_SKEW,
    CLOCK_NOT_SYNCED,
    FILE_DESCRIPTORS,
    REBOOTED,
    HOT,
    MEMORY_ERRORS,
    COLLECTOR_FAILING,
)
