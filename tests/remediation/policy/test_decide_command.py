"""`tierwatch remediate decide` answers every alert of a message, also those that another root explains."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from generator.cli import main

SHOP = Path(__file__).parents[1] / "shop.yml"


def _alert(service: str, name: str = "ServiceDown", **more: str) -> dict[str, Any]:
    labels = {
        "alertname": name, "service": service, "tier": "app", "scope": "service",
        "remedy": "restart", "severity": "critical", **more,
    }  # fmt: skip
    return {
        "status": "firing", "labels": labels, "annotations": {}, "generatorURL": "",
        "startsAt": "2026-11-28T09:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": hashlib.sha256(f"{service}{name}".encode()).hexdigest()[:16],
    }  # fmt: skip


def _message(folder: Path, *alerts: dict[str, Any]) -> Path:
    path = folder / "message.json"
    body = {
        "version": "4", "groupKey": "x", "truncatedAlerts": 0, "status": "firing", "receiver": "remediator",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "alerts": list(alerts),
    }  # fmt: skip
    path.write_text(json.dumps(body), encoding="utf-8")
    return path


def _decide(path: Path, *options: str) -> int:
    return main(["remediate", "decide", str(path), "--config", str(SHOP), "--assume", *options])


def test_what_another_root_explains_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cache is down, and two alerts of its dependant: one decision that names all three."""
    path = _message(
        tmp_path, _alert("cache", tier="core"), _alert("worker"), _alert("worker", "WorkerSlow"),
    )  # fmt: skip

    assert _decide(path) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("cache: restart cache (container shop-cache, rung service): restart: ")
    assert others == [
        "  it is the root of worker (ServiceDown), which waits for it",
        "  it is the root of worker (WorkerSlow), which waits for it",
    ]


def test_machines_read_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON the decision says what it explains; one that explains nothing else says so, too."""
    path = _message(tmp_path, _alert("cache", tier="core"), _alert("worker"), _alert("mail"))

    assert _decide(path, "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)["decisions"]
    assert {each["service"]: each["explains"] for each in told} == {
        "cache": ["worker (ServiceDown)"], "mail": [],
    }  # fmt: skip


def test_a_message_that_asks_for_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No alert in it: nothing is asked for, and that is no mistake."""
    assert _decide(_message(tmp_path)) == 0
    assert capsys.readouterr().out.startswith("nothing is asked for")


def test_what_is_no_message_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of something else: its name, the fact, the cure."""
    path = tmp_path / "other.json"
    path.write_text("[]", encoding="utf-8")

    assert _decide(path) == 2
    assert capsys.readouterr().err.startswith(f"{path}: ")
