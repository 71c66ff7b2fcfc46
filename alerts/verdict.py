"""
The one verdict per service, and the constants it is judged with, as recording rules.

`service:healthy:bool` comes from the metric that the service's kind names as its verdict and
from nothing else. A service behind a profile has a verdict only while its container exists, a
one-shot job never has one.
"""

from __future__ import annotations

from decimal import Decimal

from alerts.kit import Record, Severity, number
from generator.model import Catalog, Service
from generator.names import (
    CATALOG_INFO,
    EXPORTER_LABEL,
    HEALTHY,
    PRESENT,
    SLO_BUDGET,
    SLO_OBJECTIVE,
    TIER_WEIGHT,
)
from generator.software import VERDICT_UP

# A missed scrape of a verdict that an exporter tells must not look like "unknown".
_BRIDGE = "2m"
_JOIN = f"* on (service) group_left (tier, kind, profile, owner) {CATALOG_INFO}"
# Tests of these rules set the constants as inputs, so each needs its base once.
_LABELS = {"tier": "core", "profile": "default", "owner": "platform"}

ALWAYS, WHILE_PRESENT, NEVER = "always", "present", "never"


def _series(name: str, service: str, **labels: str) -> str:
    """Return a test series with the labels every subject has."""
    every = {"service": service, "kind": "k", **_LABELS, **labels}
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in sorted(every.items())) + "}"


def _known(service: str, **labels: str) -> dict[str, str]:
    """Return the series that make *service* known to the catalog and present."""
    return {_series(name, service, **labels): "1" for name in (PRESENT, CATALOG_INFO)}


def counts(service: Service) -> str:
    """Return when *service* counts: always, while its container exists, or never (one-shot)."""
    if service.oneshot:
        return NEVER
    return WHILE_PRESENT if service.optional else ALWAYS


def down_severity(service: Service, catalog: Catalog) -> Severity:
    """
    Return critical where a person must act now: others need it, or it has an objective.

    None for an observer: its silence is ObserverDown, and one fault is one message.
    """
    if catalog.kinds[service.kind].observer:
        return Severity.NONE
    if catalog.hard_dependants[service.name] or service.slo is not None:
        return Severity.CRITICAL
    return Severity.WARNING


def constants(catalog: Catalog) -> tuple[Record, ...]:
    """Return the series that hold what the catalog says of each service."""
    return (
        *(_info(service, catalog) for service in catalog.services),
        *(_weight(service, catalog) for service in catalog.services if not service.oneshot),
        *(_objective(service, service.slo) for service in catalog.services if service.slo),
        *(_budget(service, service.slo) for service in catalog.services if service.slo),
    )


def _info(service: Service, catalog: Catalog) -> Record:
    labels = {
        "service": service.name,
        "tier": service.tier,
        "kind": service.kind,
        "profile": service.profile,
        "owner": service.owner,
        "counts": counts(service),
        "hold": number(service.down_hold.total_seconds()),
        "keep": number(catalog.down_keep[service.name].total_seconds()),
        "severity": down_severity(service, catalog).value,
    }
    return Record(name=CATALOG_INFO, expr="vector(1)", labels=labels, constant=True)


def _weight(service: Service, catalog: Catalog) -> Record:
    weight = 1 + len(catalog.hard_dependants[service.name])
    labels = {"service": service.name, "tier": service.tier}
    return Record(name=TIER_WEIGHT, expr=f"vector({weight})", labels=labels, constant=True)


def _objective(service: Service, slo: Decimal) -> Record:
    labels = {"service": service.name, "tier": service.tier}
    return Record(name=SLO_OBJECTIVE, expr=f"vector({slo})", labels=labels, constant=True)


def _budget(service: Service, slo: Decimal) -> Record:
    # Subtracted as decimals here: Prometheus would make 0.0010000000000000009 of it.
    labels = {"service": service.name, "tier": service.tier}
    return Record(name=SLO_BUDGET, expr=f"vector({1 - slo})", labels=labels, constant=True)


def verdicts(catalog: Catalog) -> tuple[Record, ...]:
    """Return the rules that record presence and health: one each, whatever tells them."""
    return (_present(catalog), _healthy(catalog))


