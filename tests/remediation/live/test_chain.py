"""
From the fault to the healed service through all real parts, as rendered, fifteen times as fast.

Both generations of Prometheus and Alertmanager; the current one heals a hung service in every run of
the tests, the rest is for `make chaos`. The truth is the engine's events.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.live.servers import until
from tests.remediation.live.chain import Chain, running_chain
from tests.remediation.live.process import OPERATOR, Remediator
from tests.remediation.live.rig import stopped_process

pytestmark = pytest.mark.live

PATIENCE_S = 240.0  # for what takes half a minute on an idle machine
GENERATIONS = [
    pytest.param(("prometheus3", "alertmanager-current"), id="current"),
    pytest.param(("prometheus", "alertmanager"), id="oldest", marks=pytest.mark.chaos),
]


@pytest.fixture(scope="module", params=GENERATIONS)
def chain(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chain]:
    """Run everything but the remediator."""
    with running_chain(tmp_path_factory.mktemp("chain"), *request.param) as found:
        yield found


@pytest.fixture
def remediator(chain: Chain) -> Iterator[Remediator]:
    """Run a remediator with a journal of its own; all services are well when it starts."""
    chain.yard.heal()
    until(
        lambda: not _ill(chain), "nobody calls a service ill any more", seconds=PATIENCE_S,
        instead=lambda: str(_ill(chain)),
    )  # fmt: skip
    chain.tests += 1
    folder = chain.folder / f"test{chain.tests}"
    folder.mkdir()
    config = dict(chain.config)
    config["auth"] = {
        "webhook_token_files": [str(folder / "webhook_token")],
        "operator_token_files": [str(folder / "operator_token")],
    }
    found = Remediator(folder, config, folder / "journal.db", chain.port)
    found.start()
    try:
        until(
            lambda: _settled(chain, found), "all are well and seen to be", seconds=PATIENCE_S,
            instead=lambda: f"{chain.down()}, {found.tail()[-1500:]}",
        )  # fmt: skip
        yield found
    finally:
        found.stop()
        chain.yard.heal()


def _ill(chain: Chain) -> set[str]:
    """Return the services that Prometheus, Alertmanager or Docker still call ill, each with its own delay."""
    told = chain.alertmanager.get("/api/v2/alerts", filter="remedy=restart")
    alerted = {one["labels"]["service"] for one in told} | chain.down()
    return (alerted & set(chain.yard.ports)) | set(chain.yard.unhealthy())


def _settled(chain: Chain, remediator: Remediator) -> bool:
    healthy = chain.prometheus.values("service:healthy:bool", "service")
    fine = all(healthy.get(name) == 1.0 for name in chain.yard.ports)
    return fine and not chain.down() and not remediator.call("/v1/status")["blind"]


def _wait(chain: Chain, remediator: Remediator, what: str, condition: object) -> None:
    assert callable(condition)
    until(
        condition, what, seconds=PATIENCE_S,
        instead=lambda: f"{chain.alerts()}, {remediator.closed()}, {remediator.tail()[-2500:]}",
    )  # fmt: skip


def test_a_hung_service_is_healed(chain: Chain, remediator: Remediator) -> None:
    """Hung, seen by the blackbox exporter, alerted, delivered, restarted once, well, closed."""
    since = time.time()
    chain.yard.put("mail", "hang")
    _wait(chain, remediator, "it is healed", lambda: remediator.closed() == ["healed"])

    assert chain.truth.services(since) == ["mail"]
    told = [e for e in remediator.entries("received") if "mail" in str(e.body["alerts"])]
    assert told != []
    assert OPERATOR not in remediator.tail()


@pytest.mark.chaos
def test_a_dead_dependency_is_healed_first(chain: Chain, remediator: Remediator) -> None:
    """The database dies and the API clings to it: the database, then the API; the page needs none."""
    since = time.time()
    chain.yard.put("api", "clings")
    chain.yard.kill("db")
    _wait(chain, remediator, "all is healed", lambda: _closed_and_well(chain, remediator))

    assert chain.truth.services(since) == ["db", "api"]


def _closed_and_well(chain: Chain, remediator: Remediator) -> bool:
    opened = len(remediator.entries("opened"))
    return 0 < opened == len(remediator.closed()) and not chain.down()


@pytest.mark.chaos
def test_an_incurable_service_is_paged(chain: Chain, remediator: Remediator) -> None:
    """Three rungs, then people hear of it twice: by the remediator itself and by an alert through Prometheus."""
    since, count = time.time(), chain.people.count
    chain.yard.put("mail", "broken", "hang")
    _wait(chain, remediator, "it gives up", lambda: bool(remediator.entries("gave_up")))
    _wait(
        chain, remediator, "an alert says so",
        lambda: any(name == "RemediationGaveUp" for name, _ in chain.alerts()),
    )  # fmt: skip
    _wait(chain, remediator, "it says so itself", lambda: bool(chain.people.got("/direct", count)))

    assert chain.truth.services(since) == ["mail"] * 3


@pytest.mark.chaos
def test_a_storm_is_frozen(chain: Chain, remediator: Remediator) -> None:
    """Three roots crash at once: frozen before one is touched, released by a human, healed one by one."""
    since = time.time()
    roots = {"db", "cache", "mail"}
    assert remediator.process is not None
    # However slowly one alert comes after the other here, the remediator gets to see all three at once.
    with stopped_process(remediator.process.pid):
        for service in sorted(roots):
            chain.yard.kill(service)
        _wait(chain, remediator, "all are alerted", lambda: roots <= {s for _, s in chain.alerts()})
    _wait(chain, remediator, "it is frozen", lambda: bool(remediator.entries("frozen")))
    before = chain.truth.services(since)
    with contextlib.suppress(OSError):
        remediator.call("/v1/release", {"by": "me"})
    _wait(chain, remediator, "all is healed", lambda: _closed_and_well(chain, remediator))

    assert before == []
    assert sorted(chain.truth.services(since)) == ["cache", "db", "mail"]
