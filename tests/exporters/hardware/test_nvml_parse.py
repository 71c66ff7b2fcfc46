"""Readings from what the child says: units, sentinels, absent things."""

from __future__ import annotations

from typing import Any

import pytest

from exporters.hardware_gpus import Identity, Process
from exporters.nvml_parse import cuda_text, identify, parse

WHO = Identity("GPU-1", "0")
ALL_32, ALL_64, LARGEST = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 9223372036854775794


def readings(**raw: Any) -> dict[tuple[str, ...], float]:
    """Return the readings of *raw*: value by metric and label values."""
    found = parse({"index": 0, "code": 0, **raw}, WHO).readings
    return {(r.name, *(value for _, value in r.labels)): r.value for r in found}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"power": 321500}, {("hw_gpu_power_watts",): 321.5}),
        ({"energy": 1500}, {("hw_gpu_energy_joules_total",): 1.5}),
        ({"utilization": {"gpu": 100}}, {("hw_gpu_utilization_ratio",): 1.0}),
        ({"clocks": {"sm": 1980}}, {("hw_gpu_clock_hertz", "sm"): 1980e6}),
        ({"temperature": -5}, {("hw_gpu_temperature_celsius", "core"): -5}),
        ({"fan": 105}, {("hw_gpu_fan_speed_ratio",): 1.05}),
        ({"fields": {"269": [2_500_000_000, 3]}},
         {("hw_gpu_throttled_seconds_total", "sw_thermal_slowdown"): 2.5}),
        ({"fields": {"82": [70, 1]}}, {("hw_gpu_temperature_celsius", "memory"): 70}),
        ({"fields": {"230": [4, 1]}}, {("hw_gpu_recovery_action",): 4}),
        ({"performance_state": 0}, {("hw_gpu_performance_state",): 0}),
        ({"memory": {"used": 0}}, {("hw_gpu_memory_used_bytes",): 0}),
    ],
)  # fmt: skip
def test_units_become_base_units(raw: dict[str, Any], expected: dict[Any, float]) -> None:
    """Milliwatts, megahertz, per cent and nanoseconds become watts, hertz, ratios and seconds; 0 stays."""
    assert expected == readings(**raw)


@pytest.mark.parametrize(
    "raw",
    [
        {"power": ALL_32},
        {"energy": ALL_64},
        {"energy": LARGEST},
        {"utilization": {"gpu": 101, "memory": ALL_32}},
        {"temperature": 9999},
        {"fields": {"82": [LARGEST, 3]}},
        {"fields": {"82": [0, 1]}},
        {"fields": {"230": [99, 1]}},
        {"fields": {"74": [None, 9]}},
        {"performance_state": 32},
        {"fan": ALL_32},
        {"clocks": {"sm": ALL_32}},
        {"memory": {"total": ALL_64}},
        {"ecc": [["corrected", "volatile", ALL_64]]},
        {"remapped": [ALL_32, ALL_32, ALL_32, ALL_32]},
        {"throttle": ALL_64},
        {"power": "much"},
        {"power": -1},
        {"power": True},
        {"power": 3.5e300},
    ],
)
def test_what_is_no_value_is_left_out(raw: dict[str, Any]) -> None:
    """The driver's ways to say "not known" never become a number."""
    assert {} == readings(**raw)


def test_every_reason_for_throttling_has_a_series() -> None:
    """Reasons that do not hold are 0, so that a rule on them never lacks its series."""
    found = readings(throttle=0x20 | 0x80)
    assert {
        "gpu_idle": 0,
        "applications_clocks_setting": 0,
        "sw_power_cap": 0,
        "hw_slowdown": 0,
        "sync_boost": 0,
        "sw_thermal_slowdown": 1,
        "hw_thermal_slowdown": 0,
        "hw_power_brake_slowdown": 1,
        "display_clock_setting": 0,
    } == {reason: value for (_, reason), value in found.items()}


def test_processes_count_once() -> None:
    """A process in two MIG slices is one; unknown memory is unknown, not zero."""
    gpu = parse({"processes": [[7, 1, 100], [7, 2, 50], [8, 0, ALL_64], [9, 0, None]]}, WHO)
    assert (Process(7, 150), Process(8, None), Process(9, None)) == gpu.processes


def test_use_of_processes_is_the_newest() -> None:
    """Of several samples of one process the newest counts; impossible ones count for nothing."""
    gpu = parse({"process_utilization": [[7, 10, 20], [7, 30, 40], [7, 20, 99], [8, 10, 101]]}, WHO)
    assert ((7, 0.4),) == gpu.sm_use


@pytest.mark.parametrize(
    ("number", "text"), [(13000, "13.0"), (12090, "12.9"), (None, ""), (5, "")]
)
def test_versions_of_cuda(number: int | None, text: str) -> None:
    """CUDA's number is written as people write it."""
    assert text == cuda_text(number)


def test_a_gpu_without_uuid_is_named_by_its_place() -> None:
    """The PCI address stands for a UUID that is not given, the number for both."""
    names = [
        identify({"index": 3, "uuid": uuid, "pci_bus_id": bus}, {}).uuid
        for uuid, bus in (("GPU-1", "0:1"), (None, "0:1"), (None, None))
    ]
    assert ["GPU-1", "0:1", "index-3"] == names
