"""
Containers: restarts, memory, CPU, and Docker's own opinion of a service's health.

Read from cAdvisor (resources) and from our agents exporter (what `docker inspect` says); each
half is left out where the catalog has no such observer.

Compared with awesome-prometheus-alerts (Docker containers), kubernetes-mixin and dockprom. Left
out, and why:
- ContainerKilled, ContainerAbsent (`time() - container_last_seen`): cAdvisor drops the series of a
  container that is gone, so they cannot fire; ContainerMissing asks Docker instead.
- ContainerHighCpuUtilization: a busy container is no fault; being throttled is.
- ContainerLowCpu/LowMemory utilisation: capacity planning, on the boards.
- ContainerVolumeUsage: volumes are host filesystems, the host pack watches them.
- Pod, Deployment and quota alerts of kubernetes-mixin: no Kubernetes here.
- missing memory limits: the catalog is checked for them before anything runs.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Record, Severity
from generator.model import Catalog
from generator.names import CATALOG_INFO

BOARD = "tier"
CADVISOR = "cadvisor"
AGENTS_EXPORTER = "agents-exporter"

# Containers without a limit report 0, which would make the share infinite.
MEMORY_USED = Record(
    name="service:container_memory_used:ratio",
    expr="""max by (service) (
  last_over_time(container_memory_working_set_bytes[3m])
  / (last_over_time(container_spec_memory_limit_bytes[3m]) > 0)
)""",
    inputs={
        'container_memory_working_set_bytes{service="alpha",name="a-1"}': "300",
        'container_spec_memory_limit_bytes{service="alpha",name="a-1"}': "400",
        'container_memory_working_set_bytes{service="alpha",name="a-2"}': "100",
        'container_spec_memory_limit_bytes{service="alpha",name="a-2"}': "400",
        'container_memory_working_set_bytes{service="bravo",name="b-1"}': "100",
        'container_spec_memory_limit_bytes{service="bravo",name="b-1"}': "0",
    },
    expect={'service:container_memory_used:ratio{service="alpha"}': 0.75},
)

OOM_KILLED = Alert(
    name="ContainerOomKilled",
    severity=Severity.WARNING,
    expr="sum by (service) (increase(container_oom_events_total[10m]))",
    # One kill counts. Extrapolation makes it at least 1, so half a kill separates one from none.
    threshold=0.5,
    hold=timedelta(minutes=1),
    family="container-memory",
    board=BOARD,
    summary="A process of {{ $labels.service }} was killed for lack of memory",
    description="""The kernel killed a process in the container of {{ $labels.service }} in the last
        ten minutes because the container hit its memory limit. A restart does not help while the
        limit or the load stays as it is.""",
    fires={'container_oom_events_total{name="c"}': "3.2/h"},
    quiet={'container_oom_events_total{name="c"}': "2.8/h"},
)

MEMORY_NEAR_LIMIT = Alert(
    name="ContainerMemoryNearLimit",
    severity=Severity.WARNING,
    expr=MEMORY_USED.name,
    threshold=0.9,
    hold=timedelta(minutes=10),
    family="container-memory",
    board=BOARD,
    summary="{{ $labels.service }} uses {{ $value | humanizePercentage }} of its memory limit",
    description="""The working set of {{ $labels.service }} has stood at
        {{ $value | humanizePercentage }} of its container's limit for ten minutes. At 100 % the
        kernel kills a process in it.""",
    fires={
        'container_memory_working_set_bytes{name="c"}': "930",
        'container_spec_memory_limit_bytes{name="c"}': "1000",
    },
    quiet={
        'container_memory_working_set_bytes{name="c"}': "870",
        'container_spec_memory_limit_bytes{name="c"}': "1000",
    },
    value=0.93,
)

CPU_THROTTLED = Alert(
    name="ContainerCpuThrottled",
    severity=Severity.WARNING,
    expr="""sum by (service) (rate(container_cpu_cfs_throttled_periods_total[5m]))
