"""Whatever a catalog's free texts hold, they stay texts in every rendered file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.catalog import load_catalog
from generator.errors import CatalogError
from generator.proofs import prove
from generator.render import Rendered, render
from generator.verify import Verdict, judge

PLAIN = "plainword"
# Texts that mean something to YAML, PromQL, LogQL, Go templates, regular expressions or shells.
HOSTILE = (
    'quote" and \'apostrophe \\ back\\\\slash \\" end\\',
    '"} or vector(1) or {a="',
    "${HOME} $HOME $$ %s %(x)s {0} `id` $(id) ; rm -rf /",
    "# no comment",
    "key: value - item [a, b] {c: d} &anchor *alias !tag | >",
    "../../etc/passwd <script>alert(1)</script> é ü 漢字 🙂",
    "a|b.*(c)?[d]+^$",
    " ".join(["long"] * 39),
)
# What is refused in texts that reach people through templates.
TEMPLATES = ("{{ $labels.hostile }}", '}} {{ template "x" . }}', "a\nb: c", "\x1b[31m", "\u2028x")
PLATFORM = """platform: shop
alerts: {{disabled: {{PostgresDeadlocks: {reason}}}}}
"""
TIER = """tier: shop
title: {title}
services:
  db: {{kind: postgres, slo: 99%, description: {description}}}
  loki: {{kind: loki}}
  promtail: {{kind: promtail}}
  grafana: {{kind: grafana}}
  remediator: {{kind: remediator}}
  frob: {{kind: frobnicator, depends_on: {{db: hard}}, description: {description}}}
"""
KIND = """kind: frobnicator
title: {kind_title}
port: 7000
metrics: {{from: native, port: 7000, path: /metrics, series: 50}}
probes:
- {{name: http, type: http, port: 7000, path: /, body: ok}}
verdict: probe_success
log: plain
packs: []
board: frobnicator
sources: ["https://frob.example/docs"]
notes: [{note}]
declares:
  frob_queue_length: {{type: gauge, unit: items, labels: [], help: {help}}}
"""
# Texts that alerts and pages may show; and those of a kind, which only boards and docs show.
PEOPLES = ("title", "description")
KINDS = ("reason", "kind_title", "note", "help")
FIELDS = (*PEOPLES, *KINDS)


def _written(folder: Path, text: str, fields: tuple[str, ...]) -> Path:
    values = {
        name: json.dumps(text if name in fields else PLAIN, ensure_ascii=False) for name in FIELDS
    }
    (folder / "kinds").mkdir(exist_ok=True)
    for name, form in (("platform", PLATFORM), ("1-shop", TIER), ("kinds/frobnicator", KIND)):
        (folder / f"{name}.yml").write_text(form.format(**values), encoding="utf-8")
    return folder


def _read(rendered: Rendered) -> dict[str, Any]:
    return {
        artifact.path: json.loads(artifact.text)
        if artifact.path.endswith(".json")
        else yaml.load(artifact.text, Loader=yaml.CSafeLoader)
        for artifact in rendered.artifacts
        if not artifact.path.endswith(".tmpl")
    }


def _plain(data: Any, hostile: str) -> Any:
    """Return *data* with every whole or partial *hostile* in its strings made PLAIN again."""
    if isinstance(data, dict):
        return {_plain(key, hostile): _plain(value, hostile) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(item, hostile) for item in data]
    return data.replace(hostile, PLAIN) if isinstance(data, str) else data


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return every file of the catalog with a plain word in each free text, parsed."""
    folder = tmp_path_factory.mktemp("harmless")
    return _read(render(load_catalog(_written(folder, PLAIN, ()), "catalog")))


def _assert_same(folder: Path, text: str, fields: tuple[str, ...], expected: Any) -> None:
    rendered = render(load_catalog(_written(folder, text, fields), "catalog"))
    found = _read(rendered)
    assert set(found) == set(expected)
    for path, data in expected.items():
        assert _plain(found[path], text) == data, path
    assert prove(rendered) == []


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:24]))
def test_hostile_texts_change_nothing_but_themselves(
    tmp_path: Path, harmless: dict[str, Any], text: str
) -> None:
    """Every file parses to what a harmless word gives, with that word in the hostile text's place."""
    _assert_same(tmp_path, text, FIELDS, harmless)


@pytest.mark.parametrize("text", TEMPLATES, ids=repr)
def test_texts_that_would_be_run_or_break_lines_are_refused(
    tmp_path: Path, harmless: dict[str, Any], text: str
) -> None:
    """Templates, line breaks and control characters are findings in what alerts may show."""
    for name in PEOPLES:
        with pytest.raises(CatalogError):
            load_catalog(_written(tmp_path, text, (name,)), "catalog")
    if "\n" not in text:
        _assert_same(tmp_path, text, KINDS[1:], harmless)


@pytest.mark.live
def test_the_judges_accept_hostile_texts(tmp_path: Path, tool: Callable[[str], Path]) -> None:
    """With all of them in every free text at once, promtool and amtool still say yes."""
    tool("promtool"), tool("amtool")
    text = " ".join(HOSTILE[:-1])
    rendered = render(load_catalog(_written(tmp_path, text, FIELDS), "catalog"))
    # The unit tests of all packs are the business of others; here the files must load.
    files = [a for a in rendered.artifacts if not a.path.startswith("prometheus/tests/")]
    judged = {j.check: j.verdict for j in judge(replace(rendered, artifacts=tuple(files)))}

    assert judged["rule files"] is Verdict.PROVEN
    assert {check for check, verdict in judged.items() if verdict is Verdict.FAILED} == set()
