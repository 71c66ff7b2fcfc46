"""
All of it together: services on a real engine, its events, two socket proxies, a real Alertmanager.

One `Ground` is shared by the tests of a file, since dockerd takes seconds to start; each test has a
remediator with a journal of its own on it, and leaves the services well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.live.servers import HOST, Server, free_port, need, running, until
from tests.remediation.live import judge
from tests.remediation.live.process import WEBHOOK, Remediator, config_of
from tests.remediation.live.truth import Truth, watching
from tests.remediation.live.voice import Voice, speaking
from tests.remediation.live.yard import REQUIRES, Yard, running_yard
from tests.remediation.proxy.rig import Proxy, build, running_proxy

# Rendered: ten seconds, a minute, five minutes. Inhibition is the rendered one's, for one root.
_ALERTMANAGER = """
route:
  receiver: people
  routes:
  - {{matchers: ['alertname="Watchdog"'], receiver: people}}
  - {{matchers: ['remedy="restart"'], receiver: remediator, group_by: [tier], group_wait: 200ms,
     group_interval: 1s, repeat_interval: 3s}}
inhibit_rules:
- {{source_matchers: ['service="db"'], target_matchers: ['service=~"api|web"']}}
receivers:
- {{name: people}}
- name: remediator
  webhook_configs:
  - url: {url}/v1/alerts
    send_resolved: true
    http_config: {{authorization: {{type: Bearer, credentials_file: {token}}}}}
