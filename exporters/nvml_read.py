"""
Ask the driver library about one GPU; runs in the child process only.

In go a device's index and what was seen before, out comes a dict of plain numbers in NVML's own
units, ready for JSON. What the driver does not support is left out: an absent key, never a zero.
Nothing is converted here (exporters.nvml_parse does that), so a new driver's oddity is one fixture.

Order of preference where the driver has two ways: the one that is not deprecated first, the old one
for drivers that lack it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pynvml

from exporters.nvml_codes import (
    BROKEN,
    FUNCTION_NOT_FOUND,
    INSUFFICIENT_SIZE,
    LOST,
    NOT_FOUND,
    SUCCESS,
    UNKNOWN,
)

CORE_SENSOR = 0
CLOCK_DOMAINS = ("graphics", "sm", "memory", "video")  # by NVML's number
ECC_SEVERITIES = ("corrected", "uncorrected")
ECC_SCOPES = ("volatile", "aggregate")
# Field numbers of nvml.h: memory temperature, policy and throttle times, PCIe bytes, recovery action.
FIELDS = (82, 74, 76, 269, 270, 271, 197, 198, 230)
_VALUE_TYPES = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
_PROCESS_TRIES = 3  # the list can grow between asking for its size and asking for it


class GpuLostError(Exception):
    """The driver does not reach this GPU; *code* says how it put that."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def attempt(name: str, *args: Any) -> tuple[int, Any]:
    """
    Return NVML's code and the value of pynvml's function *name*; the value is None unless code is 0.

    Raises:
        GpuLostError: The code says that the GPU, or the driver, is gone.
    """
    function = getattr(pynvml, name, None)
    if function is None:
        return FUNCTION_NOT_FOUND, None
    try:
        return SUCCESS, function(*args)
    except pynvml.NVMLError as error:
        code = int(error.value)
        if code in LOST | BROKEN:
            raise GpuLostError(code) from error
        # pynvml raises "success" where a list is empty.
        return code, None
    except UnicodeDecodeError:  # a name that the driver filled with rubbish
        return UNKNOWN, None


def ask(name: str, *args: Any) -> Any:
    """Return the value of pynvml's function *name*, or None where there is none."""
    return attempt(name, *args)[1]


def first(*calls: tuple[Any, ...]) -> Any:
    """Return the first value that one of *calls* (name, then arguments) gives, or None."""
    for name, *args in calls:
        value = ask(name, *args)
        if value is not None:
            return value
    return None


def read_system() -> dict[str, Any]:
    """Return the versions of driver and CUDA; the unversioned CUDA query does not load libcuda."""
    return {
        "driver_version": ask("nvmlSystemGetDriverVersion"),
        "cuda_version": ask("nvmlSystemGetCudaDriverVersion"),
    }


def identify(index: int) -> tuple[Any, dict[str, Any]]:
    """Return the handle of GPU *index* and what names it."""
    code, handle = attempt("nvmlDeviceGetHandleByIndex", index)
    if handle is None:
        raise GpuLostError(code)
    pci = ask("nvmlDeviceGetPciInfo_v3", handle)
    return handle, {
        "uuid": ask("nvmlDeviceGetUUID", handle),
        "name": ask("nvmlDeviceGetName", handle),
        "pci_bus_id": None if pci is None else _text(pci.busId),
    }


def read_gpu(handle: Any, seen: dict[str, int]) -> dict[str, Any]:
    """
    Return everything that the driver tells of one GPU.

    Args:
        handle: Of `identify`.
        seen: Newest time stamps had before, `samples` and `processes`, in the driver's microseconds.
    """
    found = {
        "memory": _memory(handle),
        "utilization": _utilization(handle),
        "samples": _samples(handle, seen.get("samples", 0)),
        "temperature": first(
            ("nvmlDeviceGetTemperatureV", handle, CORE_SENSOR),
            ("nvmlDeviceGetTemperature", handle, CORE_SENSOR),
        ),
        "power": ask("nvmlDeviceGetPowerUsage", handle),
        "power_limit": ask("nvmlDeviceGetEnforcedPowerLimit", handle),
        "energy": ask("nvmlDeviceGetTotalEnergyConsumption", handle),
        "clocks": _clocks("nvmlDeviceGetClockInfo", handle),
        "clocks_max": _clocks("nvmlDeviceGetMaxClockInfo", handle),
        "throttle": first(
            ("nvmlDeviceGetCurrentClocksEventReasons", handle),
            ("nvmlDeviceGetCurrentClocksThrottleReasons", handle),
        ),
        "fan": ask("nvmlDeviceGetFanSpeed", handle),
        "performance_state": ask("nvmlDeviceGetPerformanceState", handle),
        "fields": _fields(handle),
        "ecc": _ecc(handle),
        "remapped": ask("nvmlDeviceGetRemappedRows", handle),
        "mig": _mig(handle),
        "processes": _processes(handle),
        "process_utilization": _process_utilization(handle, seen.get("processes", 0)),
    }
    return {key: value for key, value in found.items() if value is not None}


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _memory(handle: Any) -> dict[str, int] | None:
    """Return bytes; version 1 counts what the driver reserves as used and so lacks `reserved`."""
    code, new = attempt("nvmlDeviceGetMemoryInfo", handle, pynvml.nvmlMemory_v2)
    if code == UNKNOWN:  # every GPU has memory: the device was taken away from us
        raise GpuLostError(code)
    if new is not None:
        return {
            "total": new.total,
            "used": new.used,
            "free": new.free,
            "reserved": new.reserved,
        }
    old = ask("nvmlDeviceGetMemoryInfo", handle)
    return None if old is None else {"total": old.total, "used": old.used, "free": old.free}


