"""The real server: silent and slow clients, too many of them, TLS, client certificates, basic auth."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from exporters.config import Address
from exporters.web_guard import Guard
from exporters.yaml_read import ConfigError
from remediation.web.patience import Patient
from remediation.web.server import WebServer
from remediation.web.tls import Tls
from tests.exporters.frame.pki import Pair, make_authority, sign
from tests.remediation.web.rig import (
    HOST,
    OPERATOR,
    WEBHOOK,
    FakeDesk,
    Web,
    alert,
    message,
    serving,
    wait_until,
)

HEAD = (
    f"POST /v1/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WEBHOOK}\r\n"
    "Content-Length: 1000\r\n\r\n"
).encode()


def closed(raw: socket.socket) -> bytes:
    """Return what still comes until the other side closes; fail if it never does."""
    raw.settimeout(60)
    found = b""
    with contextlib.suppress(ConnectionError):
        while chunk := raw.recv(65536):
            found += chunk
    return found


@contextlib.contextmanager
def connected(web: Web) -> Iterator[socket.socket]:
    """Yield a bare connection."""
    with socket.create_connection((HOST, web.port), timeout=60) as raw:
        yield raw


def test_a_silent_client_is_cut_off(desk: FakeDesk, tmp_path: Path) -> None:
    """Who connects and says nothing is gone after the time for a head; so is who never ends it."""
    with serving(desk, tmp_path, head_s=0.2) as web, connected(web) as one, connected(web) as two:
        two.sendall(b"GET / HTTP/1.1\r\nX-A: ")

        assert closed(one) == b""
        assert closed(two) == b""


def test_a_head_byte_by_byte_is_cut_off(desk: FakeDesk, tmp_path: Path) -> None:
    """Each byte does not start the time for the head anew (slowloris); others are served meanwhile."""
    with serving(desk, tmp_path, head_s=0.5) as web, connected(web) as slow:
        gone = threading.Event()

        def drip() -> None:
            with contextlib.suppress(OSError):
                slow.sendall(b"GET / HTTP/1.1\r\n")
                while not gone.is_set():
                    slow.sendall(b"X")
                    gone.wait(0.02)

        thread = threading.Thread(target=drip)
        thread.start()
        assert web.alerts(message(alert())).status == 200
        assert closed(slow) == b""
        gone.set()
        thread.join()


def test_answers_wait_for_no_acknowledgement(
    desk: FakeDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second packet of an answer goes out at once: else each delivery would cost 40 ms (delayed ACK)."""
    found = []

    def made(self: Patient, transport: asyncio.Transport) -> None:
        accepted = transport.get_extra_info("socket")
        found.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        H11Protocol.connection_made(self, transport)  # type: ignore[arg-type]

    monkeypatch.setattr(Patient, "connection_made", made)
    with serving(desk, tmp_path) as web:
        assert web.alerts(message(alert())).status == 200

    assert found == [1]


def test_the_second_head_has_the_same_time(desk: FakeDesk, tmp_path: Path) -> None:
    """A connection that is kept is no way around: the next head must come in time, once it has begun."""
    with serving(desk, tmp_path, head_s=0.3) as web, connected(web) as raw:
        raw.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        first = raw.recv(4096)
        raw.sendall(b"GET /-/heal")

        assert first.startswith(b"HTTP/1.1 200 OK")
        assert b"HTTP/1.1" not in closed(raw).partition(b"healthy\n")[2]


def test_a_kept_connection_may_rest(desk: FakeDesk, tmp_path: Path) -> None:
    """Between two requests a client may wait longer than a head may take."""
    with serving(desk, tmp_path, head_s=0.2) as web:
        connection = web.connect()
        told = []
        for _ in range(2):
            connection.request("GET", "/-/healthy")
            told.append(connection.getresponse().read())
            threading.Event().wait(0.6)  # the very thing that is tested: time goes by
        connection.close()

    assert told == [b"healthy\n"] * 2


def test_a_slow_body_is_answered_503(desk: FakeDesk, tmp_path: Path) -> None:
    """A body that does not come in time is refused so that Alertmanager tries again; nothing is journalled."""
    with serving(desk, tmp_path, patience_s=0.2, head_s=0.3) as web, connected(web) as raw:
        raw.sendall(HEAD + b"{")
        answer = closed(raw)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"the message did not arrive in time" in answer
    assert desk.entries == []


