"""Listening to Docker: stops are heard, gaps are caught up, an engine that started anew is noticed."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from remediation.drivers.api import Api
from remediation.drivers.docker import DockerDriver
from remediation.drivers.engine_start import host_start
from remediation.drivers.restart import Patience
from remediation.drivers.stops import Event
from remediation.drivers.watch import Watch, read_event
from tests.live.servers import until
from tests.remediation.drivers.fake import Box, FakeEngine, config_of

QUICK = Patience(look_s=20, each_s=5)


@contextmanager
def listening(
    fake: FakeEngine, heard: queue.SimpleQueue[str] | None = None, **more: object
) -> Iterator[DockerDriver]:
    """Yield a driver that listens to *fake* and whose clock is the fake's."""
    box: queue.SimpleQueue[str] = heard or queue.SimpleQueue()
    made: dict[str, object] = {"own": frozenset(), "wall": lambda: fake.wall, **more}
    driver = DockerDriver(config_of(fake), patience=QUICK, on_event=box.put, **made)  # type: ignore[arg-type]
    with closing(driver):
        driver.start()
        until(lambda: driver.listening, "the stream is open")
        yield driver


def _stop(fake: FakeEngine, name: str) -> None:
    box = fake.boxes[name]
    for action in ("kill", "die", "stop"):
        fake.tell(action, box)
    box.state = {"Status": "exited", "ExitCode": 143}


def test_a_stop_is_heard_and_wakes(fake: FakeEngine) -> None:
    """A human's stop is known at once, for a container that no policy would restart, too."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    fake.boxes["shop-api"].host = {"RestartPolicy": {"Name": "no"}}
    with listening(fake, heard) as driver:
        _stop(fake, "shop-api")
        woken = {heard.get(timeout=30) for _ in range(3)}
        until(lambda: driver.look()["api"].stopped, "the stop is known")
        fake.wall += 100
        kept = driver.stops()

    assert ({"api"}, [fake.boxes["shop-api"].id]) == (woken, list(kept))


def test_events_of_strangers_wake_nobody(fake: FakeEngine) -> None:
    """Services that are not configured and one-off containers are not ours to hear of."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    with listening(fake, heard):
        fake.tell("die", Box("elsewhere"))
        fake.tell("die", Box("api", name="shop-api-run-1", one_off=True))
        fake.tell("die", fake.boxes["shop-db"])
        first = heard.get(timeout=30)

    assert first == "db"


def test_what_happened_in_a_gap_is_caught_up(fake: FakeEngine) -> None:
    """A stop while the stream was broken, and one from before the process began, are known all the same."""
    for name in ("shop-api", "shop-web"):
        fake.boxes[name].host = {"RestartPolicy": {"Name": "no"}}
    _stop(fake, "shop-web")
    with listening(fake) as driver:
        until(lambda: driver.look()["web"].stopped, "the stop from before is known")
        fake.faults["/events"] = (503, "away")
        fake.cut()
        until(lambda: not driver.listening, "the break is noticed")
        _stop(fake, "shop-api")
        fake.faults.clear()
        until(lambda: driver.look()["api"].stopped, "the stop in the gap is known")


def test_a_proxy_that_refuses_events_is_never_taken_for_an_engine_that_left(
    fake: FakeEngine,
) -> None:
    """As long as nothing was heard, nothing breaks off; it goes on trying."""
    fake.faults["/events"] = (403, "Forbidden")
    breaks: list[float] = []
    watch = Watch(Api(fake.url, fake.url), "shop", lambda _: None, breaks.append)
    with closing(watch):
        watch.start()
        until(lambda: sum("/events" in each for each in fake.asked) > 2, "it has tried thrice")
        refused = watch.connected
        fake.faults.clear()
        until(lambda: watch.connected, "it listens once it may")

    assert (False, []) == (refused, breaks)


def test_a_broken_stream_alone_is_no_new_engine(fake: FakeEngine) -> None:
    """When containers go on with the starts that they had, only a proxy was away; stops are kept."""
    fake.boxes["shop-api"].host = {"RestartPolicy": {"Name": "no"}}
    with listening(fake) as driver:
        before = driver.since_wall()
        _stop(fake, "shop-api")
        until(lambda: driver.look()["api"].stopped, "the stop is known")
        fake.faults["/events"] = (503, "away")
        fake.cut()
        until(lambda: not driver.listening, "the break is noticed")
        fake.faults.clear()
        until(lambda: driver.listening, "the stream is open again")
        seen = driver.look()["api"]

    assert (True, before) == (seen.stopped, driver.since_wall())


