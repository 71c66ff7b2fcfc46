"""
Say what changes between two stacks, by meaning: "removes 1 alert, raises a threshold".

Works on rendered folders, of any catalog and any earlier version of ours: only the files are
compared, as Prometheus, Alertmanager and Grafana read them. What has no meaning of its own here
(Loki's configuration, templates) is named as a changed file.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from generator.diff_config import CONFIGURATIONS, named
from generator.errors import CatalogError, Finding, Place

Stack = Mapping[str, str]

_NUMBER = re.compile(r"(?<![\w.\[{\"])-?[0-9]+(?:\.[0-9]+)?(?![\w.\]}\"])")
_MEANT = re.compile(
    r"prometheus/(rules|tests)/|prometheus/prometheus\.yml|alertmanager/(routing|alertmanager)\.yml"
    r"|grafana/dashboards/|loki/rules/|remediation/config\.yml|\.tierwatch\.json"
)
_RULES = ("prometheus/rules/", "loki/rules/")
_UNCOUNTED = ("alertmanager", "prometheus", "remediation")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """
    One difference.

    *sort* is alert, rule, group, target, job, route, receiver, interval, inhibition, board, file, or
    the program (prometheus, alertmanager, remediation) whose settings differ.
    """

    sort: str
    subject: str
    text: str


def read_stack(folder: Path) -> Stack:
    """
    Return the files of a rendered *folder* by path; of a catalog, what it renders.

    Raises CatalogError for a folder that is neither, or a catalog that is wrong.
    """
    if (folder / "platform.yml").is_file():
        from generator.catalog import load_catalog
        from generator.render import render

        return render(load_catalog(folder)).files
    if not (folder / "prometheus").is_dir():
        fact = "is neither a catalog (no platform.yml) nor a rendered folder (no prometheus/)"
        raise CatalogError([Finding(Place(str(folder)), fact, "Name one of the two.")])
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".tierwatch")
    }


def compare(old: Stack, new: Stack) -> tuple[Difference, ...]:
    """Return the differences, sorted by sort and subject; empty when nothing that matters differs."""
    found = (
        *_rules(_alerts(old), _alerts(new), "alert"),
        *_rules(_records(old), _records(new), "rule"),
        *_sets(_targets(old), _targets(new), "target"),
        *_sets(_routes(old), _routes(new), "route"),
        *_sets(_panels(old), _panels(new), "board"),
        *(Difference(*each) for each in named("board", _boards(old), _boards(new), ("panels",))),
        *(Difference(*each) for each in named("group", _groups(old), _groups(new), ("rules",))),
        *(
            Difference(*each)
            for name, told in CONFIGURATIONS.items()
            for each in told(_yaml(old, name), _yaml(new, name))
        ),
        *_files(old, new),
    )
    return tuple(sorted(set(found)))


def headline(changes: Sequence[Difference]) -> list[str]:
    """Return one line that counts *changes* by what they do; none for no change."""
    verbs = {"removes": "removes", "adds": "adds"}
    counted: Counter[tuple[str, str]] = Counter(
        (verbs.get(change.text.split(" ", 1)[0], "changes"), change.sort) for change in changes
    )
    parts = [
        f"{verb} {count} {sort}{'s' if count > 1 and sort not in _UNCOUNTED else ''}"
        for (verb, sort), count in sorted(counted.items())
    ]
    return [", ".join(parts)] if parts else []


def _yaml(stack: Stack, path: str) -> Any:
    # Safe loader; the C one where libyaml is there.
    return yaml.load(stack.get(path, "{}"), Loader=_Loader) or {}  # noqa: S506


def _all_rules(stack: Stack) -> Iterator[dict[str, Any]]:
    for path in stack:
        if path.startswith(_RULES):
            for group in _yaml(stack, path).get("groups", ()):
                yield from group["rules"]


def _alerts(stack: Stack) -> dict[str, dict[str, Any]]:
    found = {}
    for rule in _all_rules(stack):
        if "alert" in rule:
            labels = rule.get("labels", {})
            variant = "".join(
                f" {k}={labels[k]}"
                for k in ("hold", "keep", "severity")
                if k in labels and "hold" in labels
            )
            found[f"{rule['alert']}{variant}"] = rule
    return found


def _records(stack: Stack) -> dict[str, dict[str, Any]]:
    found = {}
    for rule in _all_rules(stack):
        if "record" in rule:
            labels = rule.get("labels", {})
            about = f" of {labels['service']}" if "service" in labels else ""
            found[f"{rule['record']}{about}"] = rule
    return found


def _rules(
    old: Mapping[str, dict[str, Any]], new: Mapping[str, dict[str, Any]], sort: str
) -> Iterator[Difference]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield Difference(sort, name, f"removes {sort} {name}")
        elif name not in old:
            yield Difference(sort, name, f"adds {sort} {name}")
        elif old[name] != new[name]:
            for text in _changes(old[name], new[name]):
                yield Difference(sort, name, f"{sort} {name}: {text}")


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    percent = "humanizePercentage" in json.dumps(new.get("annotations", {}))
    if old["expr"] != new["expr"]:
        yield from _expression(old["expr"], new["expr"], percent=percent)
    for key, word in (("for", "hold"), ("keep_firing_for", "time it outlives recovery")):
        if old.get(key) != new.get(key):
            yield f"changes the {word} from {old.get(key, '0s')} to {new.get(key, '0s')}"
    for part in ("labels", "annotations"):
        before, after = old.get(part, {}), new.get(part, {})
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield f"changes {name} from {before.get(name)!r} to {after.get(name)!r}"


def _expression(old: str, new: str, *, percent: bool) -> Iterator[str]:
    if _NUMBER.sub("#", old) != _NUMBER.sub("#", new):
        yield "changes its expression"
        return
    for before, after in zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True):
        if before != after:
            verb = "raises" if float(after) > float(before) else "lowers"
            yield f"{verb} a threshold from {_said(before, percent)} to {_said(after, percent)}" + (
                " %" if percent else ""
            )


def _said(text: str, percent: bool) -> str:
    return f"{float(text) * 100:g}" if percent else text


def _targets(stack: Stack) -> dict[str, str]:
    found = {}
    for job in _yaml(stack, "prometheus/prometheus.yml").get("scrape_configs", ()):
        for entry in job.get("static_configs", ()):
            for target in entry["targets"]:
                found[f"{job['job_name']} {target}"] = json.dumps(
                    entry.get("labels", {}), sort_keys=True
                )
    return found


def _routes(stack: Stack) -> dict[str, str]:
    """Return the receivers by alert and `tier/owner`, from the generated routing table."""
    found = {}
    for row in _yaml(stack, "alertmanager/routing.yml").get("routes", ()):
        for way in row["reaches"]:
            for about in way["about"]:
                name = f"{row['alert']} ({row['severity']}, {about})"
                found[name] = ", ".join(way["receivers"])
    return found


def _panels(stack: Stack) -> dict[str, str]:
    found = {}
    for path, text in stack.items():
        if path.startswith("grafana/dashboards/"):
            board = json.loads(text)
            for panel in _flat(board.get("panels", ())):
                found[f"{board['title']} / {panel.get('title', '')} #{panel.get('id')}"] = (
                    json.dumps(panel, sort_keys=True)
                )
    return found


def _boards(stack: Stack) -> dict[str, Mapping[str, Any]]:
    texts = (text for path, text in stack.items() if path.startswith("grafana/dashboards/"))
    return {board["title"]: board for board in map(json.loads, texts)}


def _groups(stack: Stack) -> dict[str, Mapping[str, Any]]:
    return {
        group["name"]: group
        for path in stack
        if path.startswith(_RULES)
        for group in _yaml(stack, path).get("groups", ())
    }


def _flat(panels: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _flat(panel.get("panels", ()))


def _sets(old: Mapping[str, str], new: Mapping[str, str], sort: str) -> Iterator[Difference]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield Difference(sort, name, f"removes {sort} {name}")
        elif name not in old:
            yield Difference(sort, name, f"adds {sort} {name}")
        elif old[name] != new[name]:
            detail = f": {old[name]} becomes {new[name]}" if sort == "route" else ""
            yield Difference(sort, name, f"changes {sort} {name}{detail}")


def _files(old: Stack, new: Stack) -> Iterator[Difference]:
    for path in sorted({*old, *new}):
        if old.get(path) == new.get(path) or _MEANT.match(path):
            continue
        verb = "adds" if path not in old else "removes" if path not in new else "changes"
        yield Difference("file", path, f"{verb} {path}")
