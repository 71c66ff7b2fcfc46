"""
Map cAdvisor's series to services: the compose label becomes `service`, strangers are dropped.

cAdvisor knows containers, not services; tier, kind and profile are set by one rule per tier,
kind and profile (not per service), which keeps the configuration short for large catalogs.
"""

from __future__ import annotations

import re

from generator.model import Catalog
from generator.scrape.subjects import Rule, by_service

_PROJECT = "container_label_com_docker_compose_project"
_COMPOSE_SERVICE = "container_label_com_docker_compose_service"
_OURS = "__tmp_ours"
_OF_ITSELF = "container_scrape_error"  # cAdvisor's own, named as if it spoke of a container


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
        *by_service("tier", catalog),
        *by_service("kind", catalog),
        *by_service("profile", catalog),
        # `id`, `image` and the copied labels multiply series at every recreate.
        {"action": "labeldrop", "regex": f"id|image|container_label_.+|{_OURS}"},
    ]
