"""The host's processors and memory: busy, short, waited for."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from alerts.kit import Alert, Record, Scope, Severity

HostAlert = partial(Alert, scope=Scope.HOST, board="hardware")

CPU_BUSY = Record(
    name="instance:cpu_busy:ratio",
    expr='1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))',
    inputs={
        'node_cpu_seconds_total{instance="a",cpu="0",mode="idle"}': "15/m",
        'node_cpu_seconds_total{instance="a",cpu="1",mode="idle"}': "30/m",
        'node_cpu_seconds_total{instance="a",cpu="1",mode="user"}': "30/m",
    },
    expect={'instance:cpu_busy:ratio{instance="a"}': 0.625},
)

MEMORY_AVAILABLE = Record(
    name="instance:memory_available:ratio",
    expr="""max by (instance) (
  last_over_time(node_memory_MemAvailable_bytes[3m]) / last_over_time(node_memory_MemTotal_bytes[3m])
)""",
    inputs={
        'node_memory_MemAvailable_bytes{instance="a"}': "250",
        'node_memory_MemTotal_bytes{instance="a"}': "1000",
    },
    expect={'instance:memory_available:ratio{instance="a"}': 0.25},
)

CPU = HostAlert(
    name="HostCpuBusy",
    severity=Severity.WARNING,
    expr=CPU_BUSY.name,
    threshold=0.9,
    hold=timedelta(minutes=15),
    family="host-cpu",
    summary="{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its processors",
    description="""The processors of {{ $labels.instance }} have been busy for
        {{ $value | humanizePercentage }} of the time for 15 minutes. Everything on the host gets
        slower; health checks may time out.""",
    fires={'node_cpu_seconds_total{cpu="0",mode="idle"}': "0.06/s"},
    quiet={'node_cpu_seconds_total{cpu="0",mode="idle"}': "0.14/s"},
    value=0.94,
    settle=timedelta(minutes=5),
)

CPU_STOLEN = HostAlert(
    name="HostCpuStolen",
    severity=Severity.WARNING,
    expr='avg by (instance) (rate(node_cpu_seconds_total{mode="steal"}[15m]))',
    threshold=0.1,
    hold=timedelta(minutes=10),
    family="host-cpu-steal",
    summary="{{ $labels.instance }} loses {{ $value | humanizePercentage }} of its CPU to its hypervisor",
    description="""The hypervisor under {{ $labels.instance }} gives {{ $value | humanizePercentage }} of
        the promised CPU time to others. Nothing on the host itself can change that.""",
    fires={'node_cpu_seconds_total{cpu="0",mode="steal"}': "0.108/s"},
    quiet={'node_cpu_seconds_total{cpu="0",mode="steal"}': "0.092/s"},
    value=0.108,
)

CPU_PRESSURE = HostAlert(
    name="HostCpuPressure",
    severity=Severity.WARNING,
    expr="max by (instance) (rate(node_pressure_cpu_waiting_seconds_total[15m]))",
    threshold=0.5,
    hold=timedelta(minutes=10),
    family="host-cpu",
    summary="Tasks on {{ $labels.instance }} wait for a processor {{ $value | humanizePercentage }} of the time",
    description="""For {{ $value | humanizePercentage }} of the last 15 minutes at least one task on
        {{ $labels.instance }} was ready and had no processor. More runs here than the host can
        carry.""",
    fires={"node_pressure_cpu_waiting_seconds_total": "0.54/s"},
    quiet={"node_pressure_cpu_waiting_seconds_total": "0.46/s"},
    value=0.54,
)

MEMORY_LOW = HostAlert(
    name="HostMemoryLow",
    severity=Severity.WARNING,
    expr=MEMORY_AVAILABLE.name,
    op="<",
    threshold=0.1,
    hold=timedelta(minutes=5),
    family="host-memory",
    summary="{{ $labels.instance }} has {{ $value | humanizePercentage }} of its memory left",
    description="""Only {{ $value | humanizePercentage }} of the memory of {{ $labels.instance }} can be
        had without swapping. Loading a model or a burst of work may set off the out-of-memory
        killer.""",
    fires={"node_memory_MemAvailable_bytes": "93", "node_memory_MemTotal_bytes": "1000"},
    quiet={"node_memory_MemAvailable_bytes": "107", "node_memory_MemTotal_bytes": "1000"},
    value=0.093,
)

MEMORY_CRITICAL = HostAlert(
    name="HostMemoryNearlyGone",
    severity=Severity.CRITICAL,
    expr=MEMORY_AVAILABLE.name,
    op="<",
    threshold=0.03,
    hold=timedelta(minutes=3),
    family="host-memory",
    summary="{{ $labels.instance }} has {{ $value | humanizePercentage }} of its memory left",
    description="""Only {{ $value | humanizePercentage }} of the memory of {{ $labels.instance }} can be
        had. The kernel is about to kill processes, and it chooses by size: databases and models
        first.""",
    fires={"node_memory_MemAvailable_bytes": "28", "node_memory_MemTotal_bytes": "1000"},
    quiet={"node_memory_MemAvailable_bytes": "32", "node_memory_MemTotal_bytes": "1000"},
    value=0.028,
)

MEMORY_PRESSURE = HostAlert(
    name="HostMemoryPressure",
    severity=Severity.WARNING,
    expr="max by (instance) (rate(node_pressure_memory_stalled_seconds_total[15m]))",
    threshold=0.1,
    hold=timedelta(minutes=15),
    family="host-memory-pressure",
    summary="{{ $labels.instance }} stands still {{ $value | humanizePercentage }} of the time for lack of memory",
    description="""For {{ $value | humanizePercentage }} of the last 15 minutes every runnable task on
        {{ $labels.instance }} waited for memory to be freed. The host thrashes.""",
    fires={"node_pressure_memory_stalled_seconds_total": "0.108/s"},
    quiet={"node_pressure_memory_stalled_seconds_total": "0.092/s"},
    value=0.108,
)

SWAPPING = HostAlert(
    name="HostSwapThrashing",
    severity=Severity.WARNING,
    expr="""max by (instance) (rate(node_vmstat_pswpin[15m]))