def _present(catalog: Catalog) -> Record:
    """Always there, or there while its container exists, told by whoever watches containers here."""
    witnesses: dict[str, dict[str, str]] = {}
    if "agents-exporter" in catalog.kinds:
        witnesses[f"max by (service) (last_over_time(agent_container_present[{_BRIDGE}]) == 1)"] = {
            'agent_container_present{service="%s"}': "1"
        }
    if "cadvisor" in catalog.kinds:
        witnesses[
            f'max by (service) (last_over_time(container_last_seen{{service!=""}}[{_BRIDGE}]))'
        ] = {'container_last_seen{service="%s"}': "100"}
    if not witnesses:
        # Nobody watches containers: a service that answers is there.
        witnesses['max by (service) (up{exporter=""} == 1)'] = {'up{service="%s"}': "1"}
    seen = "\n    or ".join(witnesses)
    inputs = {
        _series(CATALOG_INFO, "always", counts="always"): "1",
        _series(CATALOG_INFO, "job", counts="never"): "1",
        _series(CATALOG_INFO, "gone", counts="present"): "1",
    }
    expect = {_series(PRESENT, "always"): 1.0}
    for number_, series in enumerate(witnesses.values()):
        name = f"there-{number_}"
        inputs[_series(CATALOG_INFO, name, counts="present")] = "1"
        expect[_series(PRESENT, name)] = 1.0
        for text, notation in series.items():
            inputs[text % name] = notation
            inputs[text % "job"] = notation
    return Record(
        name=PRESENT,
        expr=(
            f'max by (service, tier, kind, profile, owner) ({CATALOG_INFO}{{counts="always"}})\n'
            f"or group by (service) (\n    {seen}\n)\n"
            f'* on (service) group_left (tier, kind, profile, owner) {CATALOG_INFO}{{counts="present"}}'
        ),
        inputs=inputs,
        expect=expect,
    )


def _healthy(catalog: Catalog) -> Record:
    by_metric: dict[str, list[str]] = {}
    for kind in catalog.kinds.values():
        if not kind.observer:
            by_metric.setdefault(kind.verdict, []).append(kind.name)
    parts: list[str] = []
    inputs: dict[str, str] = {}
    expect: dict[str, float] = {}
    for metric, kinds in sorted(by_metric.items()):
        parts.append(_verdict(metric, sorted(kinds)))
        inputs |= _verdict_inputs(metric, kinds[0])
        expect[_series(HEALTHY, f"{metric}-good", kind=kinds[0])] = 1.0
        expect[_series(HEALTHY, f"{metric}-bad", kind=kinds[0])] = 0.0
    if any(kind.observer for kind in catalog.kinds.values()):
        parts.append(_OBSERVERS)
        inputs |= _OBSERVER_INPUTS
        expect |= {_series(HEALTHY, "x"): 1.0, _series(HEALTHY, "y"): 0.0}
    told = "\n    or ".join(parts)
    return Record(
        name=HEALTHY,
        expr=f"(\n  (\n    {told}\n  )\n  and on (service) {PRESENT}\n)\n{_JOIN}",
        inputs=inputs,
        expect=expect,
    )


def _verdict(metric: str, kinds: list[str]) -> str:
    if metric == VERDICT_UP:
        return f'min by (service) (up{{{_of(kinds)}, {EXPORTER_LABEL}=""}})'
    return f"min by (service) (last_over_time({metric}{{{_of(kinds)}}}[{_BRIDGE}]))"


def _of(kinds: list[str]) -> str:
    """Return the matcher for *kinds*; names are plain but for dots, which a pattern must escape."""
    if len(kinds) == 1:
        return f'kind="{kinds[0]}"'
    return 'kind=~"' + "|".join(kind.replace(".", "[.]") for kind in kinds) + '"'


def _verdict_inputs(metric: str, kind: str) -> dict[str, str]:
    """Two instances of which one is bad make a bad service; an absent service has no verdict."""
    good, bad, gone = (f"{metric}-{word}" for word in ("good", "bad", "gone"))
    return {
        **_known(good, kind=kind),
        **_known(bad, kind=kind),
        _series(CATALOG_INFO, gone, kind=kind): "1",
        f'{metric}{{service="{good}",kind="{kind}",instance="1"}}': "1",
        f'{metric}{{service="{bad}",kind="{kind}",instance="1"}}': "1",
        f'{metric}{{service="{bad}",kind="{kind}",instance="2"}}': "0",
        f'{metric}{{service="{gone}",kind="{kind}",instance="1"}}': "0",
        f'{metric}{{service="{good}",kind="some-other-kind",instance="1"}}': "0",
    }


# An observer is healthy when any of its scrapes answers; the service it watches is not asked.
_OBSERVERS = (
    f'max by (service) (label_replace(max by ({EXPORTER_LABEL}) (up{{{EXPORTER_LABEL}!=""}}), '
    f'"service", "$1", "{EXPORTER_LABEL}", "(.+)"))'
)
_OBSERVER_INPUTS = {
    **_known("x"),
    **_known("y"),
    'up{service="a",exporter="x"}': "1",
    'up{service="b",exporter="x"}': "0",
    'up{service="a",exporter="y"}': "0",
}
