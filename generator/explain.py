"""Everything that follows from one name: a service, a kind, an alert or a tier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alerts import packs as alert_packs
from alerts import routing_table
from alerts.kit import Alert, Pack, Scope
from alerts.verdict import counts
from generator.model import Service
from generator.names import board_uid
from generator.quantities import say_bytes, say_percent, write_duration
from generator.render import Rendered
from generator.rules import alert_annotations, rule_labels

Facts = dict[str, Any]


def known_names(rendered: Rendered) -> tuple[str, ...]:
    """Return every name that `explained` knows, sorted."""
    catalog = rendered.catalog
    names = {*catalog.by_name, *catalog.kinds, *(tier.name for tier in catalog.tiers)}
    return tuple(sorted(names | {alert.name for alert in rendered.alerts}))


def explained(rendered: Rendered, name: str) -> Facts | None:
    """
    Return everything that follows from *name*, under what it is (`service`, `kind`, ...).

    A name can be several things at once (`redis` is a service and a kind). None if unknown.
    """
    catalog = rendered.catalog
    found: Facts = {}
    if name in catalog.by_name:
        found["service"] = _service(catalog.by_name[name], rendered)
    if name in catalog.kinds:
        found["kind"] = _kind(name, rendered)
    for tier in catalog.tiers:
        if tier.name == name:
            members = {service.name: service.kind for service in catalog.in_tier(name)}
            found["tier"] = {
                "title": tier.title,
                "order": tier.order,
                "mode": tier.mode,
                "services": members,
            }
    variants = [
        (pack, alert) for pack in rendered.packs for alert in pack.alerts if alert.name == name
    ]
    if variants:
        found["alert"] = [_alert(pack, alert, rendered) for pack, alert in variants]
    return found or None


def _service(service: Service, rendered: Rendered) -> Facts:
    catalog = rendered.catalog
    kind = catalog.kinds[service.kind]
    return {
        "from": str(service.place),
        "tier": service.tier,
        "kind": service.kind,
        "owner": service.owner,
        "profile": service.profile,
        "counts": counts(service),
        "container": service.container,
        "image": service.image,
        "promised": f"{say_bytes(service.size.memory_bytes)} memory, {service.size.cpus} CPUs",
        "objective": say_percent(service.slo) if service.slo is not None else "none",
        "needs": {d.service: "hard" if d.hard else "soft" for d in service.depends_on},
        "needed by": list(catalog.hard_dependants[service.name]),
        "observed by": list(catalog.observers.get(service.name, ())),
        "targets": [
            f"{job.name}: {target.address}"
            for job in rendered.jobs
            for target in job.targets
            if target.service == service.name
        ],
        "verdict": kind.verdict,
        "down after": write_duration(service.down_hold),
        "alerts": _alerts_about(service, rendered),
        "boards": _boards(service, rendered),
        "log format": service.log_format,
        "remediation": service.mode,
        "watch out": list(kind.notes),
    }


def _alerts_about(service: Service, rendered: Rendered) -> dict[str, str]:
    found = {}
    for pack in rendered.packs:
        subjects = alert_packs.subjects(pack, rendered.catalog)
        for alert in pack.alerts:
            if alert.scope is Scope.SERVICE and service in rendered.universe.subjects(
                alert, subjects
            ):
                found[alert.name] = (
                    f"{alert.severity.value} to {_receivers(alert, service, rendered)}"
                )
    return found


def _receivers(alert: Alert, service: Service, rendered: Rendered) -> str:
    labels = {
        "alertname": alert.name,
        **rule_labels(alert, rendered.catalog),
        "service": service.name,
        "tier": service.tier,
        "kind": service.kind,
        "owner": service.owner,
    }
    return ", ".join(routing_table.intended(rendered.catalog, labels))


def _boards(service: Service, rendered: Rendered) -> list[str]:
    rendered_uids = {board.uid for board in rendered.boards}
    kind = rendered.catalog.kinds[service.kind]
    wanted = ["home", f"tier-{service.tier}", f"kind-{kind.board}" if kind.board else ""]
    return [name for name in wanted if name and board_uid(name) in rendered_uids]


def _kind(name: str, rendered: Rendered) -> Facts:
    kind = rendered.catalog.kinds[name]
    return {
        "from": str(kind.place),
        "title": kind.title,
        "verdict": kind.verdict,
        "metrics from": _source(name, rendered),
        "probes": [
            f"{p.name}: {p.type} {p.port}{p.path if p.type == 'http' else ''}" for p in kind.probes
        ],
        "services": [service.name for service in rendered.catalog.of_kind(name)],
        "packs": list(kind.packs),
        "board": kind.board or "none",
        "log format": kind.log,
        "sources": list(kind.sources),
        "watch out": list(kind.notes),
        "declares": {
            metric.name: f"{metric.type}, {metric.help}" for metric in kind.declares.values()
        },
    }


def _source(name: str, rendered: Rendered) -> str:
    source = rendered.catalog.kinds[name].metrics
    if source is None:
        return "nothing"
    teller = source.exporter or "itself"
    return f"{teller}, port {source.port}{source.path}" + (
        f"; needs {source.needs}" if source.needs else ""
    )


def _alert(pack: Pack, alert: Alert, rendered: Rendered) -> Facts:
    catalog = rendered.catalog
    services: tuple[Service, ...] = ()
    if alert.scope is Scope.SERVICE:
        services = rendered.universe.subjects(alert, alert_packs.subjects(pack, catalog))
    ways: dict[str, list[str]] = {}
    for service in services:
        ways.setdefault(_receivers(alert, service, rendered), []).append(service.name)
    return {
        "from": f"alerts/{pack.name}.py",
        "severity": alert.severity.value,
        "scope": alert.scope.value,
        "expression": alert.promql,
        "hold": write_duration(alert.hold),
        "outlives recovery by": write_duration(alert.keep),
        "fires with": dict(alert.fires),
        "quiet with": dict(alert.quiet),
        **alert_annotations(alert, catalog),
        "remedy": alert.remedy.value,
        "receivers": {way: _some(names) for way, names in ways.items()},
        "test": f"prometheus/tests/{pack.name}.yml",
    }


def _some(names: list[str]) -> str:
    shown = 8  # enough to recognise the group
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def written(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield *facts* as indented lines; empty entries are left out."""
    for sort, about in facts.items():
        for entry in about if isinstance(about, list) else [about]:
            yield sort
            yield from _lines(entry, 1)


def _lines(value: Any, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, entry in value.items():
        if isinstance(entry, dict) and entry:
            yield f"{indent}{key}:"
            yield from _lines(entry, depth + 1)
        elif isinstance(entry, list) and entry:
            yield f"{indent}{key}:"
            yield from (f"{indent}  {item}" for item in entry)
        elif entry not in ({}, [], ""):
            text = str(entry)
            if "\n" in text:
                yield f"{indent}{key}:"
                yield from (f"{indent}  {line}" for line in text.splitlines())
            else:
                yield f"{indent}{key}: {text}"
