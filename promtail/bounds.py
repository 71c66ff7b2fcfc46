"""
Which labels a scrape job can put on a stream, and all the values each can have.

This reads the finished job and not the code that made it, so it also judges a job that somebody
has changed: a label whose values come from what a container or a line says is unbounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from promtail.levels import LEVEL_TEMPLATE, LEVELS

Values = frozenset[str]
UNBOUNDED = None

_GROUP = re.compile(r"\(([^()]*)\)")


def stream_values(job: Mapping[str, Any]) -> dict[str, Values | None]:
    """
    Return each label that the scrape *job* sends, sorted, with its values, or None if unbounded.

    Values do not include "not set".
    """
    labels = _relabelled(job.get("relabel_configs", ()))
    for group in job.get("static_configs", ()):
        labels |= {name: frozenset([value]) for name, value in group.get("labels", {}).items()}
    _through(job.get("pipeline_stages", ()), labels, {})
    return dict(sorted(labels.items()))


def _relabelled(rules: Iterable[Mapping[str, Any]]) -> dict[str, Values | None]:
    labels: dict[str, Values | None] = {}
    for rule in rules:
        action = rule.get("action", "replace")
        if action == "labelmap":
            # Whatever labels containers carry: even the names are unbounded.
            labels[rule.get("replacement", "$1")] = UNBOUNDED
        elif action == "replace" and not rule["target_label"].startswith("__"):
            name = rule["target_label"]
            labels[name] = _joined(labels.get(name, frozenset()), _replacement(rule))
    return labels


def _joined(one: Values | None, other: Values | None) -> Values | None:
    return UNBOUNDED if one is None or other is None else one | other


def _replacement(rule: Mapping[str, Any]) -> Values | None:
    """Return what a replacing rule can write: its text, or the names its first group lists."""
    text = rule.get("replacement", "$1")
    if "$" not in text.replace("$$", ""):
        return frozenset([text.replace("$$", "$")])
    group = _GROUP.search(rule.get("regex", "(.*)"))
    if text not in ("$1", "${1}") or group is None:
        return UNBOUNDED
    names = group[1].split("|")
    if any(re.search(r"(?<!\\)[.*+?\[\]{}^$]|\\[^.]", name) for name in names):
        return UNBOUNDED
    return frozenset(name.replace(r"\.", ".") for name in names)


def _through(
    stages: Iterable[Mapping[str, Any]],
    labels: dict[str, Values | None],
    known: dict[str, Values],
) -> None:
    """
    Carry *labels* through *stages* in place.

    *known* holds extracted values whose range is certain: those of the level template, until a
    later stage writes the same name.
    """
    for stage in stages:
        for name, config in stage.items():
            if name == "template":
                known.pop(config["source"], None)
                if config["template"] == LEVEL_TEMPLATE:
                    known[config["source"]] = frozenset(LEVELS)
            elif name in ("regex", "json", "logfmt", "replace"):
                known.clear()
            elif name == "match":
                known.clear()
                _through(config.get("stages", ()), labels, known)
                known.clear()
            else:
                _label_stage(name, config, labels, known)


def _label_stage(
    name: str, config: Any, labels: dict[str, Values | None], known: Mapping[str, Values]
) -> None:
    if name == "labels":
        for label, source in config.items():
            labels[label] = known.get(source or label)
    elif name == "static_labels":
        for label, value in config.items():
            labels[label] = frozenset([value])
    elif name == "labeldrop":
        for label in config:
            labels.pop(label, None)
    elif name == "labelallow":
        for label in set(labels) - set(config):
            del labels[label]
