"""One restart: the fence holds or nothing is done, one POST at most, and what came of it is told truly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from remediation.drivers.docker import DockerDriver
from remediation.drivers.dry_run import DryRunDriver
from remediation.drivers.restart import Patience
from remediation.model import Fence, Restarted, Result
from tests.live.servers import until
from tests.remediation.drivers.fake import START, Box, FakeEngine, config_of, stamp

QUICK = Patience(look_s=20, each_s=5, answer_s=0.5, after_s=1.0, poll_s=0.05)
PATH = "/containers/shop-api/restart"
ASKED = "POST /v1.41/containers/shop-api/restart"
# The container stops at once, so its own stop timeout is no part of what tests wait for.
FAST = {"StopTimeout": 0}
AGAIN = START + 1000.005  # the fake's clock after the five events of a restart


def driver_of(fake: FakeEngine, **more: object) -> DockerDriver:
    """Return a driver of *fake* that runs in no container."""
    made: dict[str, object] = {"patience": QUICK, "own": frozenset(), **more}
    return DockerDriver(config_of(fake), **made)  # type: ignore[arg-type]


def fence_of(fake: FakeEngine, service: str = "api") -> Fence:
    """Return the fence of a decision that saw the container as it is now."""
    box = fake.boxes[f"shop-{service}"]
    return Fence(box.name, box.id, box.started)


@pytest.mark.parametrize(
    ("fault", "expected", "effects"),
    [
        (None, Restarted(Result.SUCCEEDED, "", AGAIN), 1),
        ("reset after", Restarted(
            Result.SUCCEEDED, "the answer was lost (RemoteDisconnected: Remote end closed connection "
            "without response), its start was not", AGAIN), 1),
        ("hang after", Restarted(
            Result.SUCCEEDED, "the answer was lost (no answer in time), its start was not", AGAIN), 1),
        ("reset before", Restarted(
            Result.UNKNOWN, "the answer was lost (RemoteDisconnected: Remote end closed connection "
            "without response), and no start was seen"), 0),
        ("hang", Restarted(
            Result.UNKNOWN, "the answer was lost (no answer in time), and no start was seen"), 0),
        ("lie", Restarted(
            Result.UNKNOWN, "Docker says that it is done, but the container has not started anew"), 0),
        ((403, "Forbidden"), Restarted(
            Result.FAILED, "the proxy refuses: allow POST /containers/NAME/restart for it (403: Forbidden)"), 0),
        ((404, '{"message": "No such container: shop-api"}'), Restarted(
            Result.FAILED, "Docker has no such container (404: No such container: shop-api)"), 0),
        ((409, '{"message": "removal is in progress"}'), Restarted(
            Result.FAILED, "Docker is busy with it (409: removal is in progress)"), 0),
        ((500, '{"message": "cannot start\\n: bad --password=hunter2"}'), Restarted(
            Result.FAILED, "Docker could not do it (500: cannot start : bad --password=<masked>)"), 0),
        ((500, '{"message": "cannot start"}', "after"), Restarted(
            Result.SUCCEEDED, "started, although Docker could not do it (500: cannot start)", AGAIN), 1),
        ((502, "Bad Gateway", "after"), Restarted(
            Result.SUCCEEDED, "the answer was lost (Bad Gateway), its start was not", AGAIN), 1),
        ((503, "busy"), Restarted(
            Result.UNKNOWN, "the answer was lost (busy), and no start was seen"), 0),
        ((307, "over there"), Restarted(
            Result.FAILED, "Docker could not do it (307: over there)"), 0),
        ((500, "x" * 5000), Restarted(
            Result.FAILED, f"Docker could not do it (500: {'x' * 300})"), 0),
    ],
    ids=["plain", "reset after the effect", "hang after the effect", "reset before", "hang before", "lie",
         "403", "404", "409", "500", "500 after the effect", "502 after the effect", "503", "redirect", "long"],
)  # fmt: skip
def test_what_came_of_it(
    fake: FakeEngine, fault: object, expected: Restarted, effects: int
) -> None:
    """Whatever becomes of the answer, exactly one POST is sent, and the result is what the engine did."""
    fake.boxes["shop-api"].config = FAST
    if fault is not None:
        fake.faults[PATH] = fault

    came = driver_of(fake).restart("api", fence_of(fake))

    assert (expected, [f"{ASKED}?t=0"], ["restart shop-api"] * effects) == (
        came,
        fake.posts(),
        fake.effects,
    )


def test_the_engine_gets_the_containers_own_stop_timeout(fake: FakeEngine) -> None:
    """The timeout in the request is the container's; our own waiting comes on top of it."""
    fake.boxes["shop-api"].config = {"StopTimeout": 3}
    fake.faults[PATH] = "hang after"
    threading.Timer(1.5, fake.release.set).start()  # longer than answer_s, shorter than both

    came = driver_of(fake).restart("api", fence_of(fake))

    assert ([f"{ASKED}?t=3"], Result.SUCCEEDED) == (fake.posts(), came.result)


