"""`POST /v1/alerts` over real sockets: what is answered, what is journalled, what is counted."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from remediation import records
from remediation.journal.errors import JournalError
from remediation.journal.journal import Journal
from remediation.web import alerts
from remediation.web.alerts import INLINE_BYTES
from remediation.web.dead_letters import unreadable
from remediation.web.intake import Accepted, Limits, Refused, read_message
from remediation.web.metrics import INTAKE_RESULTS
from tests.remediation.web.rig import (
    HOST,
    NOW,
    OPERATOR,
    WEBHOOK,
    FakeDesk,
    Web,
    alert,
    message,
    serving,
    wait_until,
)

NOTHING = {"accepted": 0, "duplicate": 0, "ignored": 0, "malformed": 0, "truncated": 0}


def counts(web: Web) -> dict[str, float]:
    """Return what was counted, without the zeros."""
    found = {result: web.counted(result) for result in INTAKE_RESULTS}
    return {result: count for result, count in found.items() if count}


def test_accepted_alerts_are_in_the_journal_before_the_answer(web: Web, desk: FakeDesk) -> None:
    """A yes comes with the entry written: key, labels that are read, status of each, the group, the rest cut off."""
    answer = web.alerts(
        message(
            alert(fingerprint="a" * 16),
            alert("frontend", fingerprint="b" * 16, status="resolved"),
            truncatedAlerts=3,
        )
    )

    assert (answer.status, answer.json) == (200, NOTHING | {"accepted": 2, "truncated": 3})
    labels = {
        "alertname": "ServiceDown", "service": "backend", "tier": "app", "scope": "service",
        "severity": "critical", "remedy": "restart",
    }  # fmt: skip
    starts = 1794453082.123
    told = [
        {"fingerprint": "a" * 16, "starts_wall": starts, "firing": True, "labels": labels},
        {
            "fingerprint": "b" * 16,
            "starts_wall": starts,
            "firing": False,
            "labels": labels | {"service": "frontend"},
        },
    ]
    source = '{}/{remedy="restart"}:{tier="app"}'
    assert desk.bodies(records.RECEIVED) == [{"alerts": told, "source": source, "truncated": 3}]
    assert counts(web) == {"accepted": 2}


@pytest.mark.parametrize(
    ("token", "status"),
    [("", 401), ("wrong", 401), (OPERATOR, 403), (WEBHOOK[:-1], 401), (WEBHOOK, 200)],
)
def test_strangers(web: Web, desk: FakeDesk, token: str, status: int) -> None:
    """No token, a wrong one, a part of one: 401 with a challenge; an operator's: 403; nothing is journalled."""
    answer = web.alerts(message(alert()), token)

    assert answer.status == status
    assert len(desk.entries) == (1 if status == 200 else 0)
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert counts(web) == ({"accepted": 1} if status == 200 else {"unauthorized": 1})


