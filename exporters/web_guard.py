"""
Who may ask: TLS contexts, basic auth and the rate limit of a web.config.yml.

The file and its certificates are looked at again for every connection, as the exporter toolkit
does, but read only when one of them has changed; while the new ones are wrong, the last good ones
stay in force.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from exporters.web_config import Tls, WebConfig, load_web_config
from exporters.yaml_read import ConfigError

log = logging.getLogger(__name__)

_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_CERT_REQUIREMENT = {
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
# Compared with when the user is unknown, so that the time tells nothing; of a password nobody has.
_NOBODY = "$2b$10$abcdefghijklmnopqrstuuJ3XkX2bqJ8dX8zCk0JYbZ5o3jHk4m5K"
_MAX_CACHED = 100  # as the exporter toolkit

_Stamp = tuple[tuple[int, int, int], ...]


class Guard:
    """Serves what *path* says (None: plain HTTP for everybody); ConfigError if it is wrong at first."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._config = WebConfig()
        self._context: ssl.SSLContext | None = None
        self._stamp: _Stamp = ()
        self._passwords = _Passwords()
        self._bucket = _Bucket()
        if path is not None:
            self._load(path)

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers for every response."""
        return self._config.headers

    @property
    def encrypts(self) -> bool:
        """Whether TLS is spoken at present."""
        return self._config.tls is not None

    def context(self) -> ssl.SSLContext | None:
        """Return the context for a new connection; None for plain HTTP."""
        with self._lock:
            if self._path is not None and self._stamp != _stamp(self._path, self._config):
                try:
                    self._load(self._path)
                    log.info("read %s again", self._path)
                except ConfigError as error:
                    self._stamp = _stamp(self._path, self._config)
                    log.error("web configuration kept as it was: %s", error)  # noqa: TRY400
            return self._context

    def knows(self, certificate: Mapping[str, Any]) -> bool:
        """Whether *certificate* (as SSLSocket.getpeercert gives it) has an allowed name."""
        tls = self._config.tls
        if tls is None or not tls.client_allowed_sans:
            return True
        names = {value for _, value in certificate.get("subjectAltName", ())}
        return bool(names & set(tls.client_allowed_sans))

    def admits(self, authorization: str) -> bool:
        """Whether the Authorization header names a user with the right password, or none is needed."""
        users = self._config.users
        return not users or self._passwords.fit(users, authorization)

    def in_time(self) -> bool:
        """Whether the rate limit lets one more request through."""
        return self._bucket.take(self._config.rate_interval_s, self._config.rate_burst)

    def _load(self, path: Path) -> None:
        config = load_web_config(path)
        self._context = _make_context(path, config.tls) if config.tls else None
        self._config = config
        self._stamp = _stamp(path, config)


def _stamp(path: Path, config: WebConfig) -> _Stamp:
    files = (path, *(config.tls.files if config.tls else ()))
    return tuple(_file_stamp(file) for file in files)


def _file_stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _make_context(path: Path, tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.minimum_version = _VERSIONS[tls.min_version]
        context.maximum_version = _VERSIONS[tls.max_version]
        with ExitStack() as stack:
            cert = str(tls.cert_file or stack.enter_context(_Memory(tls.cert)).path)
            key = str(tls.key_file or stack.enter_context(_Memory(tls.key)).path)
            context.load_cert_chain(cert, key)
        if tls.client_auth_type in _CERT_REQUIREMENT:
            context.verify_mode = _CERT_REQUIREMENT[tls.client_auth_type]
            context.load_verify_locations(
                str(tls.client_ca_file) if tls.client_ca_file else None,
                cadata=tls.client_ca or None,
            )
        _restrict(context, tls)
    except (OSError, ValueError) as error:
        files = ", ".join(str(file) for file in tls.files)
        fact = f"tls_server_config: {error} ({files})"
        raise ConfigError(f"{path}: {fact}. Correct the files or the settings.") from error
    return context


def _restrict(context: ssl.SSLContext, tls: Tls) -> None:
    if tls.ciphers:
        context.set_ciphers(":".join(tls.ciphers))
    if tls.curve:
        context.set_ecdh_curve(tls.curve)
    if tls.prefer_server_ciphers:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE


class _Memory:
    """A file that has no place on a disk: Python's ssl reads certificates from files only."""

    def __init__(self, text: str) -> None:
        self._fd = os.memfd_create("tierwatch-pem")
        os.write(self._fd, text.encode())
        self.path = f"/proc/self/fd/{self._fd}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


class _Passwords:
    """Compares passwords with bcrypt hashes, one at a time, and remembers what it found."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[bytes, bool] = {}

    def fit(self, users: Mapping[str, str], authorization: str) -> bool:
        given = _credentials(authorization)
        if given is None:
            return False
        name, password = given
        hashed = users.get(name, _NOBODY)
        parts: Sequence[bytes] = (name.encode(), hashed.encode(), password)
        key = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
        with self._lock:  # a cost of 10 takes 70 ms: guessing must not take every core
            fits = self._known.get(key)
            if fits is None:
                fits = _matches(password, hashed)
                if len(self._known) >= _MAX_CACHED:
                    self._known.clear()
                self._known[key] = fits
        return fits and name in users


def _matches(password: bytes, hashed: str) -> bool:
    import bcrypt

    # bcrypt reads 72 bytes; a zero byte would end the password early.
    if len(password) > 72 or b"\0" in password:
        return False
    # Go and htpasswd write $2y$ for what others call $2b$; they are the same.
    salt = b"$2b$" + hashed.encode()[4:]
    return hmac.compare_digest(bcrypt.hashpw(password, salt), salt)


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


class _Bucket:
    """A token bucket: one token per interval, at most a burst of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: float | None = None  # None: full
        self._at = time.monotonic()

    def take(self, interval_s: float, burst: int) -> bool:
        if interval_s <= 0:
            return True
        with self._lock:
            now = time.monotonic()
            tokens = burst if self._tokens is None else self._tokens
            tokens = min(burst, tokens + (now - self._at) / interval_s)
            self._at = now
            enough = tokens >= 1
            self._tokens = tokens - 1 if enough else tokens
            return enough
