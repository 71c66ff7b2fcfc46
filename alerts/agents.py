"""
Services that our agents exporter asks over the network: unsteady, slow, or let down by others.

Whether such a service is down says the verdict (`agent_up`), so ServiceDown; this pack says why
and how.

Compared with gatus' alert conditions, awesome-prometheus-alerts (Blackbox) and docker_state_exporter.
Left out, and why:
- response body and header assertions as alerts of their own: they are part of the probe.
- version changed: an event for an annotation on a board, not for a person.
- slow phases: agent_probe_phase_seconds is on the board; one slow alert per service is enough.
- failing streak of Docker's check: ContainerUnhealthyButAnswering says it with its meaning.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Severity
from generator.model import Catalog

BOARD = "agents"

FLAPPING = Alert(
    name="AgentFlapping",
    severity=Severity.WARNING,
    expr="max by (service) (changes(agent_up[30m]))",
    threshold=6,
    hold=timedelta(minutes=5),
    keep=timedelta(minutes=10),
    family="agent-flapping",
    board=BOARD,
    summary="{{ $labels.service }} comes and goes",
    description="""{{ $labels.service }} changed between answering and not answering more than six
        times in half an hour, never long enough for ServiceDown.""",
    fires={"agent_up": "flip 0 1"},
    quiet={"agent_up": "1"},
    tight=False,
)

PROBES_FAIL = Alert(
    name="AgentProbesFailing",
    severity=Severity.WARNING,
    expr="""sum by (service) (rate(agent_probe_failures_total[30m]))
/ sum by (service) (rate(agent_probes_total[30m]))""",
    threshold=0.1,
    # While it is plainly down, ServiceDown speaks.
    where="and on (service) (service:healthy:bool == 1)",
    hold=timedelta(minutes=5),
    family="agent-flapping",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the probes of {{ $labels.service }} fail",
    description="""{{ $labels.service }} answers now, but {{ $value | humanizePercentage }} of its
        probes in the last half hour failed. Users meet the same share of errors.""",
    fires={
        'agent_probe_failures_total{reason="read_timeout"}': "0.3/m",
        'agent_probe_failures_total{reason="refused"}': "0.12/m",
        "agent_probes_total": "4/m",
        "service:healthy:bool": "1",
    },
    quiet={
        'agent_probe_failures_total{reason="read_timeout"}': "0.26/m",
        'agent_probe_failures_total{reason="refused"}': "0.12/m",
        "agent_probes_total": "4/m",
        "service:healthy:bool": "1",
    },
    value=0.105,
)

HUNG = Alert(
    name="AgentHung",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(agent_consecutive_failures[3m]))",
    op=">=",
    threshold=5,
    where="""and on (service) (
  max by (service) (last_over_time(agent_container_state{state="running"}[3m])) == 1
)""",
    hold=timedelta(minutes=2),
    family="agent-hung",
    board=BOARD,
    summary="{{ $labels.service }} runs, but has not answered five times in a row",
    description="""The container of {{ $labels.service }} is running while {{ $value }} probes in a row
        had no good answer. The process hangs, still loads something, or listens on another port
        than the catalog says.""",
    fires={"agent_consecutive_failures": "5", 'agent_container_state{state="running"}': "1"},
    quiet={"agent_consecutive_failures": "4", 'agent_container_state{state="running"}': "1"},
    value=5,
    tight=False,
)

DEPENDENCY_DOWN = Alert(
    name="AgentDependencyDown",
    severity=Severity.WARNING,
    expr="min by (service, dependency) (last_over_time(agent_dependency_up[3m]))",
    op="==",
    threshold=0,
    hold=timedelta(minutes=3),
    family="agent-dependency",
    board=BOARD,
    summary="{{ $labels.service }} says its {{ $labels.dependency }} does not work",
    description="""{{ $labels.service }} answers its health request and reports that its dependency
        {{ $labels.dependency }} fails. Restarting {{ $labels.service }} will not mend that.""",
    fires={'agent_dependency_up{dependency="db"}': "0"},
    quiet={'agent_dependency_up{dependency="db"}': "1"},
    extra={"dependency": "db"},
    value=0,
    tight=False,
)

SLOW = Alert(
    name="AgentSlow",
    severity=Severity.WARNING,
    expr="max by (service) (avg_over_time(agent_probe_duration_seconds[5m]))",
    threshold=3,
    hold=timedelta(minutes=10),
    family="agent-latency",
    board=BOARD,
    summary="{{ $labels.service }} takes {{ $value | humanizeDuration }} to say that it is well",
    description="""A health request to {{ $labels.service }} has taken
        {{ $value | humanizeDuration }} on average for ten minutes; the deadline is near. It is
        short of CPU, waits for something, or works on one request at a time.""",
    fires={"agent_probe_duration_seconds": "3.2"},
    quiet={"agent_probe_duration_seconds": "2.8"},
)

SERVER_ERROR = Alert(
    name="AgentServerError",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(agent_http_status_code[3m]))",
    op=">=",
    threshold=500,
    hold=timedelta(minutes=3),
    family="agent-answer",
    board=BOARD,
    summary='{{ $labels.service }} answers its probe with status {{ $value | printf "%.0f" }}',
    description="""{{ $labels.service }} is reachable and answers its health request with status
        {{ $value | printf "%.0f" }}: the process lives, the application in it does not work.""",
    fires={"agent_http_status_code": "503"},
    quiet={"agent_http_status_code": "499"},
)

SILENT_FOR_A_DAY = Alert(
    name="AgentSilentForADay",
    severity=Severity.INFO,
    expr="""(time() - max by (service) (last_over_time(agent_last_success_timestamp_seconds[3m])))
