"""
Consul: no leader, a cluster that is unwell, consensus or calls that are slow or fail.

Timers are summaries in milliseconds; a summary without a sample in its window is NaN and never
fires. Counters appear with their first event and vanish after prometheus_retention_time. Compared
with the mixin of grafana/jsonnet-libs and awesome-prometheus-alerts. Left out, and why:
- Consul down: ServiceDown (its verdict is the leader probe). Memory: the container pack.
- failure tolerance 0: always so with one server, which is what this platform runs.
- failing checks of registered services: only consul_exporter tells; each service here has its own verdict.
- certificates, licence, federation, the Enterprise edition's autopilot: not in use.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.births import counted
from alerts.kit import Alert, Pack, Severity
from generator.model import Catalog

BOARD = "kind-consul"

# /v1/status/leader answers 200 with an empty string then: the probe fails while the agent answers.
# ServiceDown pages; this one says why.
NO_LEADER = Alert(
    name="ConsulNoLeader",
    severity=Severity.WARNING,
    expr='min by (service) (last_over_time(probe_success{kind="consul"}[3m]))',
    op="==",
    threshold=0,
    where="""and on (service) (
  max by (service) (max_over_time(up{kind="consul", exporter=""}[3m])) == 1
)""",
    hold=timedelta(minutes=1),
    family="consul-leader",
    board=BOARD,
    summary="{{ $labels.service }} answers but has no leader",
    description="""The agent of {{ $labels.service }} is alive, but no server leads. Writes, sessions,
        locks and registrations fail; reads give what was known before.""",
    fires={'probe_success{kind="consul"}': "0", 'up{kind="consul"}': "1"},
    quiet={'probe_success{kind="consul"}': "1", 'up{kind="consul"}': "1"},
    value=0,
    tight=False,
    settle=timedelta(0),
)

UNHEALTHY = Alert(
    name="ConsulAutopilotUnhealthy",
    severity=Severity.WARNING,
    expr="min by (service) (last_over_time(consul_autopilot_healthy[3m]))",
    op="==",
    threshold=0,
    hold=timedelta(minutes=5),
    family="consul-servers",
    board=BOARD,
    summary="A server of {{ $labels.service }} is unhealthy",
    description="""Autopilot on {{ $labels.service }} holds at least one server for unhealthy: it lags
        behind, has lost the leader, or is gone. One more may cost the quorum.""",
    fires={"consul_autopilot_healthy": "0"},
    quiet={"consul_autopilot_healthy": "1"},
    value=0,
    tight=False,
)

COMMIT_SLOW = Alert(
    name="ConsulCommitSlow",
    severity=Severity.WARNING,
    expr="""max by (service) (
  avg_over_time(consul_raft_commitTime{quantile="0.99"}[5m])
)""",
    threshold=200,
    hold=timedelta(minutes=10),
    family="consul-raft",
    board=BOARD,
    summary="{{ $labels.service }} takes {{ $value | humanize }} ms to commit a write",
    description="""Writes to {{ $labels.service }} take {{ $value | humanize }} ms until they are
        committed (99th percentile; under 50 ms is usual). The disk under its data is slow or busy.""",
    fires={'consul_raft_commitTime{quantile="0.99"}': "215"},
    quiet={'consul_raft_commitTime{quantile="0.99"}': "185"},
    surge={'consul_raft_commitTime{quantile="0.99"}': "20000"},
)

LEADER_CONTACT = Alert(
    name="ConsulLeaderContactSlow",
    severity=Severity.WARNING,
    # Only a leader with followers has this; 200 ms is what HashiCorp calls unhealthy.
    expr="""max by (service) (
  avg_over_time(consul_raft_leader_lastContact{quantile="0.9"}[5m])
)""",
    threshold=200,
    hold=timedelta(minutes=5),
    family="consul-raft",
    board=BOARD,
    summary="The leader of {{ $labels.service }} needs {{ $value | humanize }} ms to reach its followers",
    description="""The leader of {{ $labels.service }} last heard from its followers
        {{ $value | humanize }} ms ago. An election is near: the network or a server is overloaded.""",
    fires={'consul_raft_leader_lastContact{quantile="0.9"}': "215"},
    quiet={'consul_raft_leader_lastContact{quantile="0.9"}': "185"},
    surge={'consul_raft_leader_lastContact{quantile="0.9"}': "20000"},
)

ELECTIONS = Alert(
    name="ConsulElections",
    severity=Severity.WARNING,
    expr="sum by (service) (increase(consul_raft_state_candidate[15m]))",
    threshold=3,
    hold=timedelta(minutes=1),
    family="consul-leader",
    board=BOARD,
    summary="{{ $labels.service }} held {{ $value | humanize }} elections in 15 minutes",
    description="""Servers of {{ $labels.service }} stood for election {{ $value | humanize }} times in
        15 minutes. Leadership does not last: overload, a slow disk, or an unstable network.""",
    fires={"consul_raft_state_candidate": "13/h"},
    quiet={"consul_raft_state_candidate": "11/h"},
    value=3.25,
)

RPC_FAILURES = Alert(
    name="ConsulRpcFailures",
    severity=Severity.WARNING,
    expr="""sum by (service) (rate(consul_client_rpc_failed[10m]))
