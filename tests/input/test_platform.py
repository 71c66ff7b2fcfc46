"""The shipped catalog: every service of the platform, at the ports where they really listen."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from generator.catalog import load_catalog
from generator.model import Catalog, Dependency
from generator.names import NAME

CATALOG = Path(__file__).parents[2] / "catalog"

SERVICES = {
    "core": "postgres redis neo4j",
    "ai": "ollama chromadb qdrant faiss",
    "mesh": "kong consul rabbitmq",
    "app": "backend frontend",
    "monitoring": (
        "prometheus grafana loki alertmanager promtail node-exporter cadvisor postgres-exporter "
        "redis-exporter blackbox-exporter"
    ),
    "agents": (
        "ollama-integration langflow flowise n8n dify autogpt crewai aider gpt-engineer llamaindex"
    ),
    "specialized": (
        "hardware-resource-optimizer documind privategpt shellgpt letta autogen agentgpt agentzero "
        "skyvern pentestgpt context-framework mcp-server"
    ),
    "experimental": ("browser-use finrobot awesome-code-ai opendevin pytorch tensorflow jax fsdp"),
    "utility": (
        "health-monitor service-hub code-improver tabbyml semgrep mesh-worker mesh-worker-2"
    ),
}
OURS = (
    "ollama-exporter agents-exporter hardware-exporter remediator docker-socket-proxy "
    "remediator-socket-proxy"
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Return the shipped catalog."""
    return load_catalog(CATALOG, "catalog")


def test_every_service_of_the_platform_is_there(catalog: Catalog) -> None:
    """The catalog holds the platform's 59 services in its nine tiers, our six, and no others."""
    expected = {tier: names.split() for tier, names in SERVICES.items()}
    assert sum(map(len, expected.values())) == 59
    expected["monitoring"] += OURS.split()

    assert {
        tier.name: [service.name for service in catalog.in_tier(tier.name)]
        for tier in catalog.tiers
    } == expected


def test_wrappers_are_probed_where_they_listen(catalog: Catalog) -> None:
    """Services whose published port was dead are probed, and published, at their real port."""
    real = {
        "crewai": 8533, "aider": 8535, "gpt-engineer": 8536, "privategpt": 8538, "shellgpt": 8539,
        "finrobot": 8591, "code-improver": 8593, "service-hub": 8594, "awesome-code-ai": 8595,
        "agentgpt": 8531, "autogen": 8590, "context-framework": 8589, "autogpt": 8530,
        "letta": 8534, "dify": 5001, "documind": 8080, "health-monitor": 8090, "fsdp": 8596,
    }  # fmt: skip
    services = [catalog.by_name[name] for name in real]

    assert {service.name: service.port for service in services} == real
    assert {service.name: service.probes[0].port for service in services} == real
    assert {service.name: service.ports[0].container for service in services} == real


def test_backend_needs_its_stores_and_only_likes_the_vectors(catalog: Catalog) -> None:
    """A dead vector store no longer keeps the backend from starting."""
    assert catalog.by_name["backend"].depends_on == (
        Dependency("postgres", hard=True),
        Dependency("redis", hard=True),
        Dependency("ollama", hard=True),
        Dependency("chromadb", hard=False),
        Dependency("qdrant", hard=False),
    )


def test_everyone_calls_ollama_at_11434_and_expects_what_it_has(catalog: Catalog) -> None:
    """The two old causes of a silent "degraded" cannot come back."""
    users = [service for service in catalog.services if service.expects_models]

    assert len(users) > 15
    assert {service.ollama_port for service in users} == {11434}
    assert {service.expects_models for service in users} == {("tinyllama",)}
    assert catalog.by_name["ollama"].models == ("tinyllama",)


def test_profiles_are_those_of_the_platform(catalog: Catalog) -> None:
    """Optional services are behind the profiles that switch them on."""
    assert {s.name: s.profiles for s in catalog.services if s.profiles} == {
        "mcp-server": ("mcp",),
        **dict.fromkeys(SERVICES["experimental"].split()[:4], ("experimental",)),
        **dict.fromkeys(("pytorch", "tensorflow", "jax"), ("ml-heavy",)),
        "fsdp": ("fsdp", "optional"),
        "tabbyml": ("tabby", "optional"),
        **dict.fromkeys(("mesh-worker", "mesh-worker-2"), ("mesh",)),
    }


def test_modes_are_careful_in_the_core(catalog: Catalog) -> None:
    """Tier 1 waits for approval, tiers 2 to 9 act."""
    assert [tier.mode for tier in catalog.tiers] == ["approve"] + ["act"] * 8


def test_health_settings_are_filled_in_from_the_class(catalog: Catalog) -> None:
    """A health mapping written in part keeps the rest of its kind's class."""
    health = catalog.by_name["backend"].health

    assert (health.interval, health.timeout, health.retries, health.start_period) == (
        timedelta(seconds=60), timedelta(seconds=30), 5, timedelta(seconds=120),
    )  # fmt: skip


def test_objectives_are_exact(catalog: Catalog) -> None:
    """An SLO of 99.9% is the decimal 0.999, not a float near it."""
    assert catalog.by_name["postgres"].slo == Decimal("0.999")


def test_exporters_watch_their_subjects(catalog: Catalog) -> None:
    """Each service whose metrics an exporter tells is watched by exactly one."""
    assert dict(catalog.observers) == {
        "postgres": ("postgres-exporter",),
        "redis": ("redis-exporter",),
        "ollama": ("ollama-exporter",),
    }


def test_every_service_is_described(catalog: Catalog) -> None:
    """No service lacks a description, an owner that is known, or a name that is safe."""
    lacking = [
        service.name
        for service in catalog.services
        if not service.description
        or service.owner not in catalog.platform.owners
        or not NAME.fullmatch(service.name)
        or not NAME.fullmatch(service.container)
    ]

    assert lacking == []


def test_loading_twice_gives_equal_catalogs(catalog: Catalog) -> None:
    """Loading depends on nothing but the files."""
    again = load_catalog(CATALOG, "catalog")

    assert (again.platform, again.tiers, again.services, list(again.kinds)) == (
        catalog.platform, catalog.tiers, catalog.services, list(catalog.kinds),
    )  # fmt: skip
