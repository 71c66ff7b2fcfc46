"""Allow-lists of other catalogs than ours: one proxy for all, other makes, very many containers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from generator import contracts
from generator.catalog import load_catalog
from generator.model import Catalog
from generator.socket_proxy import accesses, restartable

Make = Callable[[str], Catalog]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function from the lines of some services to their catalog."""

    def made(services: str) -> Catalog:
        (tmp_path / "platform.yml").write_text("platform: shop\n", encoding="utf-8")
        text = f"tier: core\nservices:\n{services}"
        (tmp_path / "1-core.yml").write_text(text, encoding="utf-8")
        return load_catalog(tmp_path, "catalog")

    return made


def _allowed(catalog: Catalog) -> dict[str, list[str]]:
    """Return the flags that allow requests, by proxy."""
    return {
        access.proxy.name: [
            flag for flag in access.flags if flag.startswith(("-allowG", "-allowP", "-allowH"))
        ]
        for access in accesses(catalog)
    }


def test_without_a_remediator_there_is_no_file(make: Make) -> None:
    """A catalog with a proxy and somebody who reads, but no remediator, gets no definition and no guard."""
    catalog = make("  logs: {kind: promtail}\n  door: {kind: docker-socket-proxy}\n")

    assert [path for path in contracts.contents(catalog) if path.startswith("remediation/")] == []


def test_the_remediator_waits_for_no_name_of_others(make: Make) -> None:
    """Of the clients of a proxy the remediator stands first, whatever the catalog lists before it."""
    catalog = make(
        "  logs: {kind: promtail, depends_on: {door: soft}}\n"
        "  watch: {kind: agents-exporter, depends_on: {door: soft}}\n"
        "  door: {kind: docker-socket-proxy}\n"
        "  gate: {kind: docker-socket-proxy}\n"
        "  healer: {kind: remediator, depends_on: {gate: hard, door: soft}}\n"
        "  prober: {kind: blackbox-exporter}\n"
    )

    assert {access.proxy.name: access.clients for access in accesses(catalog)} == {
        "door": ("healer", "logs", "watch", "prober"),
        "gate": ("healer", "prober"),
    }


def test_a_client_alone_gets_its_own_paths(make: Make) -> None:
    """A proxy that serves only the agents exporter lets through what that one asks, and a ping."""
    catalog = make("  door: {kind: docker-socket-proxy}\n  watch: {kind: agents-exporter}\n")

    assert _allowed(catalog) == {
        "door": [
            r"-allowHEAD=(/v1\.[0-9]{1,2})?/_ping",
            r"-allowGET=(/v1\.[0-9]{1,2})?/(_ping|containers/json|containers/[A-Za-z0-9][A-Za-z0-9_.-]*/(json))",
        ]
    }


def test_one_proxy_for_all_lets_both_through(make: Make) -> None:
    """Where the only proxy must serve reading and restarts, it does, and the proof has nothing to say."""
    catalog = make(
        "  door: {kind: docker-socket-proxy}\n  web: {kind: nginx}\n"
        "  remediator: {kind: remediator, depends_on: {door: hard}}\n"
    )
    (access,) = accesses(catalog)

    assert (access.reads, access.restarts) == (True, True)
    assert access.clients == ("remediator", "blackbox-exporter")
    assert access.allow["POST"] == (
        rf"/v1\.[0-9]{{1,2}}/containers/({'|'.join(restartable(catalog))})/restart",
    )
    assert "shop-web" in restartable(catalog)
    assert contracts.check(catalog) == []


@pytest.mark.parametrize(
    ("image", "ours"),
    [
        ("wollomatic/socket-proxy", True),
        ("wollomatic/socket-proxy:1.12.2", True),
        ("ghcr.io/wollomatic/socket-proxy:1", True),
        ("ghcr.io/wollomatic/socket-proxy@sha256:00", True),
        ("registry:5000/wollomatic/socket-proxy:1", True),
        ("tecnativa/docker-socket-proxy:0.3", False),
        ("evil/wollomatic/socket-proxy-x:1", False),
        ("x-wollomatic/socket-proxy:1", False),
    ],
)
def test_a_proxy_of_another_make_is_left_alone(make: Make, image: str, ours: bool) -> None:
    """Flags are written for one program only; an image of another one gets no definition, and no finding."""
    catalog = make(
        f'  door: {{kind: docker-socket-proxy, image: "{image}"}}\n'
        "  remediator: {kind: remediator, depends_on: {door: hard}}\n"
    )

    assert [access.proxy.name for access in accesses(catalog)] == ["door"] * ours
    defined = contracts.contents(catalog)[contracts.COMPOSE_FILE]["services"]
    assert [*defined] == ["remediator", *["door"] * ours]
    assert contracts.check(catalog) == []


def test_a_long_list_is_dealt_out_to_flags_that_a_kernel_takes(make: Make) -> None:
    """With 3,000 containers no flag is longer than an argument may be, none is lost, and it is quick."""
    lines = "".join(f"  service-with-a-name-{n}: {{kind: container}}\n" for n in range(3_000))
    catalog = make(
        f"{lines}  door: {{kind: docker-socket-proxy}}\n"
        "  remediator: {kind: remediator, depends_on: {door: hard}}\n"
    )
    flags = accesses(catalog)[0].flags
    started = time.process_time()
    found = contracts.check(catalog)
    took_s = time.process_time() - started

    assert max(map(len, flags)) < 128 * 1024
    assert sum(flag.startswith("-allowPOST=") for flag in flags) > 1
    assert found == []
    assert took_s < 10  # 0.3 s on an idle machine