+ max by (instance) (rate(node_vmstat_pswpout[15m]))""",
    # Pages; 4 MiB per second in and out. A host that parks idle pages stays far below.
    threshold=1000,
    hold=timedelta(minutes=10),
    family="host-swap",
    summary='{{ $labels.instance }} swaps {{ $value | printf "%.0f" }} pages per second',
    description="""{{ $labels.instance }} moves {{ $value | printf "%.0f" }} pages per second between
        memory and swap. Memory that is in use does not fit; everything waits for the disk.""",
    fires={"node_vmstat_pswpin": "580/s", "node_vmstat_pswpout": "500/s"},
    quiet={"node_vmstat_pswpin": "420/s", "node_vmstat_pswpout": "500/s"},
    value=1080,
)

SWAP_FULL = HostAlert(
    name="HostSwapNearlyFull",
    severity=Severity.INFO,
    expr="""1 - max by (instance) (
  last_over_time(node_memory_SwapFree_bytes[3m])
  / (last_over_time(node_memory_SwapTotal_bytes[3m]) > 0)
)""",
    threshold=0.8,
    hold=timedelta(minutes=15),
    family="host-swap",
    summary="{{ $labels.instance }} has filled {{ $value | humanizePercentage }} of its swap",
    description="""{{ $value | humanizePercentage }} of the swap of {{ $labels.instance }} are used. When
        memory gets short next, there is nowhere to go but the out-of-memory killer.""",
    fires={"node_memory_SwapFree_bytes": "160", "node_memory_SwapTotal_bytes": "1000"},
    quiet={"node_memory_SwapFree_bytes": "240", "node_memory_SwapTotal_bytes": "1000"},
    value=0.84,
)

MAJOR_FAULTS = HostAlert(
    name="HostMajorPageFaults",
    severity=Severity.INFO,
    expr="max by (instance) (rate(node_vmstat_pgmajfault[15m]))",
    threshold=500,
    hold=timedelta(minutes=10),
    family="host-memory-pressure",
    summary='{{ $labels.instance }} reads {{ $value | printf "%.0f" }} pages per second back from disk',
    description="""Processes on {{ $labels.instance }} touch {{ $value | printf "%.0f" }} pages per second
        that are no longer in memory. A model that is mapped from disk and does not fit looks like
        this, too.""",
    fires={"node_vmstat_pgmajfault": "540/s"},
    quiet={"node_vmstat_pgmajfault": "460/s"},
    value=540,
)

OOM_KILL = HostAlert(
    name="HostOomKill",
    severity=Severity.WARNING,
    expr="max by (instance) (increase(node_vmstat_oom_kill[10m]))",
    # One kill counts; extrapolated it is at least 1.
    threshold=0.5,
    hold=timedelta(minutes=1),
    family="host-oom",
    summary="The kernel of {{ $labels.instance }} killed a process for lack of memory",
    description="""In the last ten minutes the kernel of {{ $labels.instance }} killed at least one process
        because memory ran out, on the whole host or in one container (ContainerOomKilled names it).""",
    fires={"node_vmstat_oom_kill": "3.25/h"},
    quiet={"node_vmstat_oom_kill": "2.75/h"},
)


RECORDS = (CPU_BUSY, MEMORY_AVAILABLE)
ALERTS = (
    CPU,
    CPU_STOLEN,
    CPU_PRESSURE,
    MEMORY_LOW,
    MEMORY_CRITICAL,
    MEMORY_PRESSURE,
    SWAPPING,
    SWAP_FULL,
    MAJOR_FAULTS,
    OOM_KILL,
)
