"""The files for exporters and remediator: what they hold, and that both validators accept them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jsonschema
import pytest
import yaml

from generator import contracts
from generator.catalog import load_catalog
from generator.model import Catalog
from generator.probe_targets import docker_address, span
from remediation.config import load_config

_ROOT = Path(__file__).parent.parent.parent


def _schema(path: str) -> dict[str, Any]:
    room, _, file = path.partition("/")
    name = "guard/guard" if file == "guard.yml" else "config"
    text = (_ROOT / room / f"{name}.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@pytest.mark.parametrize("room", ["exporters", "remediation", "remediation/guard.yml"])
def test_the_schemas_are_schemas_and_explain_every_key(room: str) -> None:
    """Each schema is valid draft 2020-12, refuses unknown keys, and says what every key means."""
    schema = _schema(room)
    jsonschema.Draft202012Validator.check_schema(schema)
    silent, open_ended = [], []

    def walk(node: Any, path: str) -> None:
        if not isinstance(node, dict):
            return
        if node.get("type") == "object" and node.get("additionalProperties") is not False:
            open_ended.append(path)
        for key, value in node.get("properties", {}).items():
            target = (
                schema["$defs"][value["$ref"].removeprefix("#/$defs/")]
                if "$ref" in value
                else value
            )
            if "description" not in value and "title" not in target:
                silent.append(f"{path}.{key}")
        for key, value in node.items():
            walk(value, f"{path}.{key}")

    walk(schema, room)
    assert [] == silent
    assert [] == open_ended


def test_the_files_follow_their_schemas(catalog: Catalog, platform: Catalog) -> None:
    """The public validator has nothing to say about any file of the shop or the platform."""
    problems = [
        (artifact.path, error.json_path, error.message)
        for artifact in (*contracts.render(catalog), *contracts.render(platform))
        if artifact.path != contracts.COMPOSE_FILE  # its judge is Compose
        for error in jsonschema.Draft202012Validator(_schema(artifact.path)).iter_errors(
            yaml.safe_load(artifact.text)
        )
    ]

    assert [] == problems


@pytest.mark.parametrize(
    "path",
    [
        "exporters/ollama.yml", "exporters/agents.yml", "remediation/config.yml",
        "remediation/guard.yml", "remediation/compose.yml",
    ],
)  # fmt: skip
def test_the_shop_gives_these_files(
    catalog: Catalog, golden: Callable[[str, str], None], path: str
) -> None:
    """Each file of the shop is, to the byte, what was last read and agreed on."""
    by_path = {artifact.path: artifact.text for artifact in contracts.render(catalog)}

    golden(path.replace("/", "-"), by_path[path])


def test_files_without_a_reader_are_left_out(catalog: Catalog) -> None:
    """A catalog gets a file only for the processes it runs: the shop has no hardware exporter."""
    assert [
        "exporters/ollama.yml", "exporters/agents.yml", "remediation/config.yml",
        "remediation/guard.yml", "remediation/compose.yml",
    ] == [artifact.path for artifact in contracts.render(catalog)]  # fmt: skip
    bare = replace(
        catalog, services=tuple(s for s in catalog.services if s.name in ("postgres", "backend"))
    )
    assert () == contracts.render(bare)


def test_every_container_of_the_platform_is_watched_once(platform: Catalog) -> None:
    """Agents and hardware exporter know each container of the catalog, the remediator each service."""
    files = contracts.contents(platform)
    names = [service.name for service in platform.services]

    assert names == [t["service"] for t in files["exporters/agents.yml"]["targets"]]
    assert names == [t["service"] for t in files["exporters/hardware.yml"]["targets"]]
    assert names == [s["name"] for s in files["remediation/config.yml"]["services"]]


def test_agents_are_asked_by_the_agents_exporter_and_nobody_else(platform: Catalog) -> None:
    """Exactly the services with a probe whose kind names the agents exporter are asked over HTTP."""
    asked = {
        target["service"]
        for target in contracts.contents(platform)["exporters/agents.yml"]["targets"]
        if target["probe"] != "container"
    }

    assert asked == {
        service.name
        for service in platform.services
        if service.probes and platform.kinds[service.kind].prober == "agents"
    }
    assert len(asked) > 10


def test_the_platforms_modes_are_those_of_the_design(platform: Catalog) -> None:
    """Tier 1 waits for a human, tiers 2 to 9 act; remediator, its proxy and the stack's heart never."""
    config = contracts.contents(platform)["remediation/config.yml"]

    assert ["approve"] + ["act"] * 8 == [tier["mode"] for tier in config["tiers"]]
    assert [
        "alertmanager", "docker-socket-proxy", "prometheus", "remediator",
        "remediator-socket-proxy",
    ] == config["never_restart"]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"webhook_url": "http://pager:1"}, {"url": "http://pager:1"}),
        (
            {"webhook_url": "http://pager:1", "webhook_token_file": "/etc/alertmanager/secrets/x"},
            {"url": "http://pager:1", "token_file": "/etc/remediation/secrets/notify_token"},
        ),
        (
            {"slack_url_file": "/etc/alertmanager/secrets/x"},
            {"slack_url_file": "/etc/remediation/secrets/slack_url"},
        ),
    ],
)
def test_the_remediator_tells_people_where_alertmanager_does(
    catalog: Catalog, given: dict[str, str], expected: dict[str, str] | None
) -> None:
    """Pager and Slack of the catalog are the remediator's too, each with a secret file of its own."""
    none = dict.fromkeys(("webhook_url", "webhook_token_file", "slack_url_file"), "")
    notify = replace(catalog.platform.notify, **{**none, **given})
    changed = replace(catalog, platform=replace(catalog.platform, notify=notify))

    assert expected == contracts.contents(changed)["remediation/config.yml"].get("notify")