def _moved(fake: FakeEngine) -> None:
    fake.boxes["shop-api"].started += 1


def _anew(fake: FakeEngine) -> None:
    fake.boxes["shop-api"].id = "f" * 64


def _state(word: str) -> Callable[[FakeEngine], None]:
    def change(fake: FakeEngine) -> None:
        fake.boxes["shop-api"].state = {"Status": word}

    return change


def _put(box: Box | None) -> Callable[[FakeEngine], None]:
    def change(fake: FakeEngine) -> None:
        del fake.boxes["shop-api"]
        if box is not None:
            box.id = Box("api").id
            fake.boxes["shop-api"] = box

    return change


def _hang(fake: FakeEngine) -> None:
    fake.faults["/containers/shop-api/json"] = "hang"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_moved, "it was started in the meantime, at 1799000001.000"),
        (_anew, "it was made anew: ffffffffffff instead of 73686f702d61"),
        (_state("paused"), "it is paused"),
        (_state("removing"), "it is removing"),
        (_state("dead"), "it is dead"),
        (_state("strange"), "it is unknown"),
        (_state("exited"), "a human stopped it"),
        (_put(None), "it has no container"),
        (_put(Box("api", project="other")), "shop-api is a container of project 'other', not of 'shop'"),
        (_put(Box("web", name="shop-api")), "shop-api is a container of service 'web', not of 'api'"),
        (_hang, "no answer in time"),
    ],
    ids=["started", "made anew", "paused", "removing", "dead", "no state", "stopped", "absent", "foreign",
         "other service", "hanging"],
)  # fmt: skip
def test_a_broken_fence_does_nothing(
    fake: FakeEngine, change: Callable[[FakeEngine], None], says: str
) -> None:
    """What has changed since the decision ends the restart before anything is asked of the engine."""
    fence = fence_of(fake)
    change(fake)

    came = driver_of(fake, patience=replace(QUICK, each_s=0.5)).restart("api", fence)

    assert (Restarted(Result.FAILED, f"not done: {says}", attempted=False), []) == (
        came,
        fake.posts(),
    )


@pytest.mark.parametrize(
    ("service", "fence", "says"),
    [
        ("remediator", "shop-remediator", "it is on the list of what nothing restarts"),
        ("migrate", "shop-migrate", "it ends by itself"),
        ("nobody", "shop-nobody", "shop-nobody is not configured as the container of 'nobody'"),
        ("api", "shop-db", "shop-db is not configured as the container of 'api'"),
        ("../api", "../api", "../api is not configured as the container of '../api'"),
    ],
)
def test_what_is_never_restarted(fake: FakeEngine, service: str, fence: str, says: str) -> None:
    """Ourselves and our like, jobs that end, and whatever is not configured are refused, unasked."""
    came = driver_of(fake).restart(service, Fence(fence, Box("api").id, START))

    assert (Restarted(Result.FAILED, f"not done: {says}", attempted=False), []) == (
        came,
        fake.asked,
    )


