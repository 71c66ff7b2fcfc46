"""GPUs over time: lost, back, in another order; counters that only grow."""

from __future__ import annotations

from typing import Any

import pytest

from exporters.hardware_counters import BusySeconds, WrappedCounter
from exporters.hardware_gpus import Gpu
from exporters.nvml_driver import State
from exporters.nvml_fleet import NvmlFleet
from exporters.nvml_process import Xid


def raw(index: int, uuid: str | None, code: int = 0, **more: Any) -> dict[str, Any]:
    """Return what the child says of a GPU."""
    return {"index": index, "uuid": uuid, "code": code, **more}


def state(*gpus: dict[str, Any], count: int | None = 2, **more: Any) -> State:
    """Return a state in which the driver showed *gpus*."""
    return State(**{"reason": None, "count": count, "gpus": {g["index"]: g for g in gpus}, **more})


def ups(gpus: tuple[Gpu, ...]) -> list[tuple[str, str, bool]]:
    """Return UUID, index and up of *gpus*."""
    return [(gpu.identity.uuid, gpu.identity.index, gpu.up) for gpu in gpus]


BOTH = state(raw(0, "A"), raw(1, "B"))


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (state(raw(0, "A"), raw(1, None, 15)), [("A", "0", True), ("B", "1", False)]),
        (state(raw(0, "A"), raw(1, "B", 15)), [("A", "0", True), ("B", "1", False)]),
        (state(raw(0, "A"), count=1), [("A", "0", True), ("B", "1", False)]),
        (state(raw(0, "B"), count=1), [("B", "0", True), ("A", "0", False)]),
        (state(raw(0, "B"), raw(1, "A")), [("B", "0", True), ("A", "1", True)]),
        (state(raw(0, "A"), silent=frozenset({1}), reason="hang"),
         [("A", "0", True), ("B", "1", False)]),
        (state(count=None, reason="driver", code=999), [("A", "0", False), ("B", "1", False)]),
        (state(count=None, reason="hang"), [("A", "0", False), ("B", "1", False)]),
        (state(count=None, code=12), [("A", "0", False), ("B", "1", False)]),
        (state(count=0), [("A", "0", False), ("B", "1", False)]),
        (state(count=None, reason="crash"), []),
        (state(count=None, reason="starting"), []),
    ],
    ids=[
        "lost-nameless", "lost", "off-the-bus", "first-off-the-bus", "other-order", "one-hangs",
        "driver-broken", "all-hang", "driver-gone", "none-left", "crash", "starting",
    ],
)  # fmt: skip
def test_a_gpu_that_was_there(then: State, expected: list[tuple[str, str, bool]]) -> None:
    """A GPU that was there is down with its last identity, unless nothing is known of it at all."""
    fleet = NvmlFleet()
    fleet.update(BOTH)
    assert expected == ups(fleet.update(then))


@pytest.mark.parametrize(
    "first",
    [state(raw(0, "A"), raw(1, None, 15)), state(raw(0, "A"), silent=frozenset({1}))],
    ids=["lost", "hangs"],
)
def test_a_gpu_that_never_answered_has_its_number_only(first: State) -> None:
    """A GPU that was lost before it could be named is told of by its number."""
    assert [("A", "0", True), ("", "1", False)] == ups(NvmlFleet().update(first))


def test_a_gpu_that_is_back_is_up() -> None:
    """After a loss the same UUID is up again, once."""
    fleet = NvmlFleet()
    fleet.update(BOTH)
    fleet.update(state(raw(0, "A"), raw(1, None, 15)))
    assert [("A", "0", True), ("B", "1", True)] == ups(fleet.update(BOTH))


