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
_FILLER = "documind"  # depends on nothing, and nothing on it


def make_catalog(folder: Path, services: int) -> Path:
    """
    Write a catalog of exactly *services* services to *folder*, which need not exist; return it.

    Whole copies of the platform, and copies of one simple agent for the rest; at least one copy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    platform = _read(CATALOG / "platform.yml")
    platform["network"] = {"name": "scale", "subnet": "10.0.0.0/8"}
    platform.pop("host")
    _write(folder / "platform.yml", platform)
    tiers = {path.name: _read(path) for path in sorted(CATALOG.glob("[1-9]-*.yml"))}
    copies, rest = divmod(services, sum(len(tier["services"]) for tier in tiers.values()))
    for name, tier in tiers.items():
        originals = tier["services"]
        tier["services"] = {
            _named(service, copy): _copied(entry, copy)
            for copy in range(copies)
            for service, entry in originals.items()
        }
        if _FILLER in originals:
            for number in range(rest):
                filler = _copied(originals[_FILLER], copies)
                tier["services"][f"{_FILLER}-f{number:04d}"] = filler
        _write(folder / name, tier)
    return folder


def _named(name: str, copy: int) -> str:
    return f"{name}-c{copy:04d}" if copy else name


def _copied(entry: Mapping[str, Any], copy: int) -> dict[str, Any]:
    """Return *entry* for the given copy: it points at the services of its own copy."""
    made = dict(entry)
    if "depends_on" in entry:
        needed = entry["depends_on"].items()
        made["depends_on"] = {_named(name, copy): strength for name, strength in needed}
    if "observes" in entry:
        made["observes"] = [_named(name, copy) for name in entry["observes"]]
    if copy and "ports" in entry:
        # There are not enough host ports for 10,000 services: copies are reached inside only.
        made["ports"] = [port.rpartition(":")[2] for port in entry["ports"]]
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