def test_a_body_that_goes_on_after_the_answer_is_cut_off(desk: FakeDesk, tmp_path: Path) -> None:
    """Who was refused before the body was read cannot hold the connection by sending it byte by byte."""
    with serving(desk, tmp_path, head_s=0.5) as web, connected(web) as raw:
        gone = threading.Event()

        def drip() -> None:
            with contextlib.suppress(OSError):
                raw.sendall(HEAD.replace(WEBHOOK.encode(), b"wrong"))
                while not gone.is_set():
                    raw.sendall(b"X")
                    gone.wait(0.02)

        thread = threading.Thread(target=drip)
        thread.start()
        answer = closed(raw)
        gone.set()
        thread.join()

    assert answer.startswith(b"HTTP/1.1 401 ")


def test_a_client_that_goes_away_leaves_nothing(desk: FakeDesk, tmp_path: Path) -> None:
    """Half a message is no message, and the next one is taken in."""
    with serving(desk, tmp_path) as web:
        with connected(web) as raw:
            raw.sendall(HEAD + b"{")
        wait_until(lambda: web.counted("unavailable") == 1)

        assert web.alerts(message(alert())).status == 200
    assert len(desk.entries) == 1


def test_a_head_too_large_is_refused(web: Web) -> None:
    """Headers without end are cut off, and the server goes on."""
    with connected(web) as raw:
        with contextlib.suppress(ConnectionError):
            raw.sendall(b"GET / HTTP/1.1\r\n" + b"X-A: " + b"y" * 100_000 + b"\r\n\r\n")
        answer = closed(raw)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert web.ask("GET", "/-/healthy").status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/alerts HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/alerts HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"nonsense\r\n\r\n",
    ],
)
def test_requests_that_mean_two_things(web: Web, desk: FakeDesk, head: bytes) -> None:
    """What a proxy could read in another way than we do is never taken in (smuggling), and breaks nothing."""
    with connected(web) as raw:
        raw.sendall(head)
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_WR)
        answer = closed(raw)

    assert answer == b"" or answer.split(b" ")[1] in (b"400", b"401")
    assert desk.entries == []
    assert web.ask("GET", "/-/healthy").status == 200