def test_a_stranger_is_answered_before_the_body_is_read(web: Web) -> None:
    """Whoever has no token gets no byte of a body taken in: the answer comes while it is still to be sent."""
    with socket.create_connection((HOST, web.port), timeout=30) as raw:
        raw.sendall(b"POST /v1/alerts HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("journal", ["fail", "refuse"])
def test_a_journal_that_cannot_write(web: Web, desk: FakeDesk, journal: str) -> None:
    """Nothing written, no yes: 503 with the reason, and the same alert is taken in once it can."""
    desk.journal = journal
    delivery = message(alert(fingerprint="c" * 16))
    refused = web.alerts(delivery)
    desk.journal = "commit"
    taken = web.alerts(delivery)

    assert refused.status == 503
    assert refused.json["error"]["cure"] == "Send it again; Alertmanager does by itself"
    assert (taken.status, taken.json["accepted"]) == (200, 1)
    assert counts(web) == {"unavailable": 1, "accepted": 1}


def test_a_journal_that_hangs(desk: FakeDesk, tmp_path: Path) -> None:
    """An answer does not wait for a hanging disk; the late commit harms nobody, the repeated alert is one more entry."""
    desk.journal = "hang"
    delivery = message(alert(fingerprint="d" * 16))
    with serving(desk, tmp_path, commit_s=0.2) as web:
        refused = web.alerts(delivery)
        future, late = desk.hanging[0]
        future.set_result(desk.write(*late))
        desk.journal = "commit"
        taken = web.alerts(delivery)

        assert refused.status == 503
        assert "has not answered within 0.2 s" in refused.json["error"]["fact"]
        # It waits for its decision already: the late entry was as good as a yes.
        assert (taken.status, taken.json["duplicate"]) == (200, 1)
        assert desk.kinds() == [records.RECEIVED]


def test_large_messages_wait_for_each_other_but_not_for_long(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a large message is being read another one is refused in time, and a small one is taken."""
    gate, reached = threading.Event(), threading.Event()

    def slow(body: bytes, limits: Limits) -> Accepted | Refused:
        if len(body) > INLINE_BYTES:
            reached.set()
            gate.wait(60)
        return read_message(body, limits)

    monkeypatch.setattr(alerts, "read_message", slow)
    large = message(*(alert(fingerprint=f"{n:016x}") for n in range(1000)))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(web.alerts, large)
        assert reached.wait(60)
        began = time.monotonic()
        refused, small = web.alerts(large), web.alerts(message(alert()))
        took_s = time.monotonic() - began
        gate.set()
        again = web.alerts(large)

    assert (refused.status, small.status) == (503, 200)
    assert refused.json["error"]["fact"] == "other large messages are being read"
    assert took_s < 1
    assert (first.result().status, again.status) == (200, 200)


def test_a_late_failure_breaks_nothing(desk: FakeDesk, tmp_path: Path) -> None:
    """A commit that fails after the answer is logged, and the next delivery is served."""
    desk.journal = "hang"
    with serving(desk, tmp_path, commit_s=0.05) as web:
        assert web.alerts(message(alert())).status == 503
        desk.hanging[0][0].set_exception(JournalError(tmp_path, "late", "none"))
        desk.journal = "commit"
        assert web.alerts(message(alert())).status == 200


def test_duplicates_need_no_entry(web: Web, desk: FakeDesk) -> None:
    """A thousand repetitions of one firing are one entry; another start, or its end, is something new."""
    delivery = message(alert(fingerprint="e" * 16))
    first = web.alerts(delivery)
    with ThreadPoolExecutor(8) as pool:
        rest = list(pool.map(lambda _: web.alerts(delivery), range(100)))
    restarted = alert(fingerprint="e" * 16, startsAt="2026-11-12T04:00:00Z")
    ended = alert(fingerprint="e" * 16, status="resolved")
    news = web.alerts(message(restarted, ended))

    assert first.json == NOTHING | {"accepted": 1}
    assert [answer.json for answer in rest] == [NOTHING | {"duplicate": 1}] * 100
    assert news.json == NOTHING | {"accepted": 2}
    assert desk.kinds() == [records.RECEIVED] * 2
    assert counts(web) == {"accepted": 3, "duplicate": 100}


def test_an_alert_that_waits_already_is_a_duplicate_after_our_restart(
    desk: FakeDesk, tmp_path: Path
) -> None:
    """What a former process took in and nobody has decided yet needs no second entry."""
    delivery = message(alert(fingerprint="f" * 16))
    with serving(desk, tmp_path) as web:
        web.alerts(delivery)
    with serving(desk, tmp_path) as web:
        assert web.alerts(delivery).json == NOTHING | {"duplicate": 1}
    assert desk.kinds() == [records.RECEIVED]


def test_what_was_decided_a_moment_ago_is_a_duplicate(web: Web, desk: FakeDesk) -> None:
    """A repetition within the time for duplicates needs no entry, though nothing waits any more; its end does."""
    delivery = message(alert(fingerprint="b" * 16))
    web.alerts(delivery)
    desk.state.pending.clear()
    again = web.alerts(delivery)
    ended = message(alert(fingerprint="b" * 16, status="resolved"))
    told = [web.alerts(ended).json for _ in range(2)]

    assert again.json == NOTHING | {"duplicate": 1}
    assert told == [NOTHING | {"accepted": 1}, NOTHING | {"duplicate": 1}]
    assert desk.kinds() == [records.RECEIVED] * 2


def test_a_duplicate_is_news_again_after_a_while(desk: FakeDesk, tmp_path: Path) -> None:
    """When the time for duplicates is over and the alert was decided, its repetition is taken in anew."""
    delivery = message(alert(fingerprint="a" * 16))
    config = desk.config
    desk.config = replace(config, ladder=replace(config.ladder, deduplicate_s=0.01))
    with serving(desk, tmp_path) as web:
        web.alerts(delivery)
        desk.state.pending.clear()
        deadline = time.monotonic() + 30
        while web.alerts(delivery).json["accepted"] == 0:
            assert time.monotonic() < deadline


def test_what_asks_for_no_restart_is_ignored(web: Web, desk: FakeDesk) -> None:
    """An alert without the remedy restart, the Watchdog among them, is counted and not journalled."""
    answer = web.alerts(message(alert(labels={"alertname": "Watchdog", "severity": "none"})))

    assert (answer.status, answer.json) == (200, NOTHING | {"ignored": 1})
    assert desk.entries == []
    assert counts(web) == {"ignored": 1}


def test_cut_off_alerts_wake_the_engine(web: Web, desk: FakeDesk) -> None:
    """A message without anything new is still journalled when alerts were cut off: Alertmanager has them."""
    answer = web.alerts(message(truncatedAlerts=2))

    assert answer.json == NOTHING | {"truncated": 2}
    assert desk.bodies(records.RECEIVED)[0]["truncated"] == 2


@pytest.mark.parametrize(
    ("body", "result", "why"),
    [
        (b"{not json", "malformed", "not JSON"),
        (b'{"version": "3"}', "malformed", "version '3' of the message: only '4' is known"),
        (b"[" * 5000, "malformed", "nested deeper than 32 levels"),
        (b"x" * (2 * 1024 * 1024 + 1), "too_large", "larger than 2097152 bytes"),
    ],
)
def test_dead_letters(web: Web, desk: FakeDesk, body: bytes, result: str, why: str) -> None:
    """What can never be processed is put aside and answered yes, once for the same bytes: it must not come for ever."""
    answers = [web.alerts(body) for _ in range(2)]
    digest = hashlib.sha256(body).hexdigest()

    assert [(each.status, each.json) for each in answers] == [
        (200, {"result": result, "why": why, "digest": digest})
    ] * 2
    letter = dict(desk.bodies(records.DEAD_LETTER)[0])
    assert letter.pop("sample") == body[:400].decode()
    assert letter == {"why": why, "size": len(body), "digest": digest}
    assert len(desk.entries) == 1
    assert counts(web) == {result: 2}


def test_a_dead_letter_that_cannot_be_written(web: Web, desk: FakeDesk) -> None:
    """Without the journal even nonsense is 503: nothing that arrives goes without a trace."""
    desk.journal = "fail"
    refused = web.alerts(b"nonsense")
    desk.journal = "commit"
    taken = web.alerts(b"nonsense")

    assert (refused.status, taken.status) == (503, 200)
    assert desk.kinds() == [records.DEAD_LETTER]


def test_one_bad_alert_does_not_hide_the_others(web: Web, desk: FakeDesk) -> None:
    """Good alerts of a message are taken in, the bad one is put aside; both counted."""
    answer = web.alerts(message(alert(), alert(fingerprint="?")))

    assert answer.json == NOTHING | {"accepted": 1, "malformed": 1}
    assert desk.kinds() == [records.RECEIVED, records.DEAD_LETTER]
    assert counts(web) == {"accepted": 1, "malformed": 1}


def test_a_body_far_too_large_is_cut_off(web: Web, desk: FakeDesk) -> None:
    """Somebody who sends without end is read up to a second limit; then the answer comes, and one letter is kept."""
    with contextlib.closing(web.connect()) as connection:
        connection.putrequest("POST", "/v1/alerts")
        connection.putheader("Authorization", f"Bearer {WEBHOOK}")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(64):
                connection.send(chunk)
    wait_until(lambda: desk.entries)

    size = desk.bodies(records.DEAD_LETTER)[0]["size"]
    assert isinstance(size, int)
    assert 32 * 1024 * 1024 < size < 34 * 1024 * 1024


def test_a_thousand_alerts(web: Web, desk: FakeDesk) -> None:
    """A message of a thousand alerts is taken in whole."""
    answer = web.alerts(message(*[alert(f"s-{number}") for number in range(1000)]))

    assert answer.json["accepted"] == 1000
    assert len(desk.state.pending) == 1000


def test_the_largest_message_fits_the_real_journal(tmp_path: Path) -> None:
    """What the limits let in can be written as one entry, with labels as long as they may be."""
    body = json.dumps(
        message(
            *[
                {
                    "status": "firing",
                    "fingerprint": f"{number:016x}",
                    "labels": {"alertname": "A", "remedy": "restart", "service": "é"},
                    "startsAt": "2026-01-01T00:00:00Z",
                    "endsAt": "0001-01-01T00:00:00Z",
                }
                for number in range(9990)
            ]
        ),
        ensure_ascii=False,
    ).encode()
    assert 1_900_000 < len(body) <= Limits().size_bytes
    found = read_message(body, Limits())
    assert isinstance(found, Accepted)
    with Journal.open(tmp_path / "journal.db") as journal:
        journal.append(records.received(found.alerts, source=found.source))
        journal.append(unreadable("x", b"\xff\x00" * 5000, size=1, digest="d"))
        kinds = [entry.kind for entry in journal.tail(2)]

    assert kinds == [records.RECEIVED, records.DEAD_LETTER]


def test_deliveries_at_once_are_bounded(desk: FakeDesk, tmp_path: Path) -> None:
    """More deliveries at once than may be are answered 503, those before them are not lost."""
    desk.journal = "hang"
    with serving(desk, tmp_path, at_once=3, commit_s=60.0) as web:
        with ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(web.alerts, message(alert())) for _ in range(3)]
            wait_until(lambda: len(desk.hanging) == 3)
            refused = web.alerts(message(alert()))
            for future, late in desk.hanging:
                future.set_result(desk.write(*late))
            taken = [each.result().status for each in waiting]
        desk.journal = "commit"
        after = web.alerts(message(alert()))

        assert refused.status == 503
        assert "3 deliveries are being taken in already" in refused.json["error"]["fact"]
        assert taken == [200] * 3
        assert after.status == 200


def test_bytes_at_once_are_bounded(desk: FakeDesk, tmp_path: Path) -> None:
    """Bodies that together hold more than may be are refused, and their room is free again afterwards."""
    body = json.dumps(message(alert(annotations={"x": "y" * 30_000}))).encode()
    head = (
        f"POST /v1/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WEBHOOK}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with serving(desk, tmp_path, together_bytes=50_000) as web:
        with socket.create_connection((HOST, web.port), timeout=30) as slow:
            slow.sendall(head + body[:-1])

            def refused() -> bool:
                return web.alerts(body).status == 503

            wait_until(refused)
            slow.sendall(body[-1:])
            assert slow.recv(15) == b"HTTP/1.1 200 OK"

        assert web.alerts(body).status == 200


def test_a_stuck_engine_pushes_back(web: Web, desk: FakeDesk, monkeypatch: Any) -> None:
    """When more alerts wait for a decision than ever should, more are not taken in."""
    monkeypatch.setattr("remediation.web.alerts.MAX_PENDING", 1)
    answers = [web.alerts(message(alert())).status for _ in range(2)]

    assert answers == [200, 503]
    assert len(desk.entries) == 1


def test_other_clients_go_on_while_a_large_message_is_read(web: Web) -> None:
    """Health is answered while megabytes of nonsense are parsed: that happens elsewhere than where requests are served."""
    body = b"[" + b"1," * 524_000 + b"1]"
    done = threading.Event()

    def flood() -> None:
        for number in range(5):
            web.alerts(b"%d" % number + body[1:])
        done.set()

    thread = threading.Thread(target=flood)
    thread.start()
    healthy = 0
    while not done.is_set():
        healthy += web.ask("GET", "/-/healthy").status == 200
    thread.join()

    assert healthy > 0
    assert web.counted("malformed") == 5


def test_the_time_of_an_answer_is_counted(web: Web) -> None:
    """Every delivery, also one that is refused, is in the histogram of durations."""
    web.alerts(message(alert()))
    web.alerts(message(alert()), token="wrong")
    page = web.ask("GET", "/metrics").body

    assert "remediation_intake_duration_seconds_count 2.0\n" in page


def test_entries_carry_the_desk_s_time(web: Web, desk: FakeDesk) -> None:
    """The alert waits in the state under its own name, as the engine will find it."""
    web.alerts(message(alert(fingerprint="9" * 16)))

    assert {key: waiting.at for key, waiting in desk.state.pending.items()} == {
        ("9" * 16, 1794453082.123): NOW
    }
