"""One target at a time: every way to answer, and to fail, has its own verdict."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporters import agents_probe
from exporters.agents_probe import REASONS, reasons_of
from exporters.config import Dependency
from tests.exporters.agents.asking import ask, http_target, tcp_target
from tests.exporters.agents.conftest import FLEET
from tests.exporters.agents.fleet import ACTS
from tests.exporters.attempts import first_good
from tests.exporters.frame.pki import Pair, make_authority, sign
from tests.live.servers import Server, free_port, listens, running

HANGS = sorted(name for name in ACTS if name.startswith("hang"))
# How a name in the fleet begins, and the reason for which its probe fails.
REASON_BY_PREFIX = {
    "good": None, "ok": None, "dependencies": None, "dependencies-500": "status", "empty": "status",
    "status": "status", "redirect": "redirect", "body": "body", "large": "too_large",
    "protocol": "protocol", "hang": "read_timeout",
}  # fmt: skip


def _expected(name: str) -> str | None:
    return REASON_BY_PREFIX.get(name, REASON_BY_PREFIX.get(name.split("-", maxsplit=1)[0]))


@pytest.mark.parametrize("name", sorted(set(ACTS) - set(HANGS)))
def test_every_answer_has_its_verdict(fleet: Server, name: str) -> None:
    """Good ones pass whatever their framing; the others fail for their reason, long before the deadline."""
    asked = ask([http_target(f"{fleet.url}/{name}")], seconds=8)

    assert (asked.reasons, asked.wall_s < 5) == ({"one": _expected(name)}, True)


@pytest.mark.parametrize("name", HANGS)
def test_what_never_ends_is_cut_off_at_the_deadline(fleet: Server, name: str) -> None:
    """Silence, single bytes and half a body are one reason, and the duration is the deadline."""
    status = 0 if name in ("hang", "hang-head") else 200
    outcome = first_good(
        lambda: ask([http_target(f"{fleet.url}/{name}")], seconds=0.4).outcomes[0],
        lambda outcome: outcome.status == status and 0.39 < outcome.seconds < 0.5,
    )

    assert (outcome.reason, outcome.status) == ("read_timeout", status)
    assert 0.39 < outcome.seconds < 0.5


def test_phases_add_up(fleet: Server) -> None:
    """Each phase that was passed is told, in order, and together they are the duration."""
    outcome = first_good(
        lambda: ask([http_target(f"{fleet.url}/good")]).outcomes[0],
        lambda outcome: abs(sum(outcome.phases.values()) - outcome.seconds) < 0.005,
    )

    assert list(outcome.phases) == ["resolve", "connect", "processing", "transfer"]
    assert sum(outcome.phases.values()) == pytest.approx(outcome.seconds, abs=0.005)
    assert (outcome.status, outcome.up) == (200, True)


def test_the_body_tells_of_dependencies_and_version(fleet: Server) -> None:
    """Also when the status is bad; a field that is not there is not told of."""
    wanted = [
        Dependency("database", "/services/db", ("up",)),
        Dependency("cache", "/services/cache", ("up",)),
        Dependency("queue", "/services/queue", ("up",)),
        Dependency("self", "/ready", ("true",)),
        Dependency("second", "/services/a~1b/1", ("good",)),
        Dependency("whole", "/services", ("up",)),
    ]
    targets = [
        http_target(f"{fleet.url}/dependencies", service="fine", dependencies=wanted),
        http_target(f"{fleet.url}/dependencies-500", service="ill", dependencies=wanted),
        http_target(f"{fleet.url}/body-html", service="html", dependencies=wanted),
    ]

    fine, ill, html = ask(targets).outcomes

    told = {"database": True, "cache": False, "self": True, "second": True, "whole": False}
    assert [o.dependencies for o in (fine, ill, html)] == [told, told, {}]
    assert [o.version for o in (fine, ill, html)] == ["1.7.3", "1.7.3", ""]
    assert [o.reason for o in (fine, ill, html)] == [None, "status", "body"]


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"body": ""}, None),
        ({"body": "healthy"}, None),
        ({"body": "^healthy"}, "body"),
        ({"body": "", "not_body": "healthy"}, "body"),
        ({"body": "(?i)HEALTHY", "not_body": "error"}, None),
        ({"status": 204}, "status"),
    ],
)
def test_rules_decide(fleet: Server, rules: dict[str, object], reason: str | None) -> None:
    """Status first, then what must match, then what must not."""
    target = http_target(f"{fleet.url}/good", **rules)  # type: ignore[arg-type]

    assert ask([target]).reasons == {"one": reason}


def test_an_expected_redirect_is_a_good_answer_and_is_not_followed(fleet: Server) -> None:
    """/redirect leads to itself: following it would never end."""
    target = http_target(f"{fleet.url}/redirect", status=302, body="")

    assert ask([target]).reasons == {"one": None}


@pytest.fixture
def silent() -> Iterator[int]:
    """Yield a port whose backlog is full: connections are neither taken nor refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.settimeout(0)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        yield port
        for filler in fillers:
            filler.close()


