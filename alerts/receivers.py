"""Receivers: where the messages of the routing tree leave the platform, with every secret in a file."""

from __future__ import annotations

from typing import Any

from alerts.routing_table import HEARTBEAT, NOBODY, REMEDIATOR, channels
from generator.model import Catalog

# Older ones refuse the key; younger ones wait without end when it is missing (0 means none).
_WEBHOOK_TIMEOUT = (0, 28)


def receiver(catalog: Catalog, name: str) -> dict[str, Any]:
    """Return the receiver that the routing tree calls *name*: how, dash, owner, or a machine's."""
    notify = catalog.platform.notify
    if name == NOBODY:
        return {"name": name}
    if name == HEARTBEAT:
        # An ended Watchdog is no news by message: its silence is.
        hook = _webhook(catalog, notify.heartbeat_url, notify.heartbeat_token_file)
        return {"name": name, "webhook_configs": [{**hook, "send_resolved": False}]}
    if name == REMEDIATOR:
        token = notify.remediator_token_file
        hooks = [
            _webhook(catalog, f"http://{service.name}:{service.port}/v1/alerts", token)
            for service in catalog.of_kind(REMEDIATOR)
        ]
        return {"name": name, "webhook_configs": hooks}
    return _people(catalog, name)


def _people(catalog: Catalog, name: str) -> dict[str, Any]:
    manner, _, owner = name.partition("-")
    reached = channels(catalog, owner)
    notify = catalog.platform.notify
    entry: dict[str, Any] = {"name": name}
    if notify.webhook_url and (manner == "page" or not reached):
        entry["webhook_configs"] = [
            _webhook(catalog, notify.webhook_url, notify.webhook_token_file)
        ]
    for way, address in reached:
        entry[f"{way}_configs"] = [_slack(address) if way == "slack" else _email(address)]
    return entry


def _webhook(catalog: Catalog, url: str, token_file: str) -> dict[str, Any]:
    # max_alerts would cut a group and still count it as told (reference remediation, S12).
    hook: dict[str, Any] = {"url": url, "send_resolved": True, "max_alerts": 0}
    if catalog.platform.targets["alertmanager"] >= _WEBHOOK_TIMEOUT:
        hook["timeout"] = "10s"
    if token_file:
        authorization = {"type": "Bearer", "credentials_file": token_file}
        hook["http_config"] = {"authorization": authorization}
    return hook


def _slack(channel: str) -> dict[str, Any]:
    return {
        "channel": channel,
        "send_resolved": True,
        "color": '{{ template "tierwatch.slack.color" . }}',
        "title": '{{ template "tierwatch.title" . }}',
        "title_link": '{{ template "tierwatch.link" . }}',
        "text": '{{ template "tierwatch.slack.text" . }}',
        "fallback": '{{ template "tierwatch.title" . }}',
    }


def _email(address: str) -> dict[str, Any]:
    return {
        "to": address,
        "send_resolved": True,
        "headers": {"Subject": '{{ template "tierwatch.title" . }}'},
        "html": '{{ template "tierwatch.email.html" . }}',
        "text": '{{ template "tierwatch.email.text" . }}',
    }