def test_an_engine_that_starts_anew_is_noticed_and_its_own_stops_are_nobodys(
    fake: FakeEngine,
) -> None:
    """It stops everything as it ends: that is no human's wish, and the time of its start is told."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    with listening(fake, heard) as driver:
        before = driver.since_wall()
        driver.look()
        for name in fake.boxes:
            _stop(fake, name)
        for _ in range(3 * len(fake.boxes)):
            heard.get(timeout=30)
        fake.faults["/events"] = (503, "away")
        fake.cut()
        until(lambda: not driver.listening, "the break is noticed")
        fake.wall += 20
        for box in fake.boxes.values():
            box.state, box.started = {}, fake.wall
        stays_down = fake.boxes["shop-api"]
        stays_down.state = {"Status": "exited", "ExitCode": 143}
        stays_down.host = {"RestartPolicy": {"Name": "no"}}
        fake.events.clear()  # the new engine remembers nothing
        fake.faults.clear()
        until(lambda: driver.listening, "the stream is open again")
        seen = driver.look()

    assert not any(container.stopped for container in seen.values())
    # The host's start is later than the fake's clock where that is in the past of the host.
    assert max(before, fake.wall) == driver.since_wall()


def test_a_policy_of_always_waits_for_its_engine(fake: FakeEngine) -> None:
    """Docker starts with `always` what was down when it came; with `unless-stopped` a human wanted that."""
    for name, policy in (("shop-api", "always"), ("shop-web", "unless-stopped")):
        fake.boxes[name].host = {"RestartPolicy": {"Name": policy}}
        fake.boxes[name].state = {"Status": "exited"}  # finished: never, so before every start
    with listening(fake) as driver:
        seen = driver.look()

    assert (False, True) == (seen["api"].stopped, seen["web"].stopped)


@pytest.mark.parametrize(
    ("policy", "state", "restarts", "stopped"),
    [
        ({"Name": "no"}, {"ExitCode": 1}, 0, False),
        ({"Name": "unless-stopped"}, {"ExitCode": 0}, 0, True),
        ({"Name": "unless-stopped"}, {"ExitCode": 127, "Error": "no such file"}, 0, False),
        ({"Name": "on-failure", "MaximumRetryCount": 0}, {"ExitCode": 137}, 0, True),
        ({"Name": "on-failure", "MaximumRetryCount": 3}, {"ExitCode": 1}, 3, False),
        ({"Name": "on-failure", "MaximumRetryCount": 3}, {"ExitCode": 1}, 2, True),
        ({"Name": "on-failure", "MaximumRetryCount": 3}, {"ExitCode": 0}, 0, False),
        ({"Name": "unless-stopped"}, {"Status": "restarting", "ExitCode": 1}, 9, False),
        ({"Name": "unless-stopped"}, {"Status": "created"}, 0, False),
    ],
)
def test_what_docker_would_have_restarted_was_stopped_by_a_human(
    fake: FakeEngine,
    policy: dict[str, object],
    state: dict[str, object],
    restarts: int,
    stopped: bool,
) -> None:
    """A container that is down although its policy brings it back was stopped, without any event."""
    box = fake.boxes["shop-api"]
    box.host, box.state = {"RestartPolicy": policy}, {"Status": "exited", **state}
    box.more = {"RestartCount": restarts}
    driver = DockerDriver(config_of(fake), patience=QUICK, own=frozenset())

    assert stopped is driver.look()["api"].stopped


def test_stops_of_an_earlier_process_are_known_until_somebody_starts_it(fake: FakeEngine) -> None:
    """What was handed on counts while the container is down, and no longer once it was started."""
    box = fake.boxes["shop-api"]
    box.host, box.state = {"RestartPolicy": {"Name": "no"}}, {"Status": "exited"}
    driver = DockerDriver(
        config_of(fake), patience=QUICK, own=frozenset(), stops={box.id: fake.wall}
    )
    before = driver.look()["api"].stopped
    box.state, box.started = {}, fake.wall + 10
    after = driver.look()["api"].stopped

    assert (True, False, {}) == (before, after, driver.stops())


def test_a_container_that_a_human_is_about_to_stop_is_not_restarted(fake: FakeEngine) -> None:
    """Between the signal of a stop and its end the container still runs; it is left alone."""
    from remediation.model import Fence, Restarted, Result

    box = fake.boxes["shop-api"]
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    with listening(fake, heard) as driver:
        fake.tell("kill", box, signal="15")
        heard.get(timeout=30)
        came = driver.restart("api", Fence(box.name, box.id, box.started))

    says = "not done: somebody has sent it a signal a moment ago"
    assert (Restarted(Result.FAILED, says, attempted=False), []) == (came, fake.posts())


LABELS = {"com.docker.compose.service": "api"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            {
                "Action": "health_status: healthy",
                "timeNano": 5,
                "Actor": {"ID": "x", "Attributes": LABELS},
            },
            Event("health_status", "x", "api", 5),
        ),
        ({"Action": "die", "timeNano": 5, "Actor": {"ID": "x", "Attributes": {}}}, None),
        ({"Action": "die", "timeNano": "5", "Actor": {"ID": "x", "Attributes": LABELS}}, None),
        ({"Action": "die", "timeNano": 5, "Actor": {"ID": "x", "Attributes": []}}, None),
        ({"Action": "die"}, None),
        ([], None),
    ],
)
def test_read_event(data: object, expected: Event | None) -> None:
    """An event of a service is read; whatever else stands on a line is passed over."""
    assert expected == read_event(json.dumps(data).encode())
    assert read_event(b"{") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("cpu 1 2\nbtime 1700000000\n", 1_700_000_000.0), ("btime x\n", 0.0), ("", 0.0)],
)
def test_host_start(tmp_path: Path, text: str, expected: float) -> None:
    """The host's start is read from /proc/stat; 0 where it does not say."""
    (tmp_path / "stat").write_text(text)

    assert (expected, 0.0) == (host_start(tmp_path / "stat"), host_start(tmp_path / "none"))
