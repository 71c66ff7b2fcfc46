"""Servers that are no Alertmanager, or a broken one: the remediator waits for none and believes none."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from remediation.alertmanager import client as subject
from remediation.alertmanager.client import Alertmanager
from remediation.model import Alerts, AlertSourceError
from tests.live.servers import HOST, free_port, until
from tests.remediation.alertmanager import rig
from tests.remediation.alertmanager.raw import Answer, Raw, answering, http
from tests.remediation.alertmanager.test_parse import GOOD

STATUS = json.dumps(
    {"uptime": "2020-01-01T00:00:00.000Z", "config": {"original": "x" * 1000}}
).encode()
PATIENCE_S = 20.0  # for those that answer: the machine may be busy
SLOW_S = 1.0  # for those that do not
ENDLESS = threading.Event()  # never set: a pause that ends with the process


def _drip(text: bytes) -> Iterator[bytes]:
    for byte in text * 1000:
        yield bytes([byte])
        ENDLESS.wait(0.05)


def _usual(alerts: bytes | Iterator[bytes], status: bytes = b"") -> Answer:
    def answer(line: str) -> bytes | Iterator[bytes]:
        if "/status" in line:
            return status or http(STATUS)
        return http(b"[]") if "/groups" in line else alerts

    return answer


def _ask(answer: Answer, patience_s: float = PATIENCE_S) -> tuple[Raw, Alerts | str]:
    with answering(answer) as raw:
        source = Alertmanager(rig.settings(raw.url), rig.Clock(), patience_s=patience_s)
        try:
            return raw, source.ask()
        except AlertSourceError as error:
            return raw, str(error).removeprefix(f"{raw.url}: ")


def test_one_connection_asks_for_everything_and_follows_its_own_address() -> None:
    """A poll is three questions over one connection, all alerts whatever their state, below the path given."""
    entry = {**GOOD, "endsAt": "2999-01-01T00:00:00Z"}
    with answering(_usual(http(json.dumps([entry]).encode()))) as raw:
        source = Alertmanager(rig.settings(f"{raw.url}/am"), rig.Clock())
        told = source.ask()
        assert told.active[0] == source.confirm(told.active[0].key)

    every = "active=true&silenced=true&inhibited=true&unprocessed=true"
    which = "&filter=alertname%3D%22ServiceDown%22&filter=service%3D%22redis%22&filter=tier%3D%22core%22"
    assert [
        "GET /am/api/v2/status HTTP/1.1",
        f"GET /am/api/v2/alerts?{every} HTTP/1.1",
        "GET /am/api/v2/alerts/groups?receiver=remediator HTTP/1.1",
        f"GET /am/api/v2/alerts?{every}{which} HTTP/1.1",
        f"GET /am/api/v2/alerts/groups?{which[1:]}&receiver=remediator HTTP/1.1",
    ] == [head.splitlines()[0] for head in raw.heads]


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        (http(b"", "500 Internal Server Error"), "/api/v2/alerts is answered with status 500"),
        (http(b"[]", "204 No Content"), "/api/v2/alerts is answered with status 204"),
        (http(b"[]", "401 Unauthorized"), "/api/v2/alerts is answered with status 401"),
        (http(b"[]", "200 OK", "Content-Encoding: gzip"), "compressed, though not asked for"),
        (http(b"<html>Welcome</html>"), "its answer is not JSON"),
        (http(b'{"status":"success","data":[]}'), "its answer is not a list of alerts"),
        (http(b"[" * 1_000_000), "its answer is nested too deeply"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not HTTP/1.1 (BadStatusLine)"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[", "no answer in time"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP/1.1 (IncompleteRead)"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 70_000, "not HTTP/1.1 (LineTooLong)"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: a\r\n" * 200 + b"\r\n", "not HTTP/1.1 (HTTPException)"),
        (b"", "no answer in time"),
    ],
    ids=range(13),
)  # fmt: skip
def test_an_answer_that_is_not_alertmanagers_is_an_error_with_a_reason(
    answer: bytes, fact: str
) -> None:
    """Whatever answers instead of Alertmanager, no list of alerts comes of it, and the reason is told."""
    slow = fact == "no answer in time"
    _, told = _ask(_usual(answer), SLOW_S if slow else PATIENCE_S)

    assert fact == told


def test_no_redirect_is_followed() -> None:
    """A redirect is an answer like any other wrong one: nobody asks where it points."""
    with answering(lambda _: http(STATUS)) as other:
        redirect = http(b"", "302 Found", f"Location: {other.url}/api/v2/alerts")
        _, told = _ask(_usual(redirect))

    assert ("/api/v2/alerts is answered with status 302", []) == (told, other.heads)


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies of the environment stay out of it: alerts are asked for directly."""
    with answering(lambda _: http(b"", "403 Forbidden")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        _, told = _ask(_usual(http(b"[]")))

    assert isinstance(told, Alerts)
    assert [] == proxy.heads


@pytest.mark.parametrize("where", ["status line", "header", "body", "chunk"])
def test_one_that_drips_costs_the_deadline_and_no_more(where: str) -> None:
    """A byte now and then does not keep the remediator waiting beyond its deadline."""
    head = b"HTTP/1.1 200 OK\r\n"
    given, dripped = {
        "status line": (b"", b"HTTP/1.1 200 OK"),
        "header": (head, b"X-A: a\r\n"),
        "body": (head + b"Content-Length: 900000\r\n\r\n[", b" "),
        "chunk": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    }[where]
    before = time.monotonic()
    _, told = _ask(_usual(chain([given], _drip(dripped))), SLOW_S)

    assert told == "no answer in time"
    assert time.monotonic() - before < SLOW_S + 20  # a busy machine; without a deadline: hours


def test_a_huge_answer_is_dropped_where_the_limit_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the limit is ever held, whatever length the server announces."""
    monkeypatch.setattr(subject, "MAX_BODY", 100_000)
    _, told = _ask(
        _usual(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"[" + b" " * 200_000)
    )

    assert told == "an answer of more than 100000 bytes"


def test_nobody_there_is_told_at_once() -> None:
    """A refused connection, a name that does not exist and a server that says nothing have their reasons."""
    facts = []
    with socket.create_server((HOST, 0)) as silent:
        for url in (
            f"http://{HOST}:{free_port()}",
            "http://nowhere.invalid:9093",
            f"http://{HOST}:{silent.getsockname()[1]}",
        ):
            source = Alertmanager(rig.settings(url), rig.Clock(), patience_s=SLOW_S)
            with pytest.raises(AlertSourceError) as raised:
                source.ask()
            facts.append(str(raised.value).removeprefix(f"{url}: "))

    assert facts[0] == "refused"
    assert facts[1] in ("its name is not known", "its name is not looked up in time")
    assert facts[2] == "no answer in time"


def test_an_alert_whose_end_has_passed_is_not_active() -> None:
    """Alertmanager leaves such ones out; should it not, they are not active either."""
    past, future = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
    entries = [{**GOOD, "endsAt": past}, {**GOOD, "endsAt": future, "fingerprint": "a" * 16}]
    _, told = _ask(_usual(http(json.dumps(entries).encode())))

    assert isinstance(told, Alerts)
    assert ["a" * 16] == [one.fingerprint for one in told.active]


def test_a_clock_set_back_does_not_make_alertmanager_young_for_long() -> None:
    """Its uptime is never less than the time for which we ourselves have known it."""
    started = json.dumps({"uptime": "2999-01-01T00:00:00Z"}).encode()
    clock = rig.Clock()
    with answering(_usual(http(b"[]"), http(started))) as raw:
        source = Alertmanager(rig.settings(raw.url), clock)
        first = source.ask().uptime_s
        clock.steady_s += 3600
        later = source.ask().uptime_s

    assert first == 0.0
    assert later >= 3600


def test_a_server_that_hangs_up_between_questions_is_asked_again() -> None:
    """A proxy that closes after each answer costs connections, not the poll."""
    close = http(b"[]", "200 OK", "Connection: close")
    _, told = _ask(_usual(close, http(STATUS, "200 OK", "Connection: close")))

    assert isinstance(told, Alerts)


def test_twenty_thousand_alerts_are_read() -> None:
    """As many alerts as a catalog may have services fit into one answer, and all are told."""
    entry = {
        **GOOD,
        "endsAt": "2999-01-01T00:00:00Z",
        "annotations": {"description": "long " * 120},
    }
    entries = [{**entry, "fingerprint": f"{n:016x}"} for n in range(20_000)]
    body = json.dumps(entries, separators=(",", ":")).encode()
    assert len(body) < subject.MAX_BODY
    with answering(_usual(http(body))) as raw:
        source = Alertmanager(rig.settings(raw.url), rig.Clock(), patience_s=120)
        told = source.ask()

    assert (20_000, 0) == (len(told.active), source.left_out)


def test_a_poll_leaves_no_connection_open() -> None:
    """Good or bad, a poll gives back its sockets."""
    with answering(_usual(http(b"{}"))) as raw:
        source = Alertmanager(rig.settings(raw.url), rig.Clock())
        for _ in range(3):
            with pytest.raises(AlertSourceError):
                source.ask()
        before = _open_files()
        for _ in range(20):
            with pytest.raises(AlertSourceError):
                source.ask()

        # The other ends, which are the server's, close on threads of their own.
        until(lambda: _open_files() <= before, "no connection is left open")


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
