"""Generated tests are worth what they notice: every wrong rule of a toy pack fails its own test."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.kit import Alert, Pack
from generator import rules, ruletests, toolbox
from generator.quantities import write_duration
from generator.render import Rendered
from generator.timelines import stepped
from tests.core.toys import ERRORS, PACK, USED

RULES = "prometheus/rules/toy.yml"
Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong edit of one rule: in *rule*, at *key* (`labels.severity`), *old* becomes *new*."""

    rule: str
    key: str
    old: str
    new: str


def longer(alert: Alert) -> str:
    """Return the hold of *alert* and one step of its test."""
    return write_duration(alert.hold + stepped(alert, PACK).step)


def shorter(alert: Alert) -> str:
    """Return the hold of *alert* less one step of its test."""
    return write_duration(alert.hold - stepped(alert, PACK).step)


# What somebody might get wrong, by what the design says the tests notice (design 6).
FAULTS: dict[str, Fault] = {
    "operator flipped": Fault(USED.name, "expr", "> 0.8", "< 0.8"),
    "operator inclusive at a wrong place": Fault(USED.name, "expr", "> 0.8", ">= 0.85001"),
    "hold dropped": Fault(USED.name, "for", "5m", "0s"),
    "hold one step longer": Fault(USED.name, "for", "5m", longer(USED)),
    "hold one step shorter": Fault(USED.name, "for", "5m", shorter(USED)),
    "hold dropped where a window fills slowly": Fault(ERRORS.name, "for", "4m", "0s"),
    "hold longer where a window fills slowly": Fault(ERRORS.name, "for", "4m", longer(ERRORS)),
    "hold shorter where a window fills slowly": Fault(ERRORS.name, "for", "4m", shorter(ERRORS)),
    "keep dropped": Fault(USED.name, "keep_firing_for", "2m", "0s"),
    "threshold 10 % higher": Fault(USED.name, "expr", "> 0.8", "> 0.88"),
    "threshold 10 % lower": Fault(USED.name, "expr", "> 0.8", "> 0.72"),
    "counter's threshold 10 % higher": Fault(ERRORS.name, "expr", "> 100", "> 110"),
    "counter's threshold 10 % lower": Fault(ERRORS.name, "expr", "> 100", "> 90"),
    "instant value where one scrape may be missed": Fault(
        USED.name, "expr", "last_over_time(toy_used_ratio[3m])", "toy_used_ratio"
    ),
    "window shorter than a missed scrape": Fault(USED.name, "expr", "[3m]", "[20s]"),
    "minimum for maximum": Fault(USED.name, "expr", "max by", "min by"),
    "sum for maximum": Fault(USED.name, "expr", "max by", "sum by"),
    "delta of a counter": Fault(ERRORS.name, "expr", "increase", "delta"),
    "rate for increase": Fault(ERRORS.name, "expr", "increase", "rate"),
    "half the window": Fault(ERRORS.name, "expr", "[10m]", "[5m]"),
    "broken matcher": Fault(ERRORS.name, "expr", 'level="error"', 'level="eror"'),
    "dropped exclusion": Fault(ERRORS.name, "expr", ', code!="404"', ""),
    "turned matcher": Fault(ERRORS.name, "expr", 'level="error"', 'level!="error"'),
    "misspelt metric": Fault(USED.name, "expr", "toy_used_ratio", "toy_usde_ratio"),
    "lost label": Fault(ERRORS.name, "expr", "by (service, code)", "by (service)"),
    "aggregation without subject": Fault(USED.name, "expr", "max by (service)", "max"),
    "subject's labels not joined": Fault(USED.name, "expr", "tier, kind, profile", "kind, profile"),
    "join dropped": Fault(
        USED.name, "expr",
        "\n* on (service) group_left (tier, kind, profile, owner) service:catalog:info", "",
    ),
    "severity changed": Fault(USED.name, "labels.severity", "warning", "critical"),
    "role changed": Fault(USED.name, "labels.role", "symptom", "root"),
    "remedy changed": Fault(USED.name, "labels.remedy", "none", "restart"),
    "summary changed": Fault(USED.name, "annotations.summary", "uses", "used"),
    "value shown otherwise": Fault(USED.name, "annotations.summary", "humanizePercentage", "humanize"),
    "runbook of another alert": Fault(USED.name, "annotations.runbook_url", "ToyDiskUsed", "Toy"),
    "recording rule over the wrong end": Fault("toy:free:ratio", "expr", "min", "max"),
    "recording rule without its label": Fault("toy:free:ratio", "expr", "min by (service)", "min"),
    "recording rule under another name": Fault("toy:free:ratio", "record", "free", "fre"),
}  # fmt: skip


