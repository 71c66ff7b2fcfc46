"""The table of metrics against what the kind declares, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from exporters.hardware_metrics import FAMILIES, Sample, emit

KIND = Path(__file__).parents[3] / "generator" / "kinds" / "hardware-exporter.yml"
FRAME = ("hw_exporter_", "hw_collector_", "process_", "python_info")


def test_the_table_is_what_the_kind_declares() -> None:
    """Names, types, labels and help of the table and of the kind are the same, both ways."""
    declared = yaml.safe_load(KIND.read_text(encoding="utf-8"))["declares"]
    expected = {
        name: (row["type"], sorted(row["labels"]), row["help"])
        for name, row in declared.items()
        if not name.startswith(FRAME)
    }
    assert expected == {f.name: (f.type, sorted(f.labels), f.help) for f in FAMILIES}


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        (Sample("hw_gpu_colour", {}, 1), "hw_gpu_colour: no such family"),
        (Sample("hw_gpus", {"pid": "1"}, 1), "hw_gpus: labels ['pid']"),
        (Sample("hw_gpu_up", {"uuid": "G"}, 1), "hw_gpu_up: labels ['uuid']"),
    ],
)
def test_what_the_table_does_not_know_is_refused(sample: Sample, says: str) -> None:
    """A family or label that nobody declared never reaches a page."""
    with pytest.raises(ValueError, match="hw_") as caught:
        list(emit([sample]))
    assert says == str(caught.value)


def test_families_come_in_the_order_of_the_table_and_without_double() -> None:
    """Samples of one family stand together, whoever gave them in whatever order."""
    given = [
        Sample("hw_gpu_up", {"gpu": "0", "uuid": "A"}, 1),
        Sample("hw_gpus", {}, 2),
        Sample("hw_gpu_up", {"gpu": "1", "uuid": "B"}, 0),
    ]
    found = [(m.name, [s.value for s in m.samples]) for m in emit(given)]
    assert [("hw_gpus", [2]), ("hw_gpu_up", [1, 0])] == found


def test_a_series_that_comes_twice_stands_once() -> None:
    """Of two samples of one series the first stays, so that the page can be read."""
    given = [Sample("hw_gpu_up", {"gpu": "0", "uuid": "A"}, value) for value in (1, 0)]
    assert [[1]] == [[s.value for s in metric.samples] for metric in emit(given)]
