"""No orphans in either direction: what is there is listed, what is listed is there."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from alerts import packs
from alerts.kit import Scope
from generator import toolbox, verify
from generator.kinds import load_kinds
from generator.names import board_uid
from generator.promql import metrics
from generator.render import Rendered
from generator.software import Kind
from loki import rules as log_rules
from promtail.formats import FORMATS

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "alerts" / "runbooks"
HEADINGS = ("Meaning", "Impact", "Diagnosis", "Mitigation", "Remediation")

# Kinds that ship for other catalogs than ours; a kind that is neither used nor here is dead.
FOR_OTHERS = frozenset(
    {
        "agentgpt", "agentzero", "alloy", "autogen", "caddy", "celery-exporter", "celery-worker",
        "dcgm-exporter", "docker-engine", "http-service", "letta", "litellm", "milvus",
        "neo4j-enterprise", "nginx", "nginx-exporter", "open-webui", "openhands", "privategpt",
        "traefik", "vllm",
    }
)  # fmt: skip
# Plays outages through the rendered configuration: a judge that only tests call.
JUDGES = frozenset({"outage"})


def _defines_pack(path: Path) -> bool:
    """Whether a module of alerts/ offers `pack(catalog)`, without importing it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "pack" for node in tree.body)


def test_every_pack_is_listed_and_every_listed_pack_is_there() -> None:
    """The modules of alerts/ that offer a pack are exactly those of `packs.PACKS`, each once."""
    offering = {path.stem for path in (ROOT / "alerts").glob("*.py") if _defines_pack(path)}

    assert offering == set(packs.PACKS)
    assert len(packs.PACKS) == len(set(packs.PACKS))


def test_every_pack_is_called_like_its_module(platform: Rendered) -> None:
    """Findings and file headers name a pack's module by the pack's name."""
    built = [packs.build(name, platform.catalog).name for name in packs.PACKS]

    assert built == list(packs.PACKS)


def test_every_module_of_alerts_is_used() -> None:
    """Every module in alerts/ is a pack or is imported by some other module of the program."""
    imported: set[str] = set()
    for room in ("alerts", "generator", "loki", "dashboards", "promtail"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("alerts"):
                    imported.add((node.module or "").partition(".")[2])
                    if node.module == "alerts":
                        imported |= {alias.name for alias in node.names}
    modules = {path.stem for path in (ROOT / "alerts").glob("*.py")} - {"__init__"}

    assert modules - imported - JUDGES == set(packs.PACKS) - imported


def test_every_alert_has_a_runbook_and_every_runbook_an_alert(
    platform: Rendered, every_kind: Rendered
) -> None:
    """Pages are the alerts (of metrics and of log lines) of our catalog and of one of all kinds."""
    names = {alert.name for alert in (*platform.alerts, *every_kind.alerts)}
    names |= {rule.name for rule in log_rules.RULES}

    assert {path.stem for path in RUNBOOKS.glob("*.md")} == names
    assert {path.suffix for path in RUNBOOKS.iterdir()} == {".md"}


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_runbook_has_its_headings_and_says_something_under_each(page: Path) -> None:
    """A page is called like its alert and has the five headings in order, none of them empty."""
    title, *parts = page.read_text(encoding="utf-8").split("\n## ")

    assert title.strip() == f"# {page.stem}"
    assert tuple(part.partition("\n")[0] for part in parts) == HEADINGS
    assert [
        part.partition("\n")[0] for part in parts if len(part.partition("\n")[2].split()) < 3
    ] == []


def test_no_two_alerts_share_a_name_across_packs(platform: Rendered) -> None:
    """A name belongs to one pack: its runbook, its test and `explain` go by the name."""
    owners: dict[str, set[str]] = {}
    for pack in platform.packs:
        for alert in pack.alerts:
            owners.setdefault(alert.name, set()).add(pack.name)
    for rule in log_rules.rules(platform.catalog):
        owners.setdefault(rule.name, set()).add("loki")

    assert {name: found for name, found in owners.items() if len(found) > 1} == {}


def test_variants_of_an_alert_differ_in_their_labels(platform: Rendered) -> None:
    """Alerts of one name in a pack are told apart by static labels, else one would hide another."""
    seen: dict[tuple[str, str, str, str], int] = {}
    for pack in platform.packs:
        for alert in pack.alerts:
            key = (pack.name, alert.name, alert.severity.value, str(sorted(alert.labels.items())))
            seen[key] = seen.get(key, 0) + 1

    assert {key: count for key, count in seen.items() if count > 1} == {}


@pytest.fixture(scope="module")
def kinds() -> Mapping[str, Kind]:
    """Return all kinds that ship."""
    found, wrong = load_kinds()
    assert list(wrong) == []
    return found


def test_every_kind_is_used_or_ships_for_others(
    platform: Rendered, kinds: Mapping[str, Kind]
) -> None:
    """A kind that our catalog does not use is on the list of those that ship for other catalogs."""
    used = {service.kind for service in platform.catalog.services}

    assert set(kinds) - used == FOR_OTHERS


def test_every_pack_and_format_of_a_kind_exists(kinds: Mapping[str, Kind]) -> None:
    """What kinds name are packs that are listed and formats that have a module."""
    formats = {log_format.name for log_format in FORMATS}

    assert {pack for kind in kinds.values() for pack in kind.packs} <= set(packs.PACKS)
    assert {kind.log for kind in kinds.values()} <= formats


def test_every_pack_applies_always_or_to_some_kind(
    platform: Rendered, kinds: Mapping[str, Kind]
) -> None:
    """A pack that is neither always on nor named by a kind could never be switched on."""
    named = {pack for kind in kinds.values() for pack in kind.packs}
    built = (packs.build(name, platform.catalog) for name in packs.PACKS)

    assert [pack.name for pack in built if not pack.always and pack.name not in named] == []


def test_every_kind_with_metrics_in_the_catalog_has_its_board(platform: Rendered) -> None:
    """A kind of the catalog that names a board has it rendered, with panels on it."""
    boards = {board.uid: sum(1 for _ in board.panels()) for board in platform.boards}
    wanted = {
        board_uid(f"kind-{kind.board}")
        for kind in platform.catalog.kinds.values()
        if kind.board and platform.catalog.of_kind(kind.name)
    }

    assert {uid for uid in wanted if not boards.get(uid)} == set()


def test_every_recorded_series_is_used_or_shown(platform: Rendered) -> None:
    """A recording rule that no rule and no panel reads would be work for nobody."""
    read = {
        metric
        for pack in platform.packs
        for expr in (*(a.promql for a in pack.alerts), *(r.expr for r in pack.records))
        for metric in metrics(expr)
    }
    shown = " ".join(query.expr for board in platform.boards for query in board.queries())
    recorded = {record.name for pack in platform.packs for record in pack.records}

    assert {name for name in recorded if name not in read and name not in shown} == set()


def test_every_alert_of_a_service_keeps_the_service(platform: Rendered) -> None:
    """Alerts about services are about at least one service of the catalog."""
    lost = [
        alert.name
        for pack in platform.packs
        for alert in pack.alerts
        if alert.scope is Scope.SERVICE
        and not platform.universe.subjects(alert, platform.catalog.services)
    ]

    assert lost == []


def test_every_check_names_a_tool_with_a_way_to_get_it(platform: Rendered) -> None:
    """Every judge that `verify` asks can be said how to get."""
    tools = {check.tool for check in verify._checks(platform)}

    assert {tool: toolbox.install_hint(tool).startswith("install it with ") for tool in tools} == (
        dict.fromkeys(tools, True)
    )
