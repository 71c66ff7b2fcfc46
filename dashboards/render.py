"""All boards of a catalog, as values for the proofs and as files for Grafana."""

from __future__ import annotations

from collections.abc import Callable

from dashboards import (
    agents,
    hardware,
    home,
    kind_boards,
    logs,
    models,
    remediation,
    slo,
    stack,
    tier,
)
from dashboards.available import available, prune
from dashboards.board import Board
from dashboards.frame import finish
from dashboards.json_text import dump
from dashboards.kit import dashboard
from dashboards.provisioning import provisioning
from generator.artifacts import Artifact
from generator.model import Catalog

FOLDER = "grafana/dashboards"

_MAKERS: tuple[Callable[[Catalog], tuple[Board, ...]], ...] = (
    home.boards,
    tier.boards,
    kind_boards.boards,
    models.boards,
    agents.boards,
    hardware.boards,
    slo.boards,
    remediation.boards,
    logs.boards,
    stack.boards,
)


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Return every board that this catalog can fill: home, tiers in order, kinds by name, the rest."""
    names = available(catalog)
    made = [board for make in _MAKERS for board in make(catalog)]
    logs = bool(catalog.of_kind("loki"))
    return finish((prune(board, names, logs=logs) for board in made), catalog)


def render(catalog: Catalog) -> tuple[Artifact, ...]:
    """Return `grafana/dashboards/<board>.json` for every board, and the provisioning files."""
    made = tuple(
        Artifact(f"{FOLDER}/{board.id}.json", dump(dashboard(board))) for board in boards(catalog)
    )
    return made + provisioning(catalog)
