"""Answers of Alertmanager's API, right and wrong, and what is read from them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remediation.alertmanager import parse as alertmanager_parse
from remediation.alertmanager.parse import Told, read_alerts, read_muted, read_started
from remediation.alertmanager.rfc3339 import format_time, parse_time
from remediation.model import Alert, AlertSourceError

GOOD: dict[str, Any] = {
    "annotations": {"summary": "redis is down"},
    "endsAt": "2026-11-28T09:10:00.000Z",
    "fingerprint": "00ff00ff00ff00ff",
    "receivers": [{"name": "remediator"}, {"name": "page-data"}],
    "startsAt": "2026-11-28T09:00:00.250Z",
    "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
    "updatedAt": "2026-11-28T09:05:00.000Z",
    "generatorURL": "http://prometheus/graph",
    "labels": {"alertname": "ServiceDown", "service": "redis", "kind": "redis", "tier": "core"},
}
STARTS = 1795856400.25
TOLD = Told(
    Alert("00ff00ff00ff00ff", STARTS, {"alertname": "ServiceDown", "service": "redis", "tier": "core"}),
    ends_wall=STARTS + 599.75,
    updated_wall=STARTS + 299.75,
    receivers=("remediator", "page-data"),
)  # fmt: skip


def _read(*entries: object) -> tuple[tuple[Told, ...], int]:
    return read_alerts(json.dumps(entries).encode())


def test_a_good_entry_is_read_whole() -> None:
    """Of an entry come its name, its times, the labels that are read, and who is told."""
    assert ((TOLD,), 0) == _read(GOOD)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"silencedBy": ["a"], "inhibitedBy": []}, (True, False)),
        ({"silencedBy": [], "inhibitedBy": ["b"]}, (False, True)),
        ({"silencedBy": ["a"], "inhibitedBy": ["b"]}, (True, True)),
        ({}, (False, False)),
    ],
)
def test_silenced_and_inhibited_are_told_apart(status: object, expected: tuple[bool, bool]) -> None:
    """Each list of the status that has something in it says its own thing."""
    (one,), _ = _read({**GOOD, "status": status})

    assert expected == (one.alert.suppressed, one.alert.inhibited)


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "00FF00FF00FF00FF"},
        {"fingerprint": "00ff"},
        {"fingerprint": 17},
        {"labels": None},
        {"labels": ["alertname"]},
        {"labels": {"service": "redis"}},
        {"labels": {"alertname": ""}},
        {"labels": {"alertname": "ServiceDown", "service": 1}},
        {"labels": {"alertname": "ServiceDown", "service": "a\nb"}},
        {"labels": {"alertname": "ServiceDown", "service": "\ud800"}},
        {"labels": {"alertname": "ServiceDown", "service": "\u202eevil"}},
        {"labels": {"alertname": "x" * 257}},
        {"status": None},
        {"status": "active"},
        {"status": {"silencedBy": "all"}},
        {"status": {"silencedBy": None, "inhibitedBy": []}},
        {"startsAt": "yesterday"},
        {"startsAt": 1795856400},
        {"startsAt": "2026-13-28T09:00:00Z"},
        {"endsAt": None},
        {"updatedAt": "2026-11-28 09:05:00Z"},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_an_entry_that_makes_no_sense_is_left_out_alone(change: dict[str, object]) -> None:
    """One odd entry is counted and costs no other; nothing of it is guessed at."""
    assert ((TOLD,), 1) == _read({**GOOD, **change}, GOOD)


@pytest.mark.parametrize("entry", [None, 1, "x", [], {}, [GOOD]])
def test_what_is_no_entry_at_all_is_left_out(entry: object) -> None:
    """Anything may stand in the list; only alerts are read."""
    assert ((), 1) == _read(entry)


def test_labels_that_are_not_read_may_be_anything() -> None:
    """A label that means nothing to us neither comes along nor costs the alert."""
    labels = {**GOOD["labels"], "pod": "x" * 5000, "note": "a\nb", "odd": ["list"]}

    assert ((TOLD,), 0) == _read({**GOOD, "labels": labels})


@pytest.mark.parametrize(
    ("body", "fact"),
    [
        (b"", "its answer is not JSON"),
        (b"<html>Sign in</html>", "its answer is not JSON"),
        (b"[{]", "its answer is not JSON"),
        (b"\xff\xfe[", "its answer is not JSON"),
        (b"[" + b"9" * 5000 + b"]", "its answer is not JSON"),
        (b"{}", "its answer is not a list of alerts"),
        (b"null", "its answer is not a list of alerts"),
        (b'"text"', "its answer is not a list of alerts"),
        (b"[" * 100_000, "its answer is nested too deeply"),
        (b'{"a":' * 100_000, "its answer is nested too deeply"),
        (b"[" + b"0," * 50_000 + b"0]", "its answer has more than 50000 entries"),
        (b"[" + b"[]," * 800_000 + b"0]", "its answer has more than 1500000 parts"),
    ],
    ids=lambda value: value[:20].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_an_answer_that_is_no_list_of_alerts_is_an_error(body: bytes, fact: str) -> None:
    """What is not JSON, no list, too deep or too long is never taken for `nothing fires`."""
    with pytest.raises(AlertSourceError) as raised:
        read_alerts(body)

    assert fact == str(raised.value)


def test_the_limit_of_parts_holds_a_whole_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty thousand alerts, as many as a catalog may have services, are within the limits."""
    labels = {**GOOD["labels"], **{f"label_{n}": "x" for n in range(10)}}
    entry = json.dumps({**GOOD, "labels": labels})
    parts = sum(map(entry.count, "[{,"))

    assert parts * 20_000 < alertmanager_parse.MAX_PARTS
    monkeypatch.setattr(alertmanager_parse, "MAX_PARTS", parts)
    with pytest.raises(AlertSourceError):
        read_alerts(f"[{entry}]".encode())


