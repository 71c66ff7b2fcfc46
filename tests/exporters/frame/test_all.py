"""The three exporters on the platform's rendered files: one page that both judges and the kinds agree with."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

import pytest

from exporters.config import LABELS
from generator.kinds import load_kinds
from tests.exporters.frame.lint import complaints
from tests.exporters.frame.test_service import COMMAND
from tests.live.exposition import Exposed, parse_exposition
from tests.live.servers import HOST, Server, free_port, need, running

ROOT = Path(__file__).parents[3]
KINDS = ("ollama", "ollama-exporter", "agents-exporter", "hardware-exporter")
DECLARED = {
    name: metric for kind in KINDS for name, metric in load_kinds()[0][kind].declares.items()
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return the page of all three as text and as OpenMetrics; nothing of the platform runs here."""
    port = free_port()
    command = [
        *COMMAND,
        "all",
        "--config",
        ROOT / "rendered/exporters",
        "--listen",
        f"{HOST}:{port}",
    ]
    folder = tmp_path_factory.mktemp("all")

    def ready(server: Server) -> bool:
        return server.answers("/-/ready")

    env = {"PYTHONPATH": str(ROOT)}
    with running("all", command, folder=folder, port=port, env=env, ready=ready) as server:
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{server.url}/metrics", headers={"Accept": "application/openmetrics-text"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return server.get(), answer.read().decode()


def test_both_judges_are_content(page: tuple[str, str]) -> None:
    """Also where nothing of what is watched can be reached."""
    text, openmetrics = page

    said = subprocess.run(
        [need("promtool"), "check", "metrics"],
        input=text,
        text=True,
        capture_output=True,
        check=False,
    )

    assert (said.returncode, said.stdout + said.stderr) == (0, "")
    assert complaints(openmetrics, prefixes=("agent", "hw", "ollama")) == []


def test_every_metric_is_declared_with_its_type_and_labels(page: tuple[str, str]) -> None:
    """Nothing is on the page that no kind declares; labels are the declared ones and the subject's."""
    exposed = parse_exposition(page[0])

    assert set(exposed) - set(DECLARED) == set()
    assert [name for name, found in exposed.items() if not _fits(name, found)] == []


def _fits(name: str, found: Exposed) -> bool:
    metric = DECLARED[name]
    return metric.type == found.type and found.labels - set(LABELS) == set(metric.labels)
