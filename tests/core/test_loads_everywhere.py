"""The same output loads in the oldest and in the current tools, and the real servers start on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from alerts.routing_check import routing_cases
from generator import toolbox
from generator.render import Rendered
from generator.secrets_stub import stub_secrets

pytestmark = pytest.mark.live
Tool = Callable[[str], Path]


@pytest.fixture(scope="module")
def tree(platform: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the platform's files with stub secrets."""
    folder = tmp_path_factory.mktemp("platform")
    for artifact in platform.artifacts:
        path = folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(stub_secrets(artifact.text, folder / "secrets"), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ["promtool", "promtool3"])
def test_prometheus_configuration_loads(tree: Path, tool: Tool, name: str) -> None:
    """`check config` accepts prometheus.yml with every rule file, without a warning."""
    judged = toolbox.run(tool(name), ["check", "config", tree / "prometheus" / "prometheus.yml"])

    assert judged.ok, judged.text
    assert "WARN" not in judged.text.upper()


@pytest.mark.parametrize("name", ["promtool", "promtool3"])
def test_rules_are_free_of_lint(tree: Path, tool: Tool, name: str) -> None:
    """`check rules --lint=all --lint-fatal` accepts every rule file."""
    files = sorted((tree / "prometheus" / "rules").glob("*.yml"))
    judged = toolbox.run(tool(name), ["check", "rules", "--lint=all", "--lint-fatal", *files])

    assert judged.ok, judged.text
    assert judged.text.count("SUCCESS") == len(files)


def test_unit_tests_pass_in_the_current_promtool(
    platform: Rendered, tree: Path, tool: Tool
) -> None:
    """Windows of 3.x are open on the left; the generated tests hold there, too."""
    del platform
    files = sorted((tree / "prometheus" / "tests").glob("*.yml"))
    judged = toolbox.run(tool("promtool3"), ["test", "rules", *files], timeout_s=300)

    assert judged.ok, judged.text[-3000:]


@pytest.mark.parametrize("name", ["amtool", "amtool-current"])
def test_alertmanager_configuration_loads(tree: Path, tool: Tool, name: str) -> None:
    """`check-config` accepts alertmanager.yml and its templates."""
    path = tree / "alertmanager" / "alertmanager.yml"
    judged = toolbox.run(tool(name), ["check-config", path])

    assert judged.ok, judged.text
    assert "SUCCESS" in judged.text


@pytest.mark.parametrize("name", ["amtool", "amtool-current"])
def test_routes_lead_where_the_catalog_says(
    platform: Rendered, tree: Path, tool: Tool, name: str
) -> None:
    """`config routes test` agrees with every row of the routing table that differs from the others."""
    config = f"--config.file={tree / 'alertmanager' / 'alertmanager.yml'}"
    cases = list(routing_cases(platform.catalog, platform.routed))
    failed = [
        judged.text
        for case in cases
        if not (judged := toolbox.run(tool(name), ["config", "routes", "test", config, *case])).ok
    ]

    assert len(cases) > 10
    assert failed == []
