"""Probes: good, bad, silent, and those that say more of us than of the service."""

from __future__ import annotations

import queue
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from exporters.agents_probe import Outcome
from exporters.config import Expect, Target
from exporters.patterns import compile_pattern
from remediation.config import Config, Health
from remediation.engine.probes import Probes, answer_of
from tests.live.servers import free_port, until
from tests.remediation import shop

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def serving(answer: bytes | None) -> Iterator[tuple[int, threading.Event]]:
    """Answer everybody with *answer*; None: with nothing until the event is set, then with GOOD."""
    release = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            if answer is None:
                release.wait(30)
            self.request.sendall(answer or GOOD)

    with _Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield server.server_address[1], release
        finally:
            release.set()
            server.shutdown()


def config_with(**urls: str) -> Config:
    """Return the shop's configuration with these services asked at these addresses, for 20 s at most."""
    config = shop.config()
    services = dict(config.services)
    for name, url in urls.items():
        health = Health(
            url.partition(":")[0], url, Expect(body=compile_pattern("ok")), 10.0, 20.0, 3
        )
        services[name] = replace(services[name], health=health)
    return replace(config, services=services)


def patient(config: Config, name: str, timeout_s: float) -> Config:
    """Return *config* with another timeout for *name*."""
    service = config.services[name]
    changed = replace(service, health=replace(service.health, timeout_s=timeout_s))
    return replace(config, services={**config.services, name: changed})


def test_all_are_asked_at_once_as_they_are_configured() -> None:
    """A good answer is True, a bad one and a closed port False with the reason, no probe None."""
    with serving(GOOD) as (good, _), serving(BAD) as (bad, _):
        shut = free_port()
        config = config_with(
            web=f"http://127.0.0.1:{good}/", api=f"http://127.0.0.1:{bad}/health",
            cache=f"tcp://127.0.0.1:{good}", db=f"tcp://127.0.0.1:{shut}",
        )  # fmt: skip
        found = Probes(config, wait_s=30).ask(["web", "api", "cache", "db", "worker", "nobody"])

    none = (None, "has no probe of its own")
    assert {
        "web": (True, ""), "api": (False, "status: 503 instead of 200"), "cache": (True, ""),
        "db": (False, "refused: ECONNREFUSED"), "worker": none, "nobody": none,
    } == found  # fmt: skip


def test_a_silent_service_is_not_called_sick_before_its_time() -> None:
    """Within its own timeout there is no answer; the others do not wait for it."""
    with serving(None) as (silent, _), serving(GOOD) as (good, _):
        config = config_with(api=f"http://127.0.0.1:{silent}/", web=f"http://127.0.0.1:{good}/")
        began = time.monotonic()
        found = Probes(config, wait_s=1).ask(["api", "web"])

        assert {"api": (None, "silent for 1 s; it may take 20 s"), "web": (True, "")} == found
        assert time.monotonic() - began < 15


def test_a_service_that_stays_silent_is_sick_after_its_time_until_it_answers() -> None:
    """Whoever waits is woken when the timeout has passed; then it has failed, until a good answer comes."""
    late: queue.SimpleQueue[str] = queue.SimpleQueue()
    with serving(None) as (silent, release):
        config = patient(config_with(api=f"http://127.0.0.1:{silent}/"), "api", 1.0)
        probes = Probes(config, wait_s=0.3, on_late=late.put)
        first = probes.ask(["api"])["api"]
        woken = late.get(timeout=30)
        second = probes.ask(["api"])["api"]
        release.set()
        until(lambda: probes.ask(["api"])["api"] == (True, ""), "it answers again")

    assert ((None, "silent for 0.3 s; it may take 1 s"), "api", False) == (first, woken, second[0])
    assert second[1].startswith(
        "read_timeout: still in phase processing at the deadline; that was "
    )
    assert second[1].endswith(" s ago, and it is still silent")


def test_an_old_failure_is_no_answer() -> None:
    """A failure that is minutes old does not make a silent service a sick one."""
    clock = [1000.0]
    with serving(None) as (silent, _):
        config = patient(config_with(api=f"http://127.0.0.1:{silent}/"), "api", 0.3)
        probes = Probes(config, wait_s=30, clock=lambda: clock[0])
        assert probes.ask(["api"])["api"][0] is False
        clock[0] += 1000
        probes = _with_patience(probes, patient(config, "api", 20.0), wait_s=0.5)

        assert probes.ask(["api"])["api"] == (None, "silent for 0.5 s; it may take 20 s")


def _with_patience(probes: Probes, config: Config, wait_s: float) -> Probes:
    probes.configure(config)
    probes._wait_s = wait_s
    return probes


def _outcome(**more: Any) -> Outcome:
    outcome = Outcome(Target("api", "app", "", "", "shop-api", "http", "http://api:8000/"))
    for key, value in more.items():
        setattr(outcome, key, value)
    return outcome


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (_outcome(asked=True), (True, "")),
        (_outcome(detail="EMFILE"), (None, "could not be asked: EMFILE")),
        (_outcome(), (None, "could not be asked: no time was left")),
        (_outcome(asked=True, reason="refused", detail="refused: x"), (False, "refused: x")),
        (
            _outcome(asked=True, reason="dns", detail="dns: [Errno -2] Name or service not known"),
            (False, "its name is not known here: dns: [Errno -2] Name or service not known"),
        ),
        (
            _outcome(asked=True, reason="dns", detail="dns: [Errno -3] Temporary failure"),
            (
                None,
                "its name cannot be looked up from here now: dns: [Errno -3] Temporary failure",
            ),
        ),
        (
            _outcome(
                asked=True, reason="dns", detail="dns: still in phase resolve at the deadline"
            ),
            (
                None,
                "its name cannot be looked up from here now: dns: still in phase resolve at the deadline",
            ),
        ),
    ],
)
def test_answer_of(outcome: Outcome, expected: tuple[bool | None, str]) -> None:
    """What we lack ourselves, descriptors or a resolver, is no answer; a name that does not exist is one."""
    assert expected == answer_of(outcome)


def test_when_no_name_is_found_the_fault_is_ours() -> None:
    """One unknown name is that service's fault; none known at all is that of our own network."""
    with serving(GOOD) as (good, _):
        config = config_with(
            api="http://api.invalid:1/", db="tcp://db.invalid:1", web=f"http://127.0.0.1:{good}/"
        )
        probes = Probes(config, wait_s=30)
        with_one, none = probes.ask(["api", "db", "web"]), probes.ask(["api", "db"])

    says = (None, "no name at all can be resolved from here")
    assert ({"api": says, "db": says}, (True, "")) == (none, with_one["web"])
    assert "name" in with_one["api"][1]