"""
_LOOK = (
    "/v1[.][0-9]{1,2}/(version|events|containers/json|containers/[a-zA-Z0-9_.-]+/(json|logs|stats))"
)
READ = ("-allowGET=/_ping|/version|" + _LOOK, "-allowHEAD=/_ping")


def restart_flags(names: Sequence[str]) -> list[str]:
    """Return the allow-list of the proxy that lets restarts of these containers through."""
    return [
        "-allowGET=/_ping|/version|/v1[.][0-9]{1,2}/version", "-allowHEAD=/_ping",
        f"-allowPOST=/v1[.][0-9]{{1,2}}/containers/({'|'.join(names)})/restart",
    ]  # fmt: skip


@contextlib.contextmanager
def alertmanager(
    folder: Path,
    tool: str,
    webhook: str,
    *,
    port: int = 0,
    mesh: int = 0,
    peers: Sequence[int] = (),
) -> Iterator[Server]:
    """Run an Alertmanager that delivers to *webhook*; gossiping on *mesh* if that is not 0."""
    folder.mkdir(parents=True, exist_ok=True)
    token = folder / "token"
    token.write_text(WEBHOOK, encoding="utf-8")
    file = folder / "alertmanager.yml"
    file.write_text(_ALERTMANAGER.format(url=webhook, token=token), encoding="utf-8")
    port = port or free_port()
    command: list[str | Path] = [
        need(tool), f"--config.file={file}", f"--storage.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        f"--cluster.listen-address={f'{HOST}:{mesh}' if mesh else ''}",
        *(f"--cluster.peer={HOST}:{peer}" for peer in peers),
        *(["--cluster.peer-timeout=2s", "--cluster.settle-timeout=1s"] if mesh else []),
    ]  # fmt: skip
    with running(
        tool, command, folder=folder, port=port, ready=lambda one: one.answers("/api/v2/status")
    ) as server:
        yield server


@dataclass(slots=True)
class Ground:
    """What the tests of a file share; *port* is where Alertmanager expects the remediator."""

    yard: Yard
    truth: Truth
    read: Proxy
    restart: Proxy
    alertmanager: Server
    voice: Voice
    port: int
    folder: Path
    _tests: int = 0

    @contextlib.contextmanager
    def remediator(
        self,
        *options: str,
        journal: Path | None = None,
        doors: Mapping[str, str] | None = None,
        started: bool = True,
        **changes: Any,
    ) -> Iterator[Story]:
        """Yield a new remediator at work, all services being well; *changes* replace top-level settings."""
        self.settle()
        self._tests += 1
        folder = self.folder / f"test{self._tests}"
        folder.mkdir()
        config = config_of(
            self.yard, alertmanager=self.alertmanager.url, folder=folder, port=self.port,
            **({"read": self.read.url, "restart": self.restart.url} | dict(doors or {})),
        )  # fmt: skip
        for key, value in changes.items():
            config[key] = config.get(key, {}) | value if isinstance(value, dict) else value
        remediator = Remediator(
            folder, config, journal or folder / "journal.db", self.port, options=options
        )
        story = Story(self, remediator, time.time())
        if started:
            remediator.start()
        try:
            yield story
        finally:
            remediator.stop()
            self.voice.reset()

    def settle(self) -> None:
        """Make all services well and wait until no alert is left."""
        self.voice.reset()
        self.yard.heal()
        until(
            self.calm, "all services are well, no alert is active",
            instead=lambda: f"alerts {self.voice.fires}, {self._alerted()}",
        )  # fmt: skip

    def calm(self) -> bool:
        """Whether all are well, and everybody who is asked says so: the services, Alertmanager, Docker."""
        return self.voice.quiet() and not self._alerted() and not self.yard.unhealthy()

    def _alerted(self) -> list[str]:
        from tests.remediation.alertmanager.rig import call

        told = call(f"{self.alertmanager.url}/api/v2/alerts?filter=remedy=restart")
        return [each["labels"]["service"] for each in told]


@dataclass(slots=True)
class Story:
    """One test: a remediator on the ground, from *since* on."""

    ground: Ground
    remediator: Remediator
    since: float

    @property
    def restarted(self) -> list[str]:
        """What the engine restarted in this test, in order."""
        return self.ground.truth.services(self.since)

    def until(self, condition: Any, what: str, seconds: float = 120) -> None:
        """Wait; on failure show what was decided and restarted."""
        until(condition, what, seconds=seconds, instead=self.told)

    def until_closed(self, *how: str, seconds: float = 120) -> None:
        """Wait until incidents have ended so, in this order."""
        self.until(
            lambda: self.remediator.closed() == [*how], f"incidents end {how}", seconds=seconds
        )

    def watch(self, seconds: float) -> None:
        """Wait until the remediator has looked at the world again, so many *seconds* from now or later."""
        moment = time.time() + seconds
        self.until(lambda: self.remediator.reconciled() > moment, "it looks at the world again")

    def told(self) -> str:
        """Return what is known, for a failed test."""
        last = [
            f"{e.kind} {dict(e.body)}" for e in self.remediator.entries() if e.kind != "received"
        ]
        return "\n".join(
            [
                f"restarts {self.restarted}, alerts {self.ground.voice.fires}",
                *last[-25:],
                self.remediator.tail()[-1500:],
            ]
        )

    def judge(self, **more: Any) -> None:
        """Check every promise against the engine's events, once all accepted alerts are answered; see `judge`."""
        self.until(
            lambda: judge.undecided(self.remediator.entries(), more.get("pending", ())) == [],
            "all accepted alerts are decided", seconds=30,
        )  # fmt: skip
        judge.judge(
            self.ground.truth.restarts(self.since), self.remediator.entries(),
            self.remediator.config, self.ground.voice.samples, **more,
        )  # fmt: skip


@contextlib.contextmanager
def running_ground(folder: Path, tool: str) -> Iterator[Ground]:
    """Run everything but the remediator, with the Alertmanager *tool*."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        yard = stack.enter_context(running_yard(folder))
        truth = stack.enter_context(watching(yard.engine))
        binary = proxy_binary(folder)
        reads = stack.enter_context(running_proxy(binary, READ, yard.engine, folder / "read"))
        flags = restart_flags([yard.name(service) for service in REQUIRES])
        restarts = stack.enter_context(
            running_proxy(binary, flags, yard.engine, folder / "restart")
        )
        manager = stack.enter_context(
            alertmanager(folder / "alertmanager", tool, f"http://{HOST}:{port}")
        )
        voice = stack.enter_context(speaking(yard, manager))
        yield Ground(yard, truth, reads, restarts, manager, voice, port, folder)


def proxy_binary(folder: Path) -> Path:
    """Return the socket proxy: the real one where the tools have it, else the stand-in."""
    from generator.toolbox import find

    return find("socket-proxy") or build(folder)


@contextlib.contextmanager
def stopped_process(pid: int) -> Iterator[None]:
    """SIGSTOP the process *pid* while the block runs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
