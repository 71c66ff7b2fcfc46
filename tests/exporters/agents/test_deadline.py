"""Sixty targets, any of which hang, drip or cannot be found: on time, and the others exact."""

from __future__ import annotations

import os
import resource
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from exporters import agents_loop
from exporters.agents_loop import Expired, Io, run_all
from exporters.agents_resolve import FIRST_THREADS, Resolver
from exporters.config import Target
from exporters.deadline import Deadline
from tests.exporters.agents.asking import Asked, ask, http_target
from tests.exporters.attempts import first_good
from tests.live.servers import Server, free_port, until

COUNT = 60
SECONDS = 0.5
LATE_S = 0.1  # what the issue allows
# How a target may be, and the reason for which it then fails.
FATES = {
    "good": None,
    "hang": "read_timeout",
    "hang-head": "read_timeout",
    "hang-body": "read_timeout",
    "hang-chunk": "read_timeout",
    "status-503": "status",
    "protocol-reset": "protocol",
    "unknown": "dns",
    "lost": "dns",
}


class Names:
    """A resolver's world: `lost*` is never found out, `unknown*` is not there, others are 127.0.0.1."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def getaddrinfo(self, host: str, port: int, **_: object) -> list[Any]:
        """Take the place of socket.getaddrinfo."""
        if host.startswith("lost"):
            self.release.wait(60)
        if host.startswith(("lost", "unknown")):
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """Replace name lookups; let those that hang go in the end."""
    found = Names()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    yield found
    found.release.set()


def _targets(fleet: Server, fates: Sequence[str]) -> list[Target]:
    found = []
    for number, fate in enumerate(fates):
        by_name = fate in ("lost", "unknown")
        host = f"{fate if by_name else 'agent'}-{number}"
        path = "good" if by_name else fate
        url = f"http://{host}:{fleet.port}/{path}"
        found.append(http_target(url, service=f"{number}-{fate}"))
    return found


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _on_time(targets: Sequence[Target], wanted: Mapping[str, str | None]) -> Asked:
    """Ask *targets* until all was *wanted* and on time, or for a minute."""
    return first_good(
        lambda: ask(targets, seconds=SECONDS),
        lambda asked: asked.wall_s <= SECONDS + LATE_S and asked.reasons == wanted,
    )


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # making an example smaller would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(fates=["lost"] * 30 + ["hang-body"] * 29 + ["good"])
@given(fates=st.lists(st.sampled_from(sorted(FATES)), min_size=COUNT, max_size=COUNT))
def test_any_subset_may_fail_and_the_others_are_exact(
    fleet: Server, names: Names, fates: list[str]
) -> None:
    """Whatever mixture: it ends by the deadline and 100 ms, and each has its own verdict."""
    targets = _targets(fleet, fates)

    wanted = {f"{n}-{fate}": FATES[fate] for n, fate in enumerate(fates)}
    asked = _on_time(targets, wanted)

    assert wanted == asked.reasons
    assert asked.wall_s <= SECONDS + LATE_S
    assert not names.release.is_set()


@pytest.mark.parametrize("fate", ["hang", "hang-head", "lost", "large-endless"])
def test_one_is_exact_when_all_the_others_fail(fleet: Server, names: Names, fate: str) -> None:
    """59 that hang in the same way do not delay the sixtieth."""
    targets = _targets(fleet, [fate] * (COUNT - 1) + ["good"])

    asked = first_good(
        lambda: ask(targets, seconds=SECONDS),
        lambda asked: asked.outcomes[-1].up and asked.wall_s <= SECONDS + LATE_S,
    )

    good = asked.outcomes[-1]
    assert (good.up, asked.wall_s <= SECONDS + LATE_S) == (True, True)
    assert {outcome.up for outcome in asked.outcomes[:-1]} == {False}
    assert not names.release.is_set()


def test_addresses_need_no_lookup(fleet: Server, names: Names) -> None:
    """While every name hangs, a target given by its address is asked at once."""
    targets = [*_targets(fleet, ["lost"] * 30), http_target(f"{fleet.url}/good", service="address")]

    address = first_good(
        lambda: ask(targets, seconds=SECONDS).outcomes[-1],
        lambda outcome: outcome.up and outcome.seconds < SECONDS / 2,
    )

    assert (address.up, address.seconds < SECONDS / 2) == (True, True)
    assert not names.release.is_set()


def test_a_name_is_looked_up_once_at_a_time_and_threads_end(
    monkeypatch: pytest.MonkeyPatch, names: Names
) -> None:
    """Scrapes that find a lookup under way wait for that one; idle threads go away."""
    monkeypatch.setattr("exporters.agents_resolve.IDLE_S", 0.05)
    resolver = Resolver()
    targets = [http_target("http://lost:1/", service=str(number)) for number in range(5)]
    for _ in range(3):
        ask(targets, seconds=0.1, resolver=resolver)
    at_work = (resolver._threads, len(resolver._waiting), resolver._waiting["lost", 1])
    names.release.set()
    until(lambda: resolver._threads == 0, "the threads end", seconds=10)

    assert at_work == (1, 1, [])
    assert ask([http_target("http://agent:1/")], resolver=resolver).reasons == {"one": "refused"}
    assert resolver._threads <= FIRST_THREADS


def test_more_targets_than_descriptors_are_asked_in_turn(
    fleet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for 8 connections 60 targets are asked all the same."""
    monkeypatch.setattr(agents_loop, "MAX_OPEN", 8)
    targets = [http_target(f"{fleet.url}/good", service=str(n)) for n in range(COUNT)]

    assert set(ask(targets).reasons.values()) == {None}


def test_running_out_of_descriptors_is_nobodys_fault(fleet: Server) -> None:
    """A target that we had no descriptor for is not called down: it was not asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    targets = [http_target(f"{fleet.url}/hang", service=str(n)) for n in range(30)]
    taken: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
        while not taken or taken[-1] < 385:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        outcomes = ask(targets, seconds=0.3).outcomes
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    unasked = [outcome for outcome in outcomes if not outcome.asked]
    assert {outcome.reason for outcome in unasked} == {None}
    assert 0 < len(unasked) < len(outcomes)
    assert not any(outcome.up for outcome in outcomes)


def test_a_broken_conversation_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A mistake in one task, even amid its end, leaves the others their time."""
    ended = []

    def broken() -> Any:
        raise RuntimeError("a mistake")
        yield

    def stubborn() -> Any:
        left, right = socket.socketpair()
        with left, right:
            try:
                yield Io(left, agents_loop.READ)
            except Expired:
                raise RuntimeError("another mistake") from None

    def patient() -> Any:
        left, right = socket.socketpair()
        with left, right:
            try:
                yield Io(left, agents_loop.READ)
            finally:
                ended.append("patient")

    run_all([broken(), stubborn(), patient()], Deadline.after(0.1), Resolver())

    assert ended == ["patient"]
    assert [record.message for record in caplog.records] == [
        "a probe broke",
        "a probe broke at its end",
    ]


def test_nothing_is_left_open(fleet: Server, names: Names) -> None:
    """After scrapes of every sort, as many descriptors are open as before."""
    targets = _targets(fleet, [*FATES, "hang-open", "large-endless", "protocol-short"])
    targets.append(http_target(f"http://127.0.0.1:{free_port()}/", service="closed"))
    resolver = Resolver()
    ask(targets, seconds=0.2, resolver=resolver)
    before = _descriptors()
    for _ in range(10):
        ask(targets, seconds=0.2, resolver=resolver)

    assert _descriptors() == before
    assert not names.release.is_set()
