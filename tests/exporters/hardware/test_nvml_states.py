"""Every state that the NVIDIA driver can be in, against the fake library in the real child process."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from exporters.deadline import Deadline
from exporters.nvml_driver import NvmlDriver, State
from tests.exporters.hardware.conftest import GENEROUS_S, TWO_GPUS, Make, ask
from tests.exporters.nvml.fake import child_env
from tests.live.servers import until

Start = Callable[..., NvmlDriver]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("code nvmlInitWithFlags 9", ("driver", 9, None)),
        ("code nvmlInitWithFlags 18", ("driver", 18, None)),
        ("code nvmlInitWithFlags 999", ("driver", 999, None)),
        ("code nvmlInitWithFlags 4", ("driver", 4, None)),
        ("code nvmlDeviceGetCount_v2 999", ("driver", 999, None)),
        ("code nvmlDeviceGetCount_v2 15", ("driver", 15, None)),
        ("count 0", (None, 0, 0)),
        ("", (None, 0, 2)),
    ],
    ids=["not-loaded", "mismatch", "unknown", "no-permission", "no-list", "lost", "none", "fine"],
)
def test_the_library_says_how_it_is(
    fake: Make, drivers: Start, line: str, says: tuple[str | None, int, int | None]
) -> None:
    """NVML's return code is told as it is, and GPUs are counted only when the driver counted them."""
    said = fake()
    said.say(line)
    state = ask(drivers(said))
    assert says == (state.reason, state.code, state.count)


def test_no_library_is_an_answer() -> None:
    """Without libnvidia-ml the code is 12, nothing failed, and no child stays behind."""
    env = {**child_env(), "LD_LIBRARY_PATH": ""}
    driver = NvmlDriver(env=env)
    state = ask(driver)
    if state.code == 0:
        pytest.skip("this machine has an NVIDIA driver")
    assert (State(None, 12), None) == (state, driver.pid)


def test_a_library_without_bindings_is_told_apart(fake: Make) -> None:
    """With the library but without nvidia-ml-py the reason is `bindings`, not "no library"."""
    code = "import sys; sys.modules['pynvml'] = None; from exporters.nvml_child import main; main()"
    driver = NvmlDriver(env=fake().env(), command=(sys.executable, "-c", code))
    state = ask(driver)
    driver.close()
    assert ("bindings", None) == (state.reason, state.code)


@pytest.mark.parametrize(
    ("symbol", "key"),
    [
        ("nvmlDeviceGetTemperatureV", "temperature"),
        ("nvmlDeviceGetCurrentClocksEventReasons", "throttle"),
        ("nvmlDeviceGetComputeRunningProcesses_v3", "processes"),
    ],
)
def test_old_drivers_are_asked_the_old_way(
    fake: Make, drivers: Start, symbol: str, key: str
) -> None:
    """A driver that lacks a new function gives the same through the old one."""
    new, old = ask(drivers(fake())), ask(drivers(fake(without=(symbol,))))
    assert new.gpus[0][key] == old.gpus[0][key]


def test_old_memory_is_read_without_what_is_reserved(fake: Make, drivers: Start) -> None:
    """Version 1 of the memory query counts reserved memory as used; it is not told apart then."""
    state = ask(drivers(fake(without=("nvmlDeviceGetMemoryInfo_v2",))))
    expected = {"total": 85520809984, "used": 20600000000, "free": 64920809984}
    assert expected == state.gpus[0]["memory"]