/ sum by (service) (rate(container_cpu_cfs_periods_total[5m]))""",
    threshold=0.25,
    hold=timedelta(minutes=15),
    family="container-cpu",
    board=BOARD,
    summary="{{ $labels.service }} is throttled in {{ $value | humanizePercentage }} of CPU periods",
    description="""{{ $labels.service }} wants more CPU than its limit gives: it is stopped in
        {{ $value | humanizePercentage }} of the scheduler's periods. Answers take longer and health
        checks may time out.""",
    fires={
        'container_cpu_cfs_throttled_periods_total{name="c"}': "26/m",
        'container_cpu_cfs_periods_total{name="c"}': "100/m",
    },
    quiet={
        'container_cpu_cfs_throttled_periods_total{name="c"}': "23/m",
        'container_cpu_cfs_periods_total{name="c"}': "100/m",
    },
    value=0.26,
)

NETWORK_ERRORS = Alert(
    name="ContainerNetworkErrors",
    severity=Severity.WARNING,
    expr="""sum by (service) (rate(container_network_receive_errors_total[10m]))
+ sum by (service) (rate(container_network_transmit_errors_total[10m]))""",
    threshold=1,
    hold=timedelta(minutes=10),
    family="container-network",
    board=BOARD,
    summary='{{ $labels.service }} has {{ $value | printf "%.1f" }} network errors per second',
    description="""The network interface of the container of {{ $labels.service }} reports
        {{ $value | printf "%.1f" }} errors per second. Connections stall and are retried.""",
    fires={
        'container_network_receive_errors_total{interface="eth0",name="c"}': "0.59/s",
        'container_network_transmit_errors_total{interface="eth0",name="c"}': "0.5/s",
    },
    quiet={
        'container_network_receive_errors_total{interface="eth0",name="c"}': "0.45/s",
        'container_network_transmit_errors_total{interface="eth0",name="c"}': "0.5/s",
    },
    value=1.09,
)

WRITABLE_LAYER = Alert(
    name="ContainerWritableLayerLarge",
    severity=Severity.INFO,
    expr="max by (service) (last_over_time(container_fs_usage_bytes[3m]))",
    # Arbitrary; ten times what any image of the platform writes outside its volumes.
    threshold=10_000_000_000,
    hold=timedelta(minutes=30),
    family="container-disk",
    board=BOARD,
    summary="{{ $labels.service }} wrote {{ $value | humanize1024 }}B outside its volumes",
    description="""The writable layer of the container of {{ $labels.service }} holds
        {{ $value | humanize1024 }}B. It is lost when the container is recreated and it fills the
        disk that Docker lives on.""",
    fires={'container_fs_usage_bytes{device="/dev/sda1",name="c"}': "10500000000"},
    quiet={'container_fs_usage_bytes{device="/dev/sda1",name="c"}': "9500000000"},
)

STARTED_OFTEN = Alert(
    name="ContainerStartedOften",
    severity=Severity.WARNING,
    expr="max by (service) (changes(container_start_time_seconds[1h]))",
    threshold=4,
    hold=timedelta(minutes=3),
    family="container-restarts",
    board=BOARD,
    summary="{{ $labels.service }} was started more than four times in an hour",
    description="""The container of {{ $labels.service }} was started more than four times in the
        last hour, by Docker, by remediation or by hand. Restarting is not curing it.""",
    fires={'container_start_time_seconds{name="c"}': "flip 1000 2000"},
    quiet={'container_start_time_seconds{name="c"}': "1000"},
    tight=False,
)

RESTART_LOOP = Alert(
    name="ContainerRestartLoop",
    severity=Severity.WARNING,
    expr="max by (service) (increase(agent_container_restarts_total[15m]))",
    threshold=3,
    hold=timedelta(minutes=1),
    family="container-restarts",
    board=BOARD,
    summary="{{ $labels.service }} is in a restart loop",
    description="""Docker restarted the container of {{ $labels.service }}
        {{ $value | printf "%.0f" }} times in 15 minutes because its process ended by itself. It
        fails at start; restarting it once more will not help.""",
    fires={"agent_container_restarts_total": "13/h"},
    quiet={"agent_container_restarts_total": "11/h"},
    value=3.25,
)

EXITED_OOM = Alert(
    name="ContainerExitedOutOfMemory",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(agent_container_oom_killed[3m]))",
    op="==",
    threshold=1,
    where="""and on (service) (
  max by (service) (last_over_time(agent_container_running[3m])) == 0
)""",
    hold=timedelta(minutes=1),
    family="container-memory",
    board=BOARD,
    summary="{{ $labels.service }} stopped because it ran out of memory",
    description="""The main process of {{ $labels.service }} was killed at its memory limit and the
        container is not running. Starting it again leads to the same end unless the limit grows or
        the load shrinks.""",
    fires={"agent_container_oom_killed": "1", "agent_container_running": "0"},
    quiet={"agent_container_oom_killed": "0", "agent_container_running": "0"},
    value=1,
    tight=False,
)

UNHEALTHY_BUT_ANSWERING = Alert(
    name="ContainerUnhealthyButAnswering",
    severity=Severity.WARNING,
    expr='max by (service) (last_over_time(agent_container_health{health="unhealthy"}[3m]))',
    op="==",
    threshold=1,
    where="and on (service) (service:healthy:bool == 1)",
    hold=timedelta(minutes=10),
    family="container-health",
    board=BOARD,
    summary="Docker calls {{ $labels.service }} unhealthy, but it answers",
    description="""Docker's health check of {{ $labels.service }} fails while the service answers the
        way its kind should. Mostly the check itself is wrong (a tool that is not in the image, a
        path that needs a password); everything that waits for it never starts.""",
    fires={'agent_container_health{health="unhealthy"}': "1", "service:healthy:bool": "1"},
    quiet={'agent_container_health{health="unhealthy"}': "0", "service:healthy:bool": "1"},
    value=1,
    tight=False,
)

HEALTHY_BUT_SILENT = Alert(
    name="ContainerHealthyButSilent",
    severity=Severity.WARNING,
    expr='max by (service) (last_over_time(agent_container_health{health="healthy"}[3m]))',
    op="==",
    threshold=1,
    # An observer's silence is ObserverDown already; the catalog marks observers with severity none.
    where=f"""and on (service) (service:healthy:bool == 0)
