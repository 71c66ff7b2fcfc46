"""AMD GPUs from folders as amdgpu shows them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exporters import amd
from exporters.hardware_gpus import Gpu, Identity, Reading
from tests.exporters.hardware.conftest import HERE

SYS = HERE / "sysamd"
CARD = Identity(
    uuid="AMD-9a8b7c6d5e4f3a2b",
    index="card1",
    name="Radeon RX 7900 XTX",
    vendor="amd",
    driver_version="6.12.12",
    pci_bus_id="0000:03:00.0",
)
ASLEEP = Identity(
    uuid="AMD-0000:0a:00.0",
    index="card2",
    name="AMD 0x73ff",
    vendor="amd",
    driver_version="6.12.12",
    pci_bus_id="0000:0a:00.0",
)


def _temperature(sensor: str, value: float) -> Reading:
    return Reading("hw_gpu_temperature_celsius", value, (("sensor", sensor),))


def test_cards_are_read_and_left_asleep() -> None:
    """The card that runs has readings in base units, the one that sleeps has none, Intel's is none."""
    core, memory = (("domain", "graphics"),), (("domain", "memory"),)
    readings = (
        Reading("hw_gpu_utilization_ratio", 0.37),
        Reading("hw_gpu_memory_controller_utilization_ratio", 0.12),
        Reading("hw_gpu_memory_total_bytes", 25_753_026_560),
        Reading("hw_gpu_memory_used_bytes", 4_294_967_296),
        Reading("hw_gpu_memory_free_bytes", 21_458_059_264),
        _temperature("core", 54),
        _temperature("junction", 68),
        _temperature("memory", 72),
        Reading("hw_gpu_power_watts", 123),
        Reading("hw_gpu_power_limit_watts", 303),
        Reading("hw_gpu_fan_speed_ratio", 0.2),
        Reading("hw_gpu_clock_hertz", 1780e6, core),
        Reading("hw_gpu_clock_max_hertz", 2526e6, core),
        Reading("hw_gpu_clock_hertz", 96e6, memory),
        Reading("hw_gpu_clock_max_hertz", 1249e6, memory),
    )
    assert (Gpu(CARD, up=True, readings=readings), Gpu(ASLEEP, up=True)) == amd.read(SYS)


@pytest.mark.parametrize(
    ("lost", "metric"),
    [
        ("gpu_busy_percent", "hw_gpu_utilization_ratio"),
        ("mem_info_vram_used", "hw_gpu_memory_used_bytes"),
        ("hwmon/hwmon4/temp1_input", "hw_gpu_temperature_celsius"),
        ("hwmon/hwmon4/power1_average", "hw_gpu_power_watts"),
        ("pp_dpm_sclk", "hw_gpu_clock_hertz"),
    ],
)
def test_a_file_that_cannot_be_read_costs_its_own_readings(
    tmp_path: Path, lost: str, metric: str
) -> None:
    """A file that answers with an error (EBUSY, ENOTSUP; here EISDIR) takes nothing else away."""
    shutil.copytree(SYS, tmp_path / "sys")
    file = tmp_path / "sys/class/drm/card1/device" / lost
    file.unlink()
    file.mkdir()
    before, after = (amd.read(root)[0].readings for root in (SYS, tmp_path / "sys"))
    gone = set(before) - set(after)
    assert metric in {reading.name for reading in gone}
    assert set(after) <= set(before)
    assert {metric, metric.replace("used", "free"), metric.replace("clock", "clock_max")} >= {
        reading.name for reading in gone
    }


def test_no_card_is_nothing(tmp_path: Path) -> None:
    """Without graphics cards, or without sysfs, there is nothing to tell."""
    assert () == amd.read(tmp_path)