def _group(receiver: object, *muted: object) -> dict[str, Any]:
    entry = {"fingerprint": "00ff00ff00ff00ff", "status": {"mutedBy": list(muted)}}
    return {"receiver": receiver, "labels": {}, "alerts": [entry]}


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([], set()),
        ([_group({"name": "remediator"}, "night")], {"00ff00ff00ff00ff"}),
        ([_group({"name": "remediator"})], set()),
        ([_group({"name": "people"}, "night")], set()),
        ([_group({"name": "people"}, "night"), _group({"name": "remediator"})], set()),
        ([None, 1, {}, {"receiver": {"name": "remediator"}, "alerts": [None, {}, []]}], set()),
        ([{"receiver": {"name": "remediator"}, "alerts": [{"fingerprint": "0", "status": {}}]}], set()),
    ],
)  # fmt: skip
def test_only_mutes_of_our_own_receiver_count(groups: object, expected: set[str]) -> None:
    """An alert is muted when a group of our receiver says so, whatever people have muted."""
    assert expected == read_muted(json.dumps(groups).encode(), "remediator")


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"uptime": 5}', b'{"uptime": "soon"}', b"null"])
def test_a_status_without_a_start_is_an_error(body: bytes) -> None:
    """Without an uptime nobody knows whether the list is young, so there is no answer."""
    with pytest.raises(AlertSourceError, match="does not tell when it started"):
        read_started(body)


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2026-11-28T09:00:00.250Z", STARTS),
        ("2026-11-28T09:00:00.250999999Z", STARTS),
        ("2026-11-28T10:00:00.25+01:00", STARTS),
        ("2026-11-28T05:30:00.2500-03:30", STARTS),
        ("0001-01-01T00:00:00Z", -62135596800.0),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
        ("9999-12-31T23:59:59.999Z", 253402300799.999),
    ],
)
def test_times_are_read_to_the_millisecond(text: str, wall: float) -> None:
    """The webhook's nanoseconds and the API's milliseconds give one number for one start."""
    assert wall == parse_time(text)


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-28", "2026-11-28T09:00Z", "2026-11-28T09:00:00", "2026-02-30T09:00:00Z",
     "2026-11-28T25:00:00Z", "2026-11-28T09:00:00+99:00", "2026-11-28T09:00:00.Z", "٢٠٢٦-11-28T09:00:00Z",
     "2026-11-28T09:00:00.0123456789Z", "2026-11-28T09:00:00Z\n"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    """Only whole RFC 3339 times in ASCII digits are read."""
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


def test_a_time_written_is_the_time_read() -> None:
    """Every millisecond survives writing and reading."""
    walls = [STARTS + n / 1000 for n in range(2000)]

    assert [round(wall, 3) for wall in walls] == [parse_time(format_time(wall)) for wall in walls]
