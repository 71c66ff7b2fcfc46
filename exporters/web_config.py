"""
The web.config.yml that Prometheus's own exporters read: TLS, client certificates, basic auth.

In goes the file, out comes a `WebConfig`; the names, defaults and refusals are those of the
exporter toolkit. Two things Python's ssl cannot do are refused with the cure: taking any client
certificate unread (RequireAnyClientCert), and more than one curve.

Source: prometheus/exporter-toolkit, docs/web-configuration.md (v0.17).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporters.yaml_read import ConfigError, Document, read_yaml

_HEADERS = (
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
)
_CLIENT_AUTH = (
    "NoClientCert",
    "RequestClientCert",  # asks and looks at nothing: the same as not asking
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
)
_VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
_BCRYPT = re.compile(r"\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}")
_DURATION = re.compile(r"(?:0|([0-9]+(?:\.[0-9]+)?)(ms|s|m|h))")
_FACTOR = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_CURVES = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}


@dataclass(frozen=True, slots=True)
class Tls:
    """Of each pair (file, text) one is set; files are absolute or seen from the file's folder."""

    cert_file: Path | None
    key_file: Path | None
    client_ca_file: Path | None
    cert: str = ""
    key: str = ""
    client_ca: str = ""
    client_auth_type: str = "NoClientCert"
    client_allowed_sans: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    ciphers: tuple[str, ...] = ()  # in OpenSSL's names
    prefer_server_ciphers: bool = True
    curve: str = ""  # in OpenSSL's name

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read when a context is made."""
        found = (self.cert_file, self.key_file, self.client_ca_file)
        return tuple(path for path in found if path is not None)


@dataclass(frozen=True, slots=True)
class WebConfig:
    """How to serve; the default is plain HTTP for everybody."""

    tls: Tls | None = None
    users: Mapping[str, str] = field(default_factory=dict)  # name: bcrypt hash
    headers: Mapping[str, str] = field(default_factory=dict)
    rate_interval_s: float = 0.0  # 0: no limit
    rate_burst: int = 0


def load_web_config(path: Path) -> WebConfig:
    """
    Return what *path* says; an empty file says nothing.

    Raises:
        ConfigError: One line per problem, each with file, line and cure.
    """
    document = read_yaml(path)
    reader = _Reader(document)
    data = reader.mapping((), document.data, _SECTIONS)
    http = reader.mapping(
        ("http_server_config",), data.get("http_server_config"), ("headers", "http2")
    )
    rate = reader.mapping(("rate_limit",), data.get("rate_limit"), ("burst", "interval"))
    config = WebConfig(
        tls=_tls(reader, data.get("tls_server_config"), path.parent),
        users=_users(reader, data.get("basic_auth_users")),
        headers=_headers(reader, http.get("headers")),
        rate_interval_s=reader.duration(("rate_limit", "interval"), rate.get("interval")),
        rate_burst=reader.number(("rate_limit", "burst"), rate.get("burst", 0)),
    )
    if reader.problems:
        lines = sorted(set(reader.problems))
        raise ConfigError("\n".join(f"{place}: {text}" for _, place, text in lines))
    return config


_SECTIONS = ("basic_auth_users", "http_server_config", "rate_limit", "tls_server_config")
_TLS_KEYS = (
    "cert", "cert_file", "cipher_suites", "client_allowed_sans", "client_auth_type", "client_ca",
    "client_ca_file", "curve_preferences", "key", "key_file", "max_version", "min_version",
    "prefer_server_cipher_suites",
)  # fmt: skip


class _Reader:
    """Takes values out of a document and notes what is wrong with them."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[tuple[int, str, str]] = []

    def refuse(self, keys: tuple[str | int, ...], text: str) -> None:
        place = self._document.place(keys)
        name = ".".join(str(key) for key in keys) or "the file"
        self.problems.append((int(place.rpartition(":")[2]), place, f"{name}: {text}"))

    def mapping(
        self, keys: tuple[str | int, ...], value: Any, known: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return *value* as a mapping; {} for nothing. Other keys than *known* are refused."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.refuse(keys, f"{value!r} is not a mapping. Write keys with values.")
            return {}
        for key in value:
            if key not in known:
                self.refuse((*keys, key), f"not known. Known are {', '.join(known)}.")
        return {key: value[key] for key in value if key in known}

    def text(self, keys: tuple[str | int, ...], value: Any) -> str:
        if value is None or isinstance(value, str):
            return value or ""
        self.refuse(keys, f"{value!r} is not a text. Quote it.")
        return ""

    def number(self, keys: tuple[str | int, ...], value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.refuse(keys, f"{value!r} is not a whole number from 0 on. Write one like 20.")
        return 0

    def duration(self, keys: tuple[str | int, ...], value: Any) -> float:
        found = _DURATION.fullmatch("0" if value in (None, 0) else str(value))
        if found is None:
            self.refuse(keys, f"{value!r} is not a duration. Write one like 1s.")
            return 0.0
        return float(found[1]) * _FACTOR[found[2]] if found[1] else 0.0

    def choice(self, keys: tuple[str | int, ...], value: Any, known: tuple[str, ...]) -> str:
        if value in known:
            return str(value)
        self.refuse(keys, f"{value!r} is not possible here. Use one of {', '.join(known)}.")
        return known[0]

    def texts(self, keys: tuple[str | int, ...], value: Any) -> tuple[str, ...]:
        if value is None:
            return ()
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self.refuse(keys, f"{value!r} is not a list of texts. Write it like [a, b].")
        return ()


def _users(reader: _Reader, value: Any) -> dict[str, str]:
    keys = ("basic_auth_users",)
    if value is not None and not isinstance(value, dict):
        reader.refuse(keys, "not a mapping. Write names with bcrypt hashes.")
    users = value if isinstance(value, dict) else {}
    for name, hashed in users.items():
        if not isinstance(hashed, str) or not _BCRYPT.fullmatch(hashed):
            # The value is a secret, or meant to be one: it is not shown.
            cure = "Make one with `htpasswd -nBC 10 NAME`"
            reader.refuse((*keys, name), f"not a bcrypt hash. {cure}.")
    return dict(users)


def _headers(reader: _Reader, value: Any) -> dict[str, str]:
    keys = ("http_server_config", "headers")
    found = reader.mapping(keys, value, _HEADERS)
    headers = {name: reader.text((*keys, name), text) for name, text in found.items()}
    for name, text in headers.items():
        if not text.isprintable() or not text.isascii():
            reader.refuse((*keys, name), f"{text!r} does not fit into a header. Keep to ASCII.")
    return {name: text for name, text in headers.items() if text}


def _tls(reader: _Reader, value: Any, folder: Path) -> Tls | None:
    keys = ("tls_server_config",)
    data = reader.mapping(keys, value, _TLS_KEYS)
    if not data:
        return None
    text: Callable[[str], str] = lambda key: reader.text((*keys, key), data.get(key))  # noqa: E731
    files = {key: text(f"{key}_file") for key in ("cert", "key", "client_ca")}
    for key, file in files.items():
        if file and text(key):
            reader.refuse((*keys, key), f"both {key} and {key}_file. Keep one of the two.")
        elif key != "client_ca" and not file and not text(key):
            reader.refuse(keys, f"{key}_file is missing. Add it.")
    paths = {key: folder / file if file else None for key, file in files.items()}
    auth = reader.choice(
        (*keys, "client_auth_type"), data.get("client_auth_type", "NoClientCert"), _CLIENT_AUTH
    )
    sans = reader.texts((*keys, "client_allowed_sans"), data.get("client_allowed_sans"))
    _check_clients(reader, auth, sans, has_ca=bool(files["client_ca"] or text("client_ca")))
    return Tls(
        cert_file=paths["cert"], key_file=paths["key"], client_ca_file=paths["client_ca"],
        cert=text("cert"), key=text("key"), client_ca=text("client_ca"),
        client_auth_type=auth, client_allowed_sans=sans,
        min_version=reader.choice((*keys, "min_version"), data.get("min_version", "TLS12"), _VERSIONS),
        max_version=reader.choice((*keys, "max_version"), data.get("max_version", "TLS13"), _VERSIONS),
        ciphers=_ciphers(reader, data.get("cipher_suites")),
        prefer_server_ciphers=data.get("prefer_server_cipher_suites") is not False,
        curve=_curve(reader, data.get("curve_preferences")),
    )  # fmt: skip


def _check_clients(reader: _Reader, auth: str, sans: tuple[str, ...], *, has_ca: bool) -> None:
    keys = ("tls_server_config",)
    verifies = auth in ("VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
    if has_ca and not verifies:
        cure = "Set client_auth_type: RequireAndVerifyClientCert"
        reader.refuse(keys, f"client_ca_file is given, and {auth} does not look at it. {cure}.")
    if verifies and not has_ca:
        reader.refuse(keys, f"{auth} needs client_ca_file. Add it.")
    if sans and auth != "RequireAndVerifyClientCert":
        cure = "Set client_auth_type: RequireAndVerifyClientCert"
        reader.refuse((*keys, "client_allowed_sans"), f"{auth} leaves no name to compare. {cure}.")


def _ciphers(reader: _Reader, value: Any) -> tuple[str, ...]:
    """Return OpenSSL's names of Go's: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, ECDHE-RSA-AES128-GCM-SHA256."""
    keys = ("tls_server_config", "cipher_suites")
    found = []
    for name in reader.texts(keys, value):
        if name in (
            "TLS_AES_128_GCM_SHA256",
            "TLS_AES_256_GCM_SHA384",
            "TLS_CHACHA20_POLY1305_SHA256",
        ):
            continue  # TLS 1.3: always on, in Go as in OpenSSL
        exchange, _, cipher = name.removeprefix("TLS_").partition("_WITH_")
        cipher = cipher.replace("AES_128_", "AES128-").replace("AES_256_", "AES256-")
        cipher = (
            cipher.replace("CBC_", "").removesuffix("_SHA256") if "CHACHA" in cipher else cipher
        )
        parts = [*(exchange.split("_") if exchange != "RSA" else []), cipher.replace("CBC_", "")]
        found.append("-".join(parts).replace("_", "-"))
        if not cipher or not name.startswith("TLS_"):
            reader.refuse(keys, f"{name!r} is no cipher suite. Use the names of Go's crypto/tls.")
    return tuple(found)


def _curve(reader: _Reader, value: Any) -> str:
    keys = ("tls_server_config", "curve_preferences")
    curves = reader.texts(keys, value)
    if len(curves) > 1:
        reader.refuse(keys, "only one curve can be set here. Keep the one you prefer.")
    if not curves:
        return ""
    return _CURVES[reader.choice(keys, curves[0], tuple(_CURVES))]
