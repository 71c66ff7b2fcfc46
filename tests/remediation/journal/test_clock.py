"""Time in the journal: a clock that is set opens no budget, a reboot loses no hour."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediation import clock as clocks
from remediation.clock import Anchor, HostClock
from remediation.journal.journal import Journal
from tests.remediation.journal.rigs import record

DAY = 86400.0


class Host:
    """The clocks of a host that tests can set and reboot."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.wall, self.boot_s, self.boot_id = 1e9, 100.0, "first"
        patch.setattr(clocks, "read_boot_id", lambda: self.boot_id)
        patch.setattr(clocks, "_boot_s", lambda: self.boot_s)
        patch.setattr(time, "time", lambda: self.wall)

    def run(self, seconds: float) -> None:
        """Let *seconds* go by."""
        self.wall += seconds
        self.boot_s += seconds

    def reboot(self, name: str, *, took_s: float = 30.0) -> None:
        """Start anew; the wall clock goes on, CLOCK_BOOTTIME begins anew."""
        self.wall, self.boot_s, self.boot_id = self.wall + took_s, 5.0, name


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host whose clocks are ours."""
    return Host(monkeypatch)


def _at(path: Path) -> tuple[float, float]:
    """Open the journal at *path*, write into it and return the entry's (steady, wall)."""
    with Journal.open(path) as journal:
        entry = journal.append(record(1))[0]
        return entry.at, entry.wall


def test_steady_time_begins_with_the_wall_clock(host: Host, tmp_path: Path) -> None:
    """In a new journal both lines begin together."""
    assert (1e9, 1e9) == _at(tmp_path / "j.db")
    assert (host.wall, host.wall) == (1e9, 1e9)


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_wall_clock_that_jumps_moves_no_steady_time(
    host: Host, tmp_path: Path, jump: float
) -> None:
    """The wall clock is set a day on or back, in one process and between two: steady time goes on by what went by."""
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        journal.append(record(1))
        host.run(10)
        host.wall += jump
        assert (1e9 + 10, 1e9 + 10 + jump) == (
            (entry := journal.append(record(2))[0]).at,
            entry.wall,
        )
    host.run(20)
    host.wall += jump
    assert (1e9 + 30, 1e9 + 30 + 2 * jump) == _at(path)


def test_a_reboot_goes_on_from_the_wall_clock(host: Host, tmp_path: Path) -> None:
    """After a reboot steady time counts the time that the host was off, as the wall clock tells it."""
    path = tmp_path / "j.db"
    _at(path)
    host.reboot("second", took_s=3600.0)
    assert (1e9 + 3600, 1e9 + 3600) == _at(path)
    host.run(60)
    assert 1e9 + 3660 == _at(path)[0]


def test_a_reboot_with_a_wrong_clock_never_goes_back(host: Host, tmp_path: Path) -> None:
    """After a reboot into 1970 steady time goes on from the last entry, also when the clock is set right later."""
    path = tmp_path / "j.db"
    host.run(100)
    last = _at(path)[0]
    host.reboot("second")
    host.wall = 0.0
    assert last == _at(path)[0]
    host.run(50)
    host.wall = 1e9 + 5000
    assert last + 50 == _at(path)[0]


def test_the_anchor_of_this_boot_is_kept(host: Host, tmp_path: Path) -> None:
    """Every process of one boot measures on the same line, whatever the wall clock said when it began."""
    path, seen = tmp_path / "j.db", []

    def keep(anchor: Anchor | None, last: float) -> HostClock:
        seen.append(anchor)
        return HostClock(anchor, last)

    for _ in range(3):
        with Journal.open(path, clock=keep):
            host.run(7)
            host.wall += DAY
    host.reboot("second")
    for _ in range(2):
        with Journal.open(path, clock=keep):
            host.run(1)
    first = Anchor("first", 100.0, 1e9)
    second = Anchor("second", 5.0, host.wall - 2)
    assert [None, first, first, first, second] == seen


def test_a_host_without_boot_ids_is_taken_as_rebooted(host: Host, tmp_path: Path) -> None:
    """Where the kernel names no boot, an old anchor is not trusted: CLOCK_BOOTTIME may have begun anew."""
    path = tmp_path / "j.db"
    host.boot_id, host.boot_s = "", 5000.0
    first = _at(path)[0]
    host.reboot("")
    assert first + 30 == _at(path)[0]


STEPS = st.one_of(
    st.tuples(st.just("run"), st.floats(0, 1e4)),
    st.tuples(st.just("set"), st.floats(-1e7, 1e7)),
    st.tuples(st.just("reboot"), st.floats(0, 1e4)),
    st.tuples(st.just("open"), st.just(0.0)),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, max_size=10))
def test_steady_time_only_goes_forward(
    host: Host, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, float]]
) -> None:
    """Whatever is done to the clocks: entries never go back, and within a boot they tell what really went by."""
    path = tmp_path_factory.mktemp("clock") / "j.db"
    last, went_by = _at(path)[0], 0.0
    rebooted = False
    act: dict[str, Callable[[float], None]] = {
        "run": host.run,
        "set": lambda by: setattr(host, "wall", max(0.0, host.wall + by)),
        "reboot": lambda by: host.reboot(f"{host.boot_id}x", took_s=by),
        "open": lambda _: None,
    }
    for what, by in steps:
        act[what](by)
        went_by += by if what == "run" else 0.0
        rebooted = rebooted or what == "reboot"
        if what == "open":
            now = _at(path)[0]
            assert now >= last
            if not rebooted:
                assert now - last == pytest.approx(went_by, abs=1e-3)
            last, went_by, rebooted = now, 0.0, False
