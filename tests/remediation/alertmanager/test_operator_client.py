"""The client of people's commands: where it asks, with what, and what it makes of the answers."""

from __future__ import annotations

import argparse
import contextlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from exporters.config import Address
from remediation.commands.operator_client import (
    OperatorClient,
    OperatorError,
    default_url,
    read_token,
    tls,
)
from remediation.commands.operator_options import add_options, client
from remediation.config import load_config
from tests.exporters.frame.pki import make_authority, sign
from tests.live.servers import HOST, free_port
from tests.remediation.alertmanager.raw import answering, http

CONFIG = Path(__file__).parents[3] / "rendered" / "remediation" / "config.yml"
TOKEN = "s3cret-operator-token"


def _refused(answer: bytes, method: str = "GET") -> str:
    with answering(lambda _: answer) as raw, pytest.raises(OperatorError) as raised:
        OperatorClient(raw.url, TOKEN, patience_s=20).request(method, "/v1/status")
    assert TOKEN not in str(raised.value)
    return str(raised.value).removeprefix(f"{raw.url}/v1/status: ")


def test_a_request_carries_token_and_body_and_gives_data() -> None:
    """The token goes as a bearer's, the body as JSON, and the answer's data come back."""
    with answering(lambda _: http(b'{"entry": 7}', "201 Created")) as raw:
        data = OperatorClient(raw.url, TOKEN).request("POST", "/v1/pause", {"reason": "änderung"})

    lines = raw.heads[0].splitlines()
    assert ({"entry": 7}, "POST /v1/pause HTTP/1.1") == (data, lines[0])
    assert f"Authorization: Bearer {TOKEN}" in lines
    assert [b'{"reason": "\\u00e4nderung"}'] == raw.bodies


def test_an_empty_answer_is_no_data() -> None:
    """204 is a yes without data."""
    with answering(lambda _: b"HTTP/1.1 204 No Content\r\n\r\n") as raw:
        assert {} == OperatorClient(raw.url, TOKEN).request("DELETE", "/v1/holds/backend")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (http(b"{}", "401 Unauthorized"),
         "it does not take this token. Name the right file with --token-file."),
        (http(b"{}", "403 Forbidden"),
         "it does not take this token. Name the right file with --token-file."),
        (http(b"{}", "302 Found", "Location: http://127.0.0.1:1/"),
         "it sends elsewhere. Say with --url where the remediator itself listens."),
        (http(b'{"error": {"place": "/x", "fact": "it is paused", "cure": "Resume it."}}', "409 Conflict"),
         "it is paused. Resume it."),
        (http(b'{"error": {"fact": "a\\u001b[31mb", "cure": "c"}}', "409 Conflict"), "a?[31mb. c."),
        (http(b'{"error": "no"}', "500 Internal Server Error"),
         "it answered with status 500. See the remediator's log."),
        (http(b"<html>", "502 Bad Gateway"), "it answered with status 502. See the remediator's log."),
        (http(b"[" * 100_000, "502 Bad Gateway"), "it answered with status 502. See the remediator's log."),
        (http(b"<html>"), "its answer is not JSON. See with --url that it is the remediator that answers."),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_refusal_says_fact_and_cure(answer: bytes, told: str) -> None:
    """Whatever is not a yes becomes place, fact and cure, in the remediator's words where it has some."""
    assert told == _refused(answer)


def test_nobody_there_says_where_and_how_to_say_better() -> None:
    """A refused connection names the address and the option that changes it."""
    url = f"http://{HOST}:{free_port()}"
    with pytest.raises(OperatorError) as raised:
        OperatorClient(url, TOKEN).request("GET", "/v1/status")

    assert (
        f"{url}: refused. See that the remediator runs, or say with --url where it listens."
        == str(raised.value)
    )


