"""What a message of Alertmanager comes to, by case files and by hostile bytes."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from remediation.web.dead_letters import MAX_SAMPLE, left_out, unreadable
from remediation.web.intake import Accepted, Limits, Refused, read_message
from remediation.web.json_strict import JsonError, depth, read_json
from tests.remediation.web.rig import alert, message

CASES = Path(__file__).with_name("messages")
LIMITS = Limits()
MOST = LIMITS.size_bytes


def told(found: Accepted | Refused) -> dict[str, Any]:
    """Return *found* as the case files have it."""
    if isinstance(found, Refused):
        return {"refused": asdict(found)}
    return {"accepted": json.loads(json.dumps(asdict(found)))}


@pytest.mark.parametrize("path", sorted(CASES.glob("*.json")), ids=lambda path: path.stem)
def test_message(path: Path) -> None:
    """Each case file's message comes to exactly what stands beside it; its claim says which rule that shows."""
    case = json.loads(path.read_text(encoding="utf-8"))
    found = told(read_message(json.dumps(case["message"]).encode(), LIMITS))
    if os.environ.get("TIERWATCH_GOLDEN") == "write":
        path.write_text(json.dumps({**case, "becomes": found}, indent=1) + "\n", encoding="utf-8")

    assert json.loads(path.read_text(encoding="utf-8"))["becomes"] == found
    assert case["claim"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a": 1, "a": 2}', "a key stands twice in one object"),
        (b'{"a": NaN}', "NaN is no number in JSON"),
        (b'{"a": -Infinity}', "-Infinity is no number in JSON"),
        (b'{"a": ' + b"9" * 33 + b"}", "a number of more than 32 characters"),
        (b'{"a": 1.' + b"9" * 33 + b"}", "a number of more than 32 characters"),
        (b"[" * 33 + b"]" * 33, "nested deeper than 32 levels"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "nested deeper than 32 levels"),
        (b"{} {}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
    ],
)
def test_text_that_is_no_message(body: bytes, why: str) -> None:
    """What other readers take in their own way, or only half, is refused with its reason."""
    assert read_message(body, LIMITS) == Refused(why)


def test_thirty_two_levels_are_fine() -> None:
    """The deepest nesting that is allowed is read; brackets within strings do not count."""
    deepest = b"[" * 32 + b'"' + b"[" * 99 + b'\\""' + b"]" * 32

    assert depth(deepest) == 32
    assert isinstance(read_json(deepest), list)


HOSTILE = {
    "brackets": b"[" * MOST,
    "pairs": b"[" + b"[]," * (MOST // 3 - 2) + b"[]]",
    "open objects": b'{"":' * (MOST // 4),
    "quotes": b'"' * MOST,
    "escaped quotes": b'"' + b'\\"' * (MOST // 2 - 1),
    "escaped quotes outside": b'\\"' * (MOST // 2),
    "backslashes": b'"' + b"\\" * (MOST - 1),
    "one number": b"9" * MOST,
    "numbers": b"[" + b"1," * (MOST // 2 - 2) + b"1]",
    "exponent": b"[1e" + b"9" * (MOST - 5) + b"]",
    "commas": b"[" + b"," * (MOST - 1),
    "spaces": b" " * MOST,
    "escapes": b'["' + b"\\ud800" * (MOST // 6 - 2) + b'"]',
    "keys": b"{" + b",".join(b'"%x":0' % n for n in range(MOST // 12)) + b"}",
    "alerts": json.dumps(message(*[0] * 600_000)).encode(),
    "empty objects": json.dumps(message(*[{}] * 400_000)).encode(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_take_linear_time(name: str) -> None:
    """Two megabytes made to be slow is refused in a time that any quadratic reading would exceed a hundredfold."""
    body = HOSTILE[name]
    assert len(body) <= MOST
    # Not the wall: other processes of a busy machine are not ours.
    before = time.thread_time()
    found = read_message(body, LIMITS)
    took_s = time.thread_time() - before

    assert isinstance(found, Refused)
    assert took_s < 5


def test_a_message_of_a_thousand_alerts_is_read_whole() -> None:
    """A thousand alerts of a real size come out in order, none lost."""
    alerts = [alert(f"service-{number}") for number in range(1000)]
    found = read_message(json.dumps(message(*alerts)).encode(), LIMITS)

    assert isinstance(found, Accepted)
    assert [each.labels["service"] for each in found.alerts] == [
        f"service-{number}" for number in range(1000)
    ]


def test_size_and_number_are_bounded() -> None:
    """One byte or one alert more than the limit is refused as too large, the limit itself is not."""
    body = json.dumps(message(alert(), alert())).encode()
    exact = Limits(size_bytes=len(body), alerts=2)

    assert isinstance(read_message(body, exact), Accepted)
    assert read_message(body, Limits(size_bytes=len(body) - 1)) == Refused(
        f"larger than {len(body) - 1} bytes", "too_large"
    )
    assert read_message(body, Limits(alerts=1)) == Refused("more than 1 alerts", "too_large")


def test_reasons_are_our_own_words() -> None:
    """Nothing that a stranger wrote gets into the reason of a refusal."""
    hostile = "<script>\x1b[2J"
    with pytest.raises(JsonError) as error:
        read_json(f'{{"a": {hostile}'.encode())

    assert str(error.value) == "not JSON"


def test_dead_letters_are_bounded_and_masked() -> None:
    """A dead letter has size, digest and a short beginning without secrets and control characters."""
    body = b'{"password": "hunter2hunter2", "x": "\x00\x1b\xff' + b"y" * 100_000
    record = unreadable("not UTF-8", body, size=len(body), digest="d")
    sample = str(record.body["sample"])

    assert record.body == {"why": "not UTF-8", "size": len(body), "digest": "d", "sample": sample}
    assert len(sample) == MAX_SAMPLE
    assert sample.isprintable()
    assert "hunter2" not in sample
    assert sample.startswith('{"password": "<masked>"')


def test_a_secret_that_is_cut_off_is_masked() -> None:
    """A key that begins near the end of what is kept does not escape because its end is missing."""
    body = b"x" * (MAX_SAMPLE - 12) + b" token=" + b"s3cr3t" * 40
    sample = str(unreadable("not JSON", body, size=len(body), digest="").body["sample"])

    assert "s3cr3t" not in sample


def test_alerts_left_out_are_told_of() -> None:
    """The letter about alerts that were left out says how many, and why, and of which message."""
    record = left_out(("a label is no text",), 3, b"{}")

    assert record.body["why"] == "3 of its alerts: a label is no text"
    assert record.body["digest"] == (
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
