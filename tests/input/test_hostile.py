"""Whatever stands in a catalog, loading it ends in a catalog or in findings, soon."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.catalog import load_catalog
from generator.errors import CatalogError
from generator.secret_text import find_secret

CATALOG = Path(__file__).parents[2] / "catalog"
DATA = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted(CATALOG.glob("*.yml"))
}
_HOSTILE: st.SearchStrategy[Any] = st.sampled_from(
    [
        'x"} or vector(1) #', "'; drop", "a\nb: c", "{{ .Labels }}", "${HOME}", "../../etc", "",
        '{__name__=~".+"}', "%s", "\\", "0", "-", "~", "é", "x" * 5000, "10s", "nope", "hard",
        None, True, 0, -1, 10**30, 1e308, [], [[]], {}, {"": None}, {"x": {"y": []}}, [1, "a", None],
    ]
)  # fmt: skip


def _paths(data: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    return [here] + [path for key, item in items for path in _paths(item, (*here, key))]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(chooser=st.data())
def test_no_value_anywhere_gives_a_traceback(tmp_path: Path, chooser: st.DataObject) -> None:
    """Hostile values and keys put anywhere into the platform's catalog are findings with a place."""
    files = copy.deepcopy(DATA)
    for _ in range(chooser.draw(st.integers(1, 4))):
        name = chooser.draw(st.sampled_from(sorted(files)))
        path = chooser.draw(st.sampled_from(_paths(files[name])))
        odd = copy.deepcopy(chooser.draw(_HOSTILE))
        parent: Any = files
        for key in (name, *path)[:-1]:
            parent = parent[key]
        last = (name, *path)[-1]
        if isinstance(parent, dict) and path and isinstance(odd, str):
            parent[odd] = parent.pop(last)
        else:
            parent[last] = odd
    for name, data in files.items():
        text = yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False)
        (tmp_path / name).write_text(text, encoding="utf-8")

    try:
        load_catalog(tmp_path, "catalog")
    except CatalogError as error:
        lines = str(error).splitlines()
        whole = [f"{f.place}{f.fact}" for f in error.findings]
        assert len(lines) == len(whole), "a finding takes more than one line"


def test_ten_thousand_services_with_one_error_give_one_finding(
    tmp_path: Path, make_catalog: Callable[[Path, int], Path]
) -> None:
    """One misspelt kind among 10,000 services is found, alone, at its place."""
    folder = make_catalog(tmp_path / "large", 10_000)
    path = folder / "4-app.yml"
    text = path.read_text(encoding="utf-8")
    line = text.splitlines().index("  backend-c0077:") + 2
    head, _, tail = text.partition("  backend-c0077:\n    kind: fastapi\n")
    path.write_text(f"{head}  backend-c0077:\n    kind: fastpi\n{tail}", encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load_catalog(folder, "catalog")

    assert str(caught.value) == (
        f"catalog/4-app.yml:{line}:5: service 'backend-c0077': unknown kind 'fastpi'. "
        "Did you mean 'fastapi'?"
    )


@pytest.mark.parametrize("services", [65, 66, 1000])
def test_large_catalogs_have_exactly_the_services_asked_for(
    tmp_path: Path, make_catalog: Callable[[Path, int], Path], services: int
) -> None:
    """Catalogs made for measuring load without findings and without added watchers."""
    assert len(load_catalog(make_catalog(tmp_path, services)).services) == services


def test_cycle_of_thousands_is_found_without_recursion(tmp_path: Path) -> None:
    """A ring of 3,000 services is one finding that prints the ring from its first name."""
    names = [f"s{n:04d}" for n in range(3000)]
    entries = "".join(
        f"  {name}: {{kind: http-service, depends_on: {{{names[n - 1]}: hard}}}}\n"
        for n, name in enumerate(names)
    )
    (tmp_path / "platform.yml").write_text("platform: ring\n", encoding="utf-8")
    (tmp_path / "1-core.yml").write_text(f"tier: core\nservices:\n{entries}", encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load_catalog(tmp_path, "catalog")

    ring = " -> ".join(["s0000", *reversed(names[1:]), "s0000"])
    assert [f.fact for f in caught.value.findings] == [
        f"service 's0000': depends on itself: {ring}"
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("postgres://shop:hunter22@db/shop", "an address with a password in it"),
        ("redis://:hunter22@cache", "an address with a password in it"),
        ("PASSWORD=hunter22", "a password or key"),
        ("https://x/?api_key=abcdef123", "a password or key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("AKIAIOSFODNN7EXAMPLE", "an AWS access key"),
        ("glpat-abcdefghijklmnopqrst", "a GitLab token"),
        ("xoxb-1234567890-abc", "a Slack token"),
        ("https://hooks.slack.com/services/T00/B00/abcdefgh", "a Slack webhook"),
        ("sk-abcdefghijklmnopqrstuv", "an API key"),
        ("Authorization: Bearer abcdefghijklmnop", "a bearer token"),
        ("postgres://shop:${DB_PASSWORD}@db/shop", ""),
        ("password=$PASSWORD", ""),
        ("password_file=/run/secrets/x", ""),
        ("token: see the vault", ""),
        ("registry.example.org:5000/shop/web@sha256:0123", ""),
        ("http://web:8080/path", ""),
        ("a task-force-for-risk-management", ""),
    ],
)
def test_secrets_are_told_from_harmless_texts(text: str, found: str) -> None:
    """Passwords, keys and tokens are recognised; references, paths and prose are not."""
    assert find_secret(text) == found
