"""The containers of the remediator and its proxies, as Compose itself understands the rendered file."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.live.servers import need

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[3]
FILES = ("prometheus", "alertmanager", "remediation")
# The images of the two servers stand in the platform's own file.
BASE = (
    "services: {prometheus: {image: prom/prometheus}, alertmanager: {image: prom/alertmanager}}\n"
)


def _compose(tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Let Compose read our files beside a platform's own."""
    base = tmp_path / "compose.yml"
    base.write_text(BASE, encoding="utf-8")
    paths = [base, *(ROOT / "rendered" / name / "compose.yml" for name in FILES)]
    named = [part for path in paths for part in ("-f", str(path))]
    return subprocess.run(
        [str(need("docker-compose")), "-p", "sutazai", *named, "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the services of the whole project as Compose will make them."""
    run = _compose(tmp_path_factory.mktemp("compose"), DOCKER_GID="998")
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)["services"]
    return found


OURS = ("remediator", "docker-socket-proxy", "remediator-socket-proxy")


@pytest.mark.parametrize("name", OURS)
def test_every_container_is_locked_in(services: dict[str, Any], name: str) -> None:
    """Read-only, without capabilities or ways to gain them, not root, bounded, checked, nothing published."""
    ours = services[name]

    assert (ours["read_only"], ours["cap_drop"], ours["security_opt"]) == (
        True, ["ALL"], ["no-new-privileges:true"],
    )  # fmt: skip
    assert ours["user"] in ("65534:65534", "65534:998")
    assert int(ours["mem_limit"]) <= 512 * 2**20
    assert (ours["pids_limit"], ours["restart"]) == (128, "unless-stopped")
    assert ours["healthcheck"]["test"][0] == "CMD"
    assert {"ports", "privileged", "cap_add", "devices", "pid", "network_mode"}.isdisjoint(ours)


def test_only_the_proxies_have_the_socket(services: dict[str, Any]) -> None:
    """Docker's socket is mounted into the two proxies; the remediator writes to its journal and /tmp alone."""
    mounts = {
        name: {(each["target"], each.get("read_only", False)) for each in services[name]["volumes"]}
        for name in OURS
    }

    assert mounts == {
        "remediator": {
            ("/etc/tierwatch", True),
            ("/etc/remediation/secrets", True),
            ("/var/lib/tierwatch", False),
        },
        "docker-socket-proxy": {("/var/run/docker.sock", True)},
        "remediator-socket-proxy": {("/var/run/docker.sock", True)},
    }
    assert "docker.sock" not in json.dumps(services["remediator"])


def test_the_flags_arrive_as_they_were_written(services: dict[str, Any]) -> None:
    """Compose changes nothing in a regular expression: no `$` is there to be taken for a variable."""
    command = services["remediator-socket-proxy"]["command"]
    (post,) = [flag for flag in command if flag.startswith("-allowPOST=")]

    assert post.startswith(r"-allowPOST=/v1\.[0-9]{1,2}/containers/(sutazai-postgres|")
    assert "sutazai-prometheus|" not in post
    assert post.endswith(")/restart")
    assert not any("$" in flag for flag in command)


def test_a_missing_group_is_told(tmp_path: Path) -> None:
    """Without the number of the socket's group Compose refuses, and says which command tells it."""
    run = _compose(tmp_path)

    assert run.returncode != 0
    assert "DOCKER_GID" in run.stderr
    assert "stat -c %g /var/run/docker.sock" in run.stderr
