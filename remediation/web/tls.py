"""
TLS for the web part: the server's certificate from a web.config.yml, client certificates on top.

The files are looked at for every connection and read again when they have changed; while the new
ones are wrong the last good ones stay. With `auth.client_ca_file` a client without a certificate of
that authority does not get as far as a request.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporters.web_guard import Guard
from exporters.yaml_read import ConfigError

log = logging.getLogger(__name__)

_Stamp = tuple[int, int, int]


class Tls:
    """
    Contexts for uvicorn from *guard*, with certificates of *client_ca* demanded where it is given.

    Raises:
        ConfigError: *client_ca* without TLS, or not readable.
    """

    def __init__(self, guard: Guard, client_ca: Path | None) -> None:
        self._guard, self._client_ca = guard, client_ca
        self._lock = threading.Lock()
        self._made_of: tuple[ssl.SSLContext, _Stamp] | None = None
        if client_ca is not None and not guard.encrypts:
            cure = "Name a web.config.yml with tls_server_config by --web-config, or remove it"
            raise ConfigError(f"auth.client_ca_file: client certificates need TLS. {cure}.")
        self._context = self._current(first=True)

    def context(self) -> ssl.SSLContext | None:
        """Return the context that uvicorn listens with; None for plain HTTP."""
        if self._context is not None:
            # Called with every handshake, also when the client names no server.
            self._context.sni_callback = self._swap
        return self._context

    def knows(self, certificate: Mapping[str, Any] | None) -> bool:
        """Whether the client's *certificate* has a name that the web.config.yml allows."""
        return self._guard.knows(certificate or {})

    def _swap(self, connection: ssl.SSLObject, _name: object, _context: object) -> None:
        newest = self._current()
        if newest is not None:
            connection.context = newest

    def _current(self, *, first: bool = False) -> ssl.SSLContext | None:
        with self._lock:
            context = self._guard.context()
            if context is None or self._client_ca is None:
                return context
            stamp = _stamp(self._client_ca)
            made_of = (context, stamp)
            if self._made_of != made_of:
                try:
                    # Certificates can only be added to a context; a new authority counts at once,
                    # an old one ends with the next change of the server's own files.
                    context.load_verify_locations(self._client_ca)
                    context.verify_mode = ssl.CERT_REQUIRED
                except (OSError, ssl.SSLError) as error:
                    problem = (
                        f"auth.client_ca_file: {self._client_ca}: {error}. Put a PEM file there."
                    )
                    if first:
                        raise ConfigError(problem) from error
                    log.error("client certificates kept as they were: %s", problem)  # noqa: TRY400
                self._made_of = made_of
            return context


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