# What every driver of these ten years has, and without which no GPU can be told from another.
NEEDED = {"nvmlInitWithFlags", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2"}
OPTIONAL = (
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetName",
    "nvmlDeviceGetPciInfo_v3",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetSamples",
    "nvmlDeviceGetTemperatureV",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetEnforcedPowerLimit",
    "nvmlDeviceGetTotalEnergyConsumption",
    "nvmlDeviceGetClockInfo",
    "nvmlDeviceGetMaxClockInfo",
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
    "nvmlDeviceGetFieldValues",
    "nvmlDeviceGetTotalEccErrors",
    "nvmlDeviceGetRemappedRows",
    "nvmlDeviceGetPerformanceState",
    "nvmlDeviceGetFanSpeed",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetComputeRunningProcesses_v2",
    "nvmlDeviceGetGraphicsRunningProcesses_v3",
    "nvmlDeviceGetGraphicsRunningProcesses_v2",
    "nvmlDeviceGetProcessUtilization",
    "nvmlEventSetCreate",
    "nvmlSystemGetDriverVersion",
    "nvmlSystemGetCudaDriverVersion",
)


def test_a_library_that_lacks_all_it_may_lack_still_lists_its_gpus(
    fake: Make, drivers: Start
) -> None:
    """With every optional symbol missing, the GPUs are there, and nothing is said to be zero."""
    state = ask(drivers(fake(without=OPTIONAL)))
    bare = {"code": 0, "uuid": None, "name": None, "pci_bus_id": None}
    assert {0: {"index": 0, **bare}, 1: {"index": 1, **bare}} == state.gpus
    assert (None, 0, frozenset()) == (state.reason, state.code, state.watched)


@pytest.mark.parametrize("symbol", sorted(NEEDED))
def test_a_library_that_lacks_what_it_must_have(fake: Make, drivers: Start, symbol: str) -> None:
    """Without the functions that find GPUs nobody claims to know any."""
    state = ask(drivers(fake(without=(symbol,))))
    assert [] == [raw for raw in state.gpus.values() if raw["code"] == 0]
    assert state.code == 13 or {13} == {raw["code"] for raw in state.gpus.values()}


def test_nothing_supported_is_nothing_said(fake: Make, drivers: Start) -> None:
    """A card that supports no query at all (code 3) has an identity and no readings."""
    said = fake(("count 1", "value uuid GPU-bare", "value name Bare"))
    who = {"index": 0, "code": 0, "uuid": "GPU-bare", "name": "Bare", "pci_bus_id": None}
    lists: dict[str, list[int]] = {"samples": [], "processes": [], "process_utilization": []}
    assert {**who, **lists} == ask(drivers(said)).gpus[0]


@pytest.mark.parametrize("code", [15, 16])
@pytest.mark.parametrize("symbol", ["nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetPowerUsage"])
def test_one_lost_gpu_leaves_the_other(fake: Make, drivers: Start, symbol: str, code: int) -> None:
    """A GPU that is lost, at once or in the middle of a scrape, says so; the other is whole."""
    said = fake()
    whole = ask(drivers(said)).gpus[0]
    said.say(f"code {symbol}@1 {code}")
    state = ask(drivers(said))
    assert whole == state.gpus[0]
    assert (None, 0, 2, code) == (state.reason, state.code, state.count, state.gpus[1]["code"])


def test_a_lost_gpu_is_looked_for_again(fake: Make) -> None:
    """After a loss the library is started anew once a minute, and a GPU that was reset is back."""
    said = fake()
    env = said.env()
    code = "import exporters.nvml_child as c; c.REINIT_S = 0.0; c.main()"
    driver = NvmlDriver(env=env, command=(sys.executable, "-c", code))
    said.say("code nvmlDeviceGetPowerUsage@1 15")
    assert ask(driver).gpus[1]["code"] == 15
    before = driver.pid
    said.say()
    state = ask(driver)
    after = driver.pid
    driver.close()
    assert [0, 0] == [state.gpus[index]["code"] for index in (0, 1)]
    assert before != after


SYMBOLS = (
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetSamples",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetFieldValues",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetProcessUtilization",
)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_call_that_hangs_costs_its_own_gpu(fake: Make, drivers: Start, symbol: str) -> None:
    """Whatever call hangs for one GPU, the scrape ends in time and the other GPU is exact."""
    said = fake()
    driver = drivers(said)
    whole = ask(driver).gpus[0]
    said.say(f"hang {symbol}@1")
    began = time.monotonic()
    state = ask(driver, within_s=0.5)
    took = time.monotonic() - began
    assert ("hang", 0, {0: whole}, frozenset({1})) == (
        state.reason, state.code, dict(state.gpus), state.silent
    )  # fmt: skip
    assert took < 1.5  # a busy machine wakes threads late


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
    said.say(f"hang {symbol}")
    state = ask(drivers(said), within_s=1.5)
    expected = "starting" if symbol == "nvmlInitWithFlags" else "hang"
    assert (expected, None, None, {}) == (state.reason, state.code, state.count, dict(state.gpus))


def test_a_child_that_hangs_is_killed_and_replaced(fake: Make, drivers: Start) -> None:
    """Past its patience the exporter kills the child, and the next one answers in the same scrape."""
    said = fake()
    driver = drivers(said, patience_s=0.2)
    ask(driver)
    before = driver.pid
    assert before is not None
    said.say("hang nvmlDeviceGetPowerUsage@1")
    ask(driver, within_s=0.3)
    said.say()
    state = ask(driver)
    assert (None, 2) == (state.reason, len(state.gpus))
    assert before != driver.pid
    assert not _alive(before)


def test_patience_doubles_with_every_kill(fake: Make, drivers: Start) -> None:
    """A GPU that hangs for good costs the others a restart ever more seldom."""
    said = fake()
    said.say("hang nvmlDeviceGetPowerUsage@1")
    driver = drivers(said, patience_s=0.1)
    pids = []
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        ask(driver, within_s=0.6)
        if driver.pid not in pids:
            pids.append(driver.pid)
    assert 2 <= len(pids) <= 5


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


def test_a_list_of_processes_that_grows_meanwhile(fake: Make, drivers: Start) -> None:
    """A list that was too long twice is had at the next try; one that always is, is left out."""
    said = fake()
    symbol = "nvmlDeviceGetComputeRunningProcesses_v3"
    said.say(f"code {symbol} 7 2")
    assert [101, 102, 103] == [pid for pid, _, _ in ask(drivers(said)).gpus[0]["processes"]]
    said.say(f"code {symbol} 7", "code nvmlDeviceGetGraphicsRunningProcesses_v3 7")
    assert "processes" not in ask(drivers(said)).gpus[0]


def test_slices_of_a_gpu_in_mig_mode(fake: Make, drivers: Start) -> None:
    """MIG slices come with UUID, instance and memory."""
    said = fake(
        (*TWO_GPUS, "value mig@0 1", "slice 0 MIG-a 7 20000 5000", "slice 0 MIG-b 9 10000 0")
    )
    memory = [
        {"total": 20000, "used": 5000, "free": 15000, "reserved": 0},
        {"total": 10000, "used": 0, "free": 10000, "reserved": 0},
    ]
    assert [
        {"uuid": "MIG-a", "gpu_instance": 7, "memory": memory[0]},
        {"uuid": "MIG-b", "gpu_instance": 9, "memory": memory[1]},
    ] == ask(drivers(said)).gpus[0]["mig"]


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
