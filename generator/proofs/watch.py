"""
Proof 10: no service without a verdict of its own.

Something scrapes, probes or asks Docker about it, and no other service is told from the same page:
a scrape cannot tell two databases apart that one exporter shows on one page.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from generator.errors import Finding
from generator.names import EXPORTER_LABEL
from generator.promql import Matcher, Selector
from generator.render import Rendered
from generator.scrape.jobs import Job, Target
from generator.software import VERDICT_UP

# Labels of a target that steer what is asked; interval and timeout do not change the answer.
_PAGE = ("__metrics_path__", "__scheme__")
_PARAM = "__param_"


def check(rendered: Rendered) -> list[Finding]:
    """Return a finding per service whose kind's verdict no target tells, or another's page does."""
    return [*_unwatched(rendered), *(f for job in rendered.jobs for f in _shared(job, rendered))]


def _shared(job: Job, rendered: Rendered) -> Iterator[Finding]:
    """Yield a finding per target of *job* that asks for what tells of another service already."""
    if job.honor_labels:
        return  # the page names its subjects itself
    first: dict[tuple[str, tuple[tuple[str, str], ...]], Target] = {}
    for target in job.targets:
        steering = sorted(
            item for item in target.labels.items() if item[0] in _PAGE or item[0].startswith(_PARAM)
        )
        told = first.setdefault((target.address, tuple(steering)), target)
        if told.service != target.service:
            yield Finding(
                rendered.catalog.by_name[target.service].place,
                f"service {target.service!r} is told from the same page of {target.address!r} as "
                f"{told.service!r}: it could be dead unseen",
                "Give each an exporter of its own.",
                "watch",
            )


def _unwatched(rendered: Rendered) -> list[Finding]:
    found: list[Finding] = []
    for service in rendered.catalog.services:
        kind = rendered.catalog.kinds[service.kind]
        if kind.observer or service.oneshot:
            continue
        told = rendered.universe.services(_selector(kind.verdict))
        if told is not None and service.name not in told:
            found.append(
                Finding(
                    service.place,
                    f"service {service.name!r} is watched by nobody: its kind {kind.name!r} is judged "
                    f"by {kind.verdict!r} and no target exposes that for it",
                    _cure(kind.verdict, kind.metrics.exporter if kind.metrics else ""),
                    "watch",
                )
            )
    return found


def _selector(verdict: str) -> Selector:
    """Return what selects the series that tell *verdict*; `up` of an exporter tells of the exporter."""
    own = (Matcher(EXPORTER_LABEL, "=", ""),) if verdict == VERDICT_UP else ()
    return Selector(verdict, own, "", timedelta(0))


def _cure(verdict: str, exporter: str) -> str:
    if exporter:
        return f"Add a service of kind {exporter!r} that observes it."
    if verdict == "probe_success":
        return "Add a service of kind 'blackbox-exporter'."
    if verdict.startswith("agent_"):
        return "Add a service of kind 'agents-exporter'."
    return "Give it a kind whose verdict can be told here."
