"""
Make large catalogs from the platform's own, for tests and for `make bench`.

`make_catalog(folder, 10_000)` writes copies of the platform's tiers until there are that many
services: each copy has names, host ports and containers of its own, and its services depend on
each other as the originals do. Deterministic: same number, same bytes.

From a shell: python tests/input/scale.py FOLDER SERVICES
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CATALOG = Path(__file__).parents[2] / "catalog"


def make_catalog(folder: Path, services: int) -> Path:
    """Write a catalog of exactly *services* services to *folder*, which need not exist; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    platform = _read(CATALOG / "platform.yml")
    platform["network"] = {"name": "scale", "subnet": "10.0.0.0/8"}
    platform.pop("host")
    _write(folder / "platform.yml", platform)
    tiers = [_read(path) for path in sorted(CATALOG.glob("[1-9]-*.yml"))]
    originals = [name for tier in tiers for name in tier["services"]]
    copies = -(-services // len(originals))
    left = services
    for tier in tiers:
        entries = tier["services"]
        tier["services"] = {}
        for copy in range(copies):
            kept = set(originals[: max(0, services - copy * len(originals))])
            for name, entry in entries.items():
                if name in kept:
                    tier["services"][_named(name, copy)] = _copied(entry, copy, kept)
                    left -= 1
        _write(folder / f"{tiers.index(tier) + 1}-{tier['tier']}.yml", tier)
    assert left == 0
    return folder


def _named(name: str, copy: int) -> str:
    return f"{name}-c{copy:04d}" if copy else name


def _copied(entry: Mapping[str, Any], copy: int, kept: set[str]) -> dict[str, Any]:
    """Return *entry* for the given copy: it points at the services of its own copy."""
    made = dict(entry)
    made["depends_on"] = {
        _named(name, copy): strength
        for name, strength in entry.get("depends_on", {}).items()
        if name in kept
    }
    if entry["kind"].endswith("-exporter") and "observes" in entry:
        made["observes"] = [_named(name, copy) for name in entry["observes"]]
    if copy:
        # There are not enough host ports for 10,000 services: copies are reached inside only.
        made["ports"] = [port.rpartition(":")[2] for port in entry.get("ports", ())]
    return made


def _read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return data


class _Dumper(yaml.CSafeDumper):
    """Writes shared values out: a catalog has no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class calls it so
        return True


def _write(path: Path, data: Mapping[str, Any]) -> None:
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=None)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    make_catalog(Path(sys.argv[1]), int(sys.argv[2]))