def test_errors_are_counted_from_zero_and_outlive_the_gpu() -> None:
    """A watched GPU has the usual XIDs at 0; what happened stays counted when the GPU is lost."""
    fleet = NvmlFleet()
    watched = frozenset({"A"})
    first = fleet.update(state(raw(0, "A"), count=1, watched=watched))
    events = (Xid("A", 79, 100.0), Xid("A", 79, 160.0), Xid("A", 333, 170.0), Xid("Z", 79, 1.0))
    lost = fleet.update(state(raw(0, None, 15), count=1, watched=watched, xids=events))

    def errors(gpus: tuple[Gpu, ...]) -> dict[tuple[str, str], float]:
        return {(r.name[7:], r.labels[0][1]): r.value for r in gpus[0].readings if r.value}

    assert {} == errors(first)
    assert ("xid_errors_total", "79") in {(r.name[7:], r.labels[0][1]) for r in first[0].readings}
    assert {
        ("xid_errors_total", "79"): 2,
        ("xid_last_timestamp_seconds", "79"): 160.0,
        ("xid_errors_total", "333"): 1,
        ("xid_last_timestamp_seconds", "333"): 170.0,
    } == errors(lost)


def test_numbers_of_errors_are_bounded() -> None:
    """A driver that reports ever new numbers cannot make ever new series."""
    fleet = NvmlFleet()
    events = tuple(Xid("A", number, 1.0) for number in range(1000, 2000))
    (gpu,) = fleet.update(state(raw(0, "A"), count=1, watched=frozenset({"A"}), xids=events))
    counts = {r.labels[0][1]: r.value for r in gpu.readings if r.name == "hw_gpu_xid_errors_total"}
    assert (65, 956) == (len(counts), counts["other"])


def test_gpus_that_are_remembered_are_bounded() -> None:
    """A driver that makes up UUIDs cannot fill the memory."""
    fleet = NvmlFleet()
    for number in range(100):
        fleet.update(state(raw(0, f"GPU-{number}"), count=1))
    assert 64 == len(fleet.seen())


def test_a_gpu_that_is_not_watched_has_no_errors() -> None:
    """Where the driver lets nobody listen, there is no series that says 0."""
    (gpu,) = NvmlFleet().update(state(raw(0, "A"), count=1))
    assert () == gpu.readings


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([[(1_000_000, 50), (2_000_000, 100), (3_000_000, 0)]], [1.5]),
        ([[(1_000_000, 100)]], [0.0]),
        ([[(1_000_000, 100), (2_000_000, 100)], [(3_000_000, 50)]], [2.0, 2.5]),
        ([[(1_000_000, 100), (2_000_000, 100)], []], [2.0, 2.0]),
        ([[(1_000_000, 100), (2_000_000, 100)], [(2_000_000, 100)]], [2.0, 2.0]),
        ([[(1_000_000, 100), (2_000_000, 100)],
          [(60_000_000, 100), (61_000_000, 100), (62_000_000, 100)]], [2.0, 7.0]),
        ([[(1_000_000, 100), (1_200_000, 100)], [(60_000_000, 100)]], [0.4, 1.0]),
        ([[(1_000_000, 100)], [(60_000_000, 100)]], [0.0, 1.0]),
        ([[(1_000_000, 100), (2_000_000, 101)]], [0.0]),
        ([[]], [None]),
    ],
    ids=["mean", "one", "two-scrapes", "none-new", "again", "gap", "gap-and-one", "one-and-one", "nonsense", "never"],
)  # fmt: skip
def test_busy_seconds(batches: list[list[tuple[int, int]]], expected: list[float | None]) -> None:
    """Samples add up over their spans; a gap in the driver's buffer is not counted as busy."""
    busy = BusySeconds()
    assert expected == [busy.add("A", samples) for samples in batches]


@pytest.mark.parametrize(
    ("wraps", "values", "expected"),
    [
        (True, [100, 300, 50], [100, 300, 300 + (1 << 32) - 300 + 50]),
        (False, [100, 300, 50, 60], [100, 300, 350, 360]),
        (False, [5, 5], [5, 5]),
    ],
    ids=["wrap", "reset", "still"],
)
def test_pcie_bytes_only_grow(wraps: bool, values: list[int], expected: list[int]) -> None:
    """A 32-bit counter that wraps goes on; one that starts anew is added to what was."""
    counter = WrappedCounter()
    assert expected == [counter.add("A", value, wraps=wraps) for value in values]
