"""Proofs 4 and 5 find what is planted, and say it exactly."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from alerts import inhibition, inhibition_timing, routing, routing_check
from alerts.routing_table import RoutedAlert
from generator.model import Catalog

Config = dict[str, Any]
Plant = Callable[[Config], None]


def _routes(config: Config, receiver: str) -> list[Config]:
    return [node for node in config["route"]["routes"] if node["receiver"] == receiver]


def _no_remediator(config: Config) -> None:
    config["route"]["routes"].remove(_routes(config, "remediator")[0])


def _swallowed(config: Config) -> None:
    del _routes(config, "remediator")[0]["continue"]


def _shadowed(config: Config) -> None:
    config["route"]["routes"].insert(
        0, {"matchers": ['severity="critical"'], "receiver": "page-ops"}
    )


def _idle_receiver(config: Config) -> None:
    config["receivers"].append({"name": "nobody-at-all"})


def _wrong_channel(config: Config) -> None:
    receiver = next(r for r in config["receivers"] if r["name"] == "tell-data")
    receiver["slack_configs"][0]["channel"] = "#ops"


PLANTED_ROUTES: dict[str, tuple[Plant, str]] = {
    "a receiver without a route": (
        _no_remediator,
        "receiver 'remediator' is reached by no alert. Remove it, or route an alert to it.",
    ),
    "a route that does not continue": (
        _swallowed,
        (
            "alert 'Stuck' of tier 'core', owner 'data' reaches remediator instead of remediator,"
            " tell-data. Change the route that takes it first."
        ),
    ),
    "a route behind a wider one": (
        _shadowed,
        (
            "alert 'VerySlow' of tier 'core', owner 'data' reaches page-ops instead of page-data."
            " Change the route that takes it first."
        ),
    ),
    "an idle receiver": (
        _idle_receiver,
        "receiver 'nobody-at-all' is reached by no alert. Remove it, or route an alert to it.",
    ),
    "a receiver that leads elsewhere": (
        _wrong_channel,
        (
            "receiver 'tell-data' sends to [('slack', '#ops')] instead of [('slack', '#data')]."
            " Compare it with `owners` and `notify` in the catalog."
        ),
    ),
}


@pytest.mark.parametrize(("plant", "expected"), PLANTED_ROUTES.values(), ids=PLANTED_ROUTES)
def test_a_planted_routing_fault_is_found(
    catalog: Catalog, alerts: tuple[RoutedAlert, ...], plant: Plant, expected: str
) -> None:
    """Each way to send an alert astray gives its own finding, in the file's name."""
    config = deepcopy(routing.config(catalog, alerts))
    plant(config)

    found = [str(finding) for finding in routing_check.check(config, catalog, alerts)]
    assert f"alertmanager/alertmanager.yml: {expected}" in found


def _rule(source: list[str], target: list[str], *equal: str) -> Plant:
    rule = {"source_matchers": source, "target_matchers": target, "equal": list(equal)}
    return lambda config: config["inhibit_rules"].insert(0, rule)


DOWN = 'alertname="ServiceDown"'
PLANTED_RULES: dict[str, tuple[Plant, str]] = {
    "a source nobody emits": (
        _rule(['alertname="PostgresDown"'], ['severity="warning"']),
        "inhibit rule 1 has no source: no alert emits such labels. Remove it, or mend its matchers.",
    ),
    "a target nobody emits": (
        _rule([DOWN], ['job="backend"']),
        "inhibit rule 1 has no target: no alert emits such labels. Remove it, or mend its matchers.",
    ),
    "a label that may be none": (
        _rule(['severity="critical"'], ['severity="warning"'], "service"),
        (
            "inhibit rule 1 compares label 'service', which a source may lack or have as 'none'."
            ' Match service!~"|none" on both sides.'
        ),
    ),
    "a label that nobody has": (
        _rule([DOWN, 'severity="critical"'], ['alertname="Slow"'], "instance"),
        (
            "inhibit rule 1 compares label 'instance', which a target may lack or have as 'none'."
            ' Match instance!~"|none" on both sides.'
        ),
    ),
    "labels that are never equal": (
        _rule([DOWN, 'service="postgres"'], ['alertname="Slow"', 'service="backend"'], "service"),
        (
            "inhibit rule 1 can never apply: no source and target share service."
            " Remove it, or compare other labels."
        ),
    ),
    "an alert on both sides": (
        _rule(['severity="critical"'], ['role="symptom"', 'severity="critical"', 'scope="tier"']),
        (
            "inhibit rule 1 has alert 'TierDown' on both sides, which exempts it."
            " Add a matcher that keeps source and target apart."
        ),
    ),
    "a page behind a warning": (
        _rule(['alertname="Slow"'], ['alertname="VerySlow"'], "service"),
        (
            "inhibit rule 1 lets 'Slow' (warning) hide the page 'VerySlow'."
            " Match on severity, so that a page gives way to a page only."
        ),
    ),
    "an indirect dependant left out": (
        lambda config: (
            [
                rule.update(target_matchers=[DOWN, 'service="backend"'])
                for rule in config["inhibit_rules"]
                if 'service="postgres"' in rule["source_matchers"]
                and DOWN in rule["target_matchers"]
            ]
            and None
        ),
        (
            "no inhibit rule of 'postgres' covers agent.one, frontend."
            " Add its hard dependants, the indirect ones too."
        ),
    ),
}


