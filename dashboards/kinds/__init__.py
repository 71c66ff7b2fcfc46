"""
Rows for the kinds we know, by the name of their board; `<sel>` stands for the board's selector.

A kind that is not here gets rows made from its declared metrics. To write better ones: one module
with `ROWS`, one entry in `_MODULES`.
"""

from __future__ import annotations

from collections.abc import Mapping

from dashboards.kinds import (
    consul,
    kong,
    observability,
    ollama,
    postgres,
    qdrant,
    rabbitmq,
    redis,
    web,
)
from dashboards.panels import Row

_MODULES = (consul, kong, observability, ollama, postgres, qdrant, rabbitmq, redis, web)

ROWS: Mapping[str, tuple[Row, ...]] = {
    board: rows for module in _MODULES for board, rows in module.ROWS.items()
}
