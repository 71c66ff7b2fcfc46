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
from dashboards.available import Fills, by_name, prune
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


def boards(catalog: Catalog, fills: Fills | None = None) -> tuple[Board, ...]:
    """
    Return every board that this catalog can fill: home, tiers in order, kinds by name, the rest.

    *fills* tells which expressions ever have data; by default, those whose metrics exist.
    """
    fills = fills or by_name(catalog)
    made = [board for make in _MAKERS for board in make(catalog)]
    logs = bool(catalog.of_kind("loki"))
    return finish((prune(board, fills, logs=logs) for board in made), catalog)


def render(catalog: Catalog, made: tuple[Board, ...] | None = None) -> tuple[Artifact, ...]:
    """Return `grafana/dashboards/<board>.json` for every board *made*, and the provisioning files."""
    made = boards(catalog) if made is None else made
    files = tuple(Artifact(f"{FOLDER}/{board.id}.json", dump(dashboard(board))) for board in made)
    return files + provisioning(catalog)
