"""
Complete the labels that name a subject, for targets that tell of many services at once.

Whoever names only the service (cAdvisor, the remediator, Promtail's log counts) would otherwise
keep its own target's kind and profile beside another one's name. One rule per value, not per
service, keeps the configuration short for large catalogs.
"""

from __future__ import annotations

import re
from typing import Any

from generator.model import Catalog
from generator.names import SUBJECT_LABELS
from generator.scrape.jobs import Job, subject_labels

Rule = dict[str, Any]


def complete(job: Job, catalog: Catalog) -> list[Rule]:
    """Return rules for the labels that metrics of *job* with a `service` of their own leave out."""
    told = [set(metric.labels) for metric in job.kind.declares.values()]
    missing = [
        label
        for label in SUBJECT_LABELS
        if any("service" in labels and label not in labels for labels in told)
    ]
    return [rule for label in missing for rule in by_service(label, catalog)]


def by_service(label: str, catalog: Catalog) -> list[Rule]:
    """Return rules that set *label* (tier, kind or profile) from the label `service`."""
    groups: dict[str, list[str]] = {}
    for service in catalog.services:
        value = subject_labels(service)[label]
        groups.setdefault(value, []).append(re.escape(service.name).replace("\\-", "-"))
    return [
        {
            "source_labels": ["service"],
            "regex": "|".join(names),
            "target_label": label,
            "replacement": value,
        }
        for value, names in groups.items()
    ]
