"""What the exporter exposes and what the kinds declare are the same, in both directions."""

from __future__ import annotations

from collections import Counter

import pytest

from exporters.config import LABELS
from exporters.deadline import Deadline
from exporters.ollama_metrics import COUNTERS, GAUGES
from generator.kinds import load_kinds
from tests.exporters.ollama.fake import Fake, Memory, model, running_fake
from tests.exporters.ollama.watching import (
    exporter_of,
    inference,
    only,
    scrape,
    scrape_until,
    target,
)

KINDS = load_kinds()[0]
OWN = "ollama_exporter_", "ollama_collector_"


def test_the_table_is_the_declaration() -> None:
    """Names, types and labels of the table are those of the kind ollama, no more and no fewer."""
    ours = {name: ("gauge", set(labels)) for name, (_, labels) in GAUGES.items()} | {
        name: ("counter", set(labels)) for name, (_, labels) in COUNTERS.items()
    }
    declared = {
        metric.name: (metric.type, set(metric.labels))
        for metric in KINDS["ollama"].declares.values()
    }

    assert ours == declared


@pytest.fixture(scope="module")
def page() -> dict[str, tuple[str, set[str]]]:
    """Return name, type and labels of all that a rich server makes the exporter expose."""
    have = Fake(
        installed=[
            model("tinyllama:latest", details={"context_length": 2048}),
            model("gpt-oss:cloud", remote_host="https://ollama.com:443"),
        ],
        loaded={"tinyllama:latest": Memory(2048, None), "leaving:latest": Memory(4096, 4e9)},
    )
    have.loaded["leaving:latest"].expires = 1_900_000_000.0
    with (
        running_fake(have),
        exporter_of(
            target(have.url, expected_models=("gpt-oss",), inference=inference())
        ) as exporter,
    ):
        scrape_until(exporter, "ollama_probe_success{model=tinyllama:latest}", 1)
        metrics = exporter.collect(Deadline.after(3))
    return {
        metric.name + ("_total" if metric.type == "counter" else ""): (
            metric.type,
            set().union(*(sample.labels for sample in metric.samples)),
        )
        for metric in metrics
    }


def test_every_declared_metric_is_exposed(page: dict[str, tuple[str, set[str]]]) -> None:
    """A rich server makes every metric of the kind appear, with the labels of its subject."""
    declared = {
        metric.name: (metric.type, {*LABELS, *metric.labels})
        for metric in KINDS["ollama"].declares.values()
    }

    assert {n: found for n, found in page.items() if not n.startswith(OWN)} == declared


def test_the_exporter_tells_of_itself_what_is_declared(
    page: dict[str, tuple[str, set[str]]],
) -> None:
    """The exporter's own metrics are those of the kind ollama-exporter (some come with HTTP only)."""
    declared = {
        metric.name: (metric.type, set(metric.labels))
        for metric in KINDS["ollama-exporter"].declares.values()
        if not metric.name.startswith(("process_", "python_", "ollama_exporter_config_"))
    }

    assert {n: found for n, found in page.items() if n.startswith(OWN)} == declared


def test_only_what_asks_the_lists_has_reasons_to_fail() -> None:
    """Collectors that only tell of failures count those of the frame; the others their own, too."""
    with running_fake(Fake()) as have, exporter_of(target(have.url)) as exporter:
        found = only(scrape(exporter), "ollama_collector_errors_total")

    counts = Counter(name.split("collector=")[1].split(",")[0] for name in found)
    assert counts == {
        "version": 16, "tags": 16, "ps": 16, "endpoints": 3, "ports": 3, "features": 3, "probe": 3,
        "contexts": 3,
    }  # fmt: skip
