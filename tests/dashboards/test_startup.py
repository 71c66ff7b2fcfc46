"""The chain that decides how fast the platform starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboards.startup import critical_chain
from generator.model import Catalog, Dependency


def wired(catalog: Catalog, **needs: str) -> Catalog:
    """Return *catalog* with services named and wired as *needs* says: `b="a"` means b needs a."""
    pattern = catalog.by_name["postgres"]
    services = tuple(
        replace(
            pattern,
            name=name,
            depends_on=tuple(Dependency(each, hard=True) for each in required.split()),
        )
        for name, required in needs.items()
    )
    return replace(catalog, services=services)


@pytest.mark.parametrize(
    ("needs", "chain"),
    [
        ({}, ()),
        ({"a": "", "b": ""}, ("a",)),
        ({"a": "", "b": "a", "c": "a b"}, ("a", "b", "c")),
        # A dependency may stand after its dependant.
        ({"c": "b", "b": "a", "a": "", "d": "a"}, ("a", "b", "c")),
    ],
)
def test_the_longest_chain_of_hard_dependencies_is_found(
    catalog: Catalog, needs: dict[str, str], chain: tuple[str, ...]
) -> None:
    """Of all paths through the graph the longest is returned, first to start first."""
    assert critical_chain(wired(catalog, **needs)) == chain


def test_soft_dependencies_and_optional_services_do_not_count(catalog: Catalog) -> None:
    """Nothing waits for a soft dependency, and a profile that is off starts nothing."""
    made = wired(catalog, a="", b="", c="b")
    a, b, c = made.services
    soft = replace(b, depends_on=(Dependency("a", hard=False),))
    off = replace(c, profiles=("extra",))

    assert critical_chain(replace(made, services=(a, soft, off))) == ("a",)
