"""
The families of the hardware exporter: their names, types, labels and help, in one table.

The table is the contract of the reference, section 8.3; a test compares it with what the kind
declares, both ways. `emit` turns samples into families and refuses what the table does not know.
Values must be known numbers: what could not be had has no sample, and what nobody could read in a
scrape has no family.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import Metric

GPU = ("gpu", "uuid")
MIG = ("gpu_instance", "mig_uuid", "uuid")
CONTAINER = ("container",)
# Whom a container's series are about; a GPU is the host's and has none of these.
SUBJECT = ("service", "tier", "kind", "profile")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: `name` as Prometheus stores it, `labels` without those of the subject."""

    name: str
    type: str  # gauge or counter
    labels: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of one scrape."""

    name: str
    labels: Mapping[str, str]
    value: float


def _gauge(name: str, labels: tuple[str, ...], text: str) -> Family:
    return Family(name, "gauge", labels, text)


def _counter(name: str, labels: tuple[str, ...], text: str) -> Family:
    return Family(name, "counter", labels, text)


# fmt: off
FAMILIES: tuple[Family, ...] = (
    _gauge("hw_gpu_info", ("cuda_version", "driver_version", "gpu", "name", "pci_bus_id", "uuid", "vendor"), "Facts about a GPU, value 1"),
    _gauge("hw_gpus", (), "GPUs the driver lists"),
    _gauge("hw_nvml_return_code", (), "What the driver library answered, 0 is fine, 12 no library"),
    _gauge("hw_gpu_up", GPU, "1 when the GPU answers; 0 with its last known identity when it is lost"),
    _gauge("hw_gpu_utilization_ratio", GPU, "Share of time a kernel ran in the last sample period"),
    _gauge("hw_gpu_memory_controller_utilization_ratio", GPU, "Share of time memory was read or written in the last sample period"),
    _counter("hw_gpu_busy_seconds_total", GPU, "Time a kernel ran, integrated from the driver's samples"),
    _gauge("hw_gpu_memory_total_bytes", GPU, "Memory of the GPU"),
    _gauge("hw_gpu_memory_used_bytes", GPU, "Memory in use"),
    _gauge("hw_gpu_memory_free_bytes", GPU, "Memory free"),
    _gauge("hw_gpu_memory_reserved_bytes", GPU, "Memory the driver keeps for itself"),
    _gauge("hw_gpu_temperature_celsius", (*GPU, "sensor"), "Temperature of core, memory or junction"),
    _gauge("hw_gpu_power_watts", GPU, "Power drawn"),
    _gauge("hw_gpu_power_limit_watts", GPU, "Power limit in force"),
    _counter("hw_gpu_energy_joules_total", GPU, "Energy used since the driver was loaded"),
    _gauge("hw_gpu_clock_hertz", (*GPU, "domain"), "Clock of graphics, sm, memory, video"),
    _gauge("hw_gpu_clock_max_hertz", (*GPU, "domain"), "Highest clock of the domain"),
    _gauge("hw_gpu_throttle_active", (*GPU, "reason"), "1 while clocks are held down for this reason"),
    _counter("hw_gpu_throttled_seconds_total", (*GPU, "reason"), "Time clocks were held down for this reason"),
    _gauge("hw_gpu_fan_speed_ratio", GPU, "Fan speed"),
    _gauge("hw_gpu_performance_state", GPU, "Performance state, 0 is fastest"),
    _gauge("hw_gpu_recovery_action", GPU, "What the driver asks for: 0 nothing, 1 reset, 2 reboot, 3 drain P2P, 4 drain and reset"),
    _gauge("hw_gpu_ecc_errors", (*GPU, "scope", "severity"), "Memory errors; may be reset"),
    _gauge("hw_gpu_remapped_rows", (*GPU, "cause"), "Memory rows that were remapped"),
    _gauge("hw_gpu_row_remap_pending", GPU, "1 when a row will be remapped at the next reset"),
    _gauge("hw_gpu_row_remap_failure", GPU, "1 when a row could not be remapped"),
    _counter("hw_gpu_xid_errors_total", (*GPU, "xid"), "Driver errors (XID) seen"),
    _gauge("hw_gpu_xid_last_timestamp_seconds", (*GPU, "xid"), "When this XID was last seen"),
    _counter("hw_gpu_pcie_transmit_bytes_total", GPU, "Bytes sent over PCIe"),
    _counter("hw_gpu_pcie_receive_bytes_total", GPU, "Bytes received over PCIe"),
    _gauge("hw_gpu_mig_info", MIG, "A MIG slice, value 1"),
    _gauge("hw_gpu_mig_memory_total_bytes", MIG, "Memory of the slice"),
    _gauge("hw_gpu_mig_memory_used_bytes", MIG, "Memory in use in the slice"),
    _gauge("hw_container_gpu_memory_bytes", ("container", "uuid"), "GPU memory held by the container's processes; container empty: processes of the host"),
    _gauge("hw_container_gpu_processes", ("container", "uuid"), "Processes of the container on the GPU"),
    _gauge("hw_container_gpu_sm_utilization_ratio", ("container", "uuid"), "Share of the GPU the container used"),
    _counter("hw_container_cpu_seconds_total", ("container", "mode"), "CPU time, user and system"),
    _counter("hw_container_cpu_throttled_seconds_total", CONTAINER, "Time the container was held at its CPU limit"),
    _gauge("hw_container_memory_usage_bytes", CONTAINER, "Memory charged to the container"),
    _gauge("hw_container_memory_working_set_bytes", CONTAINER, "Memory that cannot be reclaimed (usage minus inactive files)"),
    _gauge("hw_container_memory_limit_bytes", CONTAINER, "Memory limit; absent when there is none"),
    _counter("hw_container_oom_kills_total", CONTAINER, "Processes killed for memory"),
    _counter("hw_container_pressure_waiting_seconds_total", ("container", "resource"), "Time some process waited for cpu, memory or io"),
)
# fmt: on

# Off unless the configuration asks for it: node_exporter owns the host's figures.
HOST_FAMILIES: tuple[Family, ...] = (
    _counter("hw_host_cpu_seconds_total", ("mode",), "CPU time of the host over all cores"),
    _gauge("hw_host_memory_total_bytes", (), "Memory of the host"),
    _gauge("hw_host_memory_available_bytes", (), "Memory that programs can still get"),
)

_BY_NAME = {family.name: family for family in (*FAMILIES, *HOST_FAMILIES)}
_ORDER = {name: place for place, name in enumerate(_BY_NAME)}


def emit(samples: Iterable[Sample]) -> Iterator[Metric]:
    """
    Yield the families of *samples* in the table's order, samples in the order given.

    Of two samples of one series the first stays: two GPUs may have the same UUID (drivers lie), and
    a series that comes twice makes the whole page unreadable.

    Raises:
        ValueError: A sample is of no family here, or has other labels than its family's.
    """
    found: dict[str, Metric] = {}
    taken: set[tuple[str, frozenset[tuple[str, str]]]] = set()
    for sample in samples:
        family = _BY_NAME.get(sample.name)
        if family is None:
            raise ValueError(f"{sample.name}: no such family")
        if {*sample.labels} - {*SUBJECT} != {*family.labels}:
            raise ValueError(f"{sample.name}: labels {sorted(sample.labels)}")
        series = (sample.name, frozenset(sample.labels.items()))
        if series in taken:
            continue
        taken.add(series)
        if sample.name not in found:
            name = sample.name.removesuffix("_total") if family.type == "counter" else sample.name
            found[sample.name] = Metric(name, family.help, family.type)
        found[sample.name].add_sample(sample.name, dict(sample.labels), sample.value)
    yield from (found[name] for name in sorted(found, key=_ORDER.__getitem__))
