"""
A GPU as this exporter knows it, whoever made it: identity and readings, and their samples.

exporters.nvml_parse and exporters.amd make `Gpu`s; `samples` says them in the words of the metric
table. A GPU that does not answer keeps its identity and loses its readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exporters.hardware_metrics import Sample


@dataclass(frozen=True, slots=True)
class Identity:
    """What names a GPU; `index` is its present number, which a reset may change."""

    uuid: str
    index: str
    name: str = ""
    vendor: str = "nvidia"
    driver_version: str = ""
    cuda_version: str = ""
    pci_bus_id: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a GPU: the metric, its labels besides uuid and gpu, in base units."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Process:
    """A process on a GPU; `memory_bytes` is None where the driver does not say."""

    pid: int
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Slice:
    """A MIG slice of a GPU; the sizes are None where the driver does not say."""

    uuid: str
    gpu_instance: str
    total_bytes: int | None = None
    used_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    """
    One GPU in one scrape.

    `processes` is None where the list could not be had; `sm_use` (pid to ratio, those that used
    the GPU) is None where the driver does not tell it.
    """

    identity: Identity
    up: bool
    readings: tuple[Reading, ...] = ()
    slices: tuple[Slice, ...] = ()
    processes: tuple[Process, ...] | None = None
    sm_use: tuple[tuple[int, float], ...] | None = None


def samples(gpus: Iterable[Gpu]) -> Iterator[Sample]:
    """Yield the series of *gpus*, in their order."""
    for gpu in gpus:
        who = gpu.identity
        labels = {"gpu": who.index, "uuid": who.uuid}
        facts = {
            "name": who.name,
            "vendor": who.vendor,
            "driver_version": who.driver_version,
            "cuda_version": who.cuda_version,
            "pci_bus_id": who.pci_bus_id,
        }
        yield Sample("hw_gpu_info", {**labels, **facts}, 1)
        yield Sample("hw_gpu_up", labels, float(gpu.up))
        for reading in gpu.readings:
            yield Sample(reading.name, {**labels, **dict(reading.labels)}, reading.value)
        for part in gpu.slices:
            yield from _slice(who.uuid, part)


def _slice(uuid: str, part: Slice) -> Iterator[Sample]:
    labels = {"uuid": uuid, "mig_uuid": part.uuid, "gpu_instance": part.gpu_instance}
    yield Sample("hw_gpu_mig_info", labels, 1)
    if part.total_bytes is not None:
        yield Sample("hw_gpu_mig_memory_total_bytes", labels, part.total_bytes)
    if part.used_bytes is not None:
        yield Sample("hw_gpu_mig_memory_used_bytes", labels, part.used_bytes)
