"""
The remediator as a process: start, recover, serve, read the configuration again, stop.

There is one way to begin, and a crash is a way to end: what the journal holds is replayed, intents
without an outcome are settled by the engine, then work goes on. SIGHUP, or a changed file, makes the
configuration be read again; while the new one is wrong the last good one stays.
"""

from __future__ import annotations

import argparse
import gc
import logging
import select
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exporters.build import build_labels
from exporters.config import Address, parse_address
from exporters.web_guard import Guard
from exporters.yaml_read import ConfigError
from remediation import records
from remediation.config import Config, load_config
from remediation.engine.assembly import Assembly, assemble
from remediation.engine.logs import start_logging
from remediation.journal.errors import JournalError
from remediation.journal.journal import DEFAULT_JOURNAL, Journal
from remediation.model import Record
from remediation.web.app import make_app
from remediation.web.auth import Auth
from remediation.web.metrics import Metrics
from remediation.web.server import WebServer
from remediation.web.tls import Tls

log = logging.getLogger(__name__)

FINE, BROKEN, WRONG = 0, 1, 2
_FIXED = ("alertmanager", "docker", "listen", "auth", "notify", "report_after_s")
LOOK_S = 2.0  # how often the file is looked at
# New objects between two rounds of the collector: with 700, a message of 1,000 alerts causes dozens.
YOUNG = 10_000


@dataclass(frozen=True, slots=True)
class Running:
    """A remediator at work: *port* is the one that is served on."""

    assembly: Assembly
    web: WebServer
    journal: Journal

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self.web.port

    def configure(self, config: Config) -> None:
        """Work by *config* from the next round on; its modes count from now."""
        self.assembly.configure(config)
        self.assembly.engine.accept(_started(config))

    def stop(self) -> None:
        """Take nothing in any more, end the round, write what waits."""
        self.web.stop()
        self.assembly.stop()
        self.journal.close()


def serve(options: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; return the exit status."""
    start_logging(options.log_level)
    gc.enable()  # the command's other parts run without: they end after seconds
    gc.set_threshold(YOUNG)
    try:
        config = load_config(options.config)
        guard = Guard(options.web_config)
        listen = parse_address(options.listen) if options.listen else config.listen
        Tls(guard, config.auth.client_ca)  # says now what would be wrong with it
        if options.check:
            notes = [f"{options.config}: {each}\n" for each in ("fine", *_notes(config))]
            sys.stdout.writelines(notes)
            return FINE
        running = start(
            config,
            journal=options.journal or DEFAULT_JOURNAL,
            listen=listen,
            guard=guard,
            dry_run=options.dry_run,
        )
    except (ConfigError, JournalError, ValueError) as error:
        for line in str(error).splitlines():
            log.error("cannot start: %s", line)  # noqa: TRY400 - it says what is wrong; no traceback
        return WRONG
    watched = _Watched(options.config, config, running.configure)
    try:
        alive = _wait(watched, running)
    finally:
        running.stop()
    return FINE if alive else BROKEN


def start(
    config: Config,
    *,
    journal: Path,
    listen: Address,
    guard: Guard | None = None,
    dry_run: bool = False,
) -> Running:
    """
    Return a remediator at work.

    Raises:
        ConfigError: The address cannot be had, or TLS is wrong.
        JournalError: The journal is in use, damaged or cannot be written.
    """
    opened = Journal.open(journal)
    try:
        metrics = Metrics()
        assembly = assemble(config, opened, metrics, dry_run=dry_run)
        auth = Auth(config.auth.webhook, config.auth.operator)
        guard = guard or Guard(None)
        app = make_app(
            assembly.engine, auth, metrics, tail=opened.tail,
            journal_problem=lambda: opened.problem, guard=guard,
        )  # fmt: skip
        tls = Tls(guard, config.auth.client_ca) if guard.encrypts else None
        web = WebServer(listen, app, tls)
        assembly.engine.accept(_started(config)).result()
        assembly.start()
        web.start()
    except BaseException:
        opened.close()
        raise
    for note in _notes(config):
        log.warning("configuration: %s", note)
    log.info(
        "remediator on %s, %s", Address(listen.host, web.port), "dry run" if dry_run else "at work"
    )
    return Running(assembly, web, opened)


def _notes(config: Config) -> list[str]:
    """Return what is allowed and rarely meant."""
    if config.never_restart:
        return []
    text = (
        "note: never_restart is empty. Name Prometheus and Alertmanager there, unless they run "
        "elsewhere: while one of them restarts nobody sees anything"
    )
    return [text]


def _started(config: Config) -> Record:
    modes = {name: tier.mode.value for name, tier in config.tiers.items()}
    return records.started(build_labels()["version"], modes, notify=config.notify is not None)


class _Watched:
    """A configuration file that is read again when it changes; *present* is what it says now."""

    def __init__(self, path: Path, present: Config, use: Callable[[Config], None]) -> None:
        self._path = path
        self._present = present
        self._use = use
        self._stamp = _stamp(path)

    def look(self, *, told: bool) -> None:
        """Read the file again if it has changed, or when *told* to; keep what is good."""
        stamp = _stamp(self._path)
        if stamp == self._stamp and not told:
            return
        self._stamp = stamp
        try:
            config = load_config(self._path)
        except ConfigError as error:
            for line in str(error).splitlines():
                log.error("configuration kept as it was: %s", line)  # noqa: TRY400
            return
        kept = [part for part in _FIXED if getattr(config, part) != getattr(self._present, part)]
        if kept:
            log.warning("%s: changes of these need a restart: %s", self._path, ", ".join(kept))
        self._use(config)
        log.info("read %s again", self._path)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def spare_the_collector() -> None:
    """
    Leave what is there after the start, 300,000 objects that stay, out of the collector's rounds.

    While one goes on all threads stand still: with them a tenth of a second, in the middle of a flood.
    """
    gc.collect()
    gc.freeze()


def _wait(watched: _Watched, running: Running) -> bool:
    """Wait for a signal that says stop; return whether all parts still worked then."""
    heard, speak = socket.socketpair()
    for end in (heard, speak):
        end.settimeout(0)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # the loop below does what is to be done
    signal.set_wakeup_fd(speak.fileno(), warn_on_full_buffer=False)
    began = True
    while True:
        ready, _, _ = select.select([heard], [], [], LOOK_S)
        if began:
            began = False
            spare_the_collector()
        signals = set(heard.recv(64)) if ready else set()
        if signals & {signal.SIGTERM, signal.SIGINT}:
            log.info("stopping")
            return True
        watched.look(told=signal.SIGHUP in signals)
        if not running.web.alive() or not running.assembly.engine.alive():
            # Whoever started us starts us again, and the journal goes on where it stands.
            log.error("a part of the remediator has ended; stopping")
            return False
