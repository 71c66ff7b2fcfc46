"""
Keep one or more exporters running: start, read again, stop.

SIGHUP, or a changed file, makes the configuration be read again; while the new one is wrong the
last good one stays, and the log says what is wrong. SIGTERM and SIGINT end the process once the
answers under way are given.
"""

from __future__ import annotations

import logging
import select
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exporters.app import App
from exporters.config import Address, Config, ConfigError, load_config
from exporters.frame import Exporter
from exporters.http import Server
from exporters.selfmetrics import Reloads
from exporters.web_guard import Guard

log = logging.getLogger(__name__)

LOOK_S = 2.0  # how often the files are looked at; a reload later than that nobody would wait for
STOP_S = 5.0  # a little more than one collection takes
CLOSE_S = 2.0  # for a collector to put down what it holds, a child process perhaps

Build = Callable[[Config], Exporter]
_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One exporter: what makes it, the file that says what it watches, and its name (any: empty)."""

    build: Build
    path: Path
    name: str = ""


@dataclass(slots=True)
class Site:
    """What is served on one address: one exporter, or several on one page."""

    parts: Sequence[Part]
    listen: Address | None  # None: as the first part's file says
    offset_s: float
    reloads: Reloads = field(default_factory=Reloads)
    _stamps: dict[Path, _Stamp] = field(default_factory=dict)
    _server: Server | None = None
    _listens: Address | None = None  # as the file said at the start

    def start(self, guard: Guard) -> None:
        """
        Begin to serve.

        Raises:
            ConfigError: A file is wrong, or the address cannot be had.
        """
        configs, app = self._load()
        self._listens = configs[0].listen
        address = self.listen or self._listens
        try:
            self._server = Server(address, app, guard)
        except (OSError, OverflowError) as error:
            raise ConfigError(f"cannot listen on {address}: {error}. Use --listen.") from error
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        host, port = self._server.server_address[:2]
        what = ", ".join(exporter.title for exporter in app.exporters)
        log.info("%s on %s, TLS %s", what, Address(str(host), port), guard.encrypts)

    def check(self) -> None:
        """Read the files and build what they ask for; ConfigError if one is wrong."""
        _, app = self._load()
        for exporter in app.exporters:
            exporter.close()

    def reload(self) -> None:
        """Serve what the files say now; keep on as before when they are wrong."""
        if self._server is None:
            return
        try:
            configs, app = self._load()
        except ConfigError as error:
            for line in str(error).splitlines():
                log.error("configuration kept as it was: %s", line)  # noqa: TRY400
            self.reloads.note(successful=False)
            return
        self.reloads.note(successful=True)
        if self.listen is None and configs[0].listen != self._listens:
            log.warning("%s is served only after a restart", configs[0].listen)
        before = self._server.app
        for old, new in zip(before.exporters, app.exporters, strict=True):
            new.adopt(old)
        self._server.app = app
        for exporter in before.exporters:
            exporter.close()
        log.info("read %s again", ", ".join(str(part.path) for part in self.parts))

    def changed(self) -> bool:
        """Whether a file is another than when it was last read."""
        return any(_stamp(part.path) != self._stamps.get(part.path) for part in self.parts)

    def stop(self) -> None:
        """Answer what has been asked, take no more, and put everything down."""
        if self._server is None:
            return
        self._server.app.ready = False
        self._server.drain(STOP_S)
        for exporter in self._server.app.exporters:
            exporter.close(wait_s=CLOSE_S)

    def _load(self) -> tuple[list[Config], App]:
        self._stamps = {part.path: _stamp(part.path) for part in self.parts}
        configs = [load_config(part.path, part.name) for part in self.parts]
        exporters = [part.build(config) for part, config in zip(self.parts, configs, strict=True)]
        deadline_s = max(config.deadline_s for config in configs)
        return configs, App(
            exporters, deadline_s=deadline_s, offset_s=self.offset_s, reloads=self.reloads
        )


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def serve(sites: Sequence[Site], guard: Guard) -> None:
    """
    Serve *sites* until a signal says to stop. Call it on the main thread.

    Raises:
        ConfigError: One of them cannot start; none is left running then.
    """
    heard, speak = socket.socketpair()
    for end in (heard, speak):
        end.settimeout(0)
    # Handlers only wake the loop up: what they would do must not happen amid something else.
    handlers = {
        number: signal.signal(number, lambda *_: None)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    }
    waker = signal.set_wakeup_fd(speak.fileno(), warn_on_full_buffer=False)
    try:
        for site in sites:
            site.start(guard)
        _watch(sites, heard)
    finally:
        for site in sites:
            site.stop()
        signal.set_wakeup_fd(waker)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        heard.close()
        speak.close()


def _watch(sites: Sequence[Site], heard: socket.socket) -> None:
    """Read files again when told to or when they change; return when told to stop."""
    while True:
        ready, _, _ = select.select([heard], [], [], LOOK_S)
        signals = set(heard.recv(64)) if ready else set()
        if signals & {signal.SIGTERM, signal.SIGINT}:
            log.info("stopping")
            return
        told = signal.SIGHUP in signals
        for site in sites:
            if told or site.changed():
                site.reload()
