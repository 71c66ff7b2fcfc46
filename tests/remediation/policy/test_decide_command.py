"""`tierwatch remediate decide` answers every alert of a message, also those that another root explains."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from generator.cli import main
from remediation.reasons import REASONS

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


def _message(folder: Path, *alerts: dict[str, Any], cut: int = 0) -> Path:
    path = folder / "message.json"
    body = {
        "version": "4", "groupKey": "x", "truncatedAlerts": cut, "status": "firing", "receiver": "remediator",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "alerts": list(alerts),
    }  # fmt: skip
    path.write_text(json.dumps(body), encoding="utf-8")
    return path


def _decide(path: Path, *options: str) -> int:
    return main(["remediate", "decide", str(path), "--config", str(SHOP), "--assume", *options])


def test_every_alert_stands_below_what_answers_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cache is down, so are those above it; one is not ours, one is over, three are left out."""
    over = {**_alert("mail"), "status": "resolved"}
    ignored, broken = _alert("web", "Slow", remedy="none"), {**_alert("web"), "fingerprint": "?"}
    path = _message(
        tmp_path, _alert("web"), _alert("worker"), _alert("worker", "WorkerSlow"), _alert("ghost", tier="gone"),
        _alert("cache", tier="core"), _alert("none", "TierDegraded", scope="tier"), over, ignored, broken,
        cut=1,
    )  # fmt: skip

    assert _decide(path) == 0
    assert capsys.readouterr().out.splitlines() == [
        "an alert: skip: not_ours: no service or tier of the configuration (ServiceDown)",
        "  it answers ghost (ServiceDown)",
        f"cache: restart cache (container shop-cache, rung service): restart: {REASONS['restart']} (probe failed)",
        "  it is the root of web (ServiceDown), which waits for it by way of api: probe failed",
        "  it is the root of worker (ServiceDown), which waits for it: probe failed",
        "  it is the root of worker (WorkerSlow), which waits for it: probe failed",
        "  it answers cache (ServiceDown)",
        "  it is the root of tier app (TierDegraded) for worker, which waits for it: probe failed",
        "  it is the root of tier app (TierDegraded) for api, which waits for it: probe failed",
        "lab: defer: observe: mode observe: this is what would have been done (would restart lab)",
        "  it answers tier app (TierDegraded) for lab",
        "mail (ServiceDown): nothing is decided: over",
        "left out: 1 that ask for no restart",
        "left out: 1 that make no sense: a fingerprint is not 16 hexadecimal digits",
        "left out: 1 that Alertmanager had cut off",
    ]


def test_machines_read_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON each decision has its sentences, and what no decision answers stands apart."""
    over = {**_alert("web"), "status": "resolved"}
    path = _message(tmp_path, _alert("cache", tier="core"), _alert("worker"), _alert("mail"), over)

    assert _decide(path, "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {each["service"]: each["answers"] for each in told["decisions"]} == {
        "cache": [
            "it answers cache (ServiceDown)",
            "it is the root of worker (ServiceDown), which waits for it: probe failed",
        ],
        "mail": ["it answers mail (ServiceDown)"],
    }
    assert told["left_out"] == ["web (ServiceDown): nothing is decided: over"]


def test_one_that_fires_again_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The end and the beginning of the same alert in one message: it fires, in either order."""
    both = (_alert("mail"), {**_alert("mail"), "status": "resolved"})
    told = []
    for alerts in (both, both[::-1]):
        assert _decide(_message(tmp_path, *alerts)) == 0
        told.append(capsys.readouterr().out.splitlines()[1:])

    assert told == [["  it answers mail (ServiceDown)"]] * 2


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