/ sum by (service) (rate(consul_client_rpc[10m]))""",
    threshold=0.05,
    where="and on (service) (sum by (service) (rate(consul_client_rpc[10m])) > 0.1)",
    hold=timedelta(minutes=5),
    family="consul-rpc",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the calls to the servers of {{ $labels.service }} fail",
    description="""Of the calls that agents of {{ $labels.service }} make to its servers,
        {{ $value | humanizePercentage }} fail. Lookups and registrations of services get errors.""",
    fires={"consul_client_rpc_failed": "53/m", "consul_client_rpc": "1000/m"},
    quiet={"consul_client_rpc_failed": "47/m", "consul_client_rpc": "1000/m"},
    value=0.053,
    surge={"consul_client_rpc_failed": "100000/m", "consul_client_rpc": "100000/m"},
)

RPC_LIMITED = Alert(
    name="ConsulRpcRateLimited",
    severity=Severity.WARNING,
    expr="sum by (service) (increase(consul_client_rpc_exceeded[15m]))",
    threshold=20,
    hold=timedelta(minutes=2),
    family="consul-rpc",
    board=BOARD,
    summary="{{ $labels.service }} refused {{ $value | humanize }} calls for its rate limit",
    description="""An agent of {{ $labels.service }} made more calls than its rate limit allows:
        {{ $value | humanize }} were refused in 15 minutes. Usually a client polls without a pause.""",
    fires={"consul_client_rpc_exceeded": "86/h"},
    quiet={"consul_client_rpc_exceeded": "74/h"},
    value=21.5,
)

RAFT_SATURATED = Alert(
    name="ConsulRaftSaturated",
    severity=Severity.WARNING,
    expr="""max by (service) (
  avg_over_time(consul_raft_thread_main_saturation{quantile="0.9"}[10m])
)""",
    threshold=0.7,
    hold=timedelta(minutes=10),
    family="consul-raft",
    board=BOARD,
    summary="The raft thread of {{ $labels.service }} is {{ $value | humanizePercentage }} busy",
    description="""The one thread of {{ $labels.service }} that does consensus is busy
        {{ $value | humanizePercentage }} of the time. Above that, writes queue and elections start.""",
    fires={'consul_raft_thread_main_saturation{quantile="0.9"}': "0.75"},
    quiet={'consul_raft_thread_main_saturation{quantile="0.9"}': "0.65"},
    surge={'consul_raft_thread_main_saturation{quantile="0.9"}': "20"},
)

FLAPPING = Alert(
    name="ConsulMembersFlapping",
    severity=Severity.WARNING,
    expr=f"""sum by (service) (
  {counted("consul_serf_member_flap", timedelta(minutes=30))}
)""",
    threshold=5,
    hold=timedelta(minutes=2),
    family="consul-members",
    board=BOARD,
    summary="Members of {{ $labels.service }} come and go ({{ $value | humanize }} times in 30 minutes)",
    description="""Members of {{ $labels.service }} were declared dead and came back
        {{ $value | humanize }} times in 30 minutes: lost packets, or hosts out of CPU.""",
    fires={"consul_serf_member_flap": "10.8/h", "up": "1"},
    quiet={"consul_serf_member_flap": "9.2/h", "up": "1"},
    value=5.4,
)


def pack(_catalog: Catalog) -> Pack:
    """Return the Consul pack; it is the same for every catalog."""
    return Pack(
        name="consul",
        title="Consul",
        alerts=(
            NO_LEADER,
            UNHEALTHY,
            ELECTIONS,
            COMMIT_SLOW,
            LEADER_CONTACT,
            RAFT_SATURATED,
            RPC_FAILURES,
            RPC_LIMITED,
            FLAPPING,
        ),
    )
