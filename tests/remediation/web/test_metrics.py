"""The metrics page against what the kind declares, in both directions, and against promtool."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from remediation import records
from remediation.model import Container, Decision, Outcome, Record, Restarted, Result
from remediation.reasons import ESCALATIONS
from remediation.state import State
from remediation.web.metrics import INTAKE_RESULTS, Metrics
from tests.exporters.frame.lint import complaints
from tests.live.servers import need
from tests.remediation.web.night import night_desk
from tests.remediation.web.rig import NOW, ROOT, FakeDesk

KIND = ROOT / "generator" / "kinds" / "remediator.yml"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def busy() -> Metrics:
    """Return metrics to which everything has happened at least once."""
    metrics = Metrics()
    desk = night_desk()
    decision = Decision(Outcome.ACT, "restart", "redis", tier="core", incident="i", restart="redis")
    desk.write(records.intended("a", decision, "core", Container("running"), "c"))
    desk.write(records.finished("a", Restarted(Result.UNKNOWN), 1.0))
    desk.write(records.intended("b", decision, "core", Container("running"), "c"))
    desk.write(
        records.decided(Decision(Outcome.ESCALATE, "root_without_alert", "redis", tier="core"))
    )
    metrics.watch(desk.view)
    metrics.decided("act", "restart")
    metrics.acted("redis", "core", "service", "succeeded", 2.5)
    metrics.healed("core", 130.0)
    metrics.intake("accepted", 3)
    metrics.intake_took(0.004)
    return metrics


def page(metrics: Metrics, accept: str = OPENMETRICS) -> str:
    """Return the page as text."""
    return metrics.page().render(accept, "")[0].decode()


def declared() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return type and labels by name, as the kind declares them."""
    data = yaml.safe_load(KIND.read_text(encoding="utf-8"))["declares"]
    return {name: (each["type"], tuple(sorted(each["labels"]))) for name, each in data.items()}


