"""
Map cAdvisor's series to services: the compose label becomes `service`, strangers are dropped.

cAdvisor knows containers, not services; tier, kind and profile are set by one rule per tier,
kind and profile (not per service), which keeps the configuration short for large catalogs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from generator.model import Catalog, Service

_PROJECT = "container_label_com_docker_compose_project"
_COMPOSE_SERVICE = "container_label_com_docker_compose_service"
_OURS = "__tmp_ours"
_OF_ITSELF = "container_scrape_error"  # cAdvisor's own, named as if it spoke of a container

Rule = dict[str, Any]


def relabel(catalog: Catalog) -> list[Rule]:
    """Return the metric relabel rules of the cAdvisor job, in the order they must run."""
    return [
        # Machine-wide and process series have no project; container series must be ours.
        {
            "source_labels": ["__name__"],
            "regex": "container_.+",
            "target_label": _OURS,
            "replacement": "no",
        },
        {
            "source_labels": [_PROJECT],
            "regex": re.escape(catalog.platform.compose_project),
            "target_label": _OURS,
            "replacement": "yes",
        },
        {
            "source_labels": ["__name__"],
            "regex": _OF_ITSELF,
            "target_label": _OURS,
            "replacement": "yes",
        },
        {"source_labels": [_OURS], "regex": "no", "action": "drop"},
        {"source_labels": [_COMPOSE_SERVICE], "regex": "(.+)", "target_label": "service"},
        *_by("tier", catalog, lambda service: service.tier),
        *_by("kind", catalog, lambda service: service.kind),
        *_by("profile", catalog, lambda service: service.profile),
        # `id`, `image` and the copied labels multiply series at every recreate.
        {"action": "labeldrop", "regex": f"id|image|container_label_.+|{_OURS}"},
    ]


def _by(label: str, catalog: Catalog, of: Callable[[Service], str]) -> list[Rule]:
    groups: dict[str, list[str]] = {}
    for service in catalog.services:
        groups.setdefault(of(service), []).append(re.escape(service.name).replace("\\-", "-"))
    return [
        {
            "source_labels": ["service"],
            "regex": "|".join(names),
            "target_label": label,
            "replacement": value,
        }
        for value, names in groups.items()
    ]
