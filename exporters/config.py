"""
The configuration of an exporter: read, checked, frozen.

In goes the path of a file of the form config.schema.json (`tierwatch generate` writes them), out
comes a `Config`. Everything that is wrong is said at once, each with file, line and cure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.form import Problem, form_problems, problem, told
from exporters.patterns import Pattern, PatternError, compile_pattern
from exporters.yaml_read import ConfigError, Document, read_yaml

__all__ = ["LABELS", "Config", "ConfigError", "Target", "load_config"]

LABELS = ("service", "tier", "kind", "profile")  # on every series that speaks of a target
DEFAULT_DEADLINE_S = 3.0
DEFAULT_INFERENCE_TIMEOUT_S = 30.0
DEFAULT_INFERENCE_TOKENS = 16
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MAX_PORT = 65535
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


def load_config(path: Path) -> Config:
    """
    Return the configuration in *path*.

    Raises:
        ConfigError: One line per problem, sorted by line: `file:line: fact. Cure.`
    """
    document = read_yaml(path)
    problems = list(form_problems(document, _SCHEMA)) or list(_meaning_problems(document))
    if problems:
        raise ConfigError(told(problems))
    return _config(document.data)


def _meaning_problems(document: Document) -> Iterator[Problem]:
    data = document.data
    seen: dict[str, int] = {}
    if _port_of(data["listen"]) > _MAX_PORT:
        text = f"listen: {data['listen']!r} has no such port. Use one up to {_MAX_PORT}."
        yield problem(document, ("listen",), text)
    for index, target in enumerate(data["targets"]):
        keys: tuple[str | int, ...] = ("targets", index)
        name = target["service"]
        if name in seen:
            text = f"service {name!r} is also target {seen[name]}. Keep one of the two."
            yield problem(document, (*keys, "service"), text)
        seen.setdefault(name, index)
        for key, text in _target_problems(target):
            yield problem(document, (*keys, *key), f"service {name!r}: {text}")


def _target_problems(target: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    url, probe = target.get("url", ""), target["probe"]
    wanted = {"http": ("http://", "https://"), "tcp": ("tcp://",), "container": ()}[probe]
    if not wanted and url:
        yield ("url",), "probe container takes no url. Remove it, or say probe: http."
    elif wanted and not url:
        yield ("probe",), f"probe {probe} needs a url. Add one like {wanted[0]}name:8080."
    elif wanted and not url.startswith(wanted):
        yield ("url",), f"{url!r} does not fit probe {probe}. Begin it with {wanted[0]}."
    elif url and not 0 < _port_of(url) <= _MAX_PORT:
        yield ("url",), f"{url!r} has no such port. Use one from 1 to {_MAX_PORT}."
    expect = target.get("expect", {})
    if expect and probe != "http":
        yield ("expect",), f"probe {probe} has no answer to expect. Remove it."
    for key in ("body", "not_body"):
        try:
            compile_pattern(expect.get(key, ""))
        except PatternError as error:
            yield ("expect", key), f"{expect[key]!r} is no RE2: {error}. Correct the expression."
    names = [each["name"] for each in expect.get("dependencies", ())]
    if len(set(names)) < len(names):
        yield ("expect", "dependencies"), "a dependency is named twice. Keep one of the two."


def _port_of(address: str) -> int:
    """Return the port of `host:port` or of a url."""
    return int(address.rpartition("://")[2].split("/")[0].rpartition(":")[2])


def seconds(text: str) -> float:
    """Return the duration *text* (`300ms`, `3s`, `5m`) in seconds; its form is checked already."""
    number = text.rstrip("mshd")
    return int(number) * _UNITS[text[len(number) :]]


def parse_address(text: str) -> Address:
    """Return `host:port` as an address; ValueError if it is none."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > _MAX_PORT:
        raise ValueError(f"{text!r} is not host:port")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def _config(data: Mapping[str, Any]) -> Config:
    docker = data.get("docker")
    return Config(
        listen=parse_address(data["listen"]),
        deadline_s=seconds(data["deadline"]) if "deadline" in data else DEFAULT_DEADLINE_S,
        docker=Docker(docker["url"], docker["project"]) if docker else None,
        targets=tuple(_target(target) for target in data["targets"]),
    )


def _target(data: Mapping[str, Any]) -> Target:
    plain = {
        key: data[key] for key in (*LABELS, "container", "probe", "url", "port") if key in data
    }
    return Target(
        **plain,
        expect=_expect(data.get("expect", {})),
        other_ports=tuple(data.get("other_ports", ())),
        expected_models=tuple(data.get("expected_models", ())),
        inference=_inference(data.get("inference")),
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
    )
