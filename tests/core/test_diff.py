"""What changes between two stacks, said by meaning."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.diff import Difference, compare, read_stack
from generator.diff_config import CONFIGURATIONS
from generator.errors import CatalogError
from generator.render import Rendered, render

Tierwatch = Callable[..., Any]
RULES = "prometheus/rules/x.yml"
PROMETHEUS, ALERTMANAGER = "prometheus/prometheus.yml", "alertmanager/alertmanager.yml"
REMEDIATION, BOARD = "remediation/config.yml", "grafana/dashboards/x.json"


def _jobs(*jobs: Mapping[str, Any]) -> dict[str, str]:
    return {PROMETHEUS: json.dumps({"scrape_configs": list(jobs)})}


def _rules(*rules: Mapping[str, Any]) -> dict[str, str]:
    return {RULES: json.dumps({"groups": [{"name": "x", "rules": list(rules)}]})}


def _alert(name: str = "A", **changes: Any) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": "x > 5",
        "for": "5m",
        "labels": {"severity": "warning"},
        **changes,
    }


CASES: dict[str, tuple[dict[str, str], dict[str, str], list[str]]] = {
    "nothing": (_rules(_alert()), _rules(_alert()), []),
    "an alert goes": (_rules(_alert(), _alert("B")), _rules(_alert()), ["removes alert B"]),
    "an alert comes": (_rules(_alert()), _rules(_alert(), _alert("B")), ["adds alert B"]),
    "a threshold rises": (
        _rules(_alert()), _rules(_alert(expr="x > 10")),
        ["alert A: raises a threshold from 5 to 10"],
    ),
    "a share falls": (
        _rules(_alert(expr="x > 0.1", annotations={"summary": "{{ $value | humanizePercentage }}"})),
        _rules(_alert(expr="x > 0.05", annotations={"summary": "{{ $value | humanizePercentage }}"})),
        ["alert A: lowers a threshold from 10 to 5 %"],
    ),
    "the window is no threshold": (
        _rules(_alert(expr="rate(x[5m]) > 5")), _rules(_alert(expr="rate(x[10m]) > 5")),
        ["alert A: changes its expression"],
    ),
    "a label's value is no threshold": (
        _rules(_alert(expr='x{code="500"} > 5')), _rules(_alert(expr='x{code="503"} > 5')),
        ["alert A: changes its expression"],
    ),
    "the hold": (
        _rules(_alert()), _rules(_alert(**{"for": "1m"})), ["alert A: changes the hold from 5m to 1m"],
    ),
    "the keep appears": (
        _rules(_alert()), _rules(_alert(keep_firing_for="2m")),
        ["alert A: changes the time it outlives recovery from 0s to 2m"],
    ),
    "a label": (
        _rules(_alert()), _rules(_alert(labels={"severity": "critical"})),
        ["alert A: changes severity from 'warning' to 'critical'"],
    ),
    "a recording rule": (
        _rules({"record": "a:b:c", "expr": "x"}), _rules({"record": "a:b:c", "expr": "y"}),
        ["rule a:b:c: changes its expression"],
    ),
    "a job": (
        _jobs({"job_name": "a"}, {"job_name": "b", "sample_limit": 5, "relabel_configs": [{"regex": "x" * 60}]}),
        _jobs({"job_name": "b", "sample_limit": 6, "relabel_configs": [], "scheme": "https"}),
        ["removes job a", "job b: changes relabel_configs, sample_limit 5 becomes 6, scheme nothing becomes https"],
    ),
    "a setting": (
        {PROMETHEUS: "global: {scrape_interval: 15s}"}, {PROMETHEUS: "global: {scrape_interval: 30s}"},
        ["prometheus: global.scrape_interval 15s becomes 30s"],
    ),
    "an interval of rules": (
        {RULES: '{"groups": [{"name": "x", "rules": []}]}'},
        {RULES: '{"groups": [{"name": "x", "rules": [], "interval": "1m"}]}'},
        ["group x: interval nothing becomes 1m"],
    ),
    "a route": (
        {ALERTMANAGER: "route: {receiver: all, routes: [{matchers: [a=b], group_wait: 1s}]}"},
        {ALERTMANAGER: "route: {receiver: all, routes: [{matchers: [a=b], group_wait: 9s}, {matchers: [a=b]}]}"},
        ["route a=b: group_wait 1s becomes 9s", "adds route a=b (2)"],
    ),
    "the order of routes": (
        {ALERTMANAGER: "route: {routes: [{matchers: [a=b]}, {matchers: [c=d]}]}"},
        {ALERTMANAGER: "route: {routes: [{matchers: [c=d]}, {matchers: [a=b]}]}"},
        ["changes the order of routes: the first that fits is taken"],
    ),
    "who is told": (
        {ALERTMANAGER: "receivers: [{name: a}, {name: b, webhook_configs: [{url: x}]}]"},
        {ALERTMANAGER: "receivers: [{name: b, webhook_configs: [{url: y}]}]"},
        [
            "removes receiver a",
            'receiver b: webhook_configs [{"url": "x"}] becomes [{"url": "y"}]',
        ],
    ),
    "an inhibition": (
        {ALERTMANAGER: "inhibit_rules: [{source_matchers: [a=b], target_matchers: [c=d], equal: [tier]}]"},
        {ALERTMANAGER: "inhibit_rules: []"},
        ["removes inhibition of c=d by a=b with equal tier"],
    ),
    "quiet hours": (
        {ALERTMANAGER: ""}, {ALERTMANAGER: "time_intervals: [{name: night}]"}, ["adds interval night"],
    ),
    "what may be restarted": (
        {REMEDIATION: "{services: [{name: a}, {name: b, mode: act}], storm: {share: 0.5}}"},
        {REMEDIATION: "{services: [{name: b, mode: observe}], storm: {share: 0.9}, never_restart: [b]}"},
        [
            "removes remediation of a",
            "remediation of b: mode act becomes observe",
            'remediation: never_restart nothing becomes ["b"]',
            "remediation: storm.share 0.5 becomes 0.9",
        ],
    ),
    "a board's own": (
        {BOARD: '{"title": "T", "refresh": "1m", "panels": []}'},
        {BOARD: '{"title": "T", "refresh": "5m", "panels": []}'},
        ["board T: refresh 1m becomes 5m"],
    ),
    "a file without meaning of its own": (
        {"loki/config.yml": "a: 1\n"}, {"loki/config.yml": "a: 2\n"}, ["changes loki/config.yml"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "texts"), CASES.values(), ids=CASES)
def test_a_change_is_said_in_words(
    old: dict[str, str], new: dict[str, str], texts: list[str]
) -> None:
    """Each change of meaning gives one sentence, and nothing else does."""
    assert [difference.text for difference in compare(old, new)] == texts


def test_a_target_that_moves_is_seen(shop: Rendered) -> None:
    """A service that leaves the catalog takes its target along, and the diff says so."""
    text = shop.files["prometheus/prometheus.yml"].replace("postgres-exporter:9187", "elsewhere:1")
    changed = {**shop.files, "prometheus/prometheus.yml": text}
    found = [d for d in compare(shop.files, changed) if d.sort == "target"]

    assert found == [
        Difference("target", "postgres elsewhere:1", "adds target postgres elsewhere:1"),
        Difference(
            "target", "postgres postgres-exporter:9187", "removes target postgres postgres-exporter:9187"
        ),
    ]  # fmt: skip


def test_a_stack_equals_itself(platform: Rendered) -> None:
    """Nothing differs between a rendering and itself, or its catalog rendered once more."""
    assert compare(platform.files, platform.files) == ()
    assert compare(platform.files, render(platform.catalog).files) == ()


def _leaves(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each single value, as what holds it and the key or index in that; targets have a test above."""
    for key, value in list(data.items() if isinstance(data, dict) else enumerate(data)):
        if isinstance(value, dict | list):
            yield from _leaves(value) if key != "static_configs" else ()
        else:
            yield data, key


