"""What the tests of the hardware exporter share: the fake driver and a scrape that is quick."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from prometheus_client.core import Metric

from exporters.config import Target
from exporters.deadline import Deadline
from exporters.nvml_driver import NvmlDriver, State
from exporters.worker import Collector, ScrapeError
from tests.exporters.nvml.fake import FakeDriver, build, compiler

HERE = Path(__file__).parent
NVML = HERE.parent / "nvml"
GENEROUS_S = 20.0  # a slow machine must not fail a test that waits for no deadline
TWO_GPUS = tuple((NVML / "two-gpus.txt").read_text(encoding="utf-8").splitlines())

Make = Callable[..., FakeDriver]


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where built libraries are kept; skips, or fails where tools are required, without a C compiler."""
    if compiler() is None:
        if os.environ.get("TIERWATCH_REQUIRE_TOOLS"):
            pytest.fail("no C compiler: the fake driver cannot be built")
        pytest.skip("no C compiler (cc): the fake driver cannot be built")
    return tmp_path_factory.mktemp("nvml")


@pytest.fixture
def fake(libraries: Path, tmp_path: Path) -> Make:
    """Make a fake driver that says *lines* and lacks the symbols *without*."""

    def make(lines: tuple[str, ...] = TWO_GPUS, without: tuple[str, ...] = ()) -> FakeDriver:
        return FakeDriver(tmp_path / "driver.txt", build(libraries, without), lines)

    return make


@pytest.fixture
def drivers() -> Iterator[Callable[..., NvmlDriver]]:
    """Start `NvmlDriver`s whose children end with the test."""
    started: list[NvmlDriver] = []

    def start(said: FakeDriver, **options: object) -> NvmlDriver:
        started.append(NvmlDriver(env=said.env(), **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for driver in started:
        driver.close()


def ask(driver: NvmlDriver, within_s: float = GENEROUS_S) -> State:
    """Return what *driver* says within *within_s*."""
    return driver.read({}, Deadline.after(within_s))


def target(service: str) -> Target:
    """Return the target *service*, whose container is sutazai-<service>."""
    return Target(service, "ai", service, "default", f"sutazai-{service}", "container")


def values(metrics: Iterable[Metric], name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of *name* among *metrics*: value by label values, in order of their names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for metric in metrics
        for sample in metric.samples
        if sample.name == name
    }


def scrape(collector: Collector, within_s: float = GENEROUS_S) -> tuple[list[Metric], str]:
    """Return what *collector* gives, and its reason ("" when it went well), as the frame keeps it."""
    found: list[Metric] = []
    try:
        for metric in collector.collect(Deadline.after(within_s)):
            found.append(metric)  # noqa: PERF402 - what came before an error counts
    except ScrapeError as error:
        return found, error.reason
    return found, ""
