"""
Alertmanager's configuration: routing tree, receivers, quiet hours, inhibition, message templates.

Secrets stand in files that Alertmanager reads (`slack_api_url_file`, `smtp_auth_password_file`
and `credentials_file` exist in 0.25; a webhook's `url_file` does not). Keys that are younger than
the oldest target in the catalog are left out: 0.25 refuses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alerts import message_templates
from alerts.inhibition_rules import rules
from alerts.quiet_hours import interval_name, time_interval
from alerts.receivers import receiver
from alerts.routes import receivers_in, tree
from alerts.routing_table import RoutedAlert, channels, rows
from generator.artifacts import Artifact
from generator.model import Catalog
from generator.names import ALERTMANAGER_DIR
from generator.yaml_write import dump_yaml

# Labels of an alert that do not depend on its subject.
_FIXED = ("alertname", "severity", "scope", "role", "family", "remedy")

# Inhibit rules may be named from this Alertmanager on.
_NAMED_RULES = (0, 30)


def render(
    catalog: Catalog, alerts: Sequence[RoutedAlert], made: Mapping[str, Any] | None = None
) -> tuple[Artifact, ...]:
    """
    Return alertmanager.yml, the message templates and the routing table routing.yml.

    *made* is what `config` gives, where the caller has it already.
    """
    content = config(catalog, alerts) if made is None else made
    return (
        Artifact(
            f"{ALERTMANAGER_DIR}/alertmanager.yml",
            dump_yaml(content, "catalog/ and alerts/routing.py"),
        ),
        *message_templates.render(),
        Artifact(
            f"{ALERTMANAGER_DIR}/routing.yml",
            dump_yaml(table(catalog, alerts), "catalog/ and alerts/routing_table.py"),
        ),
    )


def table(catalog: Catalog, alerts: Sequence[RoutedAlert]) -> dict[str, Any]:
    """
    Return the routing table: for every alert, who gets it about which tiers and owners.

    `reaches` lists each set of receivers once, with the `tier/owner` of the firings it gets.
    """
    entries: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for row in rows(catalog, alerts):
        about = entries.setdefault(tuple(row.labels[name] for name in _FIXED), {})
        subject = f"{row.labels['tier']}/{row.labels['owner']}"
        about.setdefault(" ".join(row.receivers), []).append(subject)
    return {
        "routes": [
            {
                **dict(zip(("alert", *_FIXED[1:]), values, strict=True)),
                "reaches": [
                    {"receivers": receivers.split(), "about": list(dict.fromkeys(about))}
                    for receivers, about in entry.items()
                ],
            }
            for values, entry in entries.items()
        ]
    }


def config(catalog: Catalog, alerts: Sequence[RoutedAlert]) -> dict[str, Any]:
    """Return the content of alertmanager.yml for *alerts*, only with receivers that one reaches."""
    route = tree(catalog, alerts)
    names = sorted(set(receivers_in(route)))
    return {
        "global": _global(catalog, names),
        "templates": [f"{message_templates.FOLDER}/*.tmpl"],
        "route": route,
        "time_intervals": _time_intervals(catalog),
        "receivers": [receiver(catalog, name) for name in names],
        "inhibit_rules": _inhibit_rules(catalog, alerts),
    }


def secret_files(catalog: Catalog) -> tuple[str, ...]:
    """Return the paths inside Alertmanager's container that the configuration names, sorted."""
    notify = catalog.platform.notify
    paths = {
        notify.webhook_token_file,
        notify.slack_url_file,
        notify.smtp_password_file,
        notify.heartbeat_token_file,
        notify.remediator_token_file,
    }
    return tuple(sorted(paths - {""}))


def _global(catalog: Catalog, receivers: Sequence[str]) -> dict[str, Any]:
    notify = catalog.platform.notify
    # Prometheus says itself when an alert ends; this is for senders that do not.
    settings: dict[str, Any] = {"resolve_timeout": "5m"}
    ways = {way for name in receivers for way, _ in channels(catalog, name.partition("-")[2])}
    if "slack" in ways:
        settings["slack_api_url_file"] = notify.slack_url_file
    if "email" in ways:
        settings["smtp_smarthost"] = notify.smtp_smarthost
        settings["smtp_from"] = notify.smtp_from
        if notify.smtp_username:
            settings["smtp_auth_username"] = notify.smtp_username
        if notify.smtp_password_file:
            settings["smtp_auth_password_file"] = notify.smtp_password_file
    return settings


def _time_intervals(catalog: Catalog) -> list[dict[str, Any]]:
    hours = {interval_name(t.quiet_hours): t.quiet_hours for t in catalog.tiers if t.quiet_hours}
    return [time_interval(hours[name]) for name in sorted(hours)]


def _inhibit_rules(catalog: Catalog, alerts: Sequence[RoutedAlert]) -> list[dict[str, Any]]:
    named = catalog.platform.targets["alertmanager"] >= _NAMED_RULES
    entries = []
    for rule in rules(catalog, alerts):
        entry: dict[str, Any] = {"name": rule.name} if named else {}
        entry["source_matchers"] = list(rule.source)
        entry["target_matchers"] = list(rule.target)
        if rule.equal:
            entry["equal"] = list(rule.equal)
        entries.append(entry)
    return entries
