"""The real Docker Engine: what the exporter says of containers that fall ill, loop, and are killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporters.agents_containers import Containers
from exporters.agents_docker import HEALTHS, STATES, DockerApi
from exporters.agents_resolve import Resolver
from exporters.config import Docker
from exporters.deadline import Deadline
from tests.exporters.agents.asking import container_target, values
from tests.exporters.agents.engine import PROJECT, Engine, running_engine, wait_for
from tests.live.servers import until

pytestmark = pytest.mark.live

FOREVER = "trap 'exit 0' TERM; while true; do sleep 0.2; done"
CHECK = ("--health-cmd", "test ! -e /tmp/ill", "--health-interval", "1s", "--health-retries", "2")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One daemon for all tests of this file."""
    with running_engine(tmp_path_factory.mktemp("docker")) as found:
        yield found


def _ask(engine: Engine, *services: str) -> dict[str, float]:
    """Return what a scrape says of *services*; it must be without error."""
    targets = tuple(container_target(service) for service in services)
    collector = Containers(targets, DockerApi(Docker(engine.url, PROJECT), Resolver()))
    return values(collector.collect(Deadline.after(10)))


def _state(found: dict[str, float], service: str) -> tuple[str, str]:
    """Return the state and the health that are true."""
    (state,) = [s for s in STATES if found[f"agent_container_state{{{service},{s}}}"]]
    (health,) = [h for h in HEALTHS if found[f"agent_container_health{{{service},{h}}}"]]
    return state, health


def test_health_turns_bad_and_good_again(engine: Engine) -> None:
    """Healthy and running; then unhealthy with a streak and not running, though the process lives."""
    engine.start("sick", FOREVER, *CHECK)
    wait_for(engine, "sick", ".State.Health.Status", "healthy")
    well = _ask(engine, "sick")
    engine.docker("exec", f"{PROJECT}-sick", "/bin/touch", "/tmp/ill")
    wait_for(engine, "sick", ".State.Health.Status", "unhealthy")
    ill = _ask(engine, "sick")
    engine.docker("exec", f"{PROJECT}-sick", "/bin/rm", "/tmp/ill")
    wait_for(engine, "sick", ".State.Health.Status", "healthy")
    again = _ask(engine, "sick")

    running, streak = "agent_container_running{sick}", "agent_container_health_failing_streak{sick}"
    assert (_state(well, "sick"), well[running], well[streak]) == (("running", "healthy"), 1, 0)
    assert (_state(ill, "sick"), ill[running]) == (("running", "unhealthy"), 0)
    assert ill[streak] >= 2
    assert (_state(again, "sick"), again[running]) == (("running", "healthy"), 1)


def test_a_restart_loop_counts_up(engine: Engine) -> None:
    """Each restart by Docker is one, and the exit code is the last run's."""
    engine.start("loops", "sleep 0.3; exit 3", "--restart", "always")
    name = "agent_container_restarts_total{loops}"
    until(lambda: _ask(engine, "loops")[name] >= 1, "the first restart", seconds=30)
    first = _ask(engine, "loops")[name]
    until(lambda: _ask(engine, "loops")[name] > first, "another restart", seconds=30)
    engine.docker("update", "--restart", "no", f"{PROJECT}-loops")
    wait_for(engine, "loops", ".State.Status", "exited")
    found = _ask(engine, "loops")

    assert (_state(found, "loops"), found["agent_container_exit_code{loops}"]) == (
        ("exited", "none"),
        3,
    )
    assert found["agent_container_running{loops}"] == 0


def test_the_kernels_kill_for_memory_is_told(engine: Engine) -> None:
    """A container that takes more than its limit: OOM killed, 137, not running."""
    engine.start("eats", "tail /dev/zero", "--memory", "16m", "--memory-swap", "16m")
    wait_for(engine, "eats", ".State.Status", "exited")
    found = _ask(engine, "eats")

    assert (
        found["agent_container_oom_killed{eats}"],
        found["agent_container_exit_code{eats}"],
    ) == (1, 137)
    assert (found["agent_container_present{eats}"], found["agent_container_running{eats}"]) == (
        1,
        0,
    )


def test_paused_created_renamed_and_foreign_containers(engine: Engine) -> None:
    """Paused is not running; created has no start; a renamed one is found; another project's is not."""
    engine.start("paused", FOREVER)
    engine.docker("pause", f"{PROJECT}-paused")
    engine.start("renamed", FOREVER)
    engine.docker("rename", f"{PROJECT}-renamed", "something-else")
    engine.start("foreign", FOREVER, project="other")
    labels = ("--label", f"com.docker.compose.project={PROJECT}")
    engine.docker(
        "create", "--name", f"{PROJECT}-created", *labels, "tierwatch-test-busybox", "/bin/true"
    )
    found = _ask(engine, "paused", "renamed", "foreign", "created")
    engine.docker("unpause", f"{PROJECT}-paused")

    name = "agent_container_running"
    assert {k: v for k, v in found.items() if k.startswith(name)} == {
        f"{name}{{paused}}": 0, f"{name}{{renamed}}": 1, f"{name}{{foreign}}": 0, f"{name}{{created}}": 0,
    }  # fmt: skip
    assert (_state(found, "paused")[0], _state(found, "created")[0]) == ("paused", "created")
    assert found["agent_container_present{foreign}"] == 0
    assert "agent_container_started_timestamp_seconds{created}" not in found


def test_sixty_containers_take_less_than_a_second(engine: Engine) -> None:
    """The list and sixty details, from a daemon that shares two cores with everything else."""
    labels = ("--label", f"com.docker.compose.project={PROJECT}")
    services = [f"many{number}" for number in range(60)]
    for service in services:
        engine.docker(
            "create",
            "--name",
            f"{PROJECT}-{service}",
            *labels,
            "tierwatch-test-busybox",
            "/bin/true",
        )
    targets = tuple(container_target(service) for service in services)
    collector = Containers(targets, DockerApi(Docker(engine.url, PROJECT), Resolver()))

    found = values(collector.collect(Deadline.after(1)))

    assert sum(found[f"agent_container_state{{{service},created}}"] for service in services) == 60
