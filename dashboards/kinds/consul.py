"""Consul: a leader, a quorum that can lose a server, time to commit, requests refused. Timers are in milliseconds."""

from __future__ import annotations

from dashboards.builders import stat, timeseries
from dashboards.panels import ANY, UP, YES_NO, Row, above

_COMMIT = "sum by (service) (rate(consul_raft_commitTime_sum{<sel>}[$__rate_interval])) / (sum by (service) (rate(consul_raft_commitTime_count{<sel>}[$__rate_interval])) > 0)"

ROWS = {
    "consul": (
        Row("Cluster", (
            stat("healthy", "Autopilot", "Whether autopilot holds the cluster for healthy.", "min by (service) (consul_autopilot_healthy{<sel>})", unit="none", steps=UP, words=YES_NO),
            stat("tolerance", "Servers to lose", "How many servers may fail before there is no quorum; 0 for a single server.", "min by (service) (consul_autopilot_failure_tolerance{<sel>})", unit="none"),
            stat("peers", "Raft peers", "Servers in the Raft cluster.", "max by (service) (consul_raft_peers{<sel>})", unit="none"),
            stat("services", "Services", "Services in Consul's own catalog.", "max by (service) (consul_state_services{<sel>})", unit="none"),
            stat("nodes", "Nodes", "Nodes in Consul's own catalog.", "max by (service) (consul_state_nodes{<sel>})", unit="none"),
        )),
        Row("Raft", (
            timeseries("elections", "Elections", "Elections started and won in the last five minutes; any is a disturbance.",
                       ("sum by (service) (increase(consul_raft_state_candidate{<sel>}[5m]))", "{{service}} started"),
                       ("sum by (service) (increase(consul_raft_state_leader{<sel>}[5m]))", "{{service}} won"), unit="none", steps=ANY),
            timeseries("commit", "Commit time", "Average time to commit an entry; slow disks show here first.", _COMMIT, unit="ms", steps=above(50, 250)),
            timeseries("contact", "Since the leader's last contact", "How long followers had not heard from the leader, worst case.",
                       'max by (service) (consul_raft_leader_lastContact{<sel>, quantile="0.99"})', unit="ms", steps=above(200, 500)),
            timeseries("writes", "Writes", "Raft transactions per second.", "sum by (service) (rate(consul_raft_apply{<sel>}[$__rate_interval]))", unit="ops"),
        )),
        Row("Requests and runtime", (
            timeseries("rpc", "RPC of clients", "Requests per second, and those that failed or were refused by the rate limit.",
                       ("sum by (service) (rate(consul_client_rpc{<sel>}[$__rate_interval]))", "{{service}} requests"),
                       ("sum by (service) (rate(consul_client_rpc_failed{<sel>}[$__rate_interval]))", "{{service}} failed"),
                       ("sum by (service) (rate(consul_client_rpc_exceeded{<sel>}[$__rate_interval]))", "{{service}} refused"), unit="reqps"),
            timeseries("flaps", "Members flapping", "Members marked dead and alive again within a minute, in the last five minutes.", "sum by (service) (increase(consul_serf_member_flap{<sel>}[5m]))", unit="none", steps=ANY),
            timeseries("memory", "Memory", "Memory the Go runtime uses and holds.",
                       ("max by (service) (consul_runtime_alloc_bytes{<sel>})", "{{service}} used"),
                       ("max by (service) (consul_runtime_sys_bytes{<sel>})", "{{service}} held"), unit="bytes"),
            timeseries("goroutines", "Goroutines", "A steady climb is a leak.", "max by (service) (consul_runtime_num_goroutines{<sel>})", unit="short", steps=above(10000, 50000)),
        )),
    ),
}  # fmt: skip
