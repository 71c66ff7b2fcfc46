"""
What the child process said of a GPU, as a `Gpu`: units become base units, nonsense is dropped.

Pure: a dict of exporters.nvml_read in, readings out. The driver says "I do not know" in many ways
(all bits set, the largest signed number, a performance state of 32); none of them gets through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exporters.hardware_gpus import Gpu, Identity, Process, Reading, Slice

# Bit of the throttle mask by reason; nvml.h, nvmlClocksEventReason*.
THROTTLE_BITS = {
    "gpu_idle": 0x1,
    "applications_clocks_setting": 0x2,
    "sw_power_cap": 0x4,
    "hw_slowdown": 0x8,
    "sync_boost": 0x10,
    "sw_thermal_slowdown": 0x20,
    "hw_thermal_slowdown": 0x40,
    "hw_power_brake_slowdown": 0x80,
    "display_clock_setting": 0x100,
}
# Field of the time spent throttled, in nanoseconds, by reason.
THROTTLE_FIELDS = {
    "sw_power_cap": "74",
    "sync_boost": "76",
    "sw_thermal_slowdown": "269",
    "hw_thermal_slowdown": "270",
    "hw_power_brake_slowdown": "271",
}
MEMORY_TEMPERATURE, RECOVERY_ACTION = "82", "230"
PCIE_FIELDS = {
    "hw_gpu_pcie_transmit_bytes_total": "197",
    "hw_gpu_pcie_receive_bytes_total": "198",
}

_UNKNOWN = frozenset({0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFE})
_SIGNED_MAX = 1 << 63
_COLDEST, _HOTTEST = -50, 250  # beyond these it is no temperature of a chip that answers
_STATES = 16  # P0 to P15; 32 means unknown
_RECOVERY_ACTIONS = 5
_MAX_FAN = 200  # fans may be said to run above 100 per cent, not at four thousand million
_MAX_NAME = 96


def identify(raw: Mapping[str, Any], system: Mapping[str, Any]) -> Identity:
    """Return who a GPU is; without a UUID its PCI address or its number stands for it."""
    index = str(raw["index"])
    bus = _text(raw.get("pci_bus_id"))
    return Identity(
        uuid=_text(raw.get("uuid")) or bus or f"index-{index}",
        index=index,
        name=_text(raw.get("name")),
        driver_version=_text(system.get("driver_version")),
        cuda_version=cuda_text(system.get("cuda_version")),
        pci_bus_id=bus,
    )


def parse(raw: Mapping[str, Any], identity: Identity) -> Gpu:
    """Return the GPU that *raw* tells of, without what needs memory of earlier scrapes."""
    return Gpu(
        identity=identity,
        up=True,
        readings=tuple(_readings(raw)),
        slices=tuple(_slice(part) for part in raw.get("mig", ())),
        processes=_processes(raw.get("processes")),
        sm_use=_sm_use(raw.get("process_utilization")),
    )


def cuda_text(number: Any) -> str:
    """Return 13000 as "13.0", anything else that is no version as ""."""
    known = isinstance(number, int) and 1000 <= number < 1_000_000
    return f"{number // 1000}.{number % 1000 // 10}" if known else ""


def count(number: Any) -> int | None:
    """Return *number* if the driver knows it: a whole number that is no sentinel."""
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    return None if number < 0 or number in _UNKNOWN or number >= _SIGNED_MAX - 64 else number


def field(raw: Mapping[str, Any], number: str) -> tuple[int | None, bool]:
    """Return the value of a field, None if unknown, and whether it has only 32 bits."""
    value, kind = raw.get("fields", {}).get(number, (None, None))
    return count(value), kind == 1


def _text(value: Any) -> str:
    return str(value)[:_MAX_NAME] if value is not None else ""


def _readings(raw: Mapping[str, Any]) -> Iterator[Reading]:
    yield from _shares(raw.get("utilization", {}))
    for part in ("total", "used", "free", "reserved"):
        yield from _scaled(f"hw_gpu_memory_{part}_bytes", raw.get("memory", {}).get(part), 1)
    yield from _temperatures(raw)
    yield from _scaled("hw_gpu_power_watts", raw.get("power"), 1000)
    yield from _scaled("hw_gpu_power_limit_watts", raw.get("power_limit"), 1000)
    yield from _scaled("hw_gpu_energy_joules_total", raw.get("energy"), 1000)
    for key, name in (("clocks", "hw_gpu_clock_hertz"), ("clocks_max", "hw_gpu_clock_max_hertz")):
        for domain, mhz in raw.get(key, {}).items():
            yield from _scaled(name, mhz, 1e-6, domain=domain)
    yield from _throttling(raw)
    yield from _within("hw_gpu_fan_speed_ratio", raw.get("fan"), _MAX_FAN + 1, 100)
    yield from _within("hw_gpu_performance_state", raw.get("performance_state"), _STATES)
    yield from _within("hw_gpu_recovery_action", field(raw, RECOVERY_ACTION)[0], _RECOVERY_ACTIONS)
    yield from _memory_faults(raw)


def _shares(raw: Mapping[str, Any]) -> Iterator[Reading]:
    yield from _within("hw_gpu_utilization_ratio", raw.get("gpu"), 101, 100)
    yield from _within("hw_gpu_memory_controller_utilization_ratio", raw.get("memory"), 101, 100)


def _temperatures(raw: Mapping[str, Any]) -> Iterator[Reading]:
    memory = field(raw, MEMORY_TEMPERATURE)[0]
    for sensor, value in (("core", raw.get("temperature")), ("memory", memory)):
        # A memory sensor that reads 0 °C beside a running chip is one that is not there.
        absent = sensor == "memory" and value == 0
        if isinstance(value, int) and _COLDEST <= value <= _HOTTEST and not absent:
            yield Reading("hw_gpu_temperature_celsius", value, (("sensor", sensor),))


def _throttling(raw: Mapping[str, Any]) -> Iterator[Reading]:
    mask = count(raw.get("throttle"))
    if mask is not None:
        for reason, bit in THROTTLE_BITS.items():
            active = float(bool(mask & bit))
            yield Reading("hw_gpu_throttle_active", active, (("reason", reason),))
    for reason, number in THROTTLE_FIELDS.items():
        spent = field(raw, number)[0]
        yield from _scaled("hw_gpu_throttled_seconds_total", spent, 1e9, reason=reason)


def _memory_faults(raw: Mapping[str, Any]) -> Iterator[Reading]:
    for severity, scope, errors in raw.get("ecc", ()):
        yield from _scaled("hw_gpu_ecc_errors", errors, 1, severity=severity, scope=scope)
    remapped = raw.get("remapped")
    if remapped is not None:
        corrected, uncorrected, pending, failed = remapped
        yield from _scaled("hw_gpu_remapped_rows", corrected, 1, cause="corrected")
        yield from _scaled("hw_gpu_remapped_rows", uncorrected, 1, cause="uncorrected")
        yield from _within("hw_gpu_row_remap_pending", pending, 2)
        yield from _within("hw_gpu_row_remap_failure", failed, 2)


def _scaled(name: str, value: Any, divisor: float, **labels: str) -> Iterator[Reading]:
    known = count(value)
    if known is not None:
        yield Reading(name, known / divisor if divisor != 1 else known, tuple(labels.items()))


def _within(name: str, value: Any, end: int, divisor: float = 1) -> Iterator[Reading]:
    known = count(value)
    if known is not None and known < end:
        yield Reading(name, known / divisor)


def _slice(raw: Mapping[str, Any]) -> Slice:
    memory = raw.get("memory") or {}
    number = count(raw.get("gpu_instance"))
    return Slice(
        uuid=_text(raw.get("uuid")),
        gpu_instance="" if number is None else str(number),
        total_bytes=count(memory.get("total")),
        used_bytes=count(memory.get("used")),
    )


def _processes(raw: Iterable[Any] | None) -> tuple[Process, ...] | None:
    """Return each pid once; the parts that it holds in several MIG slices add up."""
    if raw is None:
        return None
    held: dict[int, int | None] = {}
    for pid, _, size in raw:
        known = count(size)
        before = held.get(pid)
        held[pid] = known if before is None else before + (known or 0)
    return tuple(Process(pid, size) for pid, size in sorted(held.items()))


def _sm_use(raw: Iterable[Any] | None) -> tuple[tuple[int, float], ...] | None:
    """Return the newest ratio of each pid that used the GPU."""
    if raw is None:
        return None
    newest: dict[int, tuple[int, int]] = {}
    for pid, moment, percent in raw:
        if 0 <= percent <= 100 and newest.get(pid, (-1, 0))[0] < moment:
            newest[pid] = (moment, percent)
    return tuple((pid, percent / 100) for pid, (_, percent) in sorted(newest.items()))
