"""The files: their names, their bytes, and what Grafana is told about them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dashboards.json_text import dump
from dashboards.render import boards, render
from generator.model import Catalog

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden" / "kind-kiosk.json"

DIGEST = """
import hashlib
from pathlib import Path
from dashboards.render import render
from generator.catalog import load_catalog
text = "".join(a.path + a.text for a in render(load_catalog(Path("catalog"))))
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_a_small_board_is_as_the_golden_file_says(stranger: Catalog) -> None:
    """The board of a kind of one's own is, byte for byte, the reviewed one."""
    files = {artifact.path: artifact.text for artifact in render(stranger)}
    made = files["grafana/dashboards/kind-kiosk.json"]
    if os.environ.get("TIERWATCH_GOLDEN") == "write":
        GOLDEN.write_text(made, encoding="utf-8")

    assert made == GOLDEN.read_text(encoding="utf-8")


def test_the_same_catalog_gives_the_same_bytes() -> None:
    """Two processes with different hash seeds write the same files."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(digests) == 1


def test_there_is_one_file_per_board(catalog: Catalog) -> None:
    """Boards lie by id under grafana/dashboards; two provisioning files lie beside them."""
    paths = [artifact.path for artifact in render(catalog)]

    assert paths == [
        *(f"grafana/dashboards/{board.id}.json" for board in boards(catalog)),
        "grafana/provisioning/datasources/tierwatch.yml",
        "grafana/provisioning/dashboards/tierwatch.yml",
    ]


def test_the_platform_has_the_boards_the_operator_was_promised(catalog: Catalog) -> None:
    """Home, a board per tier, a board per kind with one, and the eight of the whole platform."""
    made = {board.id for board in boards(catalog)}
    kinds = {f"kind-{kind.board}" for kind in catalog.kinds.values() if kind.board}
    tiers = {f"tier-{tier.name}" for tier in catalog.tiers}
    whole = {"home", "models", "agents", "hardware", "slo", "remediation", "logs", "stack"}

    assert made == kinds | tiers | whole


def test_data_sources_are_provisioned_by_uid(catalog: Catalog) -> None:
    """Prometheus, Loki and Alertmanager are reached by their service name, under fixed uids."""
    files = {artifact.path: artifact.text for artifact in render(catalog)}
    data = yaml.safe_load(files["grafana/provisioning/datasources/tierwatch.yml"])

    assert [(each["uid"], each["type"], each["url"]) for each in data["datasources"]] == [
        ("tierwatch-prometheus", "prometheus", "http://prometheus:9090"),
        ("tierwatch-loki", "loki", "http://loki:3100"),
        ("tierwatch-alertmanager", "alertmanager", "http://alertmanager:9093"),
    ]
    assert [each["editable"] for each in data["datasources"]] == [False] * 3


def test_a_source_that_is_not_run_is_not_provisioned(stranger: Catalog) -> None:
    """A catalog without Loki gets no data source for it."""
    files = {artifact.path: artifact.text for artifact in render(stranger)}
    data = yaml.safe_load(files["grafana/provisioning/datasources/tierwatch.yml"])

    assert [each["type"] for each in data["datasources"]] == ["prometheus", "alertmanager"]


def test_boards_cannot_be_changed_in_the_browser(catalog: Catalog) -> None:
    """The provider reads the mounted folder and allows no update from the UI."""
    files = {artifact.path: artifact.text for artifact in render(catalog)}
    data = yaml.safe_load(files["grafana/provisioning/dashboards/tierwatch.yml"])

    assert data["providers"] == [
        {
            "name": "tierwatch",
            "orgId": 1,
            "type": "file",
            "folder": "sutazai",
            "allowUiUpdates": False,
            "disableDeletion": False,
            "updateIntervalSeconds": 30,
            "options": {"path": "/etc/grafana/dashboards", "foldersFromFilesStructure": False},
        }
    ]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"b": 1, "a": [1, 2.5, None, True, 'x\ny"\\é']},
        {"a": {"long": "x" * 120, "also": 1}, "c": [[], {}, [{"d": [1, [2]]}]]},
    ],
)
def test_written_json_reads_back_the_same(data: dict[str, object]) -> None:
    """Whatever is nested how, the text is JSON for the same data, with sorted keys."""
    text = dump(data)

    assert json.loads(text) == data
    assert list(json.loads(text)) == sorted(data)
    assert text.endswith("}\n")
