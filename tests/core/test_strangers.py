"""Somebody else's catalog: it works without code, and its own kinds are first-class."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.model import Catalog
from generator.names import HEALTHY
from generator.proofs import prove
from generator.render import Rendered, render
from generator.verify import Verdict, judge
from tests.core.planted import CATALOG_PACKS, with_tests_of

Load = Callable[..., Catalog]
Tree = Callable[[Path], dict[str, bytes]]

OWN_KIND = """kind: frobnicator
title: Frobnicator
port: 7000
metrics: {from: native, port: 7001, path: /stats, series: 50}
verdict: up
health: application
log: logfmt
packs: []
board: frobnicator
sources: ["https://frob.example/docs"]
declares:
  frob_queue_length: {type: gauge, unit: items, labels: [queue], help: "Items that wait"}
  frob_done_total: {type: counter, unit: items, labels: [], help: "Items done"}
"""
OWN_SHOP = """tier: shop
services:
  frob: {kind: frobnicator, slo: 99%, ports: ["7000:7000"]}
  loki: {kind: loki}
  promtail: {kind: promtail}
"""


def _yaml(rendered: Rendered, path: str) -> Any:
    return yaml.load(rendered.files[path], Loader=yaml.CSafeLoader)


def _verdicts(rendered: Rendered) -> str:
    rules = _yaml(rendered, "prometheus/rules/service.yml")["groups"][0]["rules"]
    return str(next(rule["expr"] for rule in rules if rule.get("record") == HEALTHY))


def test_three_services_have_no_findings(shop: Rendered) -> None:
    """The shop's catalog of twelve lines gives a stack without findings and without dead parts."""
    assert [str(finding) for finding in prove(shop)] == []
    assert shop.left_out == ()


@pytest.mark.live
def test_three_services_from_the_command_to_the_judges(
    in_process: Callable[..., Any], shop_catalog: Path, tmp_path: Path, tool: Callable[[str], Path]
) -> None:
    """A new user's `generate` and `verify` in an empty folder end with 0 and nothing unproven."""
    for name in ("promtool", "amtool", "blackbox_exporter"):
        tool(name)
    made = in_process("generate", "--catalog", shop_catalog, "--out", "out", cwd=tmp_path)
    said = in_process("verify", "--catalog", shop_catalog, "--require-tools", cwd=tmp_path)

    assert (made.status, made.err) == (0, "")
    assert (said.status, said.err) == (0, "")
    assert {line.split("  ")[1] for line in said.out.splitlines()} == {"proven"}
    assert (tmp_path / "out" / "prometheus" / "prometheus.yml").is_file()


def test_watchers_are_added_for_a_catalog_without_them(load: Load) -> None:
    """A catalog without any monitoring service gets those that its verdicts need, and is watched."""
    rendered = render(
        load(f1_app="tier: app\nservices:\n  web: {kind: http-service}\n  cache: {kind: redis}\n")
    )

    assert [(service.name, service.tier) for service in rendered.catalog.services] == [
        ("web", "app"), ("cache", "app"), ("alertmanager", "monitoring"),
        ("blackbox-exporter", "monitoring"), ("prometheus", "monitoring"),
        ("redis-exporter", "monitoring"),
    ]  # fmt: skip
    assert prove(rendered) == []


@pytest.mark.parametrize("kind", ["http-service", "postgres", "ollama", "container", "cli-job"])
def test_one_service_is_enough(load: Load, kind: str) -> None:
    """A catalog of a single service, whatever its kind, gives a stack without findings."""
    rendered = render(load(f1_app=f"tier: app\nservices:\n  only: {{kind: {kind}}}\n"))

    assert [str(finding) for finding in prove(rendered)] == []
    assert rendered.left_out == ()


@pytest.mark.live
def test_judges_accept_one_service(load: Load, tool: Callable[[str], Path]) -> None:
    """Both promtool and amtool accept what a single service gives."""
    tool("promtool"), tool("amtool")
    rendered = render(load(f1_app="tier: app\nservices:\n  only: {kind: http-service}\n"))

    judged = judge(with_tests_of(rendered, *CATALOG_PACKS))
    assert {j.check: j.verdict for j in judged} == dict.fromkeys(
        ("unit tests of all rules", "prometheus.yml", "rule files", "alertmanager.yml",
         "routing table", "blackbox.yml"),
        Verdict.PROVEN,
    )  # fmt: skip


