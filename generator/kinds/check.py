"""
What is wrong with a catalog's own kind: its form (kind.schema.json) and the names it mentions.

Every problem is a finding with place, fact and cure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any

from generator.errors import Finding
from generator.kinds.build import build_kind
from generator.kinds.words import GIVEN_VERDICTS, LOG_FORMATS, PACKS, SCHEMA_FILE
from generator.schema_check import Check, Problem, compile_schema, suggest
from generator.software import VERDICT_AGENT, VERDICT_PROBE, Kind
from generator.yaml_read import Document

CHECK = "kinds"
# What Python's expressions have and RE2, which Prometheus and blackbox use, has not.
_NOT_RE2 = re.compile(r"\(\?(?:[=!>]|<[=!]|P=)|\\[1-9]|[*+?}]\+")
# A repeated repetition: harmless in RE2, endless here where names are tried against it.
_ENDLESS = re.compile(r"[*+}]\)+[*+{]")
_ONLY_HTTP = ("path", "scheme", "status", "body", "not_body", "host_header", "dependencies")


def check_document(document: Document, stem: str, builtin: Mapping[str, Kind]) -> list[Finding]:
    """
    Return what is wrong with one file by itself: form, file name, a built-in kind taken over.

    Args:
        document: The file, read strictly.
        stem: Name of the file without `.yml`; the kind must be called the same.
        builtin: Our own kinds, which may only be replaced on purpose.
    """
    problems = list(_form()(document.data, ()))
    findings = [_at(document, one.path, one.sentence(0), one.cure) for one in problems]
    if _sound({"kind", "replaces"}, document, _broken(problems)) and "kind" in document.data:
        findings += _check_name(document, stem, builtin)
    return findings


def check_references(
    document: Document, known: Mapping[str, Kind], unread: Collection[str] = ()
) -> list[Finding]:
    """
    Return what the kind in *document* mentions and nobody has, or says twice and differently.

    Every question is asked whose keys are of the right form, so that a mistake in one key hides
    none in another. Of kinds *unread*, whose files have mistakes of their own, nothing is said.
    """
    broken = _broken(_form()(document.data, ()))
    found: list[Finding] = []
    for keys, ask in _QUESTIONS:
        if _sound(keys, document, broken):
            found += ask(document)
    if _sound({"metrics"}, document, broken):
        found += _check_exporter(document, known, unread)
    return found


def _broken(problems: Iterable[Problem]) -> frozenset[object]:
    """Return the keys of the file in which *problems* lie; those of the file itself have none."""
    return frozenset(problem.path[0] for problem in problems if problem.path)


def _sound(keys: AbstractSet[str], document: Document, broken: frozenset[object]) -> bool:
    return isinstance(document.data, Mapping) and not keys & broken


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


@cache
def _form() -> Check:
    return compile_schema(_schema(), "kind")


def _check_name(document: Document, stem: str, builtin: Mapping[str, Kind]) -> Iterator[Finding]:
    name, replaces = document.data["kind"], document.data.get("replaces", False)
    if name != stem:
        yield _at(
            document, ("kind",), f"kind {name!r} stands in '{stem}.yml'",
            f"Name the file '{name}.yml' or the kind {stem!r}.",
        )  # fmt: skip
    if name in builtin and not replaces:
        yield _at(
            document, ("kind",), f"kind {name!r} exists already",
            "Choose another name, or say `replaces: true` to take the place of ours.",
        )  # fmt: skip
    if name not in builtin and replaces:
        yield _at(
            document, ("replaces",), f"there is no built-in kind {name!r} to replace",
            "Remove `replaces`.",
        )  # fmt: skip


def _check_exporter(
    document: Document, known: Mapping[str, Kind], unread: Collection[str]
) -> Iterator[Finding]:
    metrics = document.data.get("metrics", {})
    exporter = metrics.get("exporter")
    keys = ("metrics", "exporter")
    if (exporter is None) == (metrics.get("from") == "exporter"):
        yield _at(document, keys, "`exporter` goes with `from: exporter`, and only with it",
                  "Name the exporter's kind, or say `from: native` without it.")  # fmt: skip
    elif exporter is None or exporter in unread:
        return
    elif exporter not in known:
        yield _at(
            document, keys, f"unknown exporter kind {exporter!r}", suggest(exporter, tuple(known))
        )
    elif not known[exporter].observer:
        yield _at(document, keys, f"kind {exporter!r} is not an observer",
                  f"Say `observer: true` in the kind {exporter!r}, or name another.")  # fmt: skip


def _check_verdict(document: Document) -> Iterator[Finding]:
    data = document.data
    if "verdict" not in data and not data.keys() <= _schema()["$defs"]["kind"]["properties"].keys():
        return  # an unknown key may be meant to be the verdict, or what the usual one needs
    verdict = data.get("verdict", "up")
    keys = ("verdict",) if "verdict" in data else ("kind",)
    metrics = data.get("metrics")
    if verdict not in GIVEN_VERDICTS:
        if verdict not in data.get("declares", {}):
            yield _at(document, keys, f"verdict {verdict!r} is not a declared metric",
                      "Declare it under `declares`, or use up, probe_success, agent_up or "
                      "agent_container_running.")  # fmt: skip
    elif verdict == "up" and (metrics is None or metrics["from"] != "native"):
        yield _at(document, keys, "the verdict 'up' needs native metrics, and there are none",
                  "Add `metrics: {from: native, ...}`, or say `verdict: probe_success`.")  # fmt: skip
    elif verdict in (VERDICT_PROBE, VERDICT_AGENT) and not data.get("probes"):
        yield _at(document, keys, f"the verdict {verdict!r} needs a probe, and there is none",
                  "Add one under `probes`.")  # fmt: skip
    prober = "agents" if verdict == VERDICT_AGENT else "blackbox"
    if verdict in (VERDICT_PROBE, VERDICT_AGENT) and data.get("prober", "blackbox") != prober:
        yield _at(document, keys, f"the verdict {verdict!r} comes from the prober {prober!r}",
                  f"Say `prober: {prober}`.")  # fmt: skip


def _check_log(document: Document) -> Iterator[Finding]:
    log = document.data.get("log", "plain")
    if log not in LOG_FORMATS:
        yield _at(document, ("log",), f"unknown log format {log!r}", suggest(log, LOG_FORMATS))


def _check_packs(document: Document) -> Iterator[Finding]:
    for index, pack in enumerate(document.data.get("packs", ())):
        if pack not in PACKS:
            yield _at(document, ("packs", index), f"unknown pack {pack!r}", suggest(pack, PACKS))


def _check_probes(document: Document) -> Iterator[Finding]:
    for index, probe in enumerate(document.data.get("probes", ())):
        for key in _ONLY_HTTP if probe["type"] != "http" else ():
            if key in probe:
                yield _at(document, ("probes", index, key),
                          f"{key!r} means nothing to a {probe['type']} probe",
                          "Remove it, or say `type: http`.")  # fmt: skip


def _check_templates(document: Document) -> Iterator[Finding]:
    multi = document.data.get("metrics", {}).get("multi_target")
    if multi is None:
        return
    try:
        multi["value"].format(service="x", port=1)
    except (KeyError, IndexError, ValueError, AttributeError):
        yield _at(document, ("metrics", "multi_target", "value"),
                  f"{multi['value']!r} is not a template we can fill",
                  "Use {service} and {port} only.")  # fmt: skip


def _check_dropped(document: Document) -> Iterator[Finding]:
    """Yield what is declared and thrown away at the scrape: an alert on it would be dead."""
    # Only these keys: others may have mistakes of their own.
    read = {key: document.data[key] for key in ("metrics", "declares") if key in document.data}
    metrics = build_kind({"kind": "", "title": "", **read}, document.place()).declares
    for index, pattern in enumerate(document.data.get("metrics", {}).get("drop", ())):
        keys = ("metrics", "drop", index)
        fault = _pattern_fault(pattern)
        if fault:
            yield _at(document, keys, fault, "See the syntax page of RE2.")
            continue
        for name, metric in metrics.items():
            if any(re.fullmatch(pattern, series) for series in metric.series_names):
                yield _at(document, keys, f"{pattern!r} drops the declared metric {name!r}",
                          "Narrow the pattern, or remove the metric from `declares`.")  # fmt: skip


def _check_bodies(document: Document) -> Iterator[Finding]:
    for index, probe in enumerate(document.data.get("probes", ())):
        for key in ("body", "not_body"):
            fault = _pattern_fault(probe.get(key, ""))
            if fault:
                yield _at(document, ("probes", index, key), fault, "See the syntax page of RE2.")


def _pattern_fault(pattern: str) -> str:
    """Return why *pattern* cannot be used as an RE2 expression; empty if it can."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return f"{pattern!r} is not a regular expression"
    if _NOT_RE2.search(pattern):
        return f"{pattern!r} uses what RE2 does not have (look-around, back reference)"
    if _ENDLESS.search(pattern):
        return f"{pattern!r} repeats a repetition"
    return ""


def _at(document: Document, keys: tuple[str | int, ...], fact: str, cure: str) -> Finding:
    return Finding(place=document.place(*keys), fact=fact, cure=cure, check=CHECK)


# The keys of the file that a question reads, and the question.
_QUESTIONS: tuple[tuple[frozenset[str], Callable[[Document], Iterable[Finding]]], ...] = (
    (frozenset({"verdict", "metrics", "declares", "probes", "prober"}), _check_verdict),
    (frozenset({"log"}), _check_log),
    (frozenset({"packs"}), _check_packs),
    (frozenset({"probes"}), _check_probes),
    (frozenset({"probes"}), _check_bodies),
    (frozenset({"metrics"}), _check_templates),
    (frozenset({"metrics", "declares"}), _check_dropped),
)
