"""
The machine under it all, as node_exporter sees it.

The alerts stand in `host_load` (processors, memory), `host_disk`, `host_io`, `host_network` and
`host_kernel` (clock, heat, descriptors); this module puts the pack together. No container restart cures a host, so nothing here asks for one.

Compared with node-mixin and awesome-prometheus-alerts (Host and hardware). Left out, and why:
- NodeSystemdServiceFailed, NodeSystemdServiceCrashlooping: the systemd collector is off by default.
- HostSystemdServiceCrashed, HostKernelVersionDeviations, HostRequiresReboot: not metrics of a
  default node_exporter.
- HostUnusualNetworkThroughput, HostUnusualDiskReadRate/WriteRate, HostContextSwitching, HostCpuLow
  and HostMemoryUnderutilized: unusual is not broken; the hardware board shows them.
- NodeSystemSaturation (load): load counts tasks in uninterruptible sleep too; pressure measures waiting.
- HostCpuHighIowait: HostIoPressure and HostDiskSaturated measure the same without depending on idle.
- NodeBondingDegraded, NodeNetworkInterfaceDown per bond: no bonded interfaces on a Compose host.
- HostNodeOvertemperatureAlarm: the label of the sensor differs per board; HostHot uses the board's
  own critical limit instead.
- NodeTextFileCollectorScrapeError: no textfile collector is set up.
- entropy: kernels since 5.18 no longer run out of it.
"""

from __future__ import annotations

from alerts import host_disk, host_io, host_kernel, host_load, host_network
from alerts.kit import Pack
from generator.model import Catalog


def pack(_catalog: Catalog) -> Pack:
    """Return the host pack; it is the same for every catalog with a node exporter."""
    return Pack(
        name="host",
        title="Hosts",
        records=host_load.RECORDS + host_disk.RECORDS,
        alerts=(
            host_load.ALERTS
            + host_disk.ALERTS
            + host_io.ALERTS
            + host_network.ALERTS
            + host_kernel.ALERTS
        ),
    )
