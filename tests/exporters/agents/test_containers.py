"""Docker's verdict: what is known is told, what is not known is neither running nor gone."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import Metric

from exporters.agents_containers import Containers
from exporters.agents_docker import HEALTHS, STATES, DockerApi
from exporters.agents_resolve import Resolver
from exporters.config import Docker, Target
from exporters.deadline import Deadline
from exporters.frame import ScrapeError
from tests.exporters.agents.asking import container_target, values
from tests.exporters.agents.docker_api import PROJECT, FakeDocker, container, fake_docker

LIST = "/containers/json"
ONE = (container_target("one"),)
RUNNING = "agent_container_running"


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[FakeDocker]:
    """A daemon without containers."""
    with fake_docker(tmp_path) as found:
        yield found


def _collect(
    url: str, targets: tuple[Target, ...] = ONE, *, seconds: float = 5.0
) -> tuple[list[Metric], str | None]:
    """Return the metrics, and the reason if it is not all of them."""
    collector = Containers(targets, DockerApi(Docker(url, PROJECT), Resolver()))
    found: list[Metric] = []
    try:
        for metric in collector.collect(Deadline.after(seconds)):
            found.append(metric)  # noqa: PERF402 - what came before an error is kept
    except ScrapeError as error:
        return found, error.reason
    return found, None


def test_every_word_of_docker_arrives(docker: FakeDocker) -> None:
    """State, health, streak, exit code, OOM, restarts and start of a container that is in trouble."""
    health = {"Status": "unhealthy", "FailingStreak": 7, "Log": []}
    docker.put(
        container(
            "shop-one", service="one", health=health, RestartCount=3, OOMKilled=True, ExitCode=137
        )
    )

    metrics, reason = _collect(docker.url)

    states = {
        f"agent_container_state{{one,{state}}}": float(state == "running") for state in STATES
    }
    healths = {f"agent_container_health{{one,{h}}}": float(h == "unhealthy") for h in HEALTHS}
    assert reason is None
    assert values(metrics) == {
        "agent_docker_up{}": 1,
        "agent_container_present{one}": 1,
        "agent_container_running{one}": 0,
        "agent_container_health_failing_streak{one}": 7,
        "agent_container_exit_code{one}": 137,
        "agent_container_oom_killed{one}": 1,
        "agent_container_restarts_total{one}": 3,
        "agent_container_started_timestamp_seconds{one}": 1795406400.123456,
        **states,
        **healths,
    }


@pytest.mark.parametrize(
    ("state", "health", "running"),
    [
        ("running", None, 1),
        ("running", "healthy", 1),
        ("running", "starting", 1),
        ("running", "unhealthy", 0),
        ("exited", None, 0),
        ("exited", "healthy", 0),
        ("paused", "healthy", 0),
        ("restarting", None, 0),
        ("stopped", None, 0),  # Podman's word
    ],
)
def test_running_means_running_and_not_unhealthy(
    docker: FakeDocker, state: str, health: str | None, running: float
) -> None:
    """The verdict for services without an endpoint."""
    docker.put(container("shop-one", state=state, health={"Status": health} if health else None))

    metrics, _ = _collect(docker.url)

    assert values(metrics, RUNNING) == {"agent_container_running{one}": running}


def test_a_container_that_is_not_there_is_said_to_be_gone(docker: FakeDocker) -> None:
    """Present 0 and running 0, and nothing is claimed of its state."""
    metrics, reason = _collect(docker.url)

    assert (values(metrics), reason) == (
        {
            "agent_docker_up{}": 1,
            "agent_container_present{one}": 0,
            "agent_container_running{one}": 0,
        },
        None,
    )


def test_a_renamed_container_is_found_by_its_service_and_a_nameless_one_by_its_name(
    docker: FakeDocker,
) -> None:
    """Compose's label decides; others of the project are not asked about in detail."""
    docker.put(
        container("3f2a_shop-one_renamed", service="one"),
        container("shop-two"),
        container("shop-three", service="other"),
    )
    targets = (container_target("one"), container_target("two"), container_target("three", "x"))

    metrics, _ = _collect(docker.url, targets)

    assert values(metrics, "agent_container_present") == {
        "agent_container_present{one}": 1,
        "agent_container_present{two}": 1,
        "agent_container_present{three}": 0,
    }
    assert "/containers/shop-three-id/json" not in docker.asked


