"""Everything that follows from one name: a service, a kind, an alert or a tier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from alerts import packs as alert_packs
from alerts import routing_table
from alerts.kit import Alert, Pack, Scope
from alerts.verdict import counts
from generator import contracts, socket_proxy
from generator.model import Service
from generator.names import NONE, board_uid
from generator.quantities import say_bytes, say_percent, write_duration
from generator.render import Rendered
from generator.rules import alert_annotations, rule_labels
from loki import rules as log_rules
from loki.kit import LogRule

Facts = dict[str, Any]


def known_names(rendered: Rendered) -> tuple[str, ...]:
    """Return every name that `explained` knows, sorted."""
    catalog = rendered.catalog
    names = {*catalog.by_name, *catalog.kinds, *(tier.name for tier in catalog.tiers)}
    return tuple(sorted(names | {alert.name for alert in rendered.routed}))


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
    elif any(routed.name == name for routed in rendered.routed):
        rule = next(rule for rule in log_rules.rules(catalog) if rule.name == name)
        found["log alert"] = _log_alert(rule, rendered)
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
        "promised": _promised(service),
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
        "files": contracts.about(service, catalog),
        "lets through": _let_through(service, rendered),
        "watch out": list(kind.notes),
    }


def _let_through(service: Service, rendered: Rendered) -> Facts:
    """Return what a socket proxy of ours lets through, and for whom; {} for everything else."""
    for access in socket_proxy.accesses(rendered.catalog):
        if access.proxy.name == service.name:
            restarts = len(socket_proxy.restartable(rendered.catalog)) if access.restarts else 0
            return {
                "for": list(access.clients),
                "reading": "what each of them asks"
                if access.reads
                else "no more than restarts need",
                "restarts": f"of {restarts} containers, by name" if restarts else "none",
            }
    return {}


def _promised(service: Service) -> str:
    size = service.size
    if not size.memory_bytes and not size.cpus:
        return "no limit"
    return f"{say_bytes(size.memory_bytes)} memory, {size.cpus} CPUs"


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
    variant = (alert.name, alert.severity.value, alert.hold, alert.keep)
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
        "receivers": _reached(variant, rendered),
        "test": f"prometheus/tests/{pack.name}.yml",
    }


def _log_alert(rule: LogRule, rendered: Rendered) -> Facts:
    catalog = rendered.catalog
    return {
        "from": "loki/rulebook/",
        "severity": rule.severity.value,
        "scope": rule.scope.value,
        "expression": rule.expr,
        "hold": write_duration(rule.hold),
        **log_rules.rule_annotations(rule, catalog),
        "remedy": rule.remedy.value,
        "receivers": _reached((rule.name, rule.severity.value, rule.hold, timedelta(0)), rendered),
    }


def _reached(variant: tuple[str, str, timedelta, timedelta], rendered: Rendered) -> dict[str, str]:
    """Return whom each receiver hears of; *variant* is name, severity, hold and time kept."""
    ways: dict[str, list[str]] = {}
    for routed in rendered.routed:
        if (routed.name, routed.severity, routed.hold, routed.keep) != variant:
            continue
        for subject in routed.subjects:
            about = next(
                (each for each in (subject.service, subject.tier) if each != NONE), "platform"
            )
            way = ", ".join(routing_table.intended(rendered.catalog, routed.labels(subject)))
            ways.setdefault(way, []).append(about)
    return {way: _some(names) for way, names in ways.items()}


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