def exposed(text: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return type and labels by name, as the page has them; a counter is named with _total."""
    found = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, tuple(sorted(labels)))
    return found


def helps(text: str) -> dict[str, str]:
    """Return the help by name."""
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: family.documentation
        for family in text_string_to_metric_families(text)
        if family.name.startswith("remediation_")
    }


def test_every_declared_metric_and_no_other() -> None:
    """Names, types and labels of a busy remediator's page are those that the kind declares."""
    assert exposed(page(busy())) == declared()


@pytest.mark.parametrize("accept", [OPENMETRICS, "text/plain"])
def test_no_series_says_when_a_counter_began(accept: str) -> None:
    """The library's `_created` series, which nobody declared and nobody asks for, are on neither page."""
    assert "_created" not in page(busy(), accept)


def test_help_texts_are_the_declared_ones() -> None:
    """The help of each of our metrics is the kind's."""
    data = yaml.safe_load(KIND.read_text(encoding="utf-8"))["declares"]

    assert helps(page(busy())) == {
        name: each["help"] for name, each in data.items() if name.startswith("remediation_")
    }


def test_what_may_be_absent_is_declared_so() -> None:
    """A remediator to which nothing has happened lacks only what the kind says may be absent."""
    metrics = Metrics()
    metrics.watch(FakeDesk().view)
    data = yaml.safe_load(KIND.read_text(encoding="utf-8"))["declares"]
    missing = set(data) - set(exposed(page(metrics)))

    assert missing <= {name for name, each in data.items() if each.get("absent")}


def test_the_intake_has_every_result_from_the_start() -> None:
    """rate() over a result that never came finds a series at 0, and the alert's list of good ones is ours."""
    text = page(Metrics(), "text/plain")
    expression = (ROOT / "alerts" / "remediation_health.py").read_text(encoding="utf-8")

    for result in INTAKE_RESULTS:
        assert f'remediation_intake_total{{result="{result}"}} 0.0\n' in text
    assert 'result!~"accepted|duplicate|ignored"' in expression


def test_gauges_tell_the_picture() -> None:
    """Each gauge has the value that the engine's picture gives it."""
    desk = FakeDesk(blind=True)
    desk.write(records.paused("ann", "x"), records.frozen(["a"], ["t"], 0.5))
    desk.write(records.opened("i", "redis", "core", NOW))
    metrics = Metrics()
    metrics.watch(desk.view)
    text = page(metrics, "text/plain")
    left = desk.config.budgets["platform"][0].count
    expected = f"""
remediation_frozen 1.0
remediation_blind 1.0
remediation_paused 1.0
remediation_docker_up 1.0
remediation_alertmanager_up 1.0
remediation_queue_length 0.0
remediation_journal_last_commit_timestamp_seconds 1.759999999e+09
remediation_last_reconcile_timestamp_seconds 1.759999997e+09
remediation_mode_info{{mode="approve",tier="core"}} 1.0
remediation_open_incidents{{tier="core"}} 1.0
remediation_open_incidents{{tier="app"}} 0.0
remediation_budget_remaining{{name="platform",scope="platform",window="1h"}} {left}.0
remediation_budget_remaining{{name="redis",scope="service",window="1h"}} 3.0
""".strip()

    assert [line for line in expected.splitlines() if line not in text.splitlines()] == []


def test_in_progress_ends_with_zero() -> None:
    """A service is 1 while it is healed and 0 afterwards, so that inhibition ends; one of no configuration is left out."""
    desk = FakeDesk()
    metrics = Metrics()
    metrics.watch(desk.view)

    def series() -> list[str]:
        return [
            line
            for line in page(metrics, "text/plain").splitlines()
            if line.startswith("remediation_in_progress{")
        ]

    for name in ("redis", "gone-since"):
        decision = Decision(Outcome.ACT, "restart", name, tier="core", restart=name)
        desk.write(records.intended(name, decision, "core", Container("running"), "c"))
    assert series() == ['remediation_in_progress{service="redis",tier="core"} 1.0']
    desk.write(records.finished("redis", Restarted(Result.SUCCEEDED), 1.0))
    assert series() == ['remediation_in_progress{service="redis",tier="core"} 0.0']


def test_who_needs_a_human_is_told_until_the_end() -> None:
    """Given up, out of budget, or without an incident: each has its series until people hear of its end."""
    desk = FakeDesk()

    def escalate(service: str, reason: str, incident: str = "") -> Record:
        told = Decision(Outcome.ESCALATE, reason, service, tier="core", incident=incident)
        return records.decided(told)

    desk.write(
        records.opened("i1", "redis", "core", NOW), records.opened("i2", "kong", "mesh", NOW),
        records.gave_up("i1", "ladder_exhausted", "backend", "app"),
        escalate("backend", "ladder_exhausted", "i1"), escalate("kong", "budget", "i2"),
        escalate("postgres", "stopped_dependency"),
    )  # fmt: skip
    metrics = Metrics()
    metrics.watch(desk.view)

    def series() -> list[str]:
        lines = page(metrics, "text/plain").splitlines()
        return [
            each.partition("{")[2] for each in lines if each.startswith("remediation_needs_human{")
        ]

    told = series()
    desk.write(
        records.closed("i1", "recovered"), records.closed("i2", "healed"),
        records.called_off("postgres", "core", "stopped_dependency", "recovered"),
    )  # fmt: skip

    assert told == [
        'name="backend",reason="ladder_exhausted"} 1.0',
        'name="kong",reason="budget"} 1.0',
        'name="postgres",reason="stopped_dependency"} 1.0',
    ]
    assert series() == []


def test_the_first_failure_has_its_time() -> None:
    """The first restart that fails is told by when, also by the next process; one that works is not."""
    desk = FakeDesk()
    for name, result in (("redis", Result.FAILED), ("api", Result.SUCCEEDED)):
        decision = Decision(Outcome.ACT, "restart", name, tier="core", restart=name)
        desk.write(records.intended(name, decision, "core", Container("running"), "c"))
        desk.write(records.finished(name, Restarted(result), 1.0))
    desk.state = State.from_json(json.loads(json.dumps(desk.state.to_json())))
    metrics = Metrics()
    metrics.watch(desk.view)
    found = [each for each in page(metrics, "text/plain").splitlines() if "last_failed" in each]

    assert found[2:] == [
        'remediation_last_failed_action_timestamp_seconds{rung="service",service="redis",tier="core"} 1.76e+09'
    ]


def test_the_page_is_well_made() -> None:
    """Our stricter judge finds nothing to complain of."""
    assert complaints(page(busy()), prefixes=("remediation",)) == []


def test_series_are_as_estimated() -> None:
    """A busy remediator of the shipped catalog has no more series than its kind's estimate."""
    text = page(busy(), "text/plain")
    series = [line for line in text.splitlines() if line and not line.startswith("#")]
    estimate = yaml.safe_load(KIND.read_text(encoding="utf-8"))["metrics"]["series"]

    assert len(series) <= estimate


@pytest.mark.live
def test_promtool_finds_nothing(tmp_path: Path) -> None:
    """`promtool check metrics` has no complaint about a busy page."""
    promtool = need("promtool")
    path = tmp_path / "page"
    path.write_text(page(busy(), "text/plain"), encoding="utf-8")
    with path.open("rb") as stdin:
        found = subprocess.run(
            [promtool, "check", "metrics"], stdin=stdin, capture_output=True, text=True, check=False
        )

    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_what_alerts_count_is_there_before_it_happens() -> None:
    """The first problem that is handed to a human is an increase: its series begins with 0."""
    page = Metrics().page().render("text/plain", "")[0].decode()
    found = [line for line in page.splitlines() if line.startswith("remediation_decisions_total{")]

    assert found == [
        f'remediation_decisions_total{{outcome="escalate",reason="{reason}"}} 0.0'
        for reason in ESCALATIONS
    ]