def test_it_never_restarts_the_container_it_runs_in(fake: FakeEngine) -> None:
    """The id of our own container is refused, whatever the configuration calls it."""
    came = driver_of(fake, own=frozenset({Box("api").id[:12]})).restart("api", fence_of(fake))

    says = "not done: that is the container that this runs in"
    assert (Restarted(Result.FAILED, says, attempted=False), []) == (came, fake.posts())


def test_nothing_is_sent_through_a_door_that_is_shut(fake: FakeEngine) -> None:
    """A proxy that is not there is a failure, not an unknown outcome."""
    config = config_of(fake, restart="unix:///nowhere/docker.sock")
    came = DockerDriver(config, patience=QUICK, own=frozenset()).restart("api", fence_of(fake))

    says = "nothing was sent: FileNotFoundError: [Errno 2] No such file or directory"
    assert Restarted(Result.FAILED, says) == came


def test_two_at_once_are_one(fake: FakeEngine) -> None:
    """A second restart of a service whose first one is under way does nothing."""
    fake.boxes["shop-api"].config = FAST
    fake.faults[PATH] = "hang after"
    driver = driver_of(fake, patience=replace(QUICK, answer_s=30))
    fence, came = fence_of(fake), []
    first = threading.Thread(target=lambda: came.append(driver.restart("api", fence)))
    first.start()
    until(lambda: bool(fake.posts()), "the first restart is asked for")
    second = driver.restart("api", fence)
    fake.release.set()
    first.join(30)
    third = driver.restart("api", fence)

    assert (
        Restarted(Result.FAILED, "not done: a restart of it is under way", attempted=False),
        Result.FAILED,
    ) == (
        second,
        third.result,
    )
    assert (1, ["restart shop-api"]) == (len(fake.posts()), fake.effects)


def test_a_restart_of_ours_that_failed_half_way_is_no_humans_stop(fake: FakeEngine) -> None:
    """A container that our own restart left down is not held for stopped by a human, now or later."""
    fake.boxes["shop-api"].config = FAST
    fake.faults[PATH] = (500, '{"message": "cannot start"}')
    driver = driver_of(fake)
    driver.restart("api", fence_of(fake))
    fake.boxes["shop-api"].state = {"Status": "exited", "FinishedAt": stamp(START + 2000)}
    after_crash = driver_of(fake, ours={fake.boxes["shop-api"].id: START + 900})

    assert [False, False] == [each.look()["api"].stopped for each in (driver, after_crash)]
    assert driver_of(fake).look()["api"].stopped


def test_a_restart_that_was_refused_explains_no_stop(fake: FakeEngine) -> None:
    """When the engine has not touched it, a container that is down afterwards was stopped by a human."""
    fake.faults[PATH] = (403, "Forbidden")
    driver = driver_of(fake)
    driver.restart("api", fence_of(fake))
    fake.boxes["shop-api"].state = {"Status": "exited", "FinishedAt": stamp(START + 2000)}

    assert driver.look()["api"].stopped


def test_a_dry_run_writes_nothing_and_refuses_the_same(fake: FakeEngine) -> None:
    """It sees what the real driver sees, says what it would ask for, and sends no POST at all."""
    fake.boxes["shop-api"].config = {"StopTimeout": 25}
    driver = driver_of(fake)
    dry = DryRunDriver(driver)
    fence = fence_of(fake)
    came = dry.restart("api", fence)
    seen = dry.look()
    _moved(fake)
    refused = dry.restart("api", fence)

    says = "dry run; would ask for POST /containers/shop-api/restart?t=25"
    assert Restarted(Result.SUCCEEDED, says, START) == came
    assert refused == Restarted(
        Result.FAILED,
        "dry run; would not be done: it was started in the meantime, at 1799000001.000",
    )
    assert (seen["db"], dry.since_wall(), []) == (
        driver.look()["db"],
        driver.since_wall(),
        fake.posts(),
    )
