"""The worked examples of the pages: catalogs load, the alert fires, the board draws, the format reads."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.kit import Pack
from dashboards.board import Board
from dashboards.kind_boards import filled
from dashboards.kit import dashboard
from dashboards.panels import Row
from generator import rules, ruletests, toolbox
from generator.catalog import load_catalog
from generator.errors import CatalogError
from generator.model import Catalog
from promtail.kit import Format, Sample
from promtail.pipeline import SUBJECT_LABELS, stages
from tests.docs.markdown import ROOT, Block, blocks
from tests.promtail.dry_run import Arrived, parse

OPERATOR = ROOT / "docs" / "operator.md"
CONTRIBUTOR = ROOT / "docs" / "contributor.md"
CORE = "tier: core\nservices:\n  db: {kind: postgres}\n"


def block(page: Path, name: str) -> Block:
    """Return the block of *page* that shows the file *name*."""
    return next(each for each in blocks(page) if each.name == name)


def made(page: Path, name: str) -> dict[str, Any]:
    """Return what the Python block *name* of *page* defines."""
    found: dict[str, Any] = {"__name__": name}
    exec(compile(block(page, name).text, name, "exec"), found)  # noqa: S102 - our own page
    return found


def load(folder: Path, files: Mapping[str, str]) -> Catalog:
    """Write *files*, text by path, into *folder* and load it as a catalog."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return load_catalog(folder)


@pytest.fixture
def kiosk(tmp_path: Path) -> Catalog:
    """Return the contributor's catalog: a database, and the kiosk that hangs on it."""
    return load(
        tmp_path,
        {
            "platform.yml": "platform: street\n",
            "1-core.yml": CORE,
            "3-street.yml": block(CONTRIBUTOR, "catalog/3-street.yml").text,
            "kinds/kiosk.yml": block(CONTRIBUTOR, "generator/kinds/kiosk.yml").text,
        },
    )


def test_service_and_kind(kiosk: Catalog) -> None:
    """The example service is scraped as its kind says, and hangs on the database."""
    service = kiosk.by_name["kiosk"]

    assert (service.tier, service.requires, service.metrics_port, service.log_format) == (
        "street", ("db",), 7000, "plain",
    )  # fmt: skip
    assert kiosk.hard_dependants["db"] == ("kiosk",)


def test_alert_fires_when_it_says(kiosk: Catalog, tmp_path: Path) -> None:
    """The real promtool plays the example alert's samples without an objection, and objects to another threshold."""
    pack: Pack = made(CONTRIBUTOR, "alerts/kiosk.py")["pack"](kiosk)
    promtool = toolbox.find("promtool")
    assert promtool is not None, "promtool is missing: run `make tools`"
    tests = ruletests.pack_tests(pack, kiosk)
    rule_files = rules.render((pack,), kiosk)
    for artifact in (*rule_files, *tests):
        path = tmp_path / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text, encoding="utf-8")
    files = [tmp_path / artifact.path for artifact in tests]

    assert toolbox.run(promtool, ["test", "rules", *files]).ok
    rule_file = tmp_path / rule_files[0].path
    rule_file.write_text(rule_files[0].text.replace("> 20", "> 25"), encoding="utf-8")
    assert not toolbox.run(promtool, ["test", "rules", *files]).ok


def test_board_draws_its_panels() -> None:
    """The example rows become a Grafana board with both panels and the board's own selector in them."""
    rows: dict[str, tuple[Row, ...]] = made(CONTRIBUTOR, "dashboards/kinds/kiosk.py")["ROWS"]
    selected = tuple(filled(row, 'kind="kiosk"') for row in rows["kiosk"])
    data = dashboard(Board(id="kind-kiosk", title="Kiosk", description="Kiosks", rows=selected))
    drawn = {panel["title"]: panel for panel in data["panels"] if panel["type"] != "row"}

    assert list(drawn) == ["Queue", "Sales"]
    assert [panel["targets"][0]["expr"] for panel in drawn.values()] == [
        'max by (service) (kiosk_queue{kind="kiosk"})',
        'sum by (service) (rate(kiosk_sales_total{kind="kiosk"}[$__rate_interval]))',
    ]


