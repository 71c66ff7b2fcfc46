"""Collectors side by side: each is told of, and none takes another down."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric

from exporters.deadline import Deadline
from exporters.frame import Exporter, ScrapeError
from exporters.page import Page
from tests.exporters.attempts import first_good
from tests.exporters.frame.serving import Fake, gives


def _values(metrics: Iterable[Metric], *names: str) -> dict[str, float]:
    """Return the samples called *names*, as `name{label=value,...}`; all of them if none is named."""
    found = {}
    for sample in (sample for metric in metrics for sample in metric.samples):
        if not names or sample.name in names:
            labels = ",".join(f"{key}={value}" for key, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def _raises(error: Exception) -> Iterator[Metric]:
    yield GaugeMetricFamily("test_before", "Given before the error", value=1)
    raise error


def _ask(exporter: Exporter, seconds: float = 2.0) -> list[Metric]:
    return exporter.collect(Deadline.after(seconds))


def test_a_failing_collector_costs_only_itself() -> None:
    """One that raises, or breaks, is told of with its reason; the one beside it is whole."""
    exporter = Exporter(
        "test",
        [
            Fake("fails", lambda _: _raises(ScrapeError("refused"))),
            Fake("breaks", lambda _: 1 / 0),  # type: ignore[arg-type, return-value]
            Fake("works", gives("test_value")),
        ],
        ("refused",),
    )

    metrics = _ask(exporter)

    assert _values(metrics, "test_before", "test_value", "test_collector_up") == {
        "test_before{}": 1,
        "test_value{}": 1,
        "test_collector_up{collector=fails}": 0,
        "test_collector_up{collector=breaks}": 0,
        "test_collector_up{collector=works}": 1,
    }
    errors = _values(metrics, "test_collector_errors_total")
    assert {name for name, value in errors.items() if value} == {
        "test_collector_errors_total{collector=fails,reason=refused}",
        "test_collector_errors_total{collector=breaks,reason=internal}",
    }
    assert len(errors) == 3 * 4  # each collector's reasons are there from the start


def test_a_reason_nobody_declared_is_a_mistake_of_ours() -> None:
    """It is counted as internal instead of becoming a new label value."""
    exporter = Exporter("test", [Fake("one", lambda _: _raises(ScrapeError("surprise")))])

    counts = _values(_ask(exporter), "test_collector_errors_total")

    assert counts == {
        "test_collector_errors_total{collector=one,reason=busy}": 0,
        "test_collector_errors_total{collector=one,reason=internal}": 1,
        "test_collector_errors_total{collector=one,reason=timeout}": 0,
    }


def test_a_hanging_collector_costs_the_deadline_once_and_its_thread_for_good() -> None:
    """The first scrape waits for it, the next knows at once; when it returns it is asked again."""
    release = threading.Event()

    def hang(_: Deadline) -> Iterable[Metric]:
        release.wait()
        return []

    exporter = Exporter("test", [Fake("hangs", hang), Fake("works", gives("test_value"))])
    started = time.monotonic()
    first = _values(_ask(exporter, 0.2), "test_value", "test_collector_errors_total")
    waited = time.monotonic() - started
    second = _values(_ask(exporter, 30), "test_value", "test_collector_errors_total")
    waited_again = time.monotonic() - started - waited
    release.set()
    exporter._workers[0]._current.done.wait()  # type: ignore[union-attr]
    third = _values(_ask(exporter), "test_collector_up")

    errors = "test_collector_errors_total{collector=hangs,reason="
    assert (first["test_value{}"], first[errors + "timeout}"], first[errors + "busy}"]) == (1, 1, 0)
    assert (second["test_value{}"], second[errors + "timeout}"], second[errors + "busy}"]) == (
        1,
        1,
        1,
    )
    assert (0.2 <= waited < 10, waited_again < 15) == (True, True)
    assert third == {
        "test_collector_up{collector=hangs}": 1,
        "test_collector_up{collector=works}": 1,
    }


def test_a_hanging_collector_makes_a_scrape_a_tenth_of_a_second_late_at_most() -> None:
    """Page and all: the grace for those who are a little late is part of it."""
    release = threading.Event()

    def late_s() -> float:
        exporter = Exporter(
            "test",
            [Fake("hangs", lambda _: release.wait(30) and []), Fake("works", gives("test_x"))],
        )
        deadline = Deadline.after(0.3)
        Page(exporter.collect(deadline)).render("application/openmetrics-text", "gzip")
        return time.monotonic() - deadline.at

    try:
        assert 0 <= first_good(late_s, lambda late: late < 0.1) < 0.1
    finally:
        release.set()


def test_two_families_of_one_name_never_reach_the_page() -> None:
    """The first one stays; Prometheus would refuse the whole page."""
    exporter = Exporter("test", [Fake("a", gives("test_x")), Fake("b", gives("test_x", "test_y"))])

    assert [m.name for m in _ask(exporter)][:2] == ["test_x", "test_y"]


def test_a_metric_that_cannot_be_written_is_left_out() -> None:
    """A label that is no text loses its own metric, and the rest of the page is whole."""
    bad = GaugeMetricFamily("test_bad", "Bad", labels=["a"])
    bad.add_metric([1], 1)  # type: ignore[list-item]
    good = GaugeMetricFamily("test_good", "Good", value=1)

    body, _, _ = Page([bad, good]).render("", "")

    assert body.decode() == "# HELP test_good Good\n# TYPE test_good gauge\ntest_good 1.0\n"


def test_counts_live_on_after_a_reload() -> None:
    """Errors and the last success of a collector of the same name go over; new ones begin at 0."""

    class Counting(Fake):
        adopted: object = None

        def adopt(self, previous: object) -> None:
            Counting.adopted = previous

    before = Exporter("test", [Fake("one", lambda _: _raises(ScrapeError("busy")))])
    _ask(before)
    after = Exporter("test", [Counting("one", gives("test_x")), Fake("two", gives("test_y"))])
    after.adopt(before)

    errors = _values(_ask(after), "test_collector_errors_total")

    assert errors["test_collector_errors_total{collector=one,reason=busy}"] == 1
    assert errors["test_collector_errors_total{collector=two,reason=busy}"] == 0
    assert isinstance(Counting.adopted, Fake)


def test_a_collector_that_never_worked_says_0_and_one_that_did_says_when() -> None:
    """The time of the last success stays when a later scrape fails."""
    answers = iter([[], _raises(ScrapeError("busy"))])
    exporter = Exporter("test", [Fake("one", lambda _: next(answers))])
    name = "test_collector_last_success_timestamp_seconds"
    started = time.time()

    first = _values(_ask(exporter), name)
    second = _values(_ask(exporter), name)
    never = _values(
        _ask(Exporter("test", [Fake("one", lambda _: _raises(ScrapeError("busy")))])), name
    )

    assert started <= first[f"{name}{{collector=one}}"] <= time.time()
    assert (second, never) == (first, {f"{name}{{collector=one}}": 0})


def test_closing_closes_every_collector_and_ends_its_thread() -> None:
    """Also one that was never asked."""
    closed = []

    class Closing(Fake):
        def close(self) -> None:
            closed.append(self.name)

    exporter = Exporter("test", [Closing("asked", gives("test_x"))])
    _ask(exporter)
    exporter.close(wait_s=5)
    Exporter("test", [Closing("never", gives("test_x"))]).close()

    threads = {thread.name for thread in threading.enumerate()}
    assert (closed, "collector-asked" in threads) == (["asked", "never"], False)


@pytest.mark.parametrize("count", [1, 3])
def test_collectors_run_side_by_side(count: int) -> None:
    """All are under way at once, whatever their number."""
    together = threading.Barrier(count)

    def meet(_: Deadline) -> Iterable[Metric]:
        together.wait(timeout=5)
        return []

    exporter = Exporter("test", [Fake(f"c{number}", meet) for number in range(count)])

    assert set(_values(_ask(exporter, 5), "test_collector_up").values()) == {1}
