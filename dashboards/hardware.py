"""Hardware: GPUs, the host, and memory promised against memory used, per tier and service."""

from __future__ import annotations

from dashboards.board import Board
from dashboards.builders import bargauge, gauge, stat, states, table, timeseries
from dashboards.frame import CHOSEN, marks, variables
from dashboards.panels import ANY, UP, Column, Row, above, below, plain
from generator.model import Catalog


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Return the hardware board."""
    return (
        Board(
            id="hardware",
            title="Hardware",
            description="GPUs and host; who was promised how much memory and who uses it.",
            rows=(_host(), _memory(catalog), _gpus(), _gpu_trouble(), _containers()),
            variables=variables(),
            annotations=marks(),
        ),
    )


def _host() -> Row:
    return Row(
        "Host",
        (
            gauge("cpu", "CPU", "Share of all cores at work.", ('1 - avg(rate(node_cpu_seconds_total{mode="idle"}[5m]))', "CPU"), unit="percentunit", steps=above(0.8, 0.95)),
            gauge("memory", "Memory", "Share in use, caches not counted.", ("1 - sum(node_memory_MemAvailable_bytes{}) / sum(node_memory_MemTotal_bytes{})", "memory"), unit="percentunit", steps=above(0.85, 0.95)),
            gauge("disk", "Fullest disk", "Share of the fullest real file system in use.",
                  ('1 - min(node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs"} / node_filesystem_size_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs"})', "disk"), unit="percentunit", steps=above(0.8, 0.9)),
            gauge("swap", "Swap", "Share that is in use.", ("1 - sum(node_memory_SwapFree_bytes{}) / (sum(node_memory_SwapTotal_bytes{}) > 0)", "swap"), unit="percentunit", steps=above(0.5, 0.8)),
            timeseries("disk-full", "Disks full in", "When each file system will be full if the last six hours go on.",
                       ('(node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs"} / (-deriv(node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs"}[6h]) > 0)) < 2592000', "{{mountpoint}}"), unit="s", steps=below(172800, 86400)),
            timeseries("pressure", "Pressure", "Share of time in which something waited for CPU, memory or disk.",
                       ("max(rate(node_pressure_cpu_waiting_seconds_total{}[$__rate_interval]))", "CPU"),
                       ("max(rate(node_pressure_memory_waiting_seconds_total{}[$__rate_interval]))", "memory"),
                       ("max(rate(node_pressure_io_waiting_seconds_total{}[$__rate_interval]))", "disk"), unit="percentunit", steps=above(0.2, 0.5)),
            timeseries("oom", "Kills for memory", "By the kernel, on the whole host, in the last hour.", ("sum(increase(node_vmstat_oom_kill{}[1h]))", "kills"), unit="none", steps=ANY),
        ),
    )  # fmt: skip


def _memory(catalog: Catalog) -> Row:
    """Return what the catalog promises, what Docker enforces, what is used: the 25 % question."""
    promised = sum(service.size.memory_bytes for service in catalog.services)
    return Row(
        "Memory promised and used",
        (
            bargauge("promised", "Promised by the catalog", "Sum of the sizes of each tier's services, profiles included. A tier whose containers nobody sees is not shown.", *_sizes(catalog), unit="bytes", steps=plain(), width=8),
            bargauge("limits", "Limits in force", "Sum of the limits of the containers that exist, by tier.", ("sum by (tier) (container_spec_memory_limit_bytes{})", "{{tier}}"), unit="bytes", width=8),
            bargauge("used", "Used", "Sum of the working sets, by tier.", ("sum by (tier) (container_memory_working_set_bytes{})", "{{tier}}"), unit="bytes", width=8),
            timeseries("whole", "The whole platform", f"Limits and use of all containers. The catalog promises {promised / 2**30:.1f} GiB in all.",
                       ("sum(container_spec_memory_limit_bytes{})", "limits"), ("sum(container_memory_working_set_bytes{})", "used"), (f"vector({catalog.platform.host_memory_bytes})", "host, by the catalog"), unit="bytes", width=12),
            table("over", "Most over-allocated", "Containers whose working set never passed a small part of their limit in the last day: give it to those below.",
                  f"sort(max by (service, tier) (max_over_time(container_memory_working_set_bytes{{{CHOSEN}}}[1d])) / (max by (service, tier) (container_spec_memory_limit_bytes{{{CHOSEN}}}) > 0))",
                  columns=(Column("service", "Service"), Column("tier", "Tier"), Column("#A", "Peak of limit", below(0.3, 0.1))), unit="percentunit", sort="Peak of limit", width=6),
            table("starved", "Most starved", "Containers that came closest to their limit in the last day.",
                  f"sort_desc(max by (service, tier) (max_over_time(container_memory_working_set_bytes{{{CHOSEN}}}[1d])) / (max by (service, tier) (container_spec_memory_limit_bytes{{{CHOSEN}}}) > 0))",
                  columns=(Column("service", "Service"), Column("tier", "Tier"), Column("#A", "Peak of limit", above(0.8, 0.95))), unit="percentunit", sort="-Peak of limit", width=6),
        ),
    )  # fmt: skip


def _sizes(catalog: Catalog) -> tuple[tuple[str, str], ...]:
    """Return one constant per tier, tied to a container that exists so that it cannot outlive them."""
    promised = {
        tier.name: sum(service.size.memory_bytes for service in catalog.in_tier(tier.name))
        for tier in catalog.tiers
    }
    return tuple(
        (f'{size} * (count(container_spec_memory_limit_bytes{{tier="{tier}"}}) > bool 0)', tier)
        for tier, size in promised.items()
    )


def _gpus() -> Row:
    return Row(
        "GPUs",
        (
            stat("gpu-up", "GPUs", "1 while the driver answers for it; 0 with its last known identity when it is lost.", ("min by (gpu) (hw_gpu_up{})", "GPU {{gpu}}"), unit="none", steps=UP),
            timeseries("gpu-busy", "Busy", "Share of time each GPU was working.", ("max by (gpu) (hw_gpu_utilization_ratio{})", "GPU {{gpu}}"), unit="percentunit", maximum=1, width=10),
            timeseries("gpu-memory", "Memory", "Share that is in use.", ("max by (gpu) (hw_gpu_memory_used_bytes{}) / max by (gpu) (hw_gpu_memory_total_bytes{})", "GPU {{gpu}}"), unit="percentunit", steps=above(0.9, 0.98), maximum=1, width=10),
            timeseries("gpu-temperature", "Temperature", "By sensor; the hottest one throttles the GPU.", ("max by (gpu, sensor) (hw_gpu_temperature_celsius{})", "GPU {{gpu}} {{sensor}}"), unit="celsius", steps=above(80, 90)),
            timeseries("gpu-power", "Power", "Drawn, and the limit.", ("max by (gpu) (hw_gpu_power_watts{})", "GPU {{gpu}}"), ("max by (gpu) (hw_gpu_power_limit_watts{})", "GPU {{gpu}} limit"), unit="watt"),
            timeseries("gpu-clock", "Clock", "Clock frequency by domain.", ("max by (gpu, domain) (hw_gpu_clock_hertz{})", "GPU {{gpu}} {{domain}}"), unit="hertz"),
            timeseries("gpu-users", "Memory by container", "Who holds the GPU's memory.", ("sum by (container) (hw_container_gpu_memory_bytes{})", "{{container}}"), unit="bytes", stacked=True, width=12),
            timeseries("gpu-pcie", "PCIe", "Bytes per second between host and GPU.",
                       ("max by (gpu) (rate(hw_gpu_pcie_receive_bytes_total{}[$__rate_interval]))", "GPU {{gpu}} in"), ("max by (gpu) (rate(hw_gpu_pcie_transmit_bytes_total{}[$__rate_interval]))", "GPU {{gpu}} out"), unit="Bps", width=12),
        ),
    )  # fmt: skip


def _gpu_trouble() -> Row:
    return Row(
        "GPU trouble",
        (
            timeseries("xid", "XID errors", "Errors the driver reported in the last hour, by number.", ("sum by (gpu, xid) (increase(hw_gpu_xid_errors_total{}[1h]))", "GPU {{gpu}} XID {{xid}}"), unit="none", steps=ANY),
            timeseries("throttled", "Throttled", "Share of time the clock was held down, by reason.", ("sum by (gpu, reason) (rate(hw_gpu_throttled_seconds_total{}[$__rate_interval]))", "GPU {{gpu}} {{reason}}"), unit="percentunit", steps=above(0.05, 0.5)),
            timeseries("ecc", "Memory errors", "Uncorrected ECC errors since the driver was loaded.", ('max by (gpu) (hw_gpu_ecc_errors{severity="uncorrected", scope="volatile"})', "GPU {{gpu}}"), unit="none", steps=ANY),
            states("remap", "Row remapping", "Pending: the GPU wants a reset. Failed: it wants replacing.",
                   ("max by (gpu) (hw_gpu_row_remap_pending{})", "GPU {{gpu}} pending"), ("max by (gpu) (hw_gpu_row_remap_failure{})", "GPU {{gpu}} failed"), steps=ANY, height=5),
        ),
        collapsed=True,
    )  # fmt: skip


def _containers() -> Row:
    return Row(
        "Containers, by the kernel's own count",
        (
            timeseries("cpu-used", "CPU by tier", "CPU cores in use.", ("sum by (tier) (rate(container_cpu_usage_seconds_total{}[$__rate_interval]))", "{{tier}}"), unit="none", stacked=True),
            timeseries("cpu-throttled", "CPU throttled", "Seconds per second in which a container stood still at its CPU limit, ten worst.", ("topk(10, sum by (container) (rate(hw_container_cpu_throttled_seconds_total{}[$__rate_interval])))", "{{container}}"), unit="percentunit", steps=above(0.1, 0.5)),
            timeseries("waiting", "Waiting", "Share of time each container waited for CPU, memory or disk, ten worst.", ("topk(10, sum by (container, resource) (rate(hw_container_pressure_waiting_seconds_total{}[$__rate_interval])))", "{{container}} {{resource}}"), unit="percentunit", steps=above(0.1, 0.5)),
        ),
        collapsed=True,
    )  # fmt: skip
