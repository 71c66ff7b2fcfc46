"""Every LogQL rule against a real Loki: lines that fire it, lines just below, its own echo."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from alerts.kit import Scope
from generator.artifacts import Artifact
from generator.model import Catalog
from loki import server
from loki.kit import Lines, LogRule
from loki.rules import RULES, rules

from .conftest import Loki, Stream, tool

pytestmark = pytest.mark.live

NS = 10**9
RULE_NAMES = [rule.name for rule in RULES]
SECONDS_A_DAY = 86400


@dataclass(frozen=True, slots=True)
class Case:
    """One proof case: a service of its own that wrote *lines*, and whether the rule must see it."""

    rule: str
    number: int
    lines: tuple[Lines, ...]
    fires: bool

    @property
    def subject(self) -> dict[str, str]:
        """Labels of the case's service."""
        word = "fires" if self.fires else "quiet"
        return {
            "service": f"{self.rule.lower()}-{word}-{self.number}",
            "tier": "core",
            "kind": "postgres",
            "owner": "data",
        }


def cases(rule: LogRule) -> Iterator[Case]:
    """Yield the cases that *rule* carries."""
    for fires, sets in ((True, rule.fires), (False, rule.quiet)):
        for number, lines in enumerate(sets):
            yield Case(rule.name, number, lines, fires)


def streams(case: Case, base: int) -> Iterator[Stream]:
    """Yield the streams of *case*, oldest lines first, seen from *base* (nanoseconds)."""
    levels: dict[str, list[tuple[int, str]]] = {}
    for lines in case.lines:
        start = base - nanoseconds(lines.since)
        step = (nanoseconds(lines.since) - nanoseconds(lines.until)) // max(lines.count, 1)
        levels.setdefault(lines.level, []).extend(
            (start + step * i, lines.text) for i in range(lines.count)
        )
    for level, entries in levels.items():
        yield {**case.subject, "level": level}, sorted(entries)


def nanoseconds(value: timedelta) -> int:
    """Return *value* in whole nanoseconds."""
    return int(value.total_seconds()) * NS


@pytest.fixture(scope="module")
def base(loki: Loki) -> int:
    """Push the lines of every case and return the time at which they are looked at."""
    now = (int(time.time()) - 60) * NS
    for rule in RULES:
        for case in cases(rule):
            for labels, entries in streams(case, now):
                for at in range(0, len(entries), 20000):
                    loki.push([(labels, entries[at : at + 20000])])
    loki.flush()
    return now


@pytest.mark.parametrize("name", [rule.name for rule in RULES if rule.scope is Scope.SERVICE])
def test_rule_sees_what_it_must_and_nothing_else(
    loki: Loki, base: int, catalog: Catalog, name: str
) -> None:
    """Of a rule's own cases exactly those that must fire have a result, with all subject labels."""
    rule = next(rule for rule in rules(catalog) if rule.name == name)
    own = list(cases(rule))
    known = {case.subject["service"] for case in own}
    result = loki.vector(rule.expr, base)
    seen = sorted(labels for labels in result if dict(labels)["service"] in known)

    assert seen == sorted(tuple(sorted(case.subject.items())) for case in own if case.fires)


def mutants(expr: str) -> Iterator[str]:
    """Yield wrong versions of *expr*: threshold moved up and down, comparison turned, pattern lost."""
    for found in re.finditer(r" (>=?) (\d+)", expr):
        head, tail = expr[: found.start()], expr[found.end() :]
        threshold = int(found[2])
        yield f"{head} {found[1]} {threshold * 1.2 + 1}{tail}"
        yield f"{head} < {threshold + 0.5}{tail}"
        if threshold:
            yield f"{head} {found[1]} {threshold * 0.8}{tail}"
    yield re.sub(r" \|[~=] `[^`]*`", "", expr)
    yield re.sub(r"\[5m\]", "[30m]", expr)


@pytest.mark.parametrize("name", [rule.name for rule in RULES if rule.scope is Scope.SERVICE])
def test_cases_notice_a_wrong_rule(loki: Loki, base: int, catalog: Catalog, name: str) -> None:
    """Whatever is changed in a rule's threshold, comparison or pattern, some case of its own fails."""
    rule = next(rule for rule in rules(catalog) if rule.name == name)
    own = {case.subject["service"]: case.fires for case in cases(rule)}
    expected = {service for service, fires in own.items() if fires}
    survived = []
    for expr in set(mutants(rule.expr)) - {rule.expr}:
        seen = {dict(labels)["service"] for labels in loki.vector(expr, base)}
        if seen & own.keys() == expected:
            survived.append(expr)

    assert survived == []