def test_the_first_token_that_can_be_read_is_taken(tmp_path: Path) -> None:
    """While a token is exchanged either file may be missing; blanks around it do not count."""
    (tmp_path / "second").write_text(f"  {TOKEN}\n\n")

    assert TOKEN == read_token([tmp_path / "first", tmp_path / "second"])


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"two words", b"two\nlines", b"\xff\xfe", b"x" * 5000, b"a\x00b"]
)
def test_what_is_no_token_is_refused_without_being_shown(tmp_path: Path, content: bytes) -> None:
    """A file that holds anything but one token is named, its content is not."""
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(OperatorError) as raised:
        read_token([path])

    fact = "does not hold one token on one line"
    assert f"{path}: {fact}. Name a file that holds an operator token with --token-file." == str(
        raised.value
    )


def test_without_a_token_file_it_says_how_to_get_one() -> None:
    """A configuration without operator tokens is a fact with a cure."""
    with pytest.raises(OperatorError, match=r"no operator token is configured\. Add auth"):
        read_token([])


@pytest.mark.parametrize(
    ("listen", "secure", "url"),
    [
        (Address("0.0.0.0", 9744), False, "http://127.0.0.1:9744"),
        (Address("", 9744), False, "http://127.0.0.1:9744"),
        (Address("::", 9744), False, "http://[::1]:9744"),
        (Address("10.0.0.5", 9744), True, "https://10.0.0.5:9744"),
    ],
)
def test_who_listens_everywhere_is_asked_on_this_host(
    listen: Address, secure: bool, url: str
) -> None:
    """The default address is one that can be connected to."""
    assert url == default_url(listen, secure=secure)


def test_options_overrule_the_configuration(tmp_path: Path) -> None:
    """--url and --token-file are asked instead of what the configuration names."""
    (tmp_path / "token").write_text(TOKEN)
    parser = argparse.ArgumentParser()
    add_options(parser)
    words = ["--url", "http://other:1/", "--token-file", str(tmp_path / "token")]
    config = load_config(CONFIG)

    assert "http://other:1" == client(parser.parse_args(words), config).url
    assert "http://127.0.0.1:9744" == client(parser.parse_args(words[2:]), config).url
    with pytest.raises(OperatorError, match="'other' is no address"):
        client(parser.parse_args(["--url", "other", *words[2:]]), config)


@contextlib.contextmanager
def _secure(context: ssl.SSLContext) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"secure": true}')

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"https://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_certificates_are_checked_and_our_own_is_shown(tmp_path: Path) -> None:
    """A certificate of an unknown authority is refused; with --ca-file and --cert-file both sides agree."""
    authority = make_authority(tmp_path)
    theirs = sign(authority, tmp_path, "server", f"IP:{HOST}")
    ours = sign(authority, tmp_path, "ann", "DNS:ann")
    own = tmp_path / "own.pem"
    own.write_bytes(ours.cert.read_bytes() + ours.key.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(theirs.cert, theirs.key)
    context.load_verify_locations(authority.cert)
    context.verify_mode = ssl.CERT_REQUIRED
    with _secure(context) as url:
        with pytest.raises(OperatorError, match="its certificate is not trusted"):
            OperatorClient(url, TOKEN).request("GET", "/v1/status")
        with pytest.raises(
            OperatorError, match=r"TLS fails|connection reset|broken pipe|RemoteDisconnected"
        ):
            OperatorClient(url, TOKEN, context=tls(authority.cert, None)).request(
                "GET", "/v1/status"
            )
        data = OperatorClient(url, TOKEN, context=tls(authority.cert, own)).request(
            "GET", "/v1/status"
        )

    assert {"secure": True} == data


def test_files_that_are_no_certificates_are_named(tmp_path: Path) -> None:
    """A missing file and one that is no PEM file are told apart, each by its name."""
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    told = []
    for ca, cert in ((tmp_path / "none", None), (bad, None), (None, bad)):
        with pytest.raises(OperatorError) as raised:
            tls(ca, cert)
        told.append(str(raised.value))

    assert [
        f"{tmp_path}/none: no such file or directory. Name a PEM file of the authority.",
        f"{bad}: is not a PEM file of that sort. Name a PEM file of the authority.",
        f"{bad}: is not a PEM file of that sort. Name a PEM file with the certificate and its key.",
    ] == told
