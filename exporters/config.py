"""
The configuration of an exporter: read, checked, frozen.

In goes the path of a file of the form config.schema.json (`tierwatch generate` writes them), out
comes a `Config`. Everything that is wrong is said at once, each with file, line and cure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.config_checks import MAX_PORT, foreign_problems, meaning_problems
from exporters.form import form_problems, told
from exporters.patterns import Pattern, compile_pattern
from exporters.yaml_read import ConfigError, read_yaml

__all__ = ["LABELS", "Config", "ConfigError", "Target", "load_config"]

LABELS = ("service", "tier", "kind", "profile")  # on every series that speaks of a target
DEFAULT_DEADLINE_S = 3.0
DEFAULT_INFERENCE_TIMEOUT_S = 30.0
DEFAULT_INFERENCE_TOKENS = 16
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SCHEMA = Path(__file__).with_name("config.schema.json")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; an empty *host* means all addresses."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Docker:
    """Docker's API (`tcp://host:port` or `unix:///path`) and the Compose project to look at."""

    url: str
    project: str


@dataclass(frozen=True, slots=True)
class Dependency:
    """A part of a JSON body that tells how a dependency is: *good* are the values that mean well."""

    name: str
    pointer: str
    good: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expect:
    """What a good answer is."""

    status: int = 200
    body: Pattern | None = None
    not_body: Pattern | None = None
    host: str = ""
    dependencies: tuple[Dependency, ...] = ()


@dataclass(frozen=True, slots=True)
class Inference:
    """A small test generation; *interval_s* is the least time between two."""

    model: str
    interval_s: float
    timeout_s: float
    tokens: int
    load_options: tuple[tuple[str, int | bool], ...] = ()  # that all callers of the server send


@dataclass(frozen=True, slots=True)
class Auth:
    """Credentials for a proxy in front: a bearer token, or with *username* a password, in *file*."""

    file: Path
    username: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One subject. *url* is empty when *probe* is container."""

    service: str
    tier: str
    kind: str
    profile: str
    container: str
    probe: str
    url: str = ""
    expect: Expect = Expect()
    port: int | None = None
    other_ports: tuple[int, ...] = ()
    expected_models: tuple[str, ...] = ()
    inference: Inference | None = None
    auth: Auth | None = None

    @property
    def labels(self) -> tuple[str, str, str, str]:
        """The values of LABELS, in their order."""
        return (self.service, self.tier, self.kind, self.profile)


@dataclass(frozen=True, slots=True)
class Config:
    """What one exporter watches; *targets* in the order of the file, one per service."""

    listen: Address
    targets: tuple[Target, ...]
    deadline_s: float = DEFAULT_DEADLINE_S
    docker: Docker | None = None


def load_config(path: Path, exporter: str = "") -> Config:
    """
    Return the configuration in *path*, which must be that of *exporter* if one is named.

    Raises:
        ConfigError: One line per problem, sorted by line: `file:line: fact. Cure.`
    """
    document = read_yaml(path)
    problems = (
        list(form_problems(document, _SCHEMA))
        or list(foreign_problems(document, exporter))
        or list(meaning_problems(document))
    )
    if problems:
        raise ConfigError(told(problems))
    return _config(document.data, path.parent)


def seconds(text: str) -> float:
    """Return the duration *text* (`300ms`, `3s`, `5m`) in seconds; its form is checked already."""
    number = text.rstrip("mshd")
    return int(number) * _UNITS[text[len(number) :]]


def parse_address(text: str) -> Address:
    """Return `host:port` as an address; ValueError if it is none."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > MAX_PORT:
        raise ValueError(f"{text!r} is not host:port")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def _config(data: Mapping[str, Any], folder: Path) -> Config:
    docker = data.get("docker")
    return Config(
        listen=parse_address(data["listen"]),
        deadline_s=seconds(data["deadline"]) if "deadline" in data else DEFAULT_DEADLINE_S,
        docker=Docker(docker["url"], docker["project"]) if docker else None,
        targets=tuple(_target(target, folder) for target in data["targets"]),
    )


def _target(data: Mapping[str, Any], folder: Path) -> Target:
    plain = {
        key: data[key] for key in (*LABELS, "container", "probe", "url", "port") if key in data
    }
    return Target(
        **plain,
        expect=_expect(data.get("expect", {})),
        other_ports=tuple(data.get("other_ports", ())),
        expected_models=tuple(data.get("expected_models", ())),
        inference=_inference(data.get("inference")),
        auth=_auth(data.get("auth"), folder),
    )


def _expect(data: Mapping[str, Any]) -> Expect:
    return Expect(
        status=data.get("status", 200),
        body=compile_pattern(data.get("body", "")),
        not_body=compile_pattern(data.get("not_body", "")),
        host=data.get("host", ""),
        dependencies=tuple(
            Dependency(each["name"], each["pointer"], tuple(each["good"]))
            for each in data.get("dependencies", ())
        ),
    )


def _inference(data: Mapping[str, Any] | None) -> Inference | None:
    if data is None:
        return None
    return Inference(
        model=data["model"],
        interval_s=seconds(data["interval"]),
        timeout_s=seconds(data["timeout"]) if "timeout" in data else DEFAULT_INFERENCE_TIMEOUT_S,
        tokens=data.get("tokens", DEFAULT_INFERENCE_TOKENS),
        load_options=tuple(data.get("load_options", {}).items()),
    )


def _auth(data: Mapping[str, Any] | None, folder: Path) -> Auth | None:
    if data is None:
        return None
    username = data.get("username", "")
    return Auth(folder / data["password_file" if username else "bearer_token_file"], username)