unless on (service) {CATALOG_INFO}{{severity="none"}}""",
    hold=timedelta(minutes=5),
    family="container-health",
    board=BOARD,
    summary="Docker calls {{ $labels.service }} healthy, but it does not answer",
    description="""Docker's health check of {{ $labels.service }} passes while nobody gets an answer
        from it over the network: the wrong port is published, the network is cut, or the check
        asks for less than the service must do.""",
    fires={'agent_container_health{health="healthy"}': "1", "service:healthy:bool": "0"},
    quiet={'agent_container_health{health="healthy"}': "1", "service:healthy:bool": "1"},
    value=1,
    tight=False,
)

MISSING = Alert(
    name="ContainerMissing",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(agent_container_present[3m]))",
    op="==",
    threshold=0,
    # Optional and one-shot services are `present` only while their container exists.
    where="and on (service) (service:present:bool == 1)",
    hold=timedelta(minutes=5),
    family="container-state",
    board=BOARD,
    summary="{{ $labels.service }} has no container",
    description="""Docker knows no container of {{ $labels.service }}, which the catalog says must run.
        It was removed, renamed or never created; a restart cannot bring it back, Compose can.""",
    fires={"agent_container_present": "0", "service:present:bool": "1"},
    quiet={"agent_container_present": "1", "service:present:bool": "1"},
    value=0,
    tight=False,
)

STUCK = Alert(
    name="ContainerStuck",
    severity=Severity.WARNING,
    expr="""max by (service, state) (
  last_over_time(agent_container_state{state=~"dead|paused|removing|restarting"}[3m])
)""",
    op="==",
    threshold=1,
    hold=timedelta(minutes=5),
    family="container-state",
    board=BOARD,
    summary="The container of {{ $labels.service }} is {{ $labels.state }}",
    description="""The container of {{ $labels.service }} has been in the state
        {{ $labels.state }} for five minutes. That state is a passage, not a place to stay.""",
    fires={'agent_container_state{state="paused"}': "1"},
    quiet={'agent_container_state{state="paused"}': "0"},
    extra={"state": "paused"},
    value=1,
    tight=False,
)

FROM_CADVISOR = (
    OOM_KILLED,
    MEMORY_NEAR_LIMIT,
    CPU_THROTTLED,
    NETWORK_ERRORS,
    WRITABLE_LAYER,
    STARTED_OFTEN,
)
FROM_DOCKER = (
    RESTART_LOOP,
    EXITED_OOM,
    UNHEALTHY_BUT_ANSWERING,
    HEALTHY_BUT_SILENT,
    MISSING,
    STUCK,
)


def pack(catalog: Catalog) -> Pack:
    """Return the container pack with what the observers in *catalog* can tell; maybe empty."""
    cadvisor = bool(catalog.of_kind(CADVISOR))
    docker = bool(catalog.of_kind(AGENTS_EXPORTER))
    return Pack(
        name="container",
        title="Containers",
        records=(MEMORY_USED,) if cadvisor else (),
        alerts=(FROM_CADVISOR if cadvisor else ()) + (FROM_DOCKER if docker else ()),
        always=True,
    )
