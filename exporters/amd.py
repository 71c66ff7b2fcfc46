"""
AMD GPUs from /sys, without ROCm.

In goes the folder where sysfs is mounted, out come `Gpu`s. A card that sleeps is left asleep: reading
its sensors would wake it, or answer EBUSY, so it is said to be there and nothing more. Files that a
card or kernel lacks have no series. `gpu_busy_percent` stands at 100 while any compute context is
open, whether it works or not (the driver's doing).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from exporters.hardware_gpus import Gpu, Identity, Reading

_VENDOR = "0x1002"
_CARD = re.compile(r"card[0-9]+\Z")
_SENSORS = {"edge": "core", "junction": "junction", "mem": "memory"}  # amdgpu's words, ours
_DOMAINS = {"graphics": "pp_dpm_sclk", "memory": "pp_dpm_mclk"}
_CLOCK = re.compile(r"^\d+:\s*(\d+)Mhz\s*(\*?)", re.IGNORECASE | re.MULTILINE)


def read(sysfs: Path) -> tuple[Gpu, ...]:
    """Return the AMD GPUs by card number; empty where there is none."""
    cards = sorted(
        (sysfs / "class/drm").glob("card*"), key=lambda card: (len(card.name), card.name)
    )
    return tuple(
        _gpu(sysfs, card.name, card / "device")
        for card in cards
        if _CARD.match(card.name) and _text(card / "device/vendor") == _VENDOR
    )


def _gpu(sysfs: Path, card: str, device: Path) -> Gpu:
    bus = next((b for b in (_slot(device), device.resolve().name) if b), card)
    unique = _text(device / "unique_id")
    identity = Identity(
        uuid=f"AMD-{unique}" if unique else f"AMD-{bus}",
        index=card,
        name=_text(device / "product_name") or f"AMD {_text(device / 'device')}",
        vendor="amd",
        driver_version=_text(sysfs / "module/amdgpu/version"),
        pci_bus_id=bus,
    )
    asleep = _text(device / "power/runtime_status") in ("suspended", "suspending")
    return Gpu(identity, up=True, readings=() if asleep else tuple(_readings(device)))


def _slot(device: Path) -> str:
    """Return the PCI address that the device's uevent names."""
    found = re.search(r"^PCI_SLOT_NAME=(\S+)$", _text(device / "uevent"), re.MULTILINE)
    return found[1] if found else ""


def _readings(device: Path) -> Iterator[Reading]:
    yield from _plain("hw_gpu_utilization_ratio", device / "gpu_busy_percent", 100)
    yield from _plain(
        "hw_gpu_memory_controller_utilization_ratio", device / "mem_busy_percent", 100
    )
    total, used = _number(device / "mem_info_vram_total"), _number(device / "mem_info_vram_used")
    if total is not None:
        yield Reading("hw_gpu_memory_total_bytes", total)
    if used is not None:
        yield Reading("hw_gpu_memory_used_bytes", used)
    if total is not None and used is not None:
        yield Reading("hw_gpu_memory_free_bytes", total - used)
    for hwmon in sorted((device / "hwmon").glob("hwmon*")):
        yield from _sensors(hwmon)
    for domain, name in _DOMAINS.items():
        yield from _clocks(domain, _text(device / name))


def _sensors(hwmon: Path) -> Iterator[Reading]:
    for label in sorted(hwmon.glob("temp*_label")):
        sensor = _SENSORS.get(_text(label))
        value = _number(label.with_name(label.name.replace("_label", "_input")))
        if sensor is not None and value is not None:
            yield Reading("hw_gpu_temperature_celsius", value / 1000, (("sensor", sensor),))
    # Newer cards have power1_input (now), older ones power1_average.
    power = _first(hwmon / "power1_average", hwmon / "power1_input")
    if power is not None:
        yield Reading("hw_gpu_power_watts", power / 1e6)
    yield from _plain("hw_gpu_power_limit_watts", hwmon / "power1_cap", 1e6)
    speed, most = _number(hwmon / "pwm1"), _number(hwmon / "pwm1_max")
    if speed is not None and most:
        yield Reading("hw_gpu_fan_speed_ratio", speed / most)


def _clocks(domain: str, text: str) -> Iterator[Reading]:
    """Yield present and highest clock of a table of lines like `1: 2500Mhz *`."""
    steps = [(int(mhz) * 1e6, mark) for mhz, mark in _CLOCK.findall(text)]
    labels = (("domain", domain),)
    for hertz, mark in steps:
        if mark:
            yield Reading("hw_gpu_clock_hertz", hertz, labels)
            break
    if steps:
        yield Reading("hw_gpu_clock_max_hertz", max(hertz for hertz, _ in steps), labels)


def _plain(name: str, path: Path, divisor: float) -> Iterator[Reading]:
    value = _number(path)
    if value is not None:
        yield Reading(name, value / divisor)


def _first(*paths: Path) -> int | None:
    return next((value for value in map(_number, paths) if value is not None), None)


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    """Return the content of *path* without blanks; empty on EBUSY, ENOTSUP, ENOENT and the like."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