def test_silence_of_everything_is_seen(loki: Loki, base: int, catalog: Catalog) -> None:
    """LogsStopped has a result while no line of any service exists, and none while one does."""
    rule = next(rule for rule in rules(catalog) if rule.name == "LogsStopped")
    before = base - 3 * SECONDS_A_DAY * NS

    assert loki.vector(rule.expr, before) == {(): 1.0}
    assert not loki.vector(rule.expr, base)


def test_silence_of_one_is_not_seen_while_all_are_silent(
    loki: Loki, base: int, catalog: Catalog
) -> None:
    """ServiceSilent says nothing when no line arrives at all: that is LogsStopped's business."""
    rule = next(rule for rule in rules(catalog) if rule.name == "ServiceSilent")
    alone = rule.expr.rpartition("\nand on ()")[0]
    later = base + 40 * 60 * NS

    assert loki.vector(alone, later)
    assert not loki.vector(rule.expr, later)


def test_rules_do_not_find_themselves(
    loki: Loki, base: int, catalog: Catalog, loki_log: Path
) -> None:
    """The lines that Loki writes about evaluating the rules set none of the rules off."""
    for rule in rules(catalog):
        loki.vector(rule.expr, base)
    own = [line for line in loki_log.read_text().splitlines() if "query" in line]
    subject = {"service": "loki-itself", "tier": "monitoring", "kind": "loki", "owner": "data"}
    step = 100 * NS // len(own)
    start = base - 200 * NS
    lines = [(start + i * step, line) for i, line in enumerate(own)]
    loki.push([({**subject, "level": "info"}, lines)])
    fired = [
        rule.name
        for rule in rules(catalog)
        if any(("service", "loki-itself") in labels for labels in loki.vector(rule.expr, base))
    ]

    assert len(own) >= len(RULES)
    assert fired == []


def test_ruler_has_loaded_every_rule(loki: Loki, catalog: Catalog) -> None:
    """Loki's ruler lists exactly the rendered groups, with expressions, labels and annotations."""
    listed = loki.get("/loki/api/v1/rules")
    rendered = {
        Path(artifact.path).name: yaml.safe_load(artifact.text)["groups"]
        for artifact in server.render(catalog)
        if "/rules/" in artifact.path
    }

    assert {file: [normal(g) for g in groups] for file, groups in rendered.items()} == {
        file: [normal(g) for g in groups] for file, groups in listed.items()
    }


def normal(group: dict[str, object]) -> dict[str, object]:
    """Return a rule group without what Loki adds, durations as it writes them."""
    return {
        key: [{k: v for k, v in rule.items() if k != "for"} for rule in value]
        if isinstance(value, list)
        else value
        for key, value in group.items()
        if key in ("name", "interval", "rules")
    }


@pytest.mark.parametrize("name", RULE_NAMES)
def test_loki_formats_every_expression(loki: Loki, catalog: Catalog, name: str) -> None:
    """Loki's own parser reads every expression and writes it back."""
    rule = next(rule for rule in rules(catalog) if rule.name == name)
    answer = loki.get("/loki/api/v1/format_query", query=rule.expr)

    assert answer["status"] == "success"


def test_loki_accepts_the_rendered_file(catalog: Catalog, tmp_path: Path) -> None:
    """`loki -verify-config` finds no fault in the rendered file as it is."""
    artifact = next(a for a in server.render(catalog) if a.path == server.PATH)

    assert verify(artifact, tmp_path) == 0


def test_loki_refuses_a_broken_file(catalog: Catalog, tmp_path: Path) -> None:
    """The judge works: a key that Loki does not know is refused."""
    artifact = next(a for a in server.render(catalog) if a.path == server.PATH)
    broken = Artifact(artifact.path, artifact.text + "unknown_key: true\n")

    assert verify(broken, tmp_path) == 1


def verify(artifact: Artifact, folder: Path) -> int:
    """Return the exit status of `loki -verify-config` for *artifact*."""
    path = folder / "config.yml"
    path.write_text(artifact.text, encoding="utf-8")
    done = subprocess.run(
        [tool("loki"), "-config.file", str(path), "-verify-config"],
        capture_output=True,
        timeout=240,
        check=False,
    )
    return done.returncode
