"""Somebody else's catalog gets boards without code, and none that it cannot fill."""

from __future__ import annotations

from dashboards.available import available
from dashboards.board import Board
from dashboards.render import boards
from generator.model import Catalog

CHOSEN = 'kind="kiosk", tier=~"$tier", service=~"$service"'


def generic(catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """Return the panels made from declared metrics: title to expressions."""
    (board,) = (each for each in boards(catalog) if each.id == "kind-kiosk")
    return {
        panel.title: tuple(query.expr for query in panel.queries)
        for panel in board.panels()
        if panel.key.startswith("metric ")
    }


def test_a_kind_of_ones_own_gets_a_board_from_its_metrics(stranger: Catalog) -> None:
    """Counters become rates, timestamps ages, histograms quantiles, summaries averages; info none."""
    quantiles = tuple(
        f"histogram_quantile({q}, sum by (service, le)"
        f" (rate(kiosk_serving_seconds_bucket{{{CHOSEN}}}[$__rate_interval])))"
        for q in (0.5, 0.95, 0.99)
    )
    average = (
        f"sum by (service) (rate(kiosk_restock_seconds_sum{{{CHOSEN}}}[$__rate_interval]))"
        f" / (sum by (service) (rate(kiosk_restock_seconds_count{{{CHOSEN}}}[$__rate_interval])) > 0)"
    )

    assert generic(stranger) == {
        "kiosk_sales_total, per second": (
            f"sum by (service, counter) (rate(kiosk_sales_total{{{CHOSEN}}}[$__rate_interval]))",
        ),
        # Its own label `service` is stored as `exported_service`: ours wins.
        "kiosk_queue": (f"sum by (service, exported_service) (kiosk_queue{{{CHOSEN}}})",),
        "kiosk_open": (f"max by (service) (kiosk_open{{{CHOSEN}}})",),
        "kiosk_opened_timestamp, time since": (
            f"time() - max by (service) (kiosk_opened_timestamp{{{CHOSEN}}})",
        ),
        "kiosk_serving_seconds, quantiles": quantiles,
        "kiosk_restock_seconds, average": (average,),
    }


def test_boards_without_data_are_not_rendered(stranger: Catalog) -> None:
    """Without Loki, Ollama, GPUs and remediator there is no board that would stay empty."""
    assert [board.id for board in boards(stranger)] == [
        "home",
        "tier-base",
        "tier-monitoring",
        "kind-alertmanager",
        "kind-kiosk",
        "kind-prometheus",
        "agents",
        "slo",
        "stack",
    ]


def test_nothing_on_a_strangers_boards_asks_for_what_is_not_there(stranger: Catalog) -> None:
    """No query of any board names container, host, log or agent series that nobody exports."""
    names = available(stranger)
    made: tuple[Board, ...] = boards(stranger)
    asked = [query for board in made for query in board.queries()]

    assert {query.datasource for query in asked} == {"prometheus"}
    assert "container_memory_working_set_bytes" not in names
    assert not any("agent_" in query.expr or "container_" in query.expr for query in asked)
