"""Every sample line, through the real Promtail with the rendered pipeline: time, labels, line."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from generator.model import Catalog
from promtail.agent import render
from promtail.formats import FORMATS
from promtail.kit import Sample

from .dry_run import MARK, Arrived, played, service_of, tool, without_tabs


def numbered() -> Iterator[tuple[int, str, Sample]]:
    """Yield every sample with a number and the name of its format."""
    pairs = [(log_format.name, sample) for log_format in FORMATS for sample in log_format.samples]
    for number, (name, sample) in enumerate(pairs):
        yield number, name, sample


@pytest.fixture(scope="module")
def run(
    catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> tuple[datetime, dict[int, list[Arrived]], datetime]:
    """Return what became of all samples, and when the run began and ended: one process for all."""
    lines = [
        f"{MARK}{number}{MARK}{service_of(catalog, name).name}{MARK}{line}"
        for number, name, sample in numbered()
        for line in sample.raw.split("\n")
    ]
    begin = datetime.now(UTC)
    arrived = played(catalog, lines, tmp_path_factory.mktemp("promtail"))
    return begin, arrived, datetime.now(UTC)


@pytest.mark.live
@pytest.mark.parametrize(
    ("number", "name", "sample"),
    [pytest.param(*row, id=f"{row[1]}: {row[2].claim}") for row in numbered()],
)
def test_sample_becomes_what_it_says(
    run: tuple[datetime, dict[int, list[Arrived]], datetime],
    catalog: Catalog,
    number: int,
    name: str,
    sample: Sample,
) -> None:
    """Of a sample's lines exactly one entry arrives, or none, with the time, labels and line it names."""
    begin, arrived, end = run
    got = arrived.get(number, [])
    if sample.dropped:
        assert not got
        return
    service = service_of(catalog, name)
    labels = {
        "service": service.name,
        "tier": service.tier,
        "kind": service.kind,
        "owner": service.owner,
        "level": sample.level,
    }
    if not sample.time and got:
        # Docker's timestamp stays: in a dry run that is the time of reading.
        read = datetime.fromisoformat(got[0].time[:26].rstrip("Z")).replace(tzinfo=UTC)
        assert begin <= read <= end
    time = sample.time or (got[0].time if got else "")

    assert [Arrived(time, labels, without_tabs(sample.text))] == got


@pytest.mark.live
def test_promtail_accepts_the_rendered_file(catalog: Catalog, tmp_path: Path) -> None:
    """The real Promtail finds no fault in the rendered file."""
    path = tmp_path / "config.yml"
    path.write_text(render(catalog)[0].text, encoding="utf-8")
    done = subprocess.run(
        [tool("promtail"), "-config.file", str(path), "-check-syntax"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "Valid config file! No syntax issues found\n"