def test_nobody_there_is_not_the_same_as_no_answer(silent: int) -> None:
    """Refused at once, no answer until the deadline, no such name: three reasons, for HTTP and TCP alike."""
    closed = free_port()
    asked = ask(
        [
            http_target(f"http://127.0.0.1:{closed}/", service="http-closed"),
            tcp_target(f"tcp://127.0.0.1:{closed}", service="tcp-closed"),
            http_target(f"http://127.0.0.1:{silent}/", service="http-silent"),
            tcp_target(f"tcp://127.0.0.1:{silent}", service="tcp-silent"),
            tcp_target("tcp://no-such-name.invalid:80", service="tcp-nameless"),
        ],
        seconds=1.0,
    )

    assert asked.reasons == {
        "http-closed": "refused",
        "tcp-closed": "refused",
        "http-silent": "connect_timeout",
        "tcp-silent": "connect_timeout",
        "tcp-nameless": "dns",
    }


def test_tcp_asks_for_a_connection_and_no_more(fleet: Server) -> None:
    """A server that never says anything is up."""
    outcome = ask([tcp_target(f"tcp://{fleet.address}")]).outcomes[0]

    assert (outcome.up, list(outcome.phases)) == (True, ["resolve", "connect"])


def test_a_name_with_several_addresses_is_up_when_one_of_them_is(
    fleet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first address refuses (IPv6, as for many containers), the second answers."""
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", free_port(), 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", fleet.port)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    assert ask([http_target("http://agent:80/good")]).reasons == {"one": None}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """An authority for the targets' certificates."""
    return make_authority(tmp_path_factory.mktemp("authority"))


def _encrypted(folder: Path, pair: Pair) -> object:
    port = free_port()
    command = [sys.executable, FLEET, str(port), pair.cert, pair.key]
    return running("encrypted", command, folder=folder, port=port, ready=lambda s: listens(s.port))


def test_https_is_checked_and_tells_when_the_certificate_ends(
    authority: Pair, fleet: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A known name of a known authority passes; another name, another authority, no TLS at all do not."""
    pair = sign(authority, tmp_path, "agent", "DNS:agent.example,IP:127.0.0.1")
    context = ssl.create_default_context(cafile=str(authority.cert))
    monkeypatch.setattr(agents_probe, "tls_context", lambda: context)
    with _encrypted(tmp_path, pair) as server:  # type: ignore[attr-defined]
        url = f"https://127.0.0.1:{server.port}/good"
        targets = [
            http_target(url, service="right"),
            http_target(url, service="by-host", host="agent.example"),
            http_target(url, service="other-name", host="other.example"),
            http_target(f"https://{fleet.address}/good", service="plain"),
            http_target(f"http://127.0.0.1:{server.port}/good", service="reversed"),
        ]
        asked = ask(targets)
        monkeypatch.setattr(agents_probe, "tls_context", ssl.create_default_context)
        stranger = ask([http_target(url, service="stranger")])

    assert asked.reasons | stranger.reasons == {
        "right": None,
        "by-host": None,
        "other-name": "tls",
        "plain": "tls",
        "reversed": "protocol",
        "stranger": "tls",
    }
    right = asked.outcomes[0]
    info = ssl._ssl._test_decode_cert(str(pair.cert))  # type: ignore[attr-defined]
    assert right.tls_expiry == ssl.cert_time_to_seconds(info["notAfter"])
    assert list(right.phases) == ["resolve", "connect", "tls", "processing", "transfer"]


def test_the_host_header_is_the_configured_one() -> None:
    """`expect.host` replaces host and port of the url; a query is sent along."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}/a?b=1"
        heads = []

        def take() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                heads.append(connection.recv(4096).decode())
                connection.close()

        thread = threading.Thread(target=take)
        thread.start()
        for host in ("", "shop.example"):
            ask([http_target(url, host=host)])
        thread.join()

    assert [head.splitlines()[:2] for head in heads] == [
        ["GET /a?b=1 HTTP/1.1", f"Host: 127.0.0.1:{port}"],
        ["GET /a?b=1 HTTP/1.1", "Host: shop.example"],
    ]


def test_each_sort_of_target_counts_only_the_reasons_it_can_fail_for() -> None:
    """Plain HTTP cannot fail for TLS, TCP not for what is answered."""
    assert reasons_of(http_target("https://a:1/")) == REASONS
    assert set(REASONS) - set(reasons_of(http_target("http://a:1/"))) == {"tls"}
    assert reasons_of(tcp_target("tcp://a:1")) == ("connect_timeout", "dns", "refused")
