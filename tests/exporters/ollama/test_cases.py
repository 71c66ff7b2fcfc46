"""
Recorded answers and the page they make: cases/NAME/input.json and cases/NAME/expected.prom.

TIERWATCH_GOLDEN=write renews the pages. promtool and prometheus_client's strict parser of
OpenMetrics read each of them.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporters.ollama_ask import Server
from exporters.ollama_generate import Result
from exporters.ollama_loads import Loads
from exporters.ollama_metrics import Page
from exporters.ollama_models import Roster, add_contexts, add_ps, add_tags
from exporters.ollama_names import parse_name
from exporters.ollama_parse import parse_ps, parse_tags, parse_token
from exporters.ollama_places import Places
from exporters.ollama_record import Record
from tests.live.servers import need

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.name for path in CASES.iterdir())


class _Registry:
    """What an encoder of prometheus_client takes for a registry."""

    def __init__(self, page: Page) -> None:
        self._metrics = list(page)

    def collect(self) -> list[Metric]:
        return self._metrics


def page_of(case: dict[str, Any]) -> Page:
    """Return the page that the answers of *case* make; a null answer could not be had."""
    expected = tuple(parse_name(name) for name in case["expected_models"])
    server = Server(
        ("ollama", "ai", "ollama", "default"), "http://ollama:11434", 11434, (), expected
    )
    page, loads = Page(), Loads()
    tags = None if case["tags"] is None else parse_tags(json.dumps(case["tags"]).encode())
    roster = Roster(server, Places(), Places(), case["now"])
    add_tags(page, roster, tags)
    add_contexts(page, roster, tags or (), {})
    if case["ps"] is not None:
        ps = parse_ps(json.dumps(case["ps"]).encode())
        add_ps(page, roster, tags, ps, case["now"])
        names = None if tags is None else roster.known(tags)
        loads.see(ps, names, server.cap, case["now"])
    loads.add(page, server)
    if "probe" in case:
        record = Record()
        probe = case["probe"]
        last = parse_token(json.dumps(probe["last"]).encode()) if probe["last"] else None
        record.take(
            Result(probe["reason"], case["now"], probe["seconds"], 0.0, probe["first_s"], last)
        )
        record.add(page, server.labels, "tinyllama:latest")
    return page


@pytest.mark.parametrize("name", NAMES)
def test_answers_make_this_page(name: str) -> None:
    """Each recorded set of answers makes exactly the page beside it."""
    case = json.loads((CASES / name / "input.json").read_text(encoding="utf-8"))
    page = generate_latest(_Registry(page_of(case))).decode()
    path = CASES / name / "expected.prom"
    if os.environ.get("TIERWATCH_GOLDEN") == "write":
        path.write_text(page, encoding="utf-8")

    assert page == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_pages_are_openmetrics(name: str) -> None:
    """No page has a series twice, families interleaved, or a text that cannot be written."""
    case = json.loads((CASES / name / "input.json").read_text(encoding="utf-8"))
    page = generate_openmetrics(_Registry(page_of(case))).decode()  # type: ignore[no-untyped-call]  # untyped upstream

    families = list(text_string_to_metric_families(page))  # type: ignore[no-untyped-call]  # untyped upstream
    samples = [(s.name, tuple(sorted(s.labels.items()))) for f in families for s in f.samples]

    assert len(samples) == len(set(samples))


@pytest.mark.live
@pytest.mark.parametrize("name", NAMES)
def test_promtool_finds_nothing(name: str) -> None:
    """`promtool check metrics` has nothing to say about any page."""
    page = (CASES / name / "expected.prom").read_bytes()

    judged = subprocess.run(
        [need("promtool"), "check", "metrics"], input=page, capture_output=True, check=False
    )

    assert (judged.returncode, judged.stdout + judged.stderr) == (0, b"")
