"""
The words a kind may use for things that other rooms own: log formats and alert packs.

This room lies below promtail and alerts and cannot ask them; their tests compare these tuples
with the modules that really exist.
"""

from __future__ import annotations

from pathlib import Path

from generator.software import VERDICT_AGENT, VERDICT_CONTAINER, VERDICT_PROBE, VERDICT_UP

SCHEMA_FILE = Path(__file__).parent / "kind.schema.json"

# Modules of promtail/formats.
LOG_FORMATS = (
    "go", "json", "logfmt", "neo4j", "nginx", "plain", "postgres", "rabbitmq", "redis", "uvicorn",
)  # fmt: skip

# Packs that a kind switches on; service, probe, observer, tier, stack, slo and absence always apply.
PACKS = (
    "agents", "chromadb", "consul", "container", "faiss", "gpu", "host", "kong", "neo4j", "ollama",
    "postgres", "qdrant", "rabbitmq", "redis", "remediation", "web", "workers",
)  # fmt: skip

# Verdicts that need no declaration: the scrape or one of our probers gives them.
GIVEN_VERDICTS = (VERDICT_UP, VERDICT_PROBE, VERDICT_AGENT, VERDICT_CONTAINER)

# Everybody's health class unless the catalog says otherwise.
DEFAULT_HEALTH = "application"