def test_the_catalog_overrules_the_defaults_key_by_key(catalog: Catalog) -> None:
    """One budget and one storm limit given: all others keep their cautious defaults."""
    own = MappingProxyType(
        {
            "budgets": {"tier": {"per_hour": 5}},
            "storm": {"cooldown": "1h30m"},
            "never_restart": ["postgres"],
        }
    )
    changed = replace(catalog, platform=replace(catalog.platform, remediation=own))
    config = contracts.contents(changed)["remediation/config.yml"]

    assert [{"window": "1h", "limit": 5}, {"window": "24h", "limit": 7}] == config["budgets"][
        "tier"
    ]
    assert [{"window": "1h", "limit": 3}, {"window": "24h", "limit": 7}] == config["budgets"][
        "service"
    ]
    assert {
        "roots": 3, "share": 0.5, "tiers": 2, "window": "5m", "cooldown": "90m", "grace": "10m",
    } == config["storm"]  # fmt: skip
    assert "postgres" in config["never_restart"]
    assert [] == contracts.check(changed)


def test_what_takes_hours_to_start_is_remembered_for_longer(
    catalog: Catalog, tmp_path: Path
) -> None:
    """A model that loads for two hours: its incident is the same one until after that, and the remediator loads it."""
    slow = replace(catalog.services[0].health, start_period=timedelta(hours=2))
    services = (replace(catalog.services[0], health=slow), *catalog.services[1:])
    config = contracts.contents(replace(catalog, services=services))["remediation/config.yml"]
    path = tmp_path / "config.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    before = contracts.contents(catalog)["remediation/config.yml"]["ladder"]["same_incident"]

    assert (before, config["ladder"]["same_incident"]) == ("1h", "3h")
    assert load_config(path).ladder.same_incident_s == 3 * 3600


def test_reading_and_restarting_go_through_their_own_proxies(catalog: Catalog) -> None:
    """The remediator restarts through what it cannot do without, and reads through the other."""
    assert ["tcp://docker-proxy:2375", "tcp://restart-proxy:2375", "tcp://docker-proxy:2375"] == [
        docker_address(catalog, "remediator", hard=False),
        docker_address(catalog, "remediator", hard=True),
        docker_address(catalog, "agents-exporter"),
    ]
    bare = replace(catalog, services=catalog.services[:2])
    assert docker_address(bare, "remediator", hard=True) == "unix:///var/run/docker.sock"


LIBRARY = """tier: core
services:
  small: {kind: ollama, models: [tinyllama]}
  large: {kind: ollama, port: 11500, models: ["gpt-oss:latest"]}
  reader: {kind: http-service, port: 80, expects_models: [gpt-oss]}
  both: {kind: http-service, port: 80, depends_on: {small: hard, large: soft}, expects_models: [tinyllama, gpt-oss]}
  caller: {kind: http-service, port: 80, ollama_port: 11500, expects_models: [gpt-oss]}
"""