@pytest.mark.parametrize(("plant", "expected"), PLANTED_RULES.values(), ids=PLANTED_RULES)
def test_a_planted_inhibition_fault_is_found(
    catalog: Catalog, alerts: tuple[RoutedAlert, ...], plant: Plant, expected: str
) -> None:
    """Each way to write a rule that amtool likes and that does not work gives its own finding."""
    config = deepcopy(routing.config(catalog, alerts))
    plant(config)

    found = [str(finding) for finding in inhibition.check(config, catalog, alerts)]
    assert f"alertmanager/alertmanager.yml: {expected}" in found


def test_a_route_that_does_not_wait_for_the_root_is_found(
    catalog: Catalog, alerts: tuple[RoutedAlert, ...]
) -> None:
    """A group wait shorter than the root's head start is a finding; the rendered one is not."""
    config = deepcopy(routing.config(catalog, alerts))
    for node in config["route"]["routes"]:
        node["group_wait"] = "0s"

    assert inhibition_timing.check(routing.config(catalog, alerts), catalog, alerts) == []
    assert (
        "alertmanager/alertmanager.yml: alert 'ServiceDown' of 'backend' leaves 60 s before the root"
        " that inhibits it fires (group_wait 0s to 'page-ops'). Lengthen the alert's hold."
    ) in [str(finding) for finding in inhibition_timing.check(config, catalog, alerts)]


def test_a_hold_that_no_wait_can_make_up_for_is_found(
    catalog: Catalog, alerts: tuple[RoutedAlert, ...]
) -> None:
    """Where the root takes minutes longer than the longest wait, the alert must change."""
    slow = tuple(
        replace(alert, hold=timedelta(minutes=20)) if alert.name == "ServiceDown" else alert
        for alert in alerts
    )
    found = inhibition_timing.check(routing.config(catalog, slow), catalog, slow)

    assert {"Lengthen the alert's hold."} == {finding.cure for finding in found}


def test_a_root_that_ends_before_its_dependants_recovered_is_found(
    catalog: Catalog, alerts: tuple[RoutedAlert, ...]
) -> None:
    """ServiceDown without its keep would let the dependants' alerts out after the fault."""
    hasty = tuple(replace(alert, keep=timedelta(0)) for alert in alerts)
    found = inhibition_timing.check(routing.config(catalog, hasty), catalog, hasty)

    assert (
        "alertmanager/alertmanager.yml: alert 'ServiceDown' of 'backend' is kept 0 s after recovery,"
        " the end of 'frontend' may take 120 s."
        " Keep the root longer (`Catalog.down_keep`), or the other shorter."
    ) in [str(finding) for finding in found]


@pytest.mark.parametrize("plant", [PLANTED_RULES[name][0] for name in ("a source nobody emits",)])
def test_findings_name_the_file_and_the_proof(
    catalog: Catalog, alerts: tuple[RoutedAlert, ...], plant: Plant
) -> None:
    """A finding stands at alertmanager.yml and says which proof made it."""
    config = deepcopy(routing.config(catalog, alerts))
    plant(config)
    finding = inhibition.check(config, catalog, alerts)[0]

    assert (finding.place.file, finding.check) == ("alertmanager/alertmanager.yml", "inhibition")
