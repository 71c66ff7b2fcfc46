"""What a run made and found, as data for machines and as a few lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alerts.kit import Severity
from alerts.routing_table import NOBODY, rows
from generator.errors import Finding
from generator.quantities import say_bytes
from generator.render import Rendered
from generator.write import Change

if TYPE_CHECKING:
    # `generate` asks no tools and does not pay for what finds and runs them.
    from generator.verify import Judgement, Verdict


def counts(rendered: Rendered) -> dict[str, int]:
    """Return how many of each sort of thing were rendered."""
    catalog = rendered.catalog
    tests = [text for path, text in rendered.files.items() if path.startswith("prometheus/tests/")]
    return {
        "services": len(catalog.services),
        "tiers": len(catalog.tiers),
        "jobs": len(rendered.jobs),
        "targets": sum(len(job.targets) for job in rendered.jobs),
        "alerts": len({alert.name for alert in rendered.alerts}),
        "recording_rules": sum(len(pack.records) for pack in rendered.packs),
        "checks": sum(text.count("eval_time:") for text in tests),
        "boards": len(rendered.boards),
        "panels": sum(sum(1 for _ in board.panels()) for board in rendered.boards),
        "pipelines": _pipelines(rendered),
        "files": len(rendered.artifacts),
    }


def _pipelines(rendered: Rendered) -> int:
    return len({service.log_format for service in rendered.catalog.services})


def data(
    rendered: Rendered,
    findings: Sequence[Finding],
    change: Change | None = None,
    judgements: Sequence[Judgement] = (),
) -> dict[str, Any]:
    """Return the whole outcome as plain data, for `--format json`."""
    estimate = rendered.estimate
    found: dict[str, Any] = {
        "platform": rendered.catalog.platform.name,
        "counts": counts(rendered),
        "estimate": {
            "series": estimate.series,
            "samples_per_second": round(estimate.samples_per_second, 1),
            "bytes": estimate.bytes,
        },
        "left_out": list(rendered.left_out),
        "findings": [finding_data(finding) for finding in findings],
    }
    if change is not None:
        found["changed"] = {
            "added": list(change.added),
            "changed": list(change.changed),
            "removed": list(change.removed),
            "edited_by_hand": list(change.edited),
        }
    if judgements:
        found["proofs"] = [
            {"check": j.check, "tool": j.tool, "verdict": j.verdict.value, "detail": j.detail}
            for j in judgements
        ]
    return found


def finding_data(finding: Finding) -> dict[str, Any]:
    """Return *finding* as plain data."""
    place = finding.place
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "fact": finding.fact,
        "cure": finding.cure,
        "check": finding.check,
    }


def made(rendered: Rendered) -> list[str]:
    """Return the lines that say what was made and what it costs."""
    n = counts(rendered)
    estimate = rendered.estimate
    limit = rendered.catalog.platform.retention.metrics_size
    of_limit = f" of {say_bytes(limit)}" if limit else ""
    return [
        f"{rendered.catalog.platform.name}: {n['services']} services in {n['tiers']} tiers",
        (
            f"  {n['jobs']} jobs with {n['targets']} targets, {n['alerts']} alerts and "
            f"{n['recording_rules']} recording rules with {n['checks']} checks"
        ),
        f"  {n['boards']} boards with {n['panels']} panels, {n['pipelines']} log pipelines, {n['files']} files",
        (
            f"  about {estimate.series} series, {estimate.samples_per_second:.0f} samples per second, "
            f"{say_bytes(estimate.bytes)}{of_limit} kept"
        ),
    ]


def unheard(rendered: Rendered) -> list[str]:
    """Return a line when critical alerts have nobody to go to; none when all are heard."""
    names = {
        row.labels["alertname"]
        for row in rows(rendered.catalog, rendered.routed)
        if row.labels["severity"] == Severity.CRITICAL.value and row.receivers[-1] == NOBODY
    }
    if not names:
        return []
    cure = "give their owners a channel or an address (owners, notify)"
    return [f"  nobody is told of {len(names)} critical alerts: {cure}"]


def changed(change: Change, *, planned: bool = False) -> list[str]:
    """Return the lines that say what a write did to the tree, or would do when it is only *planned*."""
    if change.empty and not change.edited:
        return ["  nothing changed"]
    lines = [
        f"  {word} {path}"
        for word, paths in (
            ("added", change.added),
            ("changed", change.changed),
            ("removed", change.removed),
        )
        for path in paths
    ]
    if len(lines) > _MANY:
        lines = [
            f"  {len(change.added)} files added, {len(change.changed)} changed, {len(change.removed)} removed"
        ]
    edited = "changed by hand:" if planned else "overwrote hand-made changes in"
    return lines + [f"  {edited} {path}" for path in change.edited]


_MANY = 12  # more lines than anybody reads


def proofs(number: int, findings: Sequence[Finding]) -> list[str]:
    """Return the line on the proofs that need no tool."""
    verdict = "failed" if findings else "proven"
    return [f"  {verdict:<10}  {number} proofs across files (tierwatch)"]


def judged(judgements: Sequence[Judgement]) -> list[str]:
    """Return a line per check, with the tool's own words under one that failed."""
    from generator.verify import Verdict

    lines = []
    for judgement in judgements:
        lines.append(f"  {judgement.verdict.value:<10}  {judgement.check} ({judgement.tool})")
        if judgement.verdict is Verdict.UNPROVEN:
            lines[-1] += f": {judgement.detail}"
        elif judgement.detail:
            lines += [f"    {line}" for line in judgement.detail.splitlines()[:_DETAIL]]
    return lines


_DETAIL = 40


def verdict_counts(judgements: Sequence[Judgement]) -> Mapping[Verdict, int]:
    """Return how many judgements there are of each sort."""
    from generator.verify import Verdict

    return {verdict: sum(j.verdict is verdict for j in judgements) for verdict in Verdict}
