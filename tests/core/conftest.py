"""What the tests of the core share: the platform and a shop of three services, loaded and rendered once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from generator import toolbox
from generator.catalog import load_catalog
from generator.cli import main
from generator.kinds import load_kinds
from generator.model import Catalog
from generator.render import Rendered, render

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "tests" / "golden" / "three-services" / "catalog"
_NEEDED = frozenset({"promtool", "amtool"})


@dataclass(frozen=True, slots=True)
class Said:
    """What a run of the command said: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def platform() -> Rendered:
    """Return the platform that ships, rendered."""
    return render(load_catalog(ROOT / "catalog", "catalog"))


@pytest.fixture(scope="session")
def shop() -> Rendered:
    """Return a stranger's catalog of three services, rendered."""
    return render(load_catalog(SHOP, "catalog"))


@pytest.fixture(scope="session")
def shop_catalog() -> Path:
    """Return the folder of the stranger's catalog."""
    return SHOP


@pytest.fixture(scope="session")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Return a catalog with one service of every kind that ships, rendered."""
    folder = tmp_path_factory.mktemp("every-kind")
    kinds, _ = load_kinds()
    services = "".join(f"  {name}: {{kind: {name}}}\n" for name in sorted(kinds))
    # So many kinds write more than the default size holds, and rightly say so.
    platform = "platform: all\nretention: {metrics: 15d, metrics_size: 10GB}\n"
    (folder / "platform.yml").write_text(platform, encoding="utf-8")
    (folder / "1-all.yml").write_text(f"tier: all\nservices:\n{services}", encoding="utf-8")
    return render(load_catalog(folder, "catalog"))


@pytest.fixture
def write_catalog(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a catalog: `platform`, `f1_core`, `kinds_thing` -> text."""

    def write(**files: str) -> Path:
        folder = tmp_path / "catalog"
        folder.mkdir(exist_ok=True)
        for name, text in {"platform": "platform: toy\n", **files}.items():
            stem = name.removeprefix("f").replace("_", "-") if name[0] == "f" else name
            path = folder / f"{stem}.yml"
            if name.startswith("kinds_"):
                path = folder / "kinds" / f"{name.removeprefix('kinds_').replace('_', '-')}.yml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def load(write_catalog: Callable[..., Path]) -> Callable[..., Catalog]:
    """Return a function that writes and loads a catalog; places begin with `catalog/`."""
    return lambda **files: load_catalog(write_catalog(**files), "catalog")


@pytest.fixture
def tierwatch(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Return the command as a function of its arguments, run in this process."""

    def run(*arguments: object) -> Said:
        capfd.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            status = int(leaving.code or 0)
        out, err = capfd.readouterr()
        return Said(status, out, err)

    return run


@pytest.fixture(scope="session")
def in_process() -> Callable[..., Said]:
    """Return the command as a function of its arguments, run in a process of its own."""

    def run(*arguments: object, cwd: Path = ROOT, **environment: str) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "generator.cli", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """Return a function that finds a judge; promtool and amtool must be there, and all of them in CI."""

    def find(name: str) -> Path:
        found = toolbox.find(name)
        if found is None:
            message = f"{name} is missing, {toolbox.install_hint(name)}"
            if name in _NEEDED or "CI" in os.environ:
                pytest.fail(message)
            pytest.skip(message)
        return found

    return find


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that compares a text with a file of golden/; TIERWATCH_GOLDEN renews it."""
    folder = Path(request.path).parent / "golden"

    def compare(name: str, text: str) -> None:
        path = folder / name
        if os.environ.get("TIERWATCH_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text

    return compare


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below *folder* with its bytes, and every folder as an empty entry."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="session")
def tree_of() -> Callable[[Path], dict[str, bytes]]:
    """Return `tree`."""
    return tree