def spoil(content: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """Return *content* of a rule file with *fault* in it."""
    spoilt = deepcopy(content)
    found = spoilt["groups"][0]["rules"]
    rule: Rule = next(r for r in found if fault.rule in (r.get("alert"), r.get("record")))
    *path, last = fault.key.split(".")
    for key in path:
        rule = rule[key]
    assert fault.old in rule[last]
    rule[last] = rule[last].replace(fault.old, fault.new, 1)
    return spoilt


def written(folder: Path, pack: Pack, shop: Rendered, fault: Fault | None) -> list[Path]:
    """Write the pack's rules, spoilt by *fault*, and its sound tests; return the tests' paths."""
    content = rules.rule_file(pack, shop.catalog)
    if fault is not None:
        content = spoil(content, fault)
    path = folder / rules.rule_path(pack)
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    tests = ruletests.pack_tests(pack, shop.catalog)
    for artifact in tests:
        path = folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text, encoding="utf-8")
    return [folder / artifact.path for artifact in tests]


@pytest.mark.live
@pytest.mark.parametrize("name", ["promtool", "promtool3"])
def test_sound_rules_pass_their_tests(
    tmp_path: Path, shop: Rendered, tool: Callable[[str], Path], name: str
) -> None:
    """The toy pack as it is passes in the oldest and in the current promtool."""
    judged = toolbox.run(tool(name), ["test", "rules", *written(tmp_path, PACK, shop, None)])

    assert (judged.ok, "FAILED" in judged.text) == (True, False), judged.text


@pytest.mark.live
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_wrong_rule_fails_its_test(
    tmp_path: Path, shop: Rendered, tool: Callable[[str], Path], fault: Fault
) -> None:
    """Each single wrong edit of a rule is noticed by the tests that were made for it."""
    tests = written(tmp_path, PACK, shop, fault)
    judged = toolbox.run(tool("promtool"), ["test", "rules", *tests])

    assert (judged.ok, "FAILED:" in judged.text) == (False, True), judged.text


def test_the_tests_of_a_pack_are_whole(shop: Rendered, golden: Callable[[str, str], None]) -> None:
    """What is generated for the toy pack, every series and check of it, is what was reviewed."""
    rendered = rules.render((PACK,), shop.catalog) + ruletests.pack_tests(PACK, shop.catalog)

    golden("toy.txt", "".join(f"--- {a.path}\n{a.text}" for a in rendered))


def test_alerts_that_share_no_metric_share_a_group(shop: Rendered) -> None:
    """Promtool pays per group: alerts with metrics of their own stand in one, others do not."""
    other = replace(
        USED,
        name="ToyOther",
        expr="max by (service) (last_over_time(toy_other[3m]))",
        fires={"toy_other": "0.85"},
        quiet={"toy_other": "0.75"},
    )
    again = replace(USED, name="ToyDiskUsedAgain")
    (together,) = ruletests.pack_tests(
        replace(PACK, records=(), alerts=(USED, other)), shop.catalog
    )
    (apart,) = ruletests.pack_tests(replace(PACK, records=(), alerts=(USED, again)), shop.catalog)

    assert len(yaml.safe_load(together.text)["tests"]) == 1
    assert len(yaml.safe_load(apart.text)["tests"]) == 2


def test_a_rule_on_recorded_series_is_kept_apart_from_their_inputs() -> None:
    """What a recording rule of the pack makes of a test's inputs cannot reach another test."""
    names = ruletests.touched(frozenset({"toy_used_ratio"}), PACK)

    assert names == {"toy_used_ratio", "toy:free:ratio"}


def test_every_series_of_a_test_is_written_once(platform: Rendered) -> None:
    """No group of any rendered test holds one series twice: promtool would take the last silently."""
    twice = []
    for path, text in platform.files.items():
        if path.startswith("prometheus/tests/"):
            for group in yaml.load(text, Loader=yaml.CSafeLoader)["tests"]:
                series = (
                    [row["series"] for row in group["input_series"]]
                    if "input_series" in group
                    else []
                )
                if len(series) != len(set(series)):
                    twice.append(path)

    assert twice == []