@pytest.mark.parametrize("path", CONFIGURATIONS)
def test_no_change_goes_unseen(platform: Rendered, path: str) -> None:
    """Whatever single value of a configuration is another one, there is something that matters."""
    written, changed = (yaml.safe_load(platform.files[path]) for _ in range(2))
    unseen = []
    for holder, key in _leaves(changed):
        kept, holder[key] = holder[key], "another one"
        if not any(CONFIGURATIONS[path](written, changed)):
            unseen.append(f"{key}: {kept}")
        holder[key] = kept

    assert (unseen, written == changed) == ([], True)


def test_a_threshold_set_in_the_catalog_is_one_difference(platform: Rendered) -> None:
    """One threshold raised in platform.yml changes the rule, and is said as a raise."""
    catalog = platform.catalog
    wished = replace(catalog.platform, thresholds={"PostgresConnectionsNearLimit": 0.9})
    after = render(replace(catalog, platform=wished)).files
    texts = [d.text for d in compare(platform.files, after) if d.sort == "alert"]

    assert texts == ["alert PostgresConnectionsNearLimit: raises a threshold from 80 to 90 %"]


def test_folders_and_catalogs_can_be_compared(
    tierwatch: Tierwatch, shop_catalog: Path, tmp_path: Path
) -> None:
    """OLD and NEW may each be a rendered folder or a catalog; exit is 0 alike, 1 different."""
    out = tmp_path / "out"
    tierwatch("generate", "--catalog", shop_catalog, "--out", out)
    alike = tierwatch("diff", out, shop_catalog)
    (out / "prometheus" / "rules" / "tier.yml").unlink()
    different = tierwatch("diff", out, shop_catalog, "--format", "json")

    assert (alike.status, alike.err) == (0, "")
    assert alike.out.splitlines()[-1].strip() == "no difference that matters"
    assert (different.status, different.err) == (1, "")
    assert {"sort": "alert", "subject": "TierDown", "text": "adds alert TierDown"} in json.loads(
        different.out
    )


def test_a_folder_that_is_neither_is_refused(tierwatch: Tierwatch, tmp_path: Path) -> None:
    """A folder without platform.yml and without prometheus/ exits 2 with a cure."""
    with pytest.raises(CatalogError) as caught:
        read_stack(tmp_path)
    said = tierwatch("diff", tmp_path, tmp_path)

    assert str(caught.value) == (
        f"{tmp_path}: is neither a catalog (no platform.yml) nor a rendered folder (no prometheus/). "
        "Name one of the two."
    )
    assert (said.status, said.out) == (2, "")