def _utilization(handle: Any) -> dict[str, int] | None:
    rates = ask("nvmlDeviceGetUtilizationRates", handle)
    return None if rates is None else {"gpu": rates.gpu, "memory": rates.memory}


def _samples(handle: Any, since: int) -> list[list[int]] | None:
    """Return [time in microseconds, per cent busy] newer than *since*, oldest first."""
    code, found = attempt(
        "nvmlDeviceGetSamples", handle, pynvml.NVML_GPU_UTILIZATION_SAMPLES, since
    )
    if code == NOT_FOUND:
        return []
    if found is None:
        return None
    kind, samples = found
    pairs = ([sample.timeStamp, _number(kind, sample.sampleValue)] for sample in samples)
    return sorted(pair for pair in pairs if pair[0] > since and pair[1] is not None)


def _number(kind: int, value: Any) -> Any:
    return getattr(value, _VALUE_TYPES[kind]) if 0 <= kind < len(_VALUE_TYPES) else None


def _clocks(name: str, handle: Any) -> dict[str, int] | None:
    found = {domain: ask(name, handle, number) for number, domain in enumerate(CLOCK_DOMAINS)}
    return {domain: mhz for domain, mhz in found.items() if mhz is not None} or None


def _fields(handle: Any) -> dict[str, list[Any]] | None:
    """Return number and type by field, of those fields that the driver has."""
    values = ask("nvmlDeviceGetFieldValues", handle, list(FIELDS))
    if values is None:
        return None
    found = {
        str(value.fieldId): [_number(value.valueType, value.value), value.valueType]
        for value in values
        if value.nvmlReturn == SUCCESS
    }
    return found or None


def _ecc(handle: Any) -> list[list[Any]] | None:
    rows = [
        [severity, scope, ask("nvmlDeviceGetTotalEccErrors", handle, kind, counter)]
        for kind, severity in enumerate(ECC_SEVERITIES)
        for counter, scope in enumerate(ECC_SCOPES)
    ]
    return [row for row in rows if row[2] is not None] or None


def _mig(handle: Any) -> list[dict[str, Any]] | None:
    """Return the slices of a GPU in MIG mode; None where MIG is off or unknown."""
    mode = ask("nvmlDeviceGetMigMode", handle)
    if mode is None or not mode[0]:
        return None
    count = ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0
    return [
        {
            "uuid": ask("nvmlDeviceGetUUID", part),
            "gpu_instance": ask("nvmlDeviceGetGpuInstanceId", part),
            "memory": _memory(part),
        }
        for part in _parts(handle, count)
    ]


def _parts(handle: Any, count: int) -> Iterable[Any]:
    for number in range(count):
        part = ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, number)
        if part is not None:
            yield part


def _processes(handle: Any) -> list[list[int | None]] | None:
    """
    Return [pid, GPU instance, bytes] per process, each once; None where the list cannot be had.

    A process that both computes and draws stands in both lists with the same memory.
    """
    held: dict[tuple[int, int], int | None] = {}
    known = False
    for sort in ("Compute", "Graphics"):
        listed = _process_list(f"nvmlDeviceGet{sort}RunningProcesses", handle)
        known = known or listed is not None
        for process in listed or ():
            key = (process.pid, process.gpuInstanceId)
            sizes = [s for s in (held.get(key), process.usedGpuMemory) if s is not None]
            held[key] = max(sizes) if sizes else None
    return [[pid, part, size] for (pid, part), size in sorted(held.items())] if known else None


def _process_list(name: str, handle: Any) -> Any:
    for version in ("_v3", "_v2"):
        for _ in range(_PROCESS_TRIES):
            code, found = attempt(name + version, handle)
            if code != INSUFFICIENT_SIZE:
                break
        if code != FUNCTION_NOT_FOUND:
            return found
    return None


def _process_utilization(handle: Any, since: int) -> list[list[int]] | None:
    """Return [pid, time, per cent of the SMs] newer than *since*; empty when nobody used them."""
    code, found = attempt("nvmlDeviceGetProcessUtilization", handle, since)
    if code in (SUCCESS, NOT_FOUND):
        return [[s.pid, s.timeStamp, s.smUtil] for s in found or () if s.timeStamp > since]
    return None
