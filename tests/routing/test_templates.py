"""The messages say what, where, since when, which runbook and board, and survive what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alerts import message_templates, receivers, routing
from alerts.routing_table import RoutedAlert
from generator import toolbox
from generator.model import Catalog

WAYS = (
    "tierwatch.title", "tierwatch.link", "tierwatch.slack.color", "tierwatch.slack.text",
    "tierwatch.email.text", "tierwatch.email.html",
)  # fmt: skip


def _alert(labels: dict[str, str], annotations: dict[str, str], status: str) -> dict[str, Any]:
    ends = "2026-11-23T05:00:00Z" if status == "resolved" else "0001-01-01T00:00:00Z"
    return {
        "status": status, "labels": labels, "annotations": annotations, "generatorURL": "",
        "startsAt": "2026-11-23T04:05:06Z", "endsAt": ends,
    }  # fmt: skip


DOWN = _alert(
    {
        "alertname": "ServiceDown", "service": "backend", "tier": "app", "severity": "critical",
        "owner": "web",
    },
    {
        "summary": "backend (app) is down",
        "description": "The verdict has been bad for 2 minutes.",
        "runbook_url": "http://runbooks/ServiceDown.md",
        "dashboard_url": "http://grafana/d/tierwatch-tier-app?var-service=backend",
    },
    "firing",
)  # fmt: skip
DISK = _alert(
    {"alertname": "DiskFull", "service": "none", "tier": "none", "instance": "host:9100"},
    {},
    "firing",
)
BARE = _alert({}, {}, "resolved")


def _message(*alerts: dict[str, Any], **common: Any) -> dict[str, Any]:
    firing = any(alert["status"] == "firing" for alert in alerts)
    return {
        "receiver": "page-ops", "status": "firing" if firing else "resolved", "alerts": list(alerts),
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am",
    } | common  # fmt: skip


MESSAGES = {
    "one": _message(DOWN, commonLabels=DOWN["labels"], commonAnnotations=DOWN["annotations"]),
    "several": _message(DOWN, DISK, BARE),
    "bare": _message(BARE),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_reads_as_agreed(
    amtool: Path, tmp_path: Path, golden: Callable[[str, str], None], name: str
) -> None:
    """Title, Slack and mail texts of one alert, of several, and of one without any label are these."""
    data = tmp_path / "data.json"
    data.write_text(json.dumps(MESSAGES[name]), encoding="utf-8")
    for artifact in message_templates.render():
        (tmp_path / Path(artifact.path).name).write_text(artifact.text, encoding="utf-8")
    parts = []
    for way in WAYS:
        said = toolbox.run(
            amtool,
            [
                "template", "render", f"--template.glob={tmp_path}/*.tmpl",
                f"--template.data={data}", f'--template.text={{{{ template "{way}" . }}}}',
            ],
        )  # fmt: skip
        assert said.ok, said.text
        parts.append(f"--- {way}\n{said.text.rstrip()}\n")

    golden(f"message-{name}.txt", "".join(parts))


def test_receivers_use_only_templates_that_exist(
    catalog: Catalog, alerts: tuple[RoutedAlert, ...]
) -> None:
    """Every template that a receiver names is rendered by one of the cases above."""
    text = json.dumps(
        [
            receivers.receiver(catalog, r["name"])
            for r in routing.config(catalog, alerts)["receivers"]
        ]
    )
    named = {part.partition('\\"')[0] for part in text.split('template \\"')[1:]}

    assert set(WAYS) == named
