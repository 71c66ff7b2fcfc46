"""
The remediator as a process of its own: `tierwatch remediate serve`, started, killed, started again.

Its configuration is the yard's, every duration a few seconds or less. Waits that stand in no
configuration are divided as well (tests.remediation.live.scaled). Its journal is read from outside,
read-only.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remediation.journal.errors import JournalError
from remediation.journal.reading import entry_of, reading, rows
from remediation.model import Entry
from tests.exporters.agents.engine import PROJECT
from tests.live.servers import HOST, START_SECONDS, free_port, until
from tests.remediation.live.yard import REQUIRES, TIERS, Yard

ROOT = Path(__file__).resolve().parents[3]
WEBHOOK, OPERATOR = "webhook-" + "0123456789abcdef" * 2, "operator-" + "0123456789abcdef" * 2
BUSY_TRIES = 5
COMMAND, SCALED = (
    "generator.cli",
    "tests.remediation.live.scaled",
)  # as installed; with shorter waits


def config_of(
    yard: Yard, *, alertmanager: str, read: str, restart: str, folder: Path, port: int
) -> dict[str, Any]:
    """Return the configuration of the yard, in the form of the file."""
    health = {
        "probe": "http",
        "expect": {"status": 200},
        "interval": "2s",
        "timeout": "6s",
        "retries": 2,
    }
    services = [
        {
            "name": name, "tier": TIERS[name], "container": yard.name(name), "stateful": name == "db",
            "oneshot": False, "optional": False, "requires": list(needs), "start_period": "2s",
            "health": {**health, "url": yard.url(name)},
        }
        for name, needs in REQUIRES.items()
    ]  # fmt: skip
    return {
        "version": 1,
        "alertmanager": {"url": alertmanager, "receiver": "remediator", "poll_interval": "1s",
                         "watchdog": "Watchdog", "blind_after": "10s"},
        "docker": {"read": read, "restart": restart, "project": PROJECT},
        "listen": f"{HOST}:{port}",
        "auth": {"webhook_token_files": [str(folder / "webhook_token")],
                 "operator_token_files": [str(folder / "operator_token")]},
        "tiers": [{"name": name, "order": number, "mode": "act"}
                  for number, name in enumerate(("core", "app", "edge"), start=1)],
        "services": services,
        "budgets": {"service": [{"window": "1h", "limit": 3}, {"window": "24h", "limit": 7}],
                    "tier": [{"window": "1h", "limit": 6}], "platform": [{"window": "1h", "limit": 10}]},
        "storm": {"roots": 3, "share": 0.3, "tiers": 2, "window": "2m", "cooldown": "1h", "grace": "0s"},
        "ladder": {"rungs": ["service", "dependants", "tier", "page"], "same_incident": "5m",
                   "probation": "4s", "spacing": "2s", "spacing_stateful": "3s", "deduplicate": "5s",
                   "backoff": {"first": "500ms", "factor": 2, "max": "5s", "reset": "1m"}},
        "never_restart": [],
    }  # fmt: skip


@dataclass(slots=True)
class Remediator:
    """One remediator in *folder*; started and killed as often as a test likes."""

    folder: Path
    config: dict[str, Any]
    journal: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    options: tuple[str, ...] = ()
    starts: int = 0
    module: str = SCALED

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """What it printed, in all its lives."""
        return self.folder / "remediator.log"

    def start(self, *, wait: bool = True) -> None:
        """Start a process; wait until it serves."""
        (self.folder / "webhook_token").write_text(f"{WEBHOOK}\n", encoding="utf-8")
        (self.folder / "operator_token").write_text(f"{OPERATOR}\n", encoding="utf-8")
        for name in ("webhook_token", "operator_token"):
            (self.folder / name).chmod(0o600)
        file = self.folder / "config.yml"
        file.write_text(json.dumps(self.config, indent=1), encoding="utf-8")  # YAML, too
        command = [
            sys.executable, "-m", self.module, "remediate", "serve", "--config", str(file),
            "--journal", str(self.journal), "--listen", f"{HOST}:{self.port}", *self.options,
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        self.starts += 1
        if wait:
            until(self._serves, "the remediator serves", seconds=START_SECONDS, instead=self.tail)

    def _serves(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.tail()
        return self.answers("/-/healthy")

    def answers(self, path: str) -> bool:
        """Whether it answers 2xx there."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10):  # noqa: S310
                return True
        except (OSError, urllib.error.URLError):
            return False

    def reconciled(self) -> float:
        """Return when it last saw all of the world, as its metrics tell (Unix time); 0 if it does not answer."""
        name = "remediation_last_reconcile_timestamp_seconds "
        try:
            with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as page:  # noqa: S310
                lines = page.read().decode().splitlines()
        except (OSError, urllib.error.URLError):
            return 0.0
        return next((float(line.split()[1]) for line in lines if line.startswith(name)), 0.0)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def call(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Ask as an operator: GET, or POST *body*; again, as the answer says, while the disk is too slow for it."""
        for _ in range(BUSY_TRIES):
            try:
                return self._call(path, body)
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
        return self._call(path, body)

    def _call(self, path: str, body: Mapping[str, object] | None) -> Any:
        request = urllib.request.Request(self.url + path)  # noqa: S310
        request.add_header("Authorization", f"Bearer {OPERATOR}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.loads(answer.read())

    def entries(self, kind: str = "") -> list[Entry]:
        """Return what stands in the journal, oldest first; of one *kind* if it is named."""
        try:
            with reading(self.journal) as connection:
                found = [entry_of(row) for row in rows(connection, 0)]
        except JournalError:
            return []  # it is being made
        return [entry for entry in found if not kind or entry.kind == kind]

    def decided(self, service: str, reason: str) -> bool:
        """Whether something was decided about *service* for that *reason*."""
        found = [entry.body for entry in self.entries("decided")]
        return any((each["service"], each["reason"]) == (service, reason) for each in found)

    def closed(self) -> list[str]:
        """Return how incidents ended, in order."""
        return [str(entry.body["how"]) for entry in self.entries("closed")]

    def tail(self) -> str:
        """Return the end of what it printed."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