def test_connections_are_bounded(
    desk: FakeDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection too many is closed at once; when another ends there is room again."""
    monkeypatch.setattr("remediation.web.patience.MAX_CONNECTIONS", 2)
    with serving(desk, tmp_path, head_s=600.0) as web:
        with connected(web), connected(web), connected(web) as third:
            assert closed(third) == b""

        def served() -> bool:
            with contextlib.suppress(OSError):
                return web.ask("GET", "/-/healthy").status == 200
            return False

        wait_until(served)


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    """An address that somebody has is an error with place and cure, at the start."""
    del tmp_path
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"cannot listen on {HOST}:{port}: .* Correct `listen`"
        ):
            WebServer(Address(HOST, port), lambda *_: None)  # type: ignore[arg-type, return-value]


def test_stop_ends_the_thread_and_frees_the_port(desk: FakeDesk, tmp_path: Path) -> None:
    """After a stop nobody listens, though a connection was kept open."""
    with serving(desk, tmp_path) as web:
        kept = web.connect()
        kept.request("GET", "/-/healthy")
        kept.getresponse().read()
        port = web.port

    with pytest.raises(OSError):  # noqa: PT011 - refused, in any of its forms
        socket.create_connection((HOST, port), timeout=5)
    kept.close()


# TLS -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an authority, a server's, a client's and a stranger's certificate."""
    folder = tmp_path_factory.mktemp("pki")
    authority = make_authority(folder)
    sign(authority, folder, "server", f"IP:{HOST}")
    sign(authority, folder, "client", "DNS:alertmanager")
    sign(make_authority(folder, "other"), folder, "stranger", "DNS:alertmanager")
    return folder


def web_config(folder: Path, pki: Path, more: str = "") -> Path:
    """Write a web.config.yml with the server's certificate."""
    path = folder / "web.config.yml"
    path.write_text(
        f"tls_server_config:\n  cert_file: {pki / 'server.pem'}\n  key_file: {pki / 'server.key'}\n{more}",
        encoding="utf-8",
    )
    return path


def trusting(pki: Path, client: str = "") -> ssl.SSLContext:
    """Return a context that trusts the authority and shows *client*'s certificate."""
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    if client:
        context.load_cert_chain(pki / f"{client}.pem", pki / f"{client}.key")
    return context


def test_tls(desk: FakeDesk, tmp_path: Path, pki: Path) -> None:
    """With a web.config.yml the webhook is served over TLS, plain HTTP gets nothing, cookies are for TLS only."""
    config = web_config(tmp_path, pki)
    with serving(desk, tmp_path, web_config=config, context=trusting(pki)) as web:
        assert web.alerts(message(alert())).status == 200
        fields = {"name": "ann", "token": OPERATOR}
        cookie = web.press("/login", fields, Origin=f"https://{HOST}:{web.port}")
        assert "Secure" in cookie.headers["set-cookie"]
        with connected(web) as raw:
            raw.sendall(HEAD)
            assert b"HTTP" not in closed(raw)


def test_client_certificates(desk: FakeDesk, tmp_path: Path, pki: Path) -> None:
    """With client_ca_file nobody without a certificate of that authority gets an answer; the token is still needed."""
    config = web_config(tmp_path, pki)
    with serving(
        desk, tmp_path, web_config=config, client_ca=pki / "ca.pem", context=trusting(pki, "client")
    ) as web:
        told = [web.alerts(message(alert())).status, web.alerts(message(alert()), "wrong").status]
        refused = []
        for context in (trusting(pki), trusting(pki, "stranger")):
            stranger = Web(desk, web.metrics, web.port, tmp_path, context)
            with pytest.raises(OSError) as error:  # noqa: PT011 - an alert or a reset, by version
                stranger.alerts(message(alert()))
            refused.append(error.type)

    assert told == [200, 401]
    assert len(refused) == 2
    assert len(desk.entries) == 1


def test_allowed_names(desk: FakeDesk, tmp_path: Path, pki: Path) -> None:
    """client_allowed_sans of the web.config.yml holds here, too: another name of the same authority is cut off."""
    folder = tmp_path / "other"
    folder.mkdir()
    authority = Pair(pki / "ca.pem", pki / "ca.key")
    sign(authority, folder, "client", "DNS:somebody")
    more = (
        f"  client_ca_file: {pki / 'ca.pem'}\n  client_auth_type: RequireAndVerifyClientCert\n"
        "  client_allowed_sans: [alertmanager]\n"
    )
    config = web_config(tmp_path, pki, more)
    with serving(desk, tmp_path, web_config=config, context=trusting(pki, "client")) as web:
        context = ssl.create_default_context(cafile=pki / "ca.pem")
        context.load_cert_chain(folder / "client.pem", folder / "client.key")
        stranger = Web(desk, web.metrics, web.port, tmp_path, context)

        assert web.alerts(message(alert())).status == 200
        with pytest.raises(OSError):  # noqa: PT011 - reset, in any of its forms
            stranger.alerts(message(alert()))


def test_a_renewed_certificate_is_served(desk: FakeDesk, tmp_path: Path, pki: Path) -> None:
    """A certificate that is replaced is served without a restart, and a client of its authority is let in."""
    for name in ("server.pem", "server.key"):
        (tmp_path / name).write_bytes((pki / name).read_bytes())
    config = web_config(tmp_path, tmp_path)
    with serving(desk, tmp_path, web_config=config, context=trusting(pki)) as web:
        assert web.ask("GET", "/-/healthy").status == 200
        new = tmp_path / "new"
        new.mkdir()
        sign(make_authority(new), new, "server", f"IP:{HOST}")
        for name in ("server.key", "server.pem"):
            (new / name).replace(tmp_path / name)
        renewed = Web(desk, web.metrics, web.port, tmp_path, trusting(new))

        assert renewed.ask("GET", "/-/healthy").status == 200


def test_client_certificates_need_tls(tmp_path: Path, pki: Path) -> None:
    """client_ca_file over plain HTTP, or one that is no authority, is refused at the start with its cure."""
    with pytest.raises(
        ConfigError, match=r"client certificates need TLS\. Name a web\.config\.yml"
    ):
        Tls(Guard(None), pki / "ca.pem")
    guard = Guard(web_config(tmp_path, pki))
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"wrong\.pem: .*Put a PEM file there"):
        Tls(guard, wrong)


def test_basic_auth_closes_the_pages(desk: FakeDesk, tmp_path: Path) -> None:
    """basic_auth_users close the status page and the metrics; webhook, API and health keep their own rules."""
    hashed = bcrypt.hashpw(b"open-sesame", bcrypt.gensalt(4)).decode()
    config = tmp_path / "web.config.yml"
    config.write_text(f"basic_auth_users: {{ann: '{hashed}'}}\n", encoding="utf-8")
    shown = base64.b64encode(b"ann:open-sesame").decode()
    with serving(desk, tmp_path, web_config=config) as web:
        pages = ("/", "/login", "/metrics")
        without = [web.ask("GET", path).status for path in pages]
        within = [
            web.ask("GET", path, headers={"Authorization": f"Basic {shown}"}).status
            for path in pages
        ]
        others = [
            web.ask("GET", "/-/healthy").status,
            web.alerts(message(alert())).status,
            web.operate("/v1/status", None, "GET").status,
            web.ask("GET", "/v1/status", headers={"Authorization": f"Basic {shown}"}).status,
        ]

    assert (without, within, others) == ([401] * 3, [200] * 3, [200, 200, 200, 401])
