"""
Score the generated alert tests with mutants.

    python -m tests.mutants                        all alerts of catalog/, some minutes
    python -m tests.mutants --sample 200 --seed 1  a part of the mutants, for CI
    python -m tests.mutants --pack redis --format json

Exit 1 when the score is below the bar (design 9), a test fails without any mutant, or a mutant
that is listed as equivalent is noticed after all.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generator.catalog import load_catalog
from generator.render import render
from tests.mutants.equivalents import equivalent
from tests.mutants.judge import Case, Outcome, judge
from tests.mutants.mutations import mutants

BAR = 0.95


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = _parser().parse_args(arguments)
    catalog = load_catalog(options.catalog)
    cases = [
        Case(pack, alert, mutants(alert))
        for pack in render(catalog).packs
        for alert in pack.alerts
        if options.pack in (None, pack.name) and options.alert in (None, alert.name)
    ]
    if options.sample:
        cases = sampled(cases, options.sample, options.seed)
    with tempfile.TemporaryDirectory(prefix="tierwatch-mutants-") as folder:
        outcomes = judge(cases, catalog, Path(folder))
    report = scored(outcomes)
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if options.json else _written(report))
    fine = report["score"] >= BAR and not report["broken"] and not report["not_equivalent"]
    return 0 if fine else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--catalog", type=Path, default=Path("catalog"))
    parser.add_argument("--pack", help="only alerts of this pack")
    parser.add_argument("--alert", help="only alerts of this name")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print data instead of a table")
    return parser


def sampled(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """Return *cases* with only *count* of all their mutants, the same for the same *seed*."""
    every = [(at, mutant) for at, case in enumerate(cases) for mutant in case.mutants]
    drawn = random.Random(seed).sample(every, min(count, len(every)))  # noqa: S311 - no secret
    found = []
    for at, case in enumerate(cases):
        kept = tuple(mutant for where, mutant in drawn if where == at)
        if kept:
            found.append(Case(case.pack, case.alert, kept))
    return found


def scored(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the score as plain data: overall, per sort of mutant, and every survivor."""
    made: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    survivors: list[dict[str, str]] = []
    excused: list[dict[str, str]] = []
    mistaken: list[dict[str, str]] = []
    broken: list[dict[str, str]] = []
    for outcome in outcomes:
        alert = outcome.case.alert
        if outcome.broken:
            broken.append({"alert": alert.name, "promtool": outcome.broken.strip()})
            continue
        for mutant in outcome.case.mutants:
            entry = {
                "pack": outcome.case.pack.name,
                "alert": alert.name,
                "sort": mutant.sort,
                "what": mutant.what,
            }
            survived = mutant in outcome.survivors
            reason = equivalent(alert, mutant)
            if reason:
                (excused if survived else mistaken).append({**entry, "reason": reason})
                continue
            made[mutant.sort] += 1
            killed[mutant.sort] += not survived
            if survived:
                survivors.append(entry)
    total = sum(made.values())
    return {
        "mutants": total,
        "killed": sum(killed.values()),
        "score": sum(killed.values()) / total if total else 1.0,
        "sorts": {sort: [killed[sort], made[sort]] for sort in sorted(made)},
        "survivors": survivors,
        "equivalent": excused,
        "not_equivalent": mistaken,
        "broken": broken,
    }


def _written(report: dict[str, Any]) -> str:
    lines = [f"{'mutants':<16} {'killed':>7} {'made':>6}"]
    lines += [
        f"{sort:<16} {killed:>7} {made:>6}" for sort, (killed, made) in report["sorts"].items()
    ]
    lines.append(f"{'all':<16} {report['killed']:>7} {report['mutants']:>6}  {report['score']:.1%}")
    for entry in report["survivors"]:
        lines.append(
            f"  survived: {entry['pack']}/{entry['alert']}: {entry['sort']}: {entry['what']}"
        )
    lines.append(
        f"  {len(report['equivalent'])} equivalent mutants not counted (tests/mutants/equivalents.py)"
    )
    for entry in report["not_equivalent"]:
        lines.append(f"  noticed, but listed as equivalent: {entry['alert']}: {entry['what']}")
    for entry in report["broken"]:
        lines.append(f"  {entry['alert']} fails without any mutant:\n{entry['promtool']}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