def test_every_kind_together_has_no_findings(every_kind: Rendered) -> None:
    """One service of every kind that ships gives no finding, and nothing of it is dead."""
    assert [str(finding) for finding in prove(every_kind)] == []
    assert every_kind.left_out == ()


@pytest.mark.live
def test_judges_accept_every_kind(
    platform: Rendered, every_kind: Rendered, tool: Callable[[str], Path]
) -> None:
    """Every judge accepts a catalog of all kinds, with the tests of packs that our own has not so."""
    for name in ("promtool", "amtool", "loki", "promtail", "blackbox_exporter"):
        tool(name)

    ours = {pack.name: {alert.name for alert in pack.alerts} for pack in platform.packs}
    other = [p.name for p in every_kind.packs if {a.name for a in p.alerts} != ours.get(p.name)]
    assert {"neo4j", "workers"} <= set(other)
    judged = judge(with_tests_of(every_kind, *CATALOG_PACKS, *other))

    assert [j for j in judged if j.verdict is not Verdict.PROVEN] == []


@pytest.fixture
def own(load: Load) -> Rendered:
    """Return a catalog with a kind of its own, rendered."""
    return render(load(f1_shop=OWN_SHOP, kinds_frobnicator=OWN_KIND))


def test_a_kind_of_ones_own_has_no_findings(own: Rendered) -> None:
    """Software that we never heard of is described in the catalog and needs no code."""
    assert [str(finding) for finding in prove(own)] == []


def test_a_kind_of_ones_own_is_scraped_and_judged(own: Rendered) -> None:
    """It has a job at its own port and path, a verdict, and ServiceDown is about it."""
    jobs = {
        job["job_name"]: job for job in _yaml(own, "prometheus/prometheus.yml")["scrape_configs"]
    }
    down = [alert for alert in own.alerts if alert.name == "ServiceDown"]
    about = {
        service.name
        for alert in down
        for service in own.universe.subjects(alert, own.catalog.services)
    }

    assert jobs["frobnicator"]["static_configs"] == [
        {
            "targets": ["frob:7001"],
            "labels": {
                "service": "frob", "tier": "shop", "kind": "frobnicator", "profile": "default",
                "__metrics_path__": "/stats",
            },
        }
    ]  # fmt: skip
    assert "frobnicator" in _verdicts(own)
    assert "frob" in about
    assert any("SLOBudget" in alert.name for alert in own.alerts)


def test_a_kind_of_ones_own_has_a_board_and_a_pipeline(own: Rendered) -> None:
    """Its declared metrics stand on a generic board, and its lines go through its log format."""
    board = json.loads(own.files["grafana/dashboards/kind-frobnicator.json"])
    shown = json.dumps(board)
    promtail = own.files["promtail/config.yml"]

    assert "Frobnicator" in board["title"]
    assert "frob_queue_length" in shown
    assert "frob_done_total" in shown
    assert "frob" in promtail


def test_an_alert_on_ones_own_metrics_could_be_proven(own: Rendered) -> None:
    """The universe knows the declared metrics with their labels and types, and where they are."""
    assert own.universe.types("frob_done_total") == {"counter"}
    assert "queue" in (own.universe.labels("frob_queue_length") or set())
    assert own.universe.alive('frob_queue_length{service="frob"} > 1')
    assert not own.universe.alive('frob_queue_length{service="loki"} > 1')


@pytest.mark.live
def test_judges_accept_a_kind_of_ones_own(own: Rendered, tool: Callable[[str], Path]) -> None:
    """Every judge accepts the stack of a kind that we never heard of."""
    for name in ("promtool", "amtool", "loki", "promtail"):
        tool(name)

    judged = judge(with_tests_of(own, *CATALOG_PACKS))
    assert [j for j in judged if j.verdict is not Verdict.PROVEN] == []
