"""The host's network: errors, drops, connections that find no room."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from alerts.kit import Alert, Scope, Severity

HostAlert = partial(Alert, scope=Scope.HOST, board="hardware")

# Container ends of virtual pairs come and go with every container; bridges repeat what they carry.
REAL = 'device!~"lo|veth.*|br-.*|docker.*|virbr.*|cali.*|tun.*|tap.*"'
ETH0 = {"device": "eth0"}


def _share(name: str, direction: str, kind: str, threshold: float, text: str) -> Alert:
    """Return the alert on the share of packets in *direction* that end as *kind* (errs, drop)."""
    bad = f"node_network_{direction}_{kind}_total"
    packets = f"node_network_{direction}_packets_total"
    word = "errors" if kind == "errs" else "drops"
    return HostAlert(
        name=name,
        severity=Severity.WARNING,
        expr=f"""max by (instance, device) (
  rate({bad}{{{REAL}}}[10m]) / (rate({packets}{{{REAL}}}[10m]) > 0)
)""",
        threshold=threshold,
        # A few packets on an idle interface prove nothing.
        where=f"""and on (instance, device) (
  max by (instance, device) (rate({packets}{{{REAL}}}[10m])) > 10
)""",
        hold=timedelta(minutes=10),
        family=f"host-network-{word}",
        summary=f"{{{{ $value | humanizePercentage }}}} of the packets that "
        f"{{{{ $labels.device }}}} on {{{{ $labels.instance }}}} {direction}s are {word}",
        description=f"""On {{{{ $labels.instance }}}}, interface {{{{ $labels.device }}}} loses
            {{{{ $value | humanizePercentage }}}} of what it {direction}s. {text}""",
        fires={
            f'{bad}{{device="eth0"}}': f"{threshold * 1060:g}/s",
            f'{packets}{{device="eth0"}}': "1000/s",
        },
        quiet={
            f'{bad}{{device="eth0"}}': f"{threshold * 940:g}/s",
            f'{packets}{{device="eth0"}}': "1000/s",
        },
        extra=ETH0,
        value=threshold * 1.06,
    )


CABLE = "Errors come from the cable, the port or the card."
RECEIVE_ERRORS = _share("HostNetworkReceiveErrors", "receive", "errs", 0.01, CABLE)
TRANSMIT_ERRORS = _share("HostNetworkTransmitErrors", "transmit", "errs", 0.01, CABLE)
RECEIVE_DROPS = _share(
    "HostNetworkReceiveDrops",
    "receive",
    "drop",
    0.05,
    "The kernel has no room or no CPU for them.",
)
TRANSMIT_DROPS = _share(
    "HostNetworkTransmitDrops",
    "transmit",
    "drop",
    0.05,
    "The queue of the interface is full.",
)

FLAPPING = HostAlert(
    name="HostNetworkFlapping",
    severity=Severity.WARNING,
    expr=f"max by (instance, device) (increase(node_network_carrier_changes_total{{{REAL}}}[15m]))",
    threshold=4,
    hold=timedelta(minutes=1),
    family="host-network-link",
    summary="The link of {{ $labels.device }} on {{ $labels.instance }} goes up and down",
    description="""Interface {{ $labels.device }} on {{ $labels.instance }} lost and found its carrier
        {{ $value | printf "%.0f" }} times in 15 minutes: cable, switch port or driver.""",
    fires={'node_network_carrier_changes_total{device="eth0"}': "17.1/h"},
    quiet={'node_network_carrier_changes_total{device="eth0"}': "14.9/h"},
    extra=ETH0,
    value=4.275,
)

CONNTRACK = HostAlert(
    name="HostConntrackNearLimit",
    severity=Severity.WARNING,
    expr="""max by (instance) (
  last_over_time(node_nf_conntrack_entries[3m])
  / last_over_time(node_nf_conntrack_entries_limit[3m])
)""",
    threshold=0.8,
    hold=timedelta(minutes=5),
    family="host-conntrack",
    summary="{{ $labels.instance }} tracks {{ $value | humanizePercentage }} of the connections it can",
    description="""The kernel of {{ $labels.instance }} follows every connection of the containers in a
        table that is {{ $value | humanizePercentage }} full. When it is full, new connections are
        dropped without a word.""",
    fires={"node_nf_conntrack_entries": "840", "node_nf_conntrack_entries_limit": "1000"},
    quiet={"node_nf_conntrack_entries": "760", "node_nf_conntrack_entries_limit": "1000"},
    value=0.84,
)

LISTEN_OVERFLOWS = HostAlert(
    name="HostListenQueueOverflows",
    severity=Severity.WARNING,
    expr="max by (instance) (rate(node_netstat_TcpExt_ListenOverflows[15m]))",
    threshold=1,
    hold=timedelta(minutes=15),
    family="host-listen-queue",
    summary="A service on {{ $labels.instance }} does not accept its connections in time",
    description="""The kernel of {{ $labels.instance }} drops {{ $value | printf "%.1f" }} connections per
        second because the queue of some listening socket is full. Clients see time-outs.""",
    fires={"node_netstat_TcpExt_ListenOverflows": "1.08/s"},
    quiet={"node_netstat_TcpExt_ListenOverflows": "0.92/s"},
    value=1.08,
)

ALERTS = (
    RECEIVE_ERRORS,
    TRANSMIT_ERRORS,
    RECEIVE_DROPS,
    TRANSMIT_DROPS,
    FLAPPING,
    CONNTRACK,
    LISTEN_OVERFLOWS,
)