def test_of_several_containers_the_best_speaks_for_the_service(docker: FakeDocker) -> None:
    """While one is replaced, or of replicas: running before not, healthy before not, then the newest."""
    docker.put(
        container("old", service="one", state="exited", created=9, RestartCount=1),
        container("ill", service="one", health={"Status": "unhealthy"}, created=8, RestartCount=2),
        container("first", service="one", created=1, RestartCount=3),
        container("second", service="one", created=2, RestartCount=4),
    )

    metrics, _ = _collect(docker.url)

    name = "agent_container_restarts_total"
    assert values(metrics, name, RUNNING) == {f"{name}{{one}}": 4, f"{RUNNING}{{one}}": 1}


def test_a_one_off_container_never_speaks_for_its_service(docker: FakeDocker) -> None:
    """`docker compose run` labels its container like the service's; running does not make it one."""
    docker.put(
        container("shop-one", service="one", state="exited", created=1),
        container("shop-one-run-1", service="one", created=2, one_off=True),
        container("shop-two-run-1", service="two", one_off=True),
    )

    metrics, _ = _collect(docker.url, (container_target("one"), container_target("two")))

    present = "agent_container_present"
    assert values(metrics, present, RUNNING) == {
        f"{present}{{one}}": 1, f"{RUNNING}{{one}}": 0, f"{present}{{two}}": 0, f"{RUNNING}{{two}}": 0,
    }  # fmt: skip


_ODD: tuple[object, ...] = (
    None,
    5,
    10**400,
    1.5,
    True,
    "text",
    "\ud800",
    ["x"],
    {"a": "b"},
    [],
    [None],
    "",
)


@pytest.mark.parametrize("odd", _ODD, ids=lambda odd: ascii(odd)[:12])
def test_any_field_of_any_type_costs_its_own_container_only(
    docker: FakeDocker, odd: object
) -> None:
    """Each field of list and details in turn is odd; the other container is whole, and the scrape a success."""
    whole = container("shop-two", health={"Status": "healthy"}, api="1.52", RestartCount=3)
    for part, field in _fields(container("shop-one", health={"Status": "healthy"}, api="1.52")):
        one = container("shop-one", health={"Status": "healthy"}, api="1.52")
        _at(one, part)[field] = odd
        docker.containers = {"shop-one-id": one, "shop-two-id": whole}

        metrics, reason = _collect(docker.url, (container_target("one"), container_target("two")))

        found = values(metrics)
        assert (reason, found[f"{RUNNING}{{two}}"]) == (None, 1), (part, field)
        assert found["agent_container_restarts_total{two}"] == 3
        assert found["agent_container_health{two,healthy}"] == 1


