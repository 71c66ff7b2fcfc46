"""
What becomes of lines in a dry run of the real Promtail, by the number that each line carries.

`promtail --dry-run --stdin` has two habits that a busy machine brings out. It ends without waiting
for the printing of its last entry; which one that is, is chance, because the end of the input sets
free at once what the multi-line stages hold. And a multi-line stage that waits longer than
`max_wait_time` for a slow reader cuts a sample in two. So a line of our own is held back until all
others have been handed on, and is the one that may be lost; and nothing is cut by the clock.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.model import Catalog, Service
from promtail.agent import config, format_of

TOOLS = Path(__file__).parents[2] / ".tools" / "bin"

# A line of the test carries the number of its sample; the first stages take it off again.
MARK = "§"
# The number of the line that is held back until every other entry has been handed to the printer.
LAST = 10**6
_NEVER = "1h"
_HOLD_LAST = {
    "match": {
        "selector": f'{{sample="{LAST}"}}',
        "stages": [{"multiline": {"firstline": "^", "max_wait_time": _NEVER}}],
    }
}
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


def service_of(catalog: Catalog, format_name: str) -> Service:
    """Return the first service that is read with the format."""
    return next(s for s in catalog.services if format_of(s).name == format_name)


def stdin_config(catalog: Catalog) -> dict[str, Any]:
    """
    Return the rendered configuration, reading standard input instead of Docker.

    The pipeline stays as rendered, but for the sample's number and for waiting: stages before it
    turn `§number§service§line` into labels (as relabelling does for a container), the number is let
    through at the end so that entries can be told apart, and a block ends with the next one or
    with the input, however slow the reader is.
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
    _wait_for_lines_only(stages)
    for stage in stages:
        if "labelallow" in stage:
            stage["labelallow"].append("sample")
    data["scrape_configs"] = [
        {
            "job_name": "samples",
            "static_configs": [{"labels": {"job": "samples"}}],
            "pipeline_stages": [*head, *stages, _HOLD_LAST],
        }
    ]
    data["server"] = {"disable": True}
    data["clients"] = [{"url": "http://127.0.0.1:9/push"}]
    return data


def _wait_for_lines_only(stages: Iterable[dict[str, Any]]) -> None:
    for stage in stages:
        for settings in stage.values():
            if "max_wait_time" in (settings or {}):
                settings["max_wait_time"] = _NEVER
            elif "stages" in (settings or {}):
                _wait_for_lines_only(settings["stages"])


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


def played(catalog: Catalog, lines: Iterable[str], folder: Path) -> dict[int, list[Arrived]]:
    """Return what becomes of *lines*, each `§number§service§line`, by number; one process for all."""
    last = f"{MARK}{LAST}{MARK}{service_of(catalog, 'plain').name}{MARK}the end"
    text = "".join(f"{line}\n" for line in (*lines, last))
    arrived = parse(run_promtail(stdin_config(catalog), text, folder))
    arrived.pop(LAST, None)
    return arrived


def run_promtail(data: Mapping[str, Any], text: str, folder: Path) -> str:
    """Return what `promtail --dry-run --stdin` prints for *text*; of its last entry maybe a part."""
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    done = subprocess.run(
        [tool("promtail"), "-config.file", str(path), "--dry-run", "--stdin"],
        input=text,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    complaints = [line for line in done.stderr.splitlines() if "level=error" in line]
    if done.returncode or complaints:
        pytest.fail(f"promtail ended with {done.returncode}: {complaints or done.stderr}")
    return done.stdout


def parse(output: str) -> dict[int, list[Arrived]]:
    """
    Return the entries in a dry run's output by sample; lines without a head continue one.

    A line without its end is left out: Promtail went while it printed it.
    """
    found: list[tuple[int, str, dict[str, str], list[str]]] = []
    for text in output.rpartition("\n")[0].split("\n"):
        if match := _ENTRY.match(text):
            labels = dict(_LABEL.findall(match["labels"]))
            found.append((int(labels.pop("sample")), _utc(match["time"]), labels, [match["line"]]))
        elif found:
            found[-1][3].append(text)
    arrived: dict[int, list[Arrived]] = {}
    for number, time, labels, lines in found:
        arrived.setdefault(number, []).append(
            Arrived(time, labels, without_tabs("\n".join(lines)).rstrip("\n"))
        )
    return arrived


def _utc(text: str) -> str:
    """Return a time of the dry run in UTC, with the fraction as Promtail prints it."""
    head, _, fraction = text[:-5].partition(".")
    moment = datetime.fromisoformat(head + text[-5:]).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "Z"


def without_tabs(text: str) -> str:
    """Return *text* as the dry run prints it."""
    # The dry run lays its output out in columns and so loses and adds tabs; the test with a real
    # Loki (tests/loki/test_live.py) shows that tabs arrive.
    return text.replace("\t", "")
