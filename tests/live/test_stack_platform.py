"""The played platform is strict: what the software does not serve is not answered, what is asked exists."""

from __future__ import annotations

import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from generator.catalog import load_catalog
from generator.render import Rendered, render
from generator.secrets_stub import stub_secrets
from tests.live.healthy import lines
from tests.live.pages import World, page, probe
from tests.live.platform import Platform
from tests.live.servers import need


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    """Return what is rendered for the shipped catalog."""
    return render(load_catalog(Path("catalog")))


@pytest.fixture
def platform(rendered: Rendered) -> Platform:
    """Return the platform in good health; nobody listens."""
    return Platform(rendered.catalog, rendered.files["blackbox/blackbox.yml"])


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://postgres-exporter:9187/metrics", 200),
        ("http://postgres-exporter:9188/metrics", 404),
        ("http://postgres:5432/metrics", 404),
        ("http://consul:8500/v1/agent/metrics?format=prometheus", 200),
        ("http://consul:8500/v1/agent/metrics", 404),
        ("http://sutazai-postgres-exporter-monitoring:9187/metrics", 502),
        ("http://blackbox-exporter:9115/probe?module=tcp_connect&target=postgres:5432", 200),
        ("http://blackbox-exporter:9115/probe?module=http_2xx&target=http://kong:8100/status", 400),
        ("http://blackbox-exporter:9115/probe?module=http_200&target=postgres:5432", 400),
    ],
)
def test_only_what_is_served_is_answered(platform: Platform, url: str, status: int) -> None:
    """A wrong port, path, parameter, name or probe module is refused."""
    assert status == platform.answer(url)[0]


def test_a_database_that_is_down_is_told_by_its_exporter(platform: Platform) -> None:
    """Of a database that is down the exporter tells that, and about itself, and nothing else."""
    platform.world.down.add("postgres")
    body = platform.answer("http://postgres-exporter:9187/metrics")[1]
    told = {line.split("{")[0].split(" ")[0]: line for line in body.splitlines()}

    assert "pg_up 0.0" == told["pg_up"]
    assert {"pg_up"} == {name for name in told if name.startswith("pg_") and "exporter" not in name}


def test_every_line_of_the_file_speaks_of_a_declared_metric(rendered: Rendered) -> None:
    """No line of healthy.txt is an orphan, by its name or by a label."""
    catalog = rendered.catalog
    shown = [one for service in catalog.services for one in page(service, catalog, World())]
    shown += probe("blackbox-exporter", "http", sick=False, catalog=catalog)
    said = {(one.name, name, value) for one in shown for name, value in one.labels.items()}
    declared = {name for kind in catalog.kinds.values() for name in kind.declares}

    assert [] == [
        line for line in lines() if not any(fnmatchcase(name, line.pattern) for name in declared)
    ]
    assert [] == [
        (line.pattern, name, value)
        for line in lines()
        for name, value in line.labels.items()
        if line.sample != "none"
        and not any(
            fnmatchcase(shown_name, line.pattern + "*") and (name, value) == (label, shown_value)
            for shown_name, label, shown_value in said
        )
    ]


@pytest.mark.live
@pytest.mark.parametrize("tool", ["promtool", "promtool3"])
def test_configuration_passes_both_promtools(rendered: Rendered, tmp_path: Path, tool: str) -> None:
    """prometheus.yml and all rule files, as rendered, are fine with Prometheus 2.42 and with 3.x."""
    for path, text in rendered.files.items():
        if path.startswith("prometheus/"):
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(stub_secrets(text, tmp_path / "secrets"), encoding="utf-8")
    config = tmp_path / "prometheus" / "prometheus.yml"
    done = subprocess.run(
        [need(tool), "check", "config", config], capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)
