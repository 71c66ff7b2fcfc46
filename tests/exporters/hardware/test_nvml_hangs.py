"""A driver whose calls hang or crash, and a child that must go: nobody waits, nothing is made up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from exporters.deadline import Deadline
from exporters.nvml_driver import NvmlDriver
from tests.exporters.attempts import first_good
from tests.exporters.hardware.conftest import GENEROUS_S, Make, ask
from tests.live.servers import until

Start = Callable[..., NvmlDriver]

# Every call that is made for one GPU. The old forms of some are only made when the new are missing.
SYMBOLS = (
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetPciInfo_v3",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetName",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetSamples",
    "nvmlDeviceGetTemperatureV",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetEnforcedPowerLimit",
    "nvmlDeviceGetTotalEnergyConsumption",
    "nvmlDeviceGetClockInfo",
    "nvmlDeviceGetMaxClockInfo",
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetFanSpeed",
    "nvmlDeviceGetPerformanceState",
    "nvmlDeviceGetFieldValues",
    "nvmlDeviceGetTotalEccErrors",
    "nvmlDeviceGetRemappedRows",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetGraphicsRunningProcesses_v3",
    "nvmlDeviceGetProcessUtilization",
)


def test_a_call_that_hangs_costs_its_own_gpu(fake: Make, drivers: Start) -> None:
    """Whatever call hangs for one GPU, the scrape ends in time and the other GPU is exact."""
    said = fake()
    driver = drivers(said)
    whole = dict(ask(driver).gpus)
    for symbol in SYMBOLS:
        said.say(f"hang {symbol}@1")
        began = time.monotonic()
        ask(driver, within_s=0.5)
        took = time.monotonic() - began

        def told(symbol: str = symbol) -> object:
            state = ask(driver, within_s=0.5)
            return symbol, state.reason, state.code, dict(state.gpus), state.silent

        expected = (symbol, "hang", 0, {0: whole[0]}, frozenset({1}))
        assert expected == first_good(told, lambda found, wanted=expected: found == wanted)
        assert took < 10
        said.say()
        until(lambda: dict(ask(driver).gpus) == whole, f"{symbol} comes back", seconds=20)


def test_later_scrapes_do_not_wait_for_a_gpu_that_hangs(fake: Make, drivers: Start) -> None:
    """The deadline is spent once on a GPU that hangs; when it answers again it is whole again."""
    said = fake()
    driver = drivers(said)
    whole = ask(driver).gpus
    said.say("hang nvmlDeviceGetPowerUsage@1")
    ask(driver, within_s=0.3)
    began = time.monotonic()
    assert frozenset({1}) == ask(driver).silent
    assert time.monotonic() - began < GENEROUS_S / 2
    said.say()
    until(lambda: not ask(driver).silent, "the GPU answers again", seconds=20)
    assert whole == ask(driver).gpus


@pytest.mark.parametrize("symbol", ["nvmlInitWithFlags", "nvmlDeviceGetCount_v2"])
def test_a_driver_that_hangs_as_a_whole(fake: Make, drivers: Start, symbol: str) -> None:
    """Where not even the list of GPUs comes back, nothing is claimed but that it hangs or starts."""
    said = fake()
    driver = drivers(said)
    if symbol == "nvmlDeviceGetCount_v2":
        ask(driver)  # starts the library; the list hangs later
    said.say(f"hang {symbol}")
    state = ask(driver, within_s=0.5)
    expected = "starting" if symbol == "nvmlInitWithFlags" else "hang"
    assert (expected, None, None, {}) == (state.reason, state.code, state.count, dict(state.gpus))


def test_a_child_that_hangs_is_killed_and_replaced(fake: Make, drivers: Start) -> None:
    """Past its patience the exporter kills the child; the next one answers once the driver does."""
    said = fake()
    driver = drivers(said, patience_s=0.2)
    ask(driver)
    before = driver.pid
    assert before is not None
    said.say("hang nvmlDeviceGetPowerUsage@1")

    def replaced() -> bool:
        ask(driver, within_s=0.3)
        return driver.pid not in (None, before)

    until(replaced, "the child is replaced")
    said.say()
    until(lambda: ask(driver).reason is None, "the driver answers")
    assert 2 == len(ask(driver).gpus)
    assert not _alive(before)


def test_patience_doubles_with_every_kill(fake: Make, drivers: Start) -> None:
    """A GPU that hangs for good costs the others a restart ever more seldom."""
    said = fake()
    said.say("hang nvmlDeviceGetPowerUsage@1")
    driver = drivers(said, patience_s=0.1)
    patience: dict[int, float] = {}

    def four_children() -> bool:
        ask(driver, within_s=0.6)
        if driver.pid is not None:  # the killed one may take a moment to be gone
            patience.setdefault(driver.pid, driver._patience_s)
        return len(patience) == 4

    until(four_children, "three children are killed")
    assert [0.1, 0.2, 0.4, 0.8] == list(patience.values())


@pytest.mark.parametrize(
    "symbol", ["nvmlInitWithFlags", "nvmlDeviceGetFanSpeed", "nvmlEventSetCreate"]
)
def test_a_crash_of_the_library_is_survived(fake: Make, symbol: str) -> None:
    """A segmentation fault ends the child only; the next one is started after a pause, not before."""
    said = fake()
    now = [0.0]
    driver = NvmlDriver(env=said.env(), clock=lambda: now[0])
    said.say(f"crash {symbol}")
    until(lambda: ask(driver).reason == "crash", "the child crashed", seconds=20)
    said.say()
    paused = ask(driver)
    assert (None, "crash", {}) == (driver.pid, paused.reason, dict(paused.gpus))
    now[0] = 61.0
    state = ask(driver)
    driver.close()
    assert (None, 2) == (state.reason, len(state.gpus))


def test_pauses_between_starts_double_up_to_a_minute(fake: Make) -> None:
    """A driver that is not loaded is asked after 1, 2, 4 ... 60 seconds, then every 60."""
    said = fake()
    said.say("code nvmlInitWithFlags 9")
    now = [0.0]
    driver = NvmlDriver(env=said.env(), clock=lambda: now[0])
    pauses = []
    for _ in range(8):
        ask(driver)
        pauses.append(driver._not_before - now[0])
        now[0] = driver._not_before
    assert [1, 2, 4, 8, 16, 32, 60, 60] == pauses


def test_a_killed_child_is_a_crash_and_its_errors_are_not_counted_twice(
    fake: Make, drivers: Start
) -> None:
    """When somebody kills the child, what it told before is told once."""
    said = fake()
    driver = drivers(said)
    until(lambda: len(ask(driver).watched) == 2, "both GPUs are watched")
    said.say("xid 0 79 1")
    seen = []
    until(lambda: bool(seen.extend(ask(driver).xids) or seen), "the error arrives")
    assert driver.pid is not None
    os.kill(driver.pid, signal.SIGKILL)
    until(lambda: ask(driver).reason == "crash", "the exporter notices")
    later = [ask(driver).xids for _ in range(3)]
    assert ([("GPU-11111111-1111-1111-1111-111111111111", 79)], [(), (), ()]) == (
        [(xid.uuid, xid.number) for xid in seen], later
    )  # fmt: skip


def test_the_child_ends_with_the_exporter(fake: Make) -> None:
    """When its input ends, the child ends, even while a call hangs."""
    said = fake()
    driver = NvmlDriver(env=said.env())
    said.say("hang nvmlDeviceGetPowerUsage")
    driver.read({}, Deadline.after(1.0))
    pid = driver.pid
    assert pid is not None
    assert driver._child is not None
    stdin = driver._child._process.stdin
    assert stdin is not None
    stdin.close()
    until(lambda: driver._child is not None and driver._child.gone(), "the child is gone")
    driver.close()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
