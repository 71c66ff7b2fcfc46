"""web.config.yml: TLS, client certificates, basic auth, headers, rate limit, changes while serving."""

from __future__ import annotations

import base64
import os
import shutil
import ssl
from pathlib import Path

import pytest

from exporters.web_config import load_web_config
from exporters.web_guard import Guard
from exporters.yaml_read import ConfigError
from tests.exporters.frame.pki import Pair, make_authority, sign
from tests.exporters.frame.serving import Fake, Served, gives, serving

HASH = "$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy"  # of "open sesame"
# As htpasswd and Go write it.
HASH_2Y = "$2y$" + HASH[4:]


def _client(authority: Pair, own: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.cert))
    if own is not None:
        context.load_cert_chain(own.cert, own.key)
    return context


def _basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def _status(served: Served, context: ssl.SSLContext | None = None) -> int | str:
    try:
        return served.ask("/-/healthy", tls=context).status
    except (ssl.SSLError, ConnectionError):
        return "refused"


@pytest.fixture
def authority(tmp_path: Path) -> Pair:
    """An authority that the exporter and its clients trust."""
    return make_authority(tmp_path)


@pytest.fixture
def server(authority: Pair, tmp_path: Path) -> Pair:
    """The exporter's own certificate."""
    return sign(authority, tmp_path, "server", "DNS:localhost")


def _write(folder: Path, text: str) -> Path:
    path = folder / "web.config.yml"
    path.write_text(text)
    return path


def test_tls_is_spoken_with_the_certificate_of_the_file(
    authority: Pair, server: Pair, tmp_path: Path
) -> None:
    """A client that trusts the authority is served; one that speaks plain HTTP is not."""
    path = _write(tmp_path, "tls_server_config: {cert_file: server.pem, key_file: server.key}\n")
    with serving(Fake("one", gives("test_x")), web_config=path) as served:
        encrypted = served.ask(tls=_client(authority))
        plain = _status(served)

    assert (encrypted.status, b"test_x 1.0" in encrypted.body, plain) == (200, True, "refused")
    assert server.cert.parent == tmp_path  # names in the file are seen from its own folder


def test_the_certificate_may_stand_in_the_file_itself(
    authority: Pair, server: Pair, tmp_path: Path
) -> None:
    """`cert` and `key` as text work like the two files."""

    def block(name: str, path: Path) -> str:
        return f"  {name}: |\n" + "".join(f"    {line}\n" for line in path.read_text().splitlines())

    text = "tls_server_config:\n" + block("cert", server.cert) + block("key", server.key)
    with serving(Fake("one", gives("test_x")), web_config=_write(tmp_path, text)) as served:
        status = _status(served, _client(authority))

    assert status == 200


def test_clients_must_show_a_certificate_with_an_allowed_name(
    authority: Pair, server: Pair, tmp_path: Path
) -> None:
    """None, one of another authority, and one of another name are refused."""
    path = _write(
        tmp_path,
        f"""
tls_server_config:
  cert_file: {server.cert}
  key_file: {server.key}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.example]
""",
    )
    stranger = make_authority(tmp_path, "stranger")
    right = sign(authority, tmp_path, "right", "DNS:prometheus.example")
    other_name = sign(authority, tmp_path, "other", "DNS:grafana.example")
    other_authority = sign(stranger, tmp_path, "foreign", "DNS:prometheus.example")
    with serving(Fake("one", gives("test_x")), web_config=path) as served:
        found = [
            _status(served, _client(authority, own))
            for own in (right, None, other_name, other_authority)
        ]

    assert found == [200, "refused", "refused", "refused"]


def test_a_new_certificate_is_used_at_once_and_a_broken_one_never(
    authority: Pair, server: Pair, tmp_path: Path
) -> None:
    """The next connection after a change has the new one; while the file is broken, the last good one."""
    path = _write(tmp_path, "tls_server_config: {cert_file: server.pem, key_file: server.key}\n")
    newer = make_authority(tmp_path, "newer")
    with serving(Fake("one", gives("test_x")), web_config=path) as served:
        server.cert.write_text("broken")
        broken = _status(served, _client(authority))
        replacement = sign(newer, tmp_path, "replacement", "DNS:localhost")
        shutil.copy(replacement.key, server.key)
        shutil.copy(replacement.cert, server.cert)
        os.utime(server.cert, ns=(1, 1))
        replaced = _status(served, _client(newer))

    assert (broken, replaced) == (200, 200)


def test_basic_auth_admits_who_knows_the_password(tmp_path: Path) -> None:
    """Also with the hash as htpasswd writes it; everything else is 401 and says how to ask."""
    path = _write(tmp_path, f"basic_auth_users:\n  alice: {HASH}\n  bob: {HASH_2Y}\n")
    cases: list[dict[str, str]] = [
        _basic("alice", "open sesame"),
        _basic("bob", "open sesame"),
        _basic("alice", "open sesame"),  # from memory
        _basic("alice", "wrong"),
        _basic("alice", "open sesame\0"),
        _basic("carol", "open sesame"),
        {"Authorization": "Basic ???"},
        {"Authorization": "Bearer " + HASH},
        {},
    ]
    with serving(Fake("one", gives("test_x")), web_config=path) as served:
        answers = [served.ask("/metrics", headers=headers) for headers in cases]

    assert [answer.status for answer in answers] == [200, 200, 200, 401, 401, 401, 401, 401, 401]
    assert answers[-1].headers["www-authenticate"] == "Basic"


