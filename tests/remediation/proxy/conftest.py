"""One engine with a shop and a stranger in it, and both proxies before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.catalog import load_catalog
from generator.socket_proxy import accesses
from tests.exporters.agents.engine import Engine, running_engine
from tests.remediation.proxy.rig import FOREVER, Proxy, build, running_proxy

_CATALOG = Path(__file__).parents[2] / "routing" / "catalog"
CONTAINERS = ("backend", "agent.one", "agentxone", "prometheus", "report", "restart-proxy")


@pytest.fixture(scope="session")
def flags() -> dict[str, list[str]]:
    """Return the rendered command line of each proxy of the shop."""
    return {
        access.proxy.name: access.flags for access in accesses(load_catalog(_CATALOG, "catalog"))
    }


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One daemon with containers of the shop, and one of somebody else."""
    with running_engine(tmp_path_factory.mktemp("docker")) as found:
        for name in CONTAINERS:
            found.start(name, f"echo {name} is here; {FOREVER}")
        found.start("stranger", FOREVER, project="other")
        yield found


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the proxy's program."""
    return build(tmp_path_factory.mktemp("standin"))


@pytest.fixture(scope="session")
def restarts(
    engine: Engine,
    flags: dict[str, list[str]],
    binary: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """The proxy for restarts."""
    folder = tmp_path_factory.mktemp("restarts")
    with running_proxy(binary, flags["restart-proxy"], engine, folder) as found:
        yield found


@pytest.fixture(scope="session")
def reads(
    engine: Engine,
    flags: dict[str, list[str]],
    binary: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """The proxy for reading."""
    with running_proxy(
        binary, flags["docker-proxy"], engine, tmp_path_factory.mktemp("reads")
    ) as found:
        yield found
