"""Load `scale.py` beside the tests: there is no package to import it from."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_catalog() -> Callable[..., Path]:
    """Return `scale.make_catalog`."""
    found: Callable[..., Path] = _load("scale").make_catalog
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a catalog: file name (`platform`, `1-core`) to text."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            stem = name.replace("_", "-").removeprefix("f")
            (tmp_path / f"{stem}.yml").write_text(text, encoding="utf-8")
        return tmp_path

    return write
