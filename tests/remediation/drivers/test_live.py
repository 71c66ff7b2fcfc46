"""
The real Docker Engine: what the driver sees, restarts once, and leaves alone.

The truth is the engine's own stream of events; POSTs are counted at a socket in between.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from remediation.config import Config, DockerSettings
from remediation.drivers.docker import DockerDriver
from remediation.drivers.restart import Patience
from remediation.engine.evidence import Evidence
from remediation.model import Container, DriverError, Fence, Result
from tests.exporters.agents.engine import PROJECT, Engine, running_engine, wait_for
from tests.live.servers import until
from tests.remediation import shop
from tests.remediation.drivers.relay import relaying

pytestmark = pytest.mark.live

FOREVER = "trap 'exit 0' TERM; while true; do sleep 0.2; done"
PATIENT = Patience(look_s=30, each_s=20, answer_s=60, after_s=20, poll_s=0.2)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One daemon for all tests of this file."""
    with running_engine(tmp_path_factory.mktemp("docker")) as found:
        yield found


@pytest.fixture
def clean(engine: Engine) -> Iterator[Engine]:
    """Return the daemon without any container of an earlier test."""
    yield engine
    ids = engine.docker("ps", "-aq").split()
    if ids:
        engine.docker("rm", "-f", *ids)


def config_of(read: str, restart: str, *services: str) -> Config:
    """Return a configuration of these services of the shop, asked at two doors."""
    config = shop.config()
    kept = {name: config.services[name] for name in services or config.services}
    return replace(config, docker=DockerSettings(read, restart, PROJECT), services=kept)


@contextmanager
def listening(engine: Engine, restart: str = "") -> Iterator[DockerDriver]:
    """Yield a driver that listens to the daemon."""
    config = config_of(engine.url, restart or engine.url)
    with closing(DockerDriver(config, patience=PATIENT)) as driver:
        driver.start()
        until(lambda: driver.listening, "the stream is open")
        yield driver


def fence_of(container: Container, service: str) -> Fence:
    return Fence(f"{PROJECT}-{service}", container.id, container.started_wall)


def events(engine: Engine, service: str) -> list[str]:
    """Return what the engine says it did with the container of *service*, from its making on."""
    id_ = engine.docker("inspect", "-f", "{{.Id}}", f"{PROJECT}-{service}")
    lines = engine.docker("events", "--since", "1", "--until", f"{time.time():.9f}", "--format", "{{json .}}",
                          "--filter", f"container={id_}").splitlines()  # fmt: skip
    found = [json.loads(line)["Action"] for line in lines]
    return [action for action in found if not action.startswith(("exec_", "create", "health"))]


def test_a_restart_moves_the_start_once(clean: Engine) -> None:
    """One POST, one stop and one start in the engine's events; the same fence restarts nothing again."""
    clean.start("api", FOREVER, "--stop-timeout", "3")
    with relaying(clean.url) as relay, listening(clean, relay.url) as driver:
        before = driver.look()["api"]
        came = driver.restart("api", fence_of(before, "api"))
        again = driver.restart("api", fence_of(before, "api"))
        after = driver.look()["api"]

    assert (Result.SUCCEEDED, "", True) == (
        came.result, came.detail, came.started_wall > before.started_wall,
    )  # fmt: skip
    assert (after.started_wall, before.id, "running") == (came.started_wall, after.id, after.state)
    assert Result.FAILED is again.result
    assert ["start", "kill", "die", "stop", "start", "restart"] == events(clean, "api")
    assert [f"POST /v{relay.version}/containers/shop-api/restart?t=3"] == relay.posts


@pytest.mark.parametrize("cut", ["answer", "request"])
def test_a_lost_answer_is_read_off_the_engine(clean: Engine, cut: str) -> None:
    """When the connection breaks after the request, the restart is found done; before it, it is unknown."""
    clean.start("api", FOREVER, "--stop-timeout", "1")
    with relaying(clean.url, cut=cut) as relay:
        patience = PATIENT if cut == "answer" else replace(PATIENT, answer_s=1, after_s=1)
        driver = DockerDriver(config_of(clean.url, relay.url), patience=patience)
        came = driver.restart("api", fence_of(driver.look()["api"], "api"))

    effect = ["kill", "die", "stop", "start", "restart"] if cut == "answer" else []
    assert (Result.SUCCEEDED if effect else Result.UNKNOWN, 1) == (came.result, len(relay.posts))
    assert ["start", *effect] == events(clean, "api")


