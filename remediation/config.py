"""
The configuration of the remediator: read, checked, frozen.

In goes the path of a file of the form config.schema.json (`tierwatch generate` writes it), out
comes a `Config`. Everything that is wrong is said at once, each with file, line and cure. What the
file means beyond its form is checked in remediation.config_checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.config import Address, Expect, parse_address, seconds
from exporters.form import form_problems, told
from exporters.patterns import compile_pattern
from exporters.yaml_read import ConfigError, read_yaml
from remediation.config_checks import meaning_problems
from remediation.graph import Graph, build_graph
from remediation.model import Mode, Rung

__all__ = ["Config", "ConfigError", "Service", "load_config"]

_SCHEMA = Path(__file__).with_name("config.schema.json")
DEFAULT_RECEIVER = "remediator"
DEFAULT_REPORT_AFTER_S = 14 * 86400.0


@dataclass(frozen=True, slots=True)
class AlertmanagerSettings:
    """How Alertmanager is asked."""

    url: str
    receiver: str
    poll_s: float
    watchdog: str  # name of the alert that always fires
    blind_after_s: float


@dataclass(frozen=True, slots=True)
class DockerSettings:
    """Docker's two doors: one to look, one to restart; and the Compose project."""

    read: str
    restart: str
    project: str


@dataclass(frozen=True, slots=True)
class Auth:
    """Files with one token each; those that do not exist are passed over."""

    webhook: tuple[Path, ...]
    operator: tuple[Path, ...]
    client_ca: Path | None


@dataclass(frozen=True, slots=True)
class Notify:
    """Where people are told directly: a webhook at *url* ("" for none), Slack, or both."""

    url: str = ""
    token_file: Path | None = None
    slack_url_file: Path | None = None


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When people are not told about warnings; minutes after midnight in *timezone*."""

    start: str
    end: str
    weekdays: tuple[str, ...]
    timezone: str


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier; *order* 1 starts first."""

    name: str
    order: int
    mode: Mode
    quiet_hours: QuietHours | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How the health of a service is seen; *url* is empty when *probe* is container."""

    probe: str
    url: str
    expect: Expect
    interval_s: float
    timeout_s: float
    retries: int


@dataclass(frozen=True, slots=True)
class Service:
    """One service that may be restarted, or that others wait for."""

    name: str
    tier: str
    container: str
    stateful: bool
    oneshot: bool
    optional: bool
    requires: tuple[str, ...]
    health: Health
    start_period_s: float
    mode: Mode


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *count* restarts in any *window_s*; *window* is its name, as configured."""

    window: str
    window_s: float
    count: int


@dataclass(frozen=True, slots=True)
class Storm:
    """When too much fails at once; see the schema."""

    roots: int
    share: float
    tiers: int
    window_s: float
    cooldown_s: float
    grace_s: float


@dataclass(frozen=True, slots=True)
class Ladder:
    """What is tried in which order, and with which patience; see the schema."""

    rungs: tuple[Rung, ...]
    same_incident_s: float
    probation_s: float
    spacing_s: float
    spacing_stateful_s: float
    deduplicate_s: float
    backoff_first_s: float
    backoff_factor: int
    backoff_max_s: float
    backoff_reset_s: float


@dataclass(frozen=True, slots=True)
class Config:
    """All of it. *services* and *tiers* by name, in the order of the file."""

    alertmanager: AlertmanagerSettings
    docker: DockerSettings
    listen: Address
    auth: Auth
    notify: Notify | None
    report_after_s: float
    tiers: Mapping[str, Tier]
    services: Mapping[str, Service]
    budgets: Mapping[str, tuple[Limit, ...]]  # by scope: service, tier, platform
    storm: Storm
    ladder: Ladder
    never_restart: frozenset[str]
    graph: Graph

    def members(self, tier: str) -> tuple[str, ...]:
        """Return the services of *tier*, dependencies first."""
        return tuple(n for n in self.graph.order if self.services[n].tier == tier)


def load_config(path: Path) -> Config:
    """
    Return the configuration in *path*.

    Raises:
        ConfigError: One line per problem, sorted by line: `file:line: fact. Cure.`
    """
    document = read_yaml(path)
    problems = list(form_problems(document, _SCHEMA)) or list(meaning_problems(document))
    if problems:
        raise ConfigError(told(problems))
    return _config(document.data)


