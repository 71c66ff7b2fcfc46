"""The driver's look: what Docker says of every service, and what it does not say."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from remediation.drivers.docker import DockerDriver
from remediation.drivers.restart import Patience
from remediation.drivers.seen import ABSENT, UNKNOWN
from remediation.model import Container, DriverError, Fence, Result, Sight
from tests.live.servers import until
from tests.remediation import shop
from tests.remediation.drivers.fake import START, Box, FakeEngine, config_of, fake_engine, stamp

# A hanging container costs half a second here; the rest may take what a busy machine takes.
QUICK = Patience(look_s=20, each_s=0.5, answer_s=2, after_s=1, poll_s=0.05)
PLAIN = Container("running", started_wall=START, created_wall=START - 1, restart_policy="unless-stopped",
                  exit_code=0)  # fmt: skip


def driver_of(fake: FakeEngine, *, patience: Patience = QUICK) -> DockerDriver:
    """Return a driver that looks at *fake*."""
    return DockerDriver(config_of(fake), patience=patience, own=frozenset())


def plain(service: str, **more: object) -> Container:
    """Return the container of *service* as the fake has it; *more* says what is otherwise."""
    return replace(PLAIN, **{"id": Box(service).id, **more})  # type: ignore[arg-type]


def test_every_service_is_told_with_all_that_docker_says(fake: FakeEngine) -> None:
    """State, health, times, policy, patience and stop timeout come from the inspect; others stay plain."""
    fake.boxes["shop-api"].state = {
        "Status": "running", "Health": {"Status": "unhealthy", "FailingStreak": 4},
        "FinishedAt": stamp(START - 50),
    }  # fmt: skip
    check = {
        "Test": ["CMD", "x"],
        "Interval": 2e9,
        "Timeout": 3e9,
        "Retries": 4,
        "StartPeriod": 7e9,
    }
    check = {key: int(value) if isinstance(value, float) else value for key, value in check.items()}
    fake.boxes["shop-api"].config = {"StopTimeout": 25, "Healthcheck": check}
    fake.boxes["shop-worker"].state = {"Status": "exited", "ExitCode": 137, "OOMKilled": True}
    fake.boxes["shop-worker"].host = {"RestartPolicy": {"Name": "no"}}
    fake.boxes["shop-web"].config = {"Healthcheck": {"Test": ["CMD-SHELL", "x"]}, "StopTimeout": -1}
    del fake.boxes["shop-lab"]

    expected = {name: plain(name) for name in shop.config().services} | {
        "lab": ABSENT,
        "api": plain("api", health="unhealthy", finished_wall=START - 50, stop_timeout_s=25.0, patience_s=27.0),
        "worker": plain("worker", state="exited", exit_code=137, oom_killed=True, restart_policy="no"),
        "web": plain("web", patience_s=180.0, stop_timeout_s=300.0),
    }  # fmt: skip
    assert expected == driver_of(fake).look()


@pytest.mark.parametrize(
    ("box", "says"),
    [
        (Box("api", project="other"), "shop-api is a container of project 'other', not of 'shop'"),
        (Box("api", project=None), "shop-api is a container of no Compose project, not of 'shop'"),
        (Box("web", name="shop-api"), "shop-api is a container of service 'web', not of 'api'"),
        (Box("api", one_off=True), "shop-api was made by `docker compose run`"),
        (Box("api", name="shop-api-1"), "the container of api is named 'shop-api-1', not 'shop-api'"),
    ],
    ids=["foreign project", "no project", "other service", "one-off", "other name"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_drift(fake: FakeEngine, box: Box, says: str) -> None:
    """A container that is not the service's own is told with the reason why it must not be restarted."""
    fake.put(box, Box("db"))

    found = driver_of(fake).look()

    assert (says, "", "absent") == (found["api"].drift, found["db"].drift, found["cache"].state)


def test_one_container_that_hangs_costs_only_itself(fake: FakeEngine) -> None:
    """It is unknown, neither healthy nor evidence, while the others are told; later it is told again."""
    fake.faults["/containers/shop-api/json"] = "hang"
    driver = driver_of(fake)
    began = time.monotonic()
    first = driver.look()
    took_s = time.monotonic() - began
    fake.faults.clear()
    fake.release.set()
    sight = Sight(first["api"], probe=True)

    assert {name: plain(name) for name in shop.config().services} | {"api": UNKNOWN} == first
    assert (False, "", False) == (sight.healthy, sight.evidence, sight.exited)
    assert plain("api") == driver.look()["api"]
    assert took_s < QUICK.look_s / 2


