"""Every state that the NVIDIA driver can be in, against the fake library in the real child process."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from exporters.nvml_driver import NvmlDriver, State
from tests.exporters.hardware.conftest import TWO_GPUS, Make, ask
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
        ("code nvmlDeviceGetMemoryInfo_v2 999", ("driver", 999, 2)),
        ("code nvmlDeviceGetPowerUsage 18", ("driver", 18, 2)),
        ("code nvmlDeviceGetHandleByIndex_v2 4", ("driver", 4, 2)),
        ("code nvmlDeviceGetPowerUsage 15", (None, 0, 2)),
        ("code nvmlDeviceGetPowerUsage 999", (None, 0, 2)),
        ("count 0", (None, 0, 0)),
        ("", (None, 0, 2)),
    ],
    ids=[
        "not-loaded",
        "mismatch",
        "unknown",
        "no-permission",
        "no-list",
        "lost",
        "taken-away",
        "upgraded",
        "not-granted",
        "all-lost",
        "one-query-fails",
        "none",
        "fine",
    ],
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

    def is_anew() -> bool:
        # While a thread of the last round has not quite ended, the library is left as it is.
        state = ask(driver)
        return driver.pid != before and [0, 0] == [state.gpus[each]["code"] for each in (0, 1)]

    until(is_anew, "the library is started anew, and the GPU is back")
    driver.close()


def test_a_list_of_processes_that_grows_meanwhile(fake: Make, drivers: Start) -> None:
    """A list that was too long twice is had at the next try; one that always is, is left out."""
    said = fake()
    symbol = "nvmlDeviceGetComputeRunningProcesses_v3"
    said.say(f"code {symbol} 7 2")
    assert [101, 102, 103] == [pid for pid, _, _ in ask(drivers(said)).gpus[0]["processes"]]
    said.say(f"code {symbol} 7", "code nvmlDeviceGetGraphicsRunningProcesses_v3 7")
    assert "processes" not in ask(drivers(said)).gpus[0]


def test_what_the_library_prints_is_not_an_answer(fake: Make, drivers: Start) -> None:
    """A library that prints on standard output, even half an answer of ours, changes nothing."""
    said = fake()
    whole = ask(drivers(said)).gpus
    said.say('print nvmlInitWithFlags {"fatal": 999}', "print nvmlDeviceGetFanSpeed {")
    assert whole == ask(drivers(said)).gpus


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