def _config(data: Mapping[str, Any]) -> Config:
    tiers = {each["name"]: _tier(each) for each in data["tiers"]}
    services = {each["name"]: _service(each, tiers) for each in data["services"]}
    asked = data["alertmanager"]
    return Config(
        alertmanager=AlertmanagerSettings(
            url=asked["url"].rstrip("/"),
            receiver=asked.get("receiver", DEFAULT_RECEIVER),
            poll_s=seconds(asked["poll_interval"]),
            watchdog=asked["watchdog"],
            blind_after_s=seconds(asked["blind_after"]),
        ),
        docker=DockerSettings(**data["docker"]),
        listen=parse_address(data["listen"]),
        auth=_auth(data["auth"]),
        notify=_notify(data.get("notify")),
        report_after_s=seconds(data["report_after"])
        if "report_after" in data
        else DEFAULT_REPORT_AFTER_S,
        tiers=tiers,
        services=services,
        budgets={scope: tuple(map(_limit, limits)) for scope, limits in data["budgets"].items()},
        storm=_storm(data["storm"]),
        ladder=_ladder(data["ladder"]),
        never_restart=frozenset(data["never_restart"]),
        graph=build_graph({each.name: each.requires for each in services.values()}),
    )


def _auth(data: Mapping[str, Any]) -> Auth:
    ca = data.get("client_ca_file")
    return Auth(
        webhook=tuple(map(Path, data["webhook_token_files"])),
        operator=tuple(map(Path, data.get("operator_token_files", ()))),
        client_ca=Path(ca) if ca else None,
    )


def _notify(data: Mapping[str, Any] | None) -> Notify | None:
    if data is None:
        return None
    files = {key: Path(data[key]) for key in ("token_file", "slack_url_file") if key in data}
    return Notify(data.get("url", ""), **files)


def _tier(data: Mapping[str, Any]) -> Tier:
    hours = data.get("quiet_hours")
    quiet = QuietHours(**{**hours, "weekdays": tuple(hours["weekdays"])}) if hours else None
    return Tier(data["name"], data["order"], Mode(data["mode"]), quiet)


def _service(data: Mapping[str, Any], tiers: Mapping[str, Tier]) -> Service:
    plain = {
        key: data[key] for key in ("name", "tier", "container", "stateful", "oneshot", "optional")
    }
    return Service(
        **plain,
        requires=tuple(data["requires"]),
        health=_health(data["health"]),
        start_period_s=seconds(data["start_period"]),
        mode=Mode(data["mode"]) if "mode" in data else tiers[data["tier"]].mode,
    )


def _health(data: Mapping[str, Any]) -> Health:
    expect = data.get("expect", {})
    return Health(
        probe=data["probe"],
        url=data.get("url", ""),
        expect=Expect(
            status=expect.get("status", 200),
            body=compile_pattern(expect.get("body", "")),
            not_body=compile_pattern(expect.get("not_body", "")),
            host=expect.get("host", ""),
        ),
        interval_s=seconds(data["interval"]),
        timeout_s=seconds(data["timeout"]),
        retries=data["retries"],
    )


def _limit(data: Mapping[str, Any]) -> Limit:
    return Limit(data["window"], seconds(data["window"]), data["limit"])


def _storm(data: Mapping[str, Any]) -> Storm:
    return Storm(
        roots=data["roots"],
        share=float(data["share"]),
        tiers=data["tiers"],
        window_s=seconds(data["window"]),
        cooldown_s=seconds(data["cooldown"]),
        grace_s=seconds(data["grace"]),
    )


def _ladder(data: Mapping[str, Any]) -> Ladder:
    backoff = data["backoff"]
    return Ladder(
        rungs=tuple(map(Rung, data["rungs"])),
        same_incident_s=seconds(data["same_incident"]),
        probation_s=seconds(data["probation"]),
        spacing_s=seconds(data["spacing"]),
        spacing_stateful_s=seconds(data["spacing_stateful"]),
        deduplicate_s=seconds(data["deduplicate"]),
        backoff_first_s=seconds(backoff["first"]),
        backoff_factor=backoff["factor"],
        backoff_max_s=seconds(backoff["max"]),
        backoff_reset_s=seconds(backoff["reset"]),
    )
