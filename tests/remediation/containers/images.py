"""
The images that the generated Compose files ask for, made without a registry, under those very names.

Ours is built by the Dockerfile of the checkout, on a base of the same name as the real one (see `base`).
Those of others are a static program in an empty root, started as their own images start it: what is
proven is how our definitions run them, not what they are.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from generator.socket_proxy import IMAGE as PROXY
from tests.exporters.agents.engine import IMAGE as BUSYBOX
from tests.exporters.agents.engine import Engine
from tests.live.servers import need
from tests.remediation.containers.base import CHANGES, base_image
from tests.remediation.proxy.rig import build, build_standin

ROOT = Path(__file__).resolve().parents[3]
OURS = "tierwatch-exporters"
ALERTMANAGER = "prom/alertmanager:v0.25.0"
SERVICE = "shop/backend:1"


def make_images(engine: Engine, folder: Path) -> None:
    """Make all images of the project on *engine*; *folder* is for what is built on the way."""
    _import(engine, _base(), base_image(), CHANGES)
    _build(engine)
    programs = {"socket-proxy": build(folder), "healthcheck": build_standin(folder)}
    _import(engine, PROXY, _root(programs), ('ENTRYPOINT ["/socket-proxy"]', "USER 65534:65534"))
    manager = {"bin/alertmanager": need("alertmanager-current")}
    _import(engine, ALERTMANAGER, _root(manager), ('ENTRYPOINT ["/bin/alertmanager"]',))
    engine.docker("tag", BUSYBOX, SERVICE)


def _base() -> str:
    """Return the image that the Dockerfile builds on."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (named,) = [line.removeprefix("FROM ") for line in lines if line.startswith("FROM ")]
    return named


def _build(engine: Engine) -> None:
    """Let Docker build our image, as the documentation says; the daemon of the test has no network of its own."""
    # The builder within the engine: the other one is a program that Debian's Docker does not have.
    run = subprocess.run(
        [need("docker"), "-H", engine.url, "build", "--network", "host", "-t", OURS, ROOT],
        env={**os.environ, "DOCKER_BUILDKIT": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]


def _import(engine: Engine, name: str, files: bytes, changes: Sequence[str]) -> None:
    given = [part for change in changes for part in ("--change", change)]
    engine.docker("import", *given, "-", name, stdin=files)


def _root(programs: Mapping[str, Path]) -> bytes:
    """Return a root with these *programs* in it and a folder for Alertmanager's data, as a tar archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        for name in ("alertmanager", "bin"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
        for name, path in programs.items():
            tar.add(path.resolve(), name)
    return archive.getvalue()