@pytest.mark.live
def test_format_reads_its_samples(tmp_path: Path) -> None:
    """The real Promtail makes of each example line what its sample says."""
    example: Format = made(CONTRIBUTOR, "promtail/formats/kiosk.py")["FORMAT"]
    promtail = toolbox.find("promtail")
    if promtail is None:
        pytest.skip("promtail is missing: run `make tools`")
    for number, sample in enumerate(example.samples):
        arrived = _played(promtail, example, sample, number, tmp_path)
        labels = dict.fromkeys(SUBJECT_LABELS, "kiosk") | {"level": sample.level}
        time = sample.time or arrived.time

        assert arrived == Arrived(time, labels, sample.text)


def _played(promtail: Path, example: Format, sample: Sample, number: int, folder: Path) -> Arrived:
    """Return the first entry that arrives of *sample*, through the whole pipeline of the format."""
    # A copy: the stages around a format are shared by all.
    pipeline: list[dict[str, Any]] = json.loads(json.dumps(stages([example])))
    for stage in pipeline:
        if "labelallow" in stage:
            stage["labelallow"].append("sample")
    labels = dict.fromkeys((*SUBJECT_LABELS, "log_format"), "kiosk") | {"sample": str(number)}
    config = {
        "server": {"disable": True},
        "clients": [{"url": "http://127.0.0.1:9/push"}],
        "scrape_configs": [
            {"job_name": "s", "static_configs": [{"labels": labels}], "pipeline_stages": pipeline}
        ],
    }
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    done = subprocess.run(
        [promtail, "-config.file", path, "--dry-run", "--stdin"],
        # A dry run that reaches the end of its input may forget the last lines: these are for that.
        input=sample.raw + "\n" + "the end\n" * 100,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return parse(done.stdout)[number][0]


def test_own_kinds_of_the_operator(tmp_path: Path) -> None:
    """Both kinds of the operator's page load, and a service of each is watched by its verdict."""
    services = "tier: app\nservices: {wiki: {kind: wiki}, kiosk: {kind: kiosk}}\n"
    catalog = load(
        tmp_path,
        {
            "platform.yml": "platform: shop\n",
            "1-app.yml": services,
            "kinds/wiki.yml": block(OPERATOR, "catalog/kinds/wiki.yml").text,
            "kinds/kiosk.yml": block(OPERATOR, "catalog/kinds/kiosk.yml").text,
        },
    )

    assert {name: catalog.kinds[name].verdict for name in ("wiki", "kiosk")} == {
        "wiki": "probe_success", "kiosk": "up",
    }  # fmt: skip


def test_disabled_alert(tmp_path: Path) -> None:
    """The operator's platform loads, and the alert that it does not want is left out."""
    platform = block(OPERATOR, "catalog/platform.yml").text
    catalog = load(tmp_path, {"platform.yml": platform, "1-core.yml": CORE})

    assert list(catalog.platform.disabled_alerts) == ["ProbeSlow"]


def test_spellings_of_ports(tmp_path: Path) -> None:
    """Of the ports that the operator's page spells, the first two are read and all others refused."""
    paragraph = re.search(
        r"^Of Compose's spellings.*?\n\n", OPERATOR.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert paragraph is not None
    spelt = re.findall(r"`(\"?[0-9][^`]*)`", paragraph[0])

    def read(text: str) -> bool:
        tier = f"tier: core\nservices:\n  db: {{kind: postgres, ports: [{text}]}}\n"
        try:
            load(tmp_path, {"platform.yml": "platform: shop\n", "1-core.yml": tier})
        except CatalogError:
            return False
        return True

    assert {text: read(text) for text in spelt} == {
        '"8080:8000"': True, '"8000"': True, '"127.0.0.1:8080:8000"': False,
        '"8000-8010"': False, '"8000/udp"': False, "8000": False,
    }  # fmt: skip


def test_every_block_with_a_name_is_used() -> None:
    """No page shows a file that no test has looked at."""
    seen = Path(__file__).read_text(encoding="utf-8")
    names = {each.name for page in (OPERATOR, CONTRIBUTOR) for each in blocks(page) if each.name}
    unused = {name for name in names if name not in seen and name != "compose.yml"}

    assert unused == set()