def test_users_may_change_while_serving(tmp_path: Path) -> None:
    """A user taken out of the file is refused by the next connection."""
    path = _write(tmp_path, f"basic_auth_users: {{alice: {HASH}}}\n")
    with serving(Fake("one", gives("test_x")), web_config=path) as served:
        before = served.ask(headers=_basic("alice", "open sesame")).status
        _write(tmp_path, f"basic_auth_users: {{robert: {HASH}}}\n")
        after = served.ask(headers=_basic("alice", "open sesame")).status

    assert (before, after) == (200, 401)


def test_headers_of_the_file_are_sent_and_the_rate_is_held(tmp_path: Path) -> None:
    """Two requests of a burst are let through, the third is 429 until an interval has passed."""
    path = _write(
        tmp_path,
        "http_server_config: {headers: {X-Frame-Options: deny, Strict-Transport-Security: ''}}\n"
        "rate_limit: {interval: 1h, burst: 2}\n",
    )
    with serving(Fake("one", gives("test_x")), web_config=path) as served:
        answers = [served.ask("/-/healthy") for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert {answer.headers["x-frame-options"] for answer in answers} == {"deny"}
    assert "strict-transport-security" not in answers[0].headers


def test_the_toolkits_own_example_is_read(tmp_path: Path) -> None:
    """Every section of a full file arrives, Go's cipher names in OpenSSL's words."""
    path = _write(
        tmp_path,
        f"""
tls_server_config:
  cert_file: server.crt
  key_file: /etc/server.key
  client_auth_type: VerifyClientCertIfGiven
  client_ca_file: ca.pem
  min_version: TLS13
  cipher_suites:
    - TLS_AES_128_GCM_SHA256
    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    - TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    - TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA
    - TLS_RSA_WITH_AES_256_GCM_SHA384
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP256]
http_server_config: {{http2: true}}
basic_auth_users: {{alice: {HASH_2Y}}}
rate_limit: {{interval: 1s, burst: 20}}
""",
    )

    config = load_web_config(path)

    assert config.tls is not None
    assert config.tls.ciphers == (
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "AES256-GCM-SHA384",
    )
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(":".join(config.tls.ciphers))
    assert (config.tls.cert_file, config.tls.key_file) == (
        tmp_path / "server.crt",
        Path("/etc/server.key"),
    )
    assert (config.tls.min_version, config.tls.prefer_server_ciphers, config.tls.curve) == (
        "TLS13",
        False,
        "prime256v1",
    )
    assert (dict(config.users), config.rate_interval_s, config.rate_burst) == (
        {"alice": HASH_2Y},
        1.0,
        20,
    )


WRONG = {
    "no key": (
        "tls_server_config: {cert_file: a}\n",
        "1: tls_server_config: key_file is missing. Add it.",
    ),
    "unknown": (
        "tls_server_config: {cert_file: a, key_file: b}\nbasic_auth_user: {}\n",
        ("2: basic_auth_user: not known. Known are basic_auth_users, http_server_config, rate_limit,"
        " tls_server_config."),
    ),
    "plain password": (
        "basic_auth_users:\n  alice: open sesame\n",
        "2: basic_auth_users.alice: not a bcrypt hash. Make one with `htpasswd -nBC 10 NAME`.",
    ),
    "any certificate": (
        "tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequireAnyClientCert}\n",
        ("1: tls_server_config.client_auth_type: 'RequireAnyClientCert' is not possible here. Use one of"
        " NoClientCert, RequestClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert."),
    ),
    "authority nobody looks at": (
        "tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}\n",
        ("1: tls_server_config: client_ca_file is given, and NoClientCert does not look at it."
        " Set client_auth_type: RequireAndVerifyClientCert."),
    ),
    "names without certificate": (
        "tls_server_config: {cert_file: a, key_file: b, client_allowed_sans: [x]}\n",
        ("1: tls_server_config.client_allowed_sans: NoClientCert leaves no name to compare."
        " Set client_auth_type: RequireAndVerifyClientCert."),
    ),
    "header that splits": (
        'http_server_config: {headers: {X-Frame-Options: "a\\r\\nb"}}\n',
        ("1: http_server_config.headers.X-Frame-Options: 'a\\r\\nb' does not fit into a header."
        " Keep to ASCII."),
    ),
    "no duration": (
        "rate_limit: {interval: often, burst: 1}\n",
        "1: rate_limit.interval: 'often' is not a duration. Write one like 1s.",
    ),
    "not YAML": ("basic_auth_users: [\n", None),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_names_line_and_cure(name: str, tmp_path: Path) -> None:
    """The message is whole, and a secret never stands in it."""
    text, message = WRONG[name]
    path = _write(tmp_path, text)

    with pytest.raises(ConfigError) as raised:
        load_web_config(path)

    if message is None:
        assert str(raised.value).startswith(f"{path}:2: not YAML: ")
    else:
        assert f"{path}:{message}" == str(raised.value)


def test_a_missing_certificate_stops_the_start(tmp_path: Path) -> None:
    """Serving plain HTTP instead would be worse than not serving."""
    path = _write(tmp_path, "tls_server_config: {cert_file: none.pem, key_file: none.key}\n")

    with pytest.raises(ConfigError, match=r"none\.pem"):
        Guard(path)
