"""What the subcommands do, in the order they do it; the parser is `generator.cli`'s."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generator import console
from generator.aside import forked
from generator.catalog import load_catalog
from generator.errors import Finding
from generator.proofs import PROOFS, prove
from generator.render import Rendered, render

FINE, FOUND, WRONG = 0, 1, 2


def generate(catalog: Path, out: Path, *, check: bool, as_json: bool) -> int:
    """Render *catalog* into *out*; with *check* only say whether *out* is what it should be."""
    from generator import summary, write

    rendered, findings = _rendered(catalog)
    change = (
        write.plan(rendered.artifacts, out) if check else write.write_tree(rendered.artifacts, out)
    )
    console.done()
    if as_json:
        _print_json(summary.data(rendered, findings, change))
    else:
        console.say(
            [
                *summary.made(rendered),
                *summary.unheard(rendered),
                *summary.changed(change, planned=check),
            ]
        )
        _say_left_out(rendered)
        _say_findings(findings)
    drifted = check and not (change.empty and not change.edited)
    if drifted:
        console.error(f"{out} differs from what {catalog} gives. Run `tierwatch generate`.")
    return FOUND if findings or drifted else FINE


def verify(catalog: Path, *, pack: str, require_tools: bool, as_json: bool) -> int:
    """Render *catalog* in memory and let everything judge it; with *pack* only that pack's rules."""
    from generator import summary
    from generator.verify import Verdict, judge

    rendered, findings = _rendered(catalog)
    names = [each.name for each in rendered.packs]
    if pack and pack not in names:
        console.error(f"no pack is called {pack!r} here. Packs: {', '.join(names)}.")
        return WRONG
    console.progress("asking promtool, amtool, Loki, Promtail ...")
    judgements = judge(rendered, pack)
    console.done()
    if as_json:
        _print_json(summary.data(rendered, findings, judgements=judgements))
    else:
        console.say([*summary.proofs(len(PROOFS), findings), *summary.judged(judgements)])
        _say_findings(findings)
    number = summary.verdict_counts(judgements)
    wrong = findings or number[Verdict.FAILED] or (require_tools and number[Verdict.UNPROVEN])
    return FOUND if wrong else FINE


def diff(old: Path, new: Path, *, as_json: bool) -> int:
    """Say what differs between two rendered folders or catalogs; 1 when something does."""
    from generator.diff import compare, headline, read_stack

    changes = compare(read_stack(old), read_stack(new))
    if as_json:
        _print_json(
            [
                {"sort": change.sort, "subject": change.subject, "text": change.text}
                for change in changes
            ]
        )
    else:
        console.say(headline(changes))
        console.say(f"  {change.text}" for change in changes)
        if not changes:
            console.say(["no difference that matters"])
    return FOUND if changes else FINE


def explain(catalog: Path, name: str, *, as_json: bool) -> int:
    """Print everything that follows from *name*; 2 when nothing is called so."""
    from generator.explain import explained, known_names

    rendered = render(load_catalog(catalog))
    found = explained(rendered, name)
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(name, known_names(rendered), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        console.error(f"nothing is called {name!r}: no service, kind, alert or tier.{hint}")
        return WRONG
    if as_json:
        _print_json(found)
    else:
        from generator.explain import written

        console.say(written(found))
    return FINE


def _rendered(catalog: Path) -> tuple[Rendered, Sequence[Finding]]:
    console.progress(f"reading {catalog} ...")
    loaded = load_catalog(catalog)
    console.progress(f"rendering {len(loaded.services)} services ...")
    rendered = render(loaded, forked)
    console.progress("proving ...")
    return rendered, prove(rendered)


def _say_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        console.error(str(finding))
    if findings:
        count = len(findings)
        console.error(f"{count} {'finding' if count == 1 else 'findings'}")


def _say_left_out(rendered: Rendered) -> None:
    if rendered.left_out:
        console.say(
            [
                (
                    f"  {len(rendered.left_out)} alerts and rules left out: nothing here exports what they need "
                    "(`--format json` lists them)"
                )
            ]
        )


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
