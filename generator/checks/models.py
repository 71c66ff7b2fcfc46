"""Models and the Ollama servers that offer them: the two ways the platform was silently degraded."""

from __future__ import annotations

from collections.abc import Iterator

from generator.catalog_services import OLLAMA
from generator.checks.draft import Draft
from generator.errors import Finding
from generator.model import Catalog, Service
from generator.names import tagged

_MOST_NAMED = 3
_AUTHS = ({"bearer_token_file"}, {"username", "password_file"})


def check_expected_models(draft: Draft) -> Iterator[Finding]:
    """Find models that a service expects and that no Ollama it could call offers."""
    ollamas = _ollamas(draft.catalog)
    for service in draft.catalog.services:
        if not service.expects_models:
            continue
        servers = _servers_of(service, ollamas)
        offered = sorted({tagged(model) for server in servers for model in server.models})
        for index, model in enumerate(service.expects_models):
            if tagged(model) in offered:
                continue
            fact = f"expects the model {model!r}, which no Ollama offers"
            cure = "Add a service of kind 'ollama'."
            if servers:
                names = ", ".join(server.name for server in servers[:_MOST_NAMED])
                shown = ", ".join(name.removesuffix(":latest") for name in offered)
                cure = f"Offered by {names}: {shown}."
            yield draft.origin.service_finding(
                service.name, fact, cure, "expects_models", index, check="model"
            )


def check_ollama_ports(draft: Draft) -> Iterator[Finding]:
    """Find services that call Ollama at a port where it does not listen."""
    ollamas = _ollamas(draft.catalog)
    for service in draft.catalog.services:
        called = service.ollama_port
        servers = _servers_of(service, ollamas) if called else ()
        if called is None or not servers or any(server.port == called for server in servers):
            continue
        server = servers[0]
        fact = f"calls Ollama at port {called}, but {server.name!r} listens on {server.port}"
        cure = f"Use {server.port}."
        if any(port.host == called for port in server.ports):
            cure = f"{called} is its port on the host; inside the network use {server.port}."
        yield draft.origin.service_finding(
            service.name, fact, cure, "ollama_port", check="ollama-port"
        )


def check_ollama_settings(draft: Draft) -> Iterator[Finding]:
    """Find settings of the Ollama exporter that say nothing: of other services, or half said."""
    for service in draft.catalog.services:
        told = {
            "test_generations": service.test_generations,
            "load_options": service.load_options,
            "auth": service.auth,
        }
        for key in [key for key, value in told.items() if value]:
            fact, cure = "", "Move it to the Ollama server, or remove it."
            if service.kind != OLLAMA:
                fact = f"has {key}, which only services of kind {OLLAMA!r} have"
            elif key == "load_options" and not service.test_generations:
                fact = "has load_options, which only test generations send"
                cure = "Say test_generations: true, or remove it."
            elif key == "auth" and set(service.auth) not in _AUTHS:
                fact = f"auth has {', '.join(sorted(service.auth))}"
                cure = "Give bearer_token_file, or username and password_file."
            if fact:
                yield draft.origin.service_finding(service.name, fact, cure, key, check="ollama")


def _ollamas(catalog: Catalog) -> dict[str, Service]:
    return {server.name: server for server in catalog.of_kind(OLLAMA)}


def _servers_of(service: Service, ollamas: dict[str, Service]) -> tuple[Service, ...]:
    """Return those *ollamas* that *service* depends on; all if it names none."""
    needed = [dependency.service for dependency in service.depends_on]
    return tuple(ollamas[name] for name in needed if name in ollamas) or tuple(ollamas.values())
