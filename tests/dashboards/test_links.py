"""Every link leads somewhere; every service is two clicks from home."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboards.board import Board
from dashboards.frame import finish
from dashboards.panels import Link
from generator.model import Catalog, Service
from generator.names import board_uid


def dead_links(boards: tuple[Board, ...], catalog: Catalog) -> list[str]:
    """Return the links that lead to no board of *boards* and to no runbook."""
    known = {f"/d/{board.uid}" for board in boards}
    runbooks = catalog.platform.links.runbooks + "/"
    return [
        f"{board.id}: {link.title}: {link.url}"
        for board in boards
        for link in board.links()
        if link.url not in known and not link.url.startswith(runbooks)
    ]


def shows(board: Board, service: Service) -> bool:
    """Return whether *board* has a panel that names the tier or kind of *service*, or any service."""
    wanted = (f'kind="{service.kind}"', f'tier="{service.tier}"', 'tier=~"$tier"')
    return any(mark in query.expr for query in board.queries() for mark in wanted)


def clicks(boards: tuple[Board, ...], service: Service) -> list[str]:
    """Return the ways from home to a board of *service*: a link of home, then one of its tier."""
    by_path = {f"/d/{board.uid}": board for board in boards}
    tier = f"/d/{board_uid(f'tier-{service.tier}')}"
    home = by_path[f"/d/{board_uid('home')}"]
    if tier not in {link.url for link in home.links()}:
        return []
    found = []
    for panel in by_path[tier].panels():
        kinds = [query.expr for query in panel.queries]
        mine = any(
            f'kind="{service.kind}"' in expr or f'"{service.kind}|' in expr
            or f"|{service.kind}|" in expr or f'|{service.kind}"' in expr
            for expr in kinds
        )  # fmt: skip
        for link in panel.links if mine else ():
            path = link.targets()[0]
            if "var-service=${__field.labels.service}" in link.url and path in by_path:
                found.append(path)
    return [path for path in found if shows(by_path[path], service)]


def test_no_link_is_dead(platform: tuple[Board, ...], catalog: Catalog) -> None:
    """Every link of every board and panel, with all its fillings, leads to a board or a runbook."""
    assert dead_links(platform, catalog) == []


def test_a_dead_link_is_found(platform: tuple[Board, ...], catalog: Catalog) -> None:
    """A link to a board that is not rendered is reported with its board and title."""
    lost = replace(platform[0], navigation=(Link("Nowhere", "/d/tierwatch-nowhere"),))

    assert dead_links((lost, *platform[1:]), catalog) == ["home: Nowhere: /d/tierwatch-nowhere"]


def test_every_service_is_two_clicks_from_home(
    platform: tuple[Board, ...], catalog: Catalog
) -> None:
    """Home links to each tier, each tier to a board that shows the service, filtered to it."""
    lost = [service.name for service in catalog.services if not clicks(platform, service)]

    assert lost == []


def test_a_service_of_its_own_kind_is_led_to_its_kinds_board(
    platform: tuple[Board, ...], catalog: Catalog
) -> None:
    """PostgreSQL's second click is its kind's board; neo4j, without metrics, is shown by Agents."""
    first = {name: clicks(platform, catalog.by_name[name])[0] for name in ("postgres", "neo4j")}

    assert first == {"postgres": "/d/tierwatch-kind-postgres", "neo4j": "/d/tierwatch-agents"}


def test_without_the_tier_panel_a_service_is_lost(
    platform: tuple[Board, ...], catalog: Catalog
) -> None:
    """Taking the row of ways off a tier board makes its services unreachable."""
    cut = tuple(
        board.with_rows(board.rows[1:]) if board.id == "tier-core" else board for board in platform
    )

    assert clicks(cut, catalog.by_name["postgres"]) == []


def test_all_boards_lead_home_and_keep_the_choice(platform: tuple[Board, ...]) -> None:
    """Every board but home links home, all to the logs, and all have the same two variables."""
    for board in platform:
        urls = {link.url for link in board.links()}
        names = [variable.name for variable in board.variables]

        assert board.id == "home" or "/d/tierwatch-home" in urls
        assert board.id == "logs" or "/d/tierwatch-logs" in urls
        assert names[:2] == ["tier", "service"]


def test_links_to_boards_that_are_not_rendered_go_away(
    platform: tuple[Board, ...], catalog: Catalog
) -> None:
    """Without the log board no panel and no top link leads to it any more."""
    rest = finish([board for board in platform if board.id != "logs"], catalog)

    assert dead_links(rest, catalog) == []
    assert not any(link.url == "/d/tierwatch-logs" for board in rest for link in board.links())


@pytest.mark.parametrize("board", ["home", "tier-core", "kind-postgres", "agents"])
def test_firing_alerts_lead_to_their_runbooks(platform: tuple[Board, ...], board: str) -> None:
    """The table of firing alerts links each row to the page of its alert."""
    (found,) = (each for each in platform if each.id == board)
    links = [link.url for link in found.links() if "alertname" in link.url]

    assert links == ["http://localhost:8000/runbooks/${__data.fields.alertname}.md"]


def test_a_link_with_fillings_gives_every_target() -> None:
    """A path with a field in it stands for one target per value of that field."""
    link = Link("Tier", "/d/t-${__data.fields.tier}?from=1", (("tier", ("a", "b")),))

    assert link.targets() == ("/d/t-a", "/d/t-b")