@pytest.fixture
def library(tmp_path: Path) -> Catalog:
    """Return a catalog with two Ollama servers that offer one model each."""
    (tmp_path / "platform.yml").write_text("platform: library\n", encoding="utf-8")
    (tmp_path / "1-core.yml").write_text(LIBRARY, encoding="utf-8")
    return load_catalog(tmp_path, "catalog")


def test_a_model_is_expected_of_the_server_that_offers_it(library: Catalog) -> None:
    """Of two Ollama servers neither is asked for the other's model, nor at the other's port."""
    targets = contracts.contents(library)["exporters/ollama.yml"]["targets"]

    assert [(t["service"], t["expected_models"], t.get("other_ports")) for t in targets] == [
        ("small", ["tinyllama"], None),
        ("large", ["gpt-oss:latest"], None),
    ]


def _ollama_targets(tmp_path: Path, services: str) -> list[dict[str, Any]]:
    (tmp_path / "platform.yml").write_text("platform: library\n", encoding="utf-8")
    text = f"tier: core\nservices:\n{services}"
    (tmp_path / "1-core.yml").write_text(text, encoding="utf-8")
    found = contracts.contents(load_catalog(tmp_path, "catalog"))["exporters/ollama.yml"]
    return list(found["targets"])


def test_test_generations_are_made_only_where_the_catalog_says_so(tmp_path: Path) -> None:
    """`test_generations: true` with the loading options of the callers; models are expected in any case."""
    services = "  quiet: {kind: ollama, models: [a]}\n"
    services += "  plain: {kind: ollama, port: 11500, models: [b], test_generations: true}\n"
    services += "  own: {kind: ollama, port: 11501, models: [c], test_generations: true,"
    services += " load_options: {num_thread: 4, use_mmap: false}}\n"

    targets = _ollama_targets(tmp_path, services)

    assert [(t["expected_models"], t.get("inference")) for t in targets] == [
        (["a"], None),
        (["b"], {"model": "b", "interval": "5m"}),
        (["c"], {
            "model": "c", "interval": "5m", "load_options": {"num_thread": 4, "use_mmap": False},
        }),
    ]  # fmt: skip


def test_credentials_are_named_and_never_written(tmp_path: Path) -> None:
    """The exporter's file says where the credentials are, as the catalog does, and nothing of them."""
    services = "  token: {kind: ollama, auth: {bearer_token_file: /run/secrets/ollama}}\n"
    services += "  basic: {kind: ollama, port: 11500, auth: {username: prom, password_file: /run/secrets/pw}}\n"
    services += "  open: {kind: ollama, port: 11501}\n"

    assert [target.get("auth") for target in _ollama_targets(tmp_path, services)] == [
        {"bearer_token_file": "/run/secrets/ollama"},
        {"username": "prom", "password_file": "/run/secrets/pw"},
        None,
    ]


def test_a_model_that_nobody_offers_is_expected_of_all_it_may_mean(library: Catalog) -> None:
    """Servers that list no models are charged with their callers': of the port named, or each."""
    bare = tuple(replace(s, models=()) if s.kind == "ollama" else s for s in library.services)
    without = tuple(service for service in bare if service.name != "both")
    targets = contracts.contents(replace(library, services=without))["exporters/ollama.yml"]

    assert [(t["service"], t["expected_models"]) for t in targets["targets"]] == [
        ("small", ["gpt-oss"]),
        ("large", ["gpt-oss"]),
    ]
    named = tuple(service for service in without if service.name != "reader")
    targets = contracts.contents(replace(library, services=named))["exporters/ollama.yml"]
    assert [(t["service"], t.get("expected_models")) for t in targets["targets"]] == [
        ("small", None),
        ("large", ["gpt-oss"]),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(milliseconds=1500), "1500ms"),
        (timedelta(seconds=90), "90s"),
        (timedelta(minutes=90), "90m"),
        (timedelta(days=14), "14d"),
    ],
)
def test_spans_have_one_unit(value: timedelta, text: str) -> None:
    """Durations are written in the largest unit that divides them, as the schemas demand."""
    assert text == span(value)
