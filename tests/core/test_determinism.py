"""Same catalog, same bytes: whatever the process, its folder, its hash seed, its locale, its clock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.catalog import load_catalog
from generator.render import Rendered, render

ROOT = Path(__file__).parents[2]
Run = Callable[..., Any]
Tree = Callable[[Path], dict[str, bytes]]


@pytest.fixture(scope="module")
def first(in_process: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the platform as a process of its own wrote it."""
    out = tmp_path_factory.mktemp("first") / "out"
    said = in_process("generate", "--catalog", ROOT / "catalog", "--out", out, PYTHONHASHSEED="1")
    assert said.err == ""
    return out


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "2"},
        {"PYTHONHASHSEED": "3", "LC_ALL": "C", "LANG": "C", "TZ": "Asia/Tokyo"},
        {"PYTHONHASHSEED": "4", "PYTHONUTF8": "0", "LC_ALL": "POSIX", "COLUMNS": "40"},
    ],
    ids=lambda environment: "seed " + environment["PYTHONHASHSEED"],
)
def test_two_processes_write_the_same_bytes(
    first: Path, in_process: Run, tmp_path: Path, tree_of: Tree, environment: dict[str, str]
) -> None:
    """Another hash seed, folder, locale and time zone give the same tree, manifest and all."""
    out = tmp_path / "second"
    said = in_process(
        "generate", "--catalog", ROOT / "catalog", "--out", out, cwd=tmp_path, **environment
    )

    assert (said.status, said.err) == (0, "")
    assert tree_of(out) == tree_of(first)


def test_check_agrees_across_processes(first: Path, in_process: Run, tmp_path: Path) -> None:
    """What one process wrote, another one finds to be right."""
    said = in_process(
        "generate", "--catalog", ROOT / "catalog", "--out", first, "--check",
        cwd=tmp_path, PYTHONHASHSEED="7",
    )  # fmt: skip

    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines()[-1] == "  nothing changed"


def test_where_the_catalog_lies_does_not_matter(platform: Rendered, tmp_path: Path) -> None:
    """A copy of the catalog in another folder gives the same artifacts: no path gets into a file."""
    for path in (ROOT / "catalog").rglob("*.yml"):
        copy = tmp_path / "elsewhere" / path.relative_to(ROOT / "catalog")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())

    assert render(load_catalog(tmp_path / "elsewhere")).artifacts == platform.artifacts


def test_rendering_twice_in_one_process_gives_the_same(platform: Rendered) -> None:
    """No cache and no global state makes a second rendering different."""
    again = render(load_catalog(ROOT / "catalog", "catalog"))

    assert again.artifacts == platform.artifacts
    assert again.routed == platform.routed


def test_no_artifact_holds_a_path_or_a_name_of_this_machine(platform: Rendered) -> None:
    """Nothing of the machine that renders gets into a file."""
    texts = "\n".join(artifact.text for artifact in platform.artifacts)

    assert str(ROOT) not in texts
    assert str(Path.home()) + "/" not in texts


def test_artifacts_are_sorted_and_unique(platform: Rendered) -> None:
    """Paths are relative, unique and in order; no file is empty."""
    paths = [artifact.path for artifact in platform.artifacts]

    assert paths == sorted(set(paths))
    assert [path for path in paths if path.startswith(("/", ".")) or ".." in path] == []
    assert len({hashlib.sha256(a.text.encode()).digest() for a in platform.artifacts}) == len(paths)
