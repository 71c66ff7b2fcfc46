"""
The rendered stack, run fifteen times as fast: real Prometheus and Alertmanager on a played platform.

Every duration of the rendered files is divided by one number: scrape and evaluation intervals,
holds, windows, Alertmanager's waits. So all relations between them stay as they were rendered. Apart from that
only addresses change: scrapes go through the platform's proxy, notifications to a local listener.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from generator.names import WATCHDOG
from generator.quantities import read_duration
from generator.render import Rendered
from generator.secrets_stub import stub_secrets
from tests.live import stack
from tests.live.platform import Platform, serving
from tests.live.receiver import Receiver, receiving
from tests.live.servers import HOST, Server, free_port, need, running, until

SPEED = 15
# Prometheus and Alertmanager by the names of their tools: the oldest that we promise, and the current.
VERSIONS = (("prometheus", "alertmanager"), ("prometheus3", "alertmanager-current"))
# A profile that nobody switched on, and a job that has ended.
ABSENT = ("browser-use", "semgrep")
_WINDOW = re.compile(r"\[((?:\d+[smhdw])+)\]|(?<=offset )((?:\d+[smhdw])+)")
_WAIT = re.compile(
    r"(?m)^(\s*(?:group_wait|group_interval|repeat_interval|resolve_timeout): )(\S+)$"
)
_HOST = re.compile(r"(?m)^(\s*-? ?url: )https?://[^/\s]+")
_SMARTHOST = re.compile(r"(?m)^(\s*smtp_smarthost: ).*$")


def faster(duration: str) -> str:
    """Return *duration* (`1h30m`) divided by the speed, at least a millisecond."""
    return f"{max(1, round(read_duration(duration).total_seconds() * 1000 / SPEED))}ms"


@dataclass(frozen=True, slots=True)
class Api:
    """The HTTP API of a running server."""

    server: Server

    def get(self, path: str, **query: str) -> Any:
        """Return the JSON at *path*; raises HTTPError with a status that is not 2xx."""
        return json.loads(self.server.get(f"{path}?{urllib.parse.urlencode(query)}"))

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the instant vector (or scalar, as one sample without labels) that *expr* gives."""
        data = self.get("/api/v1/query", query=expr)["data"]
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        return list(data["result"])

    def values(self, expr: str, label: str) -> dict[str, float]:
        """Return the result of *expr* by one *label*."""
        return {one["metric"].get(label, ""): float(one["value"][1]) for one in self.query(expr)}


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything that runs: *alertmanager* and *receiver* take what *prometheus* sends."""

    rendered: Rendered
    platform: Platform
    prometheus: Api
    alertmanager: Api
    receiver: Receiver

    def alerts(self, state: str) -> dict[str, set[str]]:
        """Return the services (`none` without) of the alerts that are in *state* now, by name."""
        found: dict[str, set[str]] = {}
        for alert in self.prometheus.get("/api/v1/alerts")["data"]["alerts"]:
            if alert["state"] == state:
                found.setdefault(alert["labels"]["alertname"], set()).add(
                    alert["labels"]["service"]
                )
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return all loaded rules as the API describes them."""
        groups = self.prometheus.get("/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def settle(self) -> None:
        """Wait until every target was scraped a few times, and every rule evaluated on that."""
        start = time.time() - 300
        until(lambda: self.scraped("", start, times=5) == self.targets, "all targets are scraped")
        since = datetime.now(UTC)
        until(lambda: min(self._evaluations()) > since, "all rules are evaluated")

    @property
    def targets(self) -> int:
        """How many targets the rendered jobs have."""
        return sum(len(job.targets) for job in self.rendered.jobs)

    def scraped(self, matchers: str, since: float, times: int = 3) -> int:
        """Return how many targets with these *matchers* were scraped so many *times* since a time."""
        window = f"[{math.ceil(time.time() - since)}s]"
        often = f"count(count_over_time(up{matchers}{window}) >= {times})"
        return int(sum(self.prometheus.values(often, "").values()))

    def _evaluations(self) -> list[datetime]:
        groups = self.prometheus.get("/api/v1/rules")["data"]["groups"]
        return [datetime.fromisoformat(_micro(group["lastEvaluation"])) for group in groups]

    def audible(self) -> list[tuple[str, str]]:
        """Return the alerts, Watchdog left out, that Alertmanager does not hold back."""
        held = self.inhibited()
        return sorted(key for key, muted in held.items() if not muted and key[0] != WATCHDOG)

    def inhibited(self) -> dict[tuple[str, str], bool]:
        """Return for each alert of Alertmanager, by name and service (or tier), whether it is inhibited."""
        return {
            (one["labels"]["alertname"], _about(one["labels"])): bool(one["status"]["inhibitedBy"])
            for one in self.alertmanager.get("/api/v2/alerts")
        }


def _micro(moment: str) -> str:
    """Return *moment* without the digits below a microsecond, which Python does not read."""
    return re.sub(r"(\.\d{6})\d+", r"\1", moment)


def _about(labels: Mapping[str, str]) -> str:
    return labels["tier"] if labels["scope"] == "tier" else labels["service"]


@contextlib.contextmanager
def running_stack(
    rendered: Rendered, folder: Path, prometheus: str, alertmanager: str
) -> Iterator[Stack]:
    """Run the tools of these names on *rendered*; yield once both are ready."""
    platform = Platform(rendered.catalog, rendered.files["blackbox/blackbox.yml"])
    platform.world.gone.update(ABSENT)
    with receiving() as receiver, serving(platform):
        text = notifying(rendered, folder / "alertmanager", receiver)
        with stack.alertmanager(folder / "alertmanager", text, alertmanager) as manager:
            config = scraping(rendered, folder / "prometheus", platform, manager)
            with _prometheus(config, prometheus) as server:
                yield Stack(rendered, platform, Api(server), Api(manager), receiver)


@contextlib.contextmanager
def _prometheus(config: Path, tool: str) -> Iterator[Server]:
    binary, port = need(tool), free_port()
    command: list[str | Path] = [
        binary, f"--config.file={config}", f"--storage.tsdb.path={config.parent / 'tsdb'}",
        f"--web.listen-address={HOST}:{port}", f"--query.lookback-delta={faster('5m')}",
        f"--rules.alert.resend-delay={faster('1m')}",
    ]  # fmt: skip
    with running(
        tool, command, folder=config.parent, port=port, ready=lambda one: one.answers("/-/ready")
    ) as server:
        yield server


def scraping(rendered: Rendered, folder: Path, platform: Platform, manager: Server) -> Path:
    """Write prometheus.yml and its rules, sped up, into *folder*; return the path of the first."""
    config = yaml.safe_load(rendered.files["prometheus/prometheus.yml"])
    interval = faster(config["global"]["scrape_interval"])
    config["global"] |= {
        "scrape_interval": interval,
        "scrape_timeout": interval,
        "evaluation_interval": faster(config["global"]["evaluation_interval"]),
    }
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [manager.address]
    for job in config["scrape_configs"]:
        job["proxy_url"] = platform.url
        _hurry(job, "scrape_interval", "scrape_timeout")
        for target in job["static_configs"]:
            _hurry(target["labels"], "__scrape_interval__", "__scrape_timeout__")
    (folder / "rules").mkdir(parents=True)
    for path, text in rendered.files.items():
        if path.startswith("prometheus/rules/"):
            rules = folder / "rules" / Path(path).name
            rules.write_text(yaml.safe_dump(_fast_rules(yaml.safe_load(text))), encoding="utf-8")
    file = folder / "prometheus.yml"
    file.write_text(stub_secrets(yaml.safe_dump(config), folder / "secrets"), encoding="utf-8")
    return file


def _hurry(settings: dict[str, str], interval: str, timeout: str) -> None:
    """Speed up the interval; the timeout is all of it: a busy test machine is no fault of the stack."""
    if interval in settings:
        settings[interval] = settings[timeout] = faster(settings[interval])


def _fast_rules(content: dict[str, Any]) -> dict[str, Any]:
    for group in content["groups"]:
        group["interval"] = faster(group["interval"])
        for rule in group["rules"]:
            for key in {"for", "keep_firing_for"} & set(rule):
                rule[key] = faster(rule[key])
            rule["expr"] = _WINDOW.sub(_fast_window, rule["expr"])
    return content


def _fast_window(match: re.Match[str]) -> str:
    return f"[{faster(match[1])}]" if match[1] else faster(match[2])


def notifying(rendered: Rendered, folder: Path, receiver: Receiver) -> str:
    """Write what alertmanager.yml needs into *folder*; return its text, sped up and sent to *receiver*."""
    for path, text in rendered.files.items():
        if path.startswith("alertmanager/templates/"):
            template = folder / path.removeprefix("alertmanager/")
            template.parent.mkdir(parents=True, exist_ok=True)
            template.write_text(text, encoding="utf-8")
    text = stub_secrets(rendered.files["alertmanager/alertmanager.yml"], folder / "secrets")
    for secret in (folder / "secrets").glob("*slack*"):
        secret.write_text(f"{receiver.url}/slack\n", encoding="utf-8")
    text = _WAIT.sub(lambda match: match[1] + faster(match[2]), text)
    text = _HOST.sub(rf"\g<1>{receiver.url}", text)
    return _SMARTHOST.sub(rf"\g<1>{HOST}:{free_port()}", text)  # nobody reads mail here