def test_who_stopped_it(clean: Engine) -> None:
    """`docker stop` and `docker kill` are a human's; a crash, a restart and a new container are not."""
    crash = "sleep 1; exit 1"
    for service, command, policy in (
        ("web", FOREVER, "no"), ("mail", FOREVER, "unless-stopped"), ("cache", FOREVER, "no"),
        ("api", FOREVER, "unless-stopped"), ("db", FOREVER, "no"),
        ("worker", crash, "no"), ("lab", crash, "on-failure:1"),
    ):  # fmt: skip
        clean.start(service, command, "--restart", policy)
    with listening(clean) as driver:
        clean.docker("stop", "-t", "5", "shop-web", "shop-mail")
        clean.docker("kill", "shop-cache")
        clean.docker("restart", "-t", "5", "shop-api")
        clean.docker("rm", "-f", "shop-db")
        clean.start("db", FOREVER, "--restart", "no")
        wait_for(clean, "lab", ".RestartCount", "1")
        for service in ("worker", "lab"):
            wait_for(clean, service, ".State.Status", "exited")
        until(lambda: driver.look()["cache"].stopped, "the last event is known")
        seen = driver.look()
        broken = driver.restart("web", fence_of(seen["web"], "web"))

    without_events = DockerDriver(config_of(clean.url, clean.url), patience=PATIENT).look()
    names = ("web", "mail", "cache", "api", "db", "worker", "lab")
    states = {name: (seen[name].state, seen[name].stopped) for name in names}
    assert states == {
        "web": ("exited", True), "mail": ("exited", True), "cache": ("exited", True),
        "api": ("running", False), "db": ("running", False),
        "worker": ("exited", False), "lab": ("exited", False),
    }  # fmt: skip
    assert (Result.FAILED, "not done: a human stopped it") == (broken.result, broken.detail)
    # By its policy alone one is known; the others need the events.
    assert {"mail"} == {name for name in names if without_events[name].stopped}


def test_what_docker_says_of_health_networks_and_names(clean: Engine) -> None:
    """An unhealthy check, a shared network, another project under the name, and no container are told."""
    check = ("--health-cmd", "false", "--health-interval", "1s", "--health-retries", "1")
    clean.start("api", FOREVER, *check, "--health-timeout", "3s", "--health-start-period", "0s")
    clean.start("worker", FOREVER)
    clean.docker("rm", "-f", "shop-worker")
    other = clean.docker("inspect", "-f", "{{.Id}}", "shop-api")
    labels = (
        "--label",
        f"com.docker.compose.project={PROJECT}",
        "--label",
        "com.docker.compose.service=worker",
    )
    clean.docker("run", "-d", "--network", f"container:{other}", "--name", "shop-worker", *labels,
                 "tierwatch-test-busybox", "/bin/sh", "-c", FOREVER)  # fmt: skip
    clean.start("web", FOREVER, project="elsewhere")
    clean.docker("rename", "elsewhere-web", "shop-web")
    wait_for(clean, "api", ".State.Health.Status", "unhealthy")
    driver = DockerDriver(config_of(clean.url, clean.url), patience=PATIENT)
    seen = driver.look()
    refused = driver.restart("web", fence_of(seen["web"], "web"))

    says = "shop-web is a container of project 'elsewhere', not of 'shop'"
    assert ("running", "unhealthy", 4.0, "api") == (
        seen["api"].state, seen["api"].health, seen["api"].patience_s, seen["worker"].network_of,
    )  # fmt: skip
    assert (says, "absent") == (seen["web"].drift, seen["mail"].state)
    assert (Result.FAILED, f"not done: {says}") == (refused.result, refused.detail)
    assert ["start"] == [action for action in events(clean, "web") if action != "rename"]


def test_the_last_words_of_a_container(clean: Engine) -> None:
    """The evidence has the log as the real engine frames it, the state, and numbers."""
    command = f"echo hello; echo 'password=hunter2' >&2; {FOREVER}"
    clean.start("api", command, "-e", "TOKEN=hunter2")
    found: dict[str, Any] = {}

    def is_written() -> bool:
        found.update(Evidence(config_of(clean.url, clean.url), deadline_s=60).collect("api"))
        return len(found["log"]) == 2

    until(is_written, "both lines are in the log")

    assert ["hello", "password=<masked>"] == sorted(line.partition(" ")[2] for line in found["log"])
    assert ("running", "TOKEN=<masked>") == (
        found["inspect"]["State"]["Status"],
        next(each for each in found["inspect"]["Env"] if each.startswith("TOKEN")),
    )
    assert found["stats"].get("processes", 1) >= 1
    assert "missing" not in found


def test_an_engine_that_stands_still_is_not_believed_dead(clean: Engine) -> None:
    """Stopped in its tracks it costs the deadline and an error; afterwards all is as it was."""
    clean.start("api", FOREVER)
    pid = int(Path(clean.url.removeprefix("unix://")).with_name("pid").read_text())
    quick = replace(PATIENT, look_s=2, each_s=2)
    driver = DockerDriver(config_of(clean.url, clean.url), patience=quick)
    before = driver.look()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(DriverError, match="does not list containers: no answer in time"):
            driver.look()
        refused = driver.restart("api", fence_of(before["api"], "api"))
    finally:
        os.kill(pid, signal.SIGCONT)

    assert (Result.FAILED, "not done: no answer in time") == (refused.result, refused.detail)
    assert before == DockerDriver(config_of(clean.url, clean.url), patience=PATIENT).look()
    assert ["start"] == events(clean, "api")