/ 3600""",
    threshold=24,
    where="""and on (service) (
  max by (service) (last_over_time(agent_container_present[3m])) == 1
)""",
    hold=timedelta(minutes=10),
    family="agent-silent",
    board=BOARD,
    summary="{{ $labels.service }} has not answered for a day",
    description="""The last good answer of {{ $labels.service }} is
        {{ $value | printf "%.0f" }} hours old. Repair it, or take it out of the catalog so that it
        stops costing memory and attention.""",
    fires={"agent_last_success_timestamp_seconds": "now-93600", "agent_container_present": "1"},
    quiet={"agent_last_success_timestamp_seconds": "now-79200", "agent_container_present": "1"},
    value=26,
)

CERTIFICATE = Alert(
    name="AgentCertificateExpiresSoon",
    severity=Severity.WARNING,
    expr="""(
  min by (service) (last_over_time(agent_tls_expiry_timestamp_seconds[15m])) - time()
) / 86400""",
    op="<",
    threshold=14,
    hold=timedelta(minutes=30),
    family="certificate",
    board=BOARD,
    summary='The certificate of {{ $labels.service }} expires in {{ $value | printf "%.0f" }} days',
    description="""The certificate that {{ $labels.service }} shows to the agents exporter expires in
        {{ $value | printf "%.0f" }} days. From then on every client refuses it.""",
    fires={"agent_tls_expiry_timestamp_seconds": "now+1123200"},  # 13 days
    quiet={"agent_tls_expiry_timestamp_seconds": "now+1296000"},  # 15 days
    value=13,
)


_ALERTS = (
    FLAPPING,
    PROBES_FAIL,
    HUNG,
    DEPENDENCY_DOWN,
    SLOW,
    SERVER_ERROR,
    SILENT_FOR_A_DAY,
    CERTIFICATE,
)


def pack(catalog: Catalog) -> Pack:
    """Return the agents pack; empty where the exporter looks at containers and asks nobody."""
    asked = any(
        catalog.kinds[service.kind].prober == "agents" and service.probes
        for service in catalog.services
    )
    return Pack(name="agents", title="Agents", alerts=_ALERTS if asked else ())