def _fields(
    value: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the place of each field in *value*, at every depth but the first."""
    for key, inner in value.items():
        if path:
            yield path, key
        if isinstance(inner, dict):
            yield from _fields(inner, (*path, key))


def _at(value: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for key in path:
        value = value[key]
    return value


@pytest.mark.parametrize("api", ["1.41", "1.52"])
@pytest.mark.parametrize("health", ["healthy", "unhealthy", "starting"])
def test_the_list_alone_tells_health_when_details_cannot_be_had(
    docker: FakeDocker, api: str, health: str
) -> None:
    """In the words of old daemons and in the field of new ones; restarts are then unknown, not 0."""
    docker.put(container("shop-one", health={"Status": health}, api=api))
    docker.faults["/containers/shop-one-id/json"] = (500, b'{"message": "broken"}')

    metrics, reason = _collect(docker.url)

    found = values(metrics)
    assert (reason, found[f"agent_container_health{{one,{health}}}"]) == ("answer", 1)
    assert "agent_container_restarts_total{one}" not in found


def test_one_container_that_hangs_costs_its_details_only(docker: FakeDocker) -> None:
    """Docker hangs for single containers; the others are whole, on time, and the scrape is no success."""
    targets = tuple(container_target(f"s{number}") for number in range(20))
    docker.put(*(container(f"shop-s{number}", RestartCount=1) for number in range(20)))
    docker.faults["/containers/shop-s3-id/json"] = "hang"

    started = time.monotonic()
    metrics, reason = _collect(docker.url, targets, seconds=2.0)
    seconds = time.monotonic() - started

    restarts = values(metrics, "agent_container_restarts_total")
    assert (reason, len(restarts), len(values(metrics, RUNNING))) == ("timeout", 19, 20)
    assert seconds < 8  # the hanging one would take for ever


def test_a_container_that_goes_away_in_between_is_no_error(docker: FakeDocker) -> None:
    """404 for its details: what the list said of it stands."""
    docker.put(container("shop-one"))
    docker.faults["/containers/shop-one-id/json"] = (404, b"{}")

    metrics, reason = _collect(docker.url)

    assert (reason, values(metrics, RUNNING)) == (None, {f"{RUNNING}{{one}}": 1})


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("hang", "timeout"),
        ("cut", "answer"),
        ((403, b""), "denied"),
        ((401, b"login"), "denied"),
        ((500, b"{}"), "answer"),
        ((200, b"<html>"), "answer"),
        ((200, b"null"), "answer"),
        ((200, b'{"a": 1}'), "answer"),
        ((200, b"[" * 100_000), "answer"),
        ((404, b"{}"), "answer"),
    ],
    ids=str,
)
def test_without_a_list_nothing_is_claimed(docker: FakeDocker, fault: object, reason: str) -> None:
    """No series of containers at all, docker_up 0, and the reason is counted."""
    docker.put(container("shop-one"))
    docker.faults[LIST] = fault

    metrics, found = _collect(docker.url, seconds=0.4)

    assert (values(metrics), found) == ({"agent_docker_up{}": 0}, reason)


def test_odd_entries_do_not_break_the_rest(docker: FakeDocker) -> None:
    """Fields that are null, of the wrong type or missing lose only what they would have told."""
    docker.put(container("shop-one"), container("shop-two"))
    docker.containers["shop-one-id"]["inspect"] = {
        "State": {"Health": None, "StartedAt": "0001-01-01T00:00:00Z"}
    }
    docker.containers["odd"] = {
        "list": {"Names": None, "Labels": None, "State": None, "Created": None}
    }
    docker.containers["odder"] = {"list": 5}

    metrics, reason = _collect(docker.url, (container_target("one"), container_target("two")))

    assert (reason, values(metrics, RUNNING)) == (
        None,
        {f"{RUNNING}{{one}}": 1, f"{RUNNING}{{two}}": 1},
    )
    started = values(metrics, "agent_container_started_timestamp_seconds")
    assert list(started) == ["agent_container_started_timestamp_seconds{two}"]


def test_no_daemon_and_no_right_to_ask_it_have_reasons(tmp_path: Path) -> None:
    """A missing socket, nobody behind it, a proxy that cannot be found."""
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(left))
    urls = [f"unix://{tmp_path}/none.sock", f"unix://{left}", "tcp://docker-proxy.invalid:2375"]

    found = [_collect(url) for url in urls]

    assert [(values(metrics), reason) for metrics, reason in found] == [
        ({"agent_docker_up{}": 0}, "refused")
    ] * 3


def test_a_daemon_that_is_slow_to_accept_is_waited_for(tmp_path: Path) -> None:
    """A unix socket refuses to queue more than its backlog: that is no answer, so we ask again until the deadline."""
    path = tmp_path / "slow.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        metrics, reason = _collect(f"unix://{path}", seconds=0.2)

    assert (values(metrics), reason) == ({"agent_docker_up{}": 0}, "timeout")


def test_a_socket_that_may_not_be_opened_says_so(
    docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permission denied is a reason of its own: its cure is a group, not a daemon."""

    class Closed(socket.socket):
        def connect_ex(self, _: object) -> int:
            return errno.EACCES

    monkeypatch.setattr(socket, "socket", Closed)

    assert _collect(docker.url)[1] == "denied"


def test_without_docker_the_page_says_so() -> None:
    """No docker in the file: docker_up 0, no claims, no error."""
    found = list(Containers(ONE, None).collect(Deadline.after(1)))

    assert values(found) == {"agent_docker_up{}": 0}