def test_nobody_waits_twice_for_the_same_container(fake: FakeEngine) -> None:
    """While an answer that never ends is being read, its container is not asked again: threads do not pile up."""
    path = "/containers/shop-api/json"
    fake.faults[path] = "trickle"
    driver = driver_of(fake, patience=replace(QUICK, look_s=5, each_s=2.5))
    found = [driver.look() for _ in range(3)]
    asked = [each for each in fake.asked if each.endswith(path)]
    fake.faults.clear()
    fake.release.set()
    until(lambda: driver.look()["api"] == plain("api"), "it is asked again")

    assert ([UNKNOWN] * 3, 1) == ([each["api"] for each in found], len(asked))
    assert all(each["db"] == plain("db") for each in found)


@pytest.mark.parametrize(
    "fault", ["truncate", (500, "boom"), (200, "[]"), (200, "[" * 100_000), (403, "no")]
)
def test_a_broken_inspect_is_unknown(fake: FakeEngine, fault: object) -> None:
    """Whatever is wrong with one answer, that container is unknown and the others are told."""
    fake.faults["/containers/shop-db/json"] = fault

    found = driver_of(fake).look()

    assert (UNKNOWN, plain("cache")) == (found["db"], found["cache"])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ((500, '{"message": "boom"}'), "does not list containers: 500: boom"),
        ((403, "Forbidden"), "does not list containers: 403: Forbidden"),
        ("truncate", "does not list containers: "),
        ((200, "{}"), "does not list containers: the list of containers is none"),
        ("hang", "does not list containers: no answer in time"),
    ],
)
def test_without_a_list_nothing_is_known(fake: FakeEngine, fault: object, says: str) -> None:
    """An engine that does not list its containers raises, with place and fact, in time."""
    fake.faults["/containers/json"] = fault
    began = time.monotonic()

    with pytest.raises(DriverError) as error:
        driver_of(fake, patience=replace(QUICK, look_s=1.0)).look()

    assert str(error.value).startswith(f"{fake.url} {says}")
    assert time.monotonic() - began < 15


def test_an_empty_list_is_not_all_absent(fake: FakeEngine) -> None:
    """A daemon that has none of the containers has just started, or is the wrong one: nothing is known."""
    fake.put(Box("elsewhere", project="other"))

    with pytest.raises(DriverError) as error:
        driver_of(fake).look()

    assert str(error.value) == (
        f"{fake.url}: none of the 9 configured containers is there. Docker may just have started; "
        "else correct docker.project ('shop') and the names"
    )


def test_no_answer_about_any_container_is_an_error(fake: FakeEngine) -> None:
    """When all inspects fail, the engine is the fault, not nine containers."""
    fake.faults |= {f"/containers/{name}/json": (500, "boom") for name in fake.boxes}

    with pytest.raises(DriverError, match="says nothing of any container: 500: boom"):
        driver_of(fake).look()


def test_no_engine_at_all_is_an_error() -> None:
    """A socket that is not there raises, and looking works as soon as there is one."""
    with fake_engine() as fake:
        config = config_of(fake)
    with pytest.raises(DriverError, match="does not list containers: FileNotFoundError"):
        DockerDriver(config, patience=QUICK).look()


def test_whose_network_is_shared(fake: FakeEngine) -> None:
    """A container in another's network namespace names the service that it lives in."""
    fake.boxes["shop-worker"].host = {"NetworkMode": f"container:{fake.boxes['shop-api'].id}"}

    found = driver_of(fake).look()

    assert ("api", "") == (found["worker"].network_of, found["web"].network_of)


@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
def test_the_environment_leads_nowhere_else(tcp: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKER_HOST and proxies of the environment are not looked at, at a socket or at a port."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with fake_engine(tcp=tcp) as fake:
        fake.put(Box("api", config={"StopTimeout": 0}))
        driver = driver_of(fake)
        seen = driver.look()["api"]
        came = driver.restart("api", Fence("shop-api", seen.id, seen.started_wall))

    assert (plain("api", stop_timeout_s=0.0), ["restart shop-api"]) == (seen, fake.effects)
    assert came.result is Result.SUCCEEDED


@pytest.mark.parametrize(
    ("header", "version"), [("1.41", "1.41"), (None, "1.40"), ("evil/../x", "1.40")]
)
def test_paths_have_the_engines_own_version(
    fake: FakeEngine, header: str | None, version: str
) -> None:
    """The version is that of /_ping, or of /version where a proxy drops the header; nothing else is asked."""
    fake.version_header = header
    driver_of(fake).look()
    paths = {each.removeprefix("GET ").partition("?")[0] for each in fake.asked}
    asked = {"/_ping"} | (set() if header == "1.41" else {"/version"})

    inspected = {f"/v{version}/containers/{name}/json" for name in fake.boxes}
    assert asked | inspected | {f"/v{version}/containers/json"} == paths
