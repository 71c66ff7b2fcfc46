"""Every sample line, through the real Promtail with the rendered pipeline: time, labels, line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.model import Catalog, Service
from promtail.agent import config, format_of, render
from promtail.formats import FORMATS
from promtail.kit import Sample

TOOLS = Path(__file__).parents[2] / ".tools" / "bin"

# A line of the test carries the number of its sample; the first stages take it off again.
MARK = "§"
_ENTRY = re.compile(
    r"^(?P<time>\d{4}-\d\d-\d\dT[\d:.]+[+-]\d{4})\t*(?P<labels>\{sample=.*?\}|\{.*?sample=\"\d+\".*?\})"
    r"\t*(?P<line>.*)$"
)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Arrived:
    """One entry as Promtail would send it. *time* is UTC, nanoseconds as text."""

    time: str
    labels: Mapping[str, str]
    line: str


def tool(name: str) -> str:
    """Return the path of a tool, or skip the test and name it."""
    path = TOOLS / name
    found = str(path) if path.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is missing: run `make tools`")
    return found


def numbered() -> Iterator[tuple[int, str, Sample]]:
    """Yield every sample with a number and the name of its format."""
    pairs = [(log_format.name, sample) for log_format in FORMATS for sample in log_format.samples]
    for number, (name, sample) in enumerate(pairs):
        yield number, name, sample


def service_of(catalog: Catalog, format_name: str) -> Service:
    """Return the first service that is read with the format."""
    return next(s for s in catalog.services if format_of(s).name == format_name)


def stdin_config(catalog: Catalog) -> dict[str, Any]:
    """
    Return the rendered configuration, reading standard input instead of Docker.

    The pipeline stays as rendered, but for the sample's number: stages before it turn
    `§number§service§line` into labels (as relabelling does for a container), and the number is
    let through at the end so that entries can be told apart.
    """
    data: dict[str, Any] = json.loads(json.dumps(config(catalog)))
    job = data["scrape_configs"][0]
    labels = {
        "sample": "sample", "service": "service", "tier": "tier", "kind": "kind",
        "owner": "owner", "log_format": "log_format", "container": "sample",
    }  # fmt: skip
    head = [
        {"regex": {"expression": f"^{MARK}(?P<sample>\\d+){MARK}(?P<service>[^{MARK}]+){MARK}"}},
        *(
            {"template": {"source": key, "template": f"{{{{ get (dict {table}) .service }}}}"}}
            for key, table in _tables(catalog).items()
        ),
        {"labels": labels},
        {"replace": {"expression": f"^({MARK}\\d+{MARK}[^{MARK}]+{MARK})", "replace": ""}},
    ]
    stages = job["pipeline_stages"]
    for stage in stages:
        if "labelallow" in stage:
            stage["labelallow"].append("sample")
    data["scrape_configs"] = [
        {
            "job_name": "samples",
            "static_configs": [{"labels": {"job": "samples"}}],
            "pipeline_stages": head + stages,
        }
    ]
    data["server"] = {"disable": True}
    data["clients"] = [{"url": "http://127.0.0.1:9/push"}]
    return data


def _tables(catalog: Catalog) -> dict[str, str]:
    facts: dict[str, Callable[[Service], str]] = {
        "tier": lambda s: s.tier,
        "kind": lambda s: s.kind,
        "owner": lambda s: s.owner,
        "log_format": lambda s: format_of(s).name,
    }
    return {
        key: " ".join(f'"{s.name}" "{fact(s)}"' for s in catalog.services)
        for key, fact in facts.items()
    }


def run_promtail(data: Mapping[str, Any], text: str, folder: Path) -> str:
    """Return what `promtail --dry-run --stdin` prints for *text*."""
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    done = subprocess.run(
        [tool("promtail"), "-config.file", str(path), "--dry-run", "--stdin"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    complaints = [line for line in done.stderr.splitlines() if "level=error" in line]
    if done.returncode or complaints:
        pytest.fail(f"promtail ended with {done.returncode}: {complaints or done.stderr}")
    return done.stdout


def parse(output: str) -> dict[int, list[Arrived]]:
    """Return the entries in a dry run's output by sample; lines without a head continue one."""
    found: list[tuple[int, str, dict[str, str], list[str]]] = []
    for text in output.split("\n"):
        if match := _ENTRY.match(text):
            labels = dict(_LABEL.findall(match["labels"]))
            found.append((int(labels.pop("sample")), _utc(match["time"]), labels, [match["line"]]))
        elif found:
            found[-1][3].append(text)
    arrived: dict[int, list[Arrived]] = {}
    for number, time, labels, lines in found:
        arrived.setdefault(number, []).append(
            Arrived(time, labels, _without_tabs("\n".join(lines)).rstrip("\n"))
        )
    return arrived


def _utc(text: str) -> str:
    """Return a time of the dry run in UTC, with the fraction as Promtail prints it."""
    head, _, fraction = text[:-5].partition(".")
    moment = datetime.fromisoformat(head + text[-5:]).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "Z"


def _without_tabs(text: str) -> str:
    # The dry run lays its output out in columns and so loses and adds tabs; the test with a real
    # Loki (tests/loki/test_live.py) shows that tabs arrive.
    return text.replace("\t", "")


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
    output = run_promtail(
        stdin_config(catalog), "\n".join([*lines, ""]), tmp_path_factory.mktemp("promtail")
    )
    return begin, parse(output), datetime.now(UTC)


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

    assert [Arrived(time, labels, _without_tabs(sample.text))] == got


@pytest.mark.live
def test_promtail_accepts_the_rendered_file(catalog: Catalog, tmp_path: Path) -> None:
    """The real Promtail finds no fault in the rendered file."""
    path = tmp_path / "config.yml"
    path.write_text(render(catalog)[0].text, encoding="utf-8")
    done = subprocess.run(
        [tool("promtail"), "-config.file", str(path), "-check-syntax"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "Valid config file! No syntax issues found\n"
