"""A catalog's own kinds: read strictly, and everything that is wrong with them said at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from generator.errors import Place
from generator.kinds import BUILTIN_DIR, load_kinds
from generator.software import Kind, Metric, MetricsSource, MultiTarget, Probe

WHOLE = """\
kind: tinydb
title: Tiny database
port: 7000
metrics:
  from: native
  port: 7001
  path: /stats
  params: {format: prometheus}
  multi_target: {path: /ask, param: target, value: "tiny://{service}:{port}"}
  fallback_scrape_protocol: PrometheusText0.0.4
  interval: 1m30s
  timeout: 10s
  needs: "tinydb --stats"
  drop: ["tiny_debug_.*"]
  series: 12
probes:
  - {name: http, type: http, port: 7000, path: /ok, status: 204, body: "yes", not_body: "no", host_header: tiny}
prober: blackbox
verdict: tiny_up
health: infrastructure
health_note: "GET /ok"
log: json
packs: [web]
board: tinydb
stateful: true
restart: {note: "slow"}
sources: ["its manual"]
notes: ["none"]
declares:
  tiny_up: {type: gauge, unit: bool, labels: [], help: "1 when well"}
  tiny_reads_total: {type: counter, unit: reads, labels: [zone, service], help: "Reads", absent: true, versions: "since 2"}
"""

TINY = Kind(
    name="tinydb",
    title="Tiny database",
    port=7000,
    metrics=MetricsSource(
        source="native",
        exporter="",
        port=7001,
        path="/stats",
        params={"format": "prometheus"},
        multi_target=MultiTarget("/ask", "target", "tiny://{service}:{port}"),
        fallback_scrape_protocol="PrometheusText0.0.4",
        interval=timedelta(seconds=90),
        timeout=timedelta(seconds=10),
        needs="tinydb --stats",
        drop=("tiny_debug_.*",),
        series=12,
    ),
    probes=(
        Probe("http", "http", 7000, "/ok", "http", 204, "yes", "no", "tiny"),
    ),
    prober="blackbox",
    verdict="tiny_up",
    observer=False,
    health="infrastructure",
    health_note="GET /ok",
    log="json",
    packs=("web",),
    board="tinydb",
    stateful=True,
    oneshot=False,
    restart_note="slow",
    sources=("its manual",),
    notes=("none",),
    declares={
        "tiny_up": Metric("tiny_up", "gauge", "bool", "1 when well", ()),
        "tiny_reads_total": Metric(
            "tiny_reads_total", "counter", "reads", "Reads", ("exported_service", "zone"),
            absent=True, versions="since 2",
        ),
    },
    place=Place("kinds/tinydb.yml", 1, 1),
)  # fmt: skip

# file text -> findings. The file is called tiny.yml.
WRONG = {
    "kind: tiny\ntitle: Tiny\n": [
        ("kinds/tiny.yml:1:1: the verdict 'up' needs native metrics, and there are none. "
        "Add `metrics: {from: native, ...}`, or say `verdict: probe_success`.")
    ],
    "kind: tiny\ntitle: Tiny\nverdict: probe_success\n": [
        ("kinds/tiny.yml:3:1: the verdict 'probe_success' needs a probe, and there is none. "
        "Add one under `probes`.")
    ],
    "kind: tiny\ntitle: Tiny\nverdict: tiny_up\n": [
        ("kinds/tiny.yml:3:1: verdict 'tiny_up' is not a declared metric. Declare it under "
        "`declares`, or use up, probe_success, agent_up or agent_container_running.")
    ],
    "kind: tiny\ntitle: Tiny\nmetrics: {from: native, port: 1}\nlog: jsn\npacks: [webb]\n": [
        "kinds/tiny.yml:4:1: unknown log format 'jsn'. Did you mean 'json'?",
        "kinds/tiny.yml:5:9: unknown pack 'webb'. Did you mean 'web'?",
    ],
    "kind: tiny\ntitle: Tiny\nmetrics: {from: exporter, port: 1}\nverdict: agent_container_running\n": [
        ("kinds/tiny.yml:3:1: `exporter` goes with `from: exporter`, and only with it. "
        "Name the exporter's kind, or say `from: native` without it.")
    ],
    "kind: tiny\ntitle: Tiny\nverdict: agent_container_running\n"
    "metrics: {from: exporter, exporter: redis-exportr, port: 1}\n": [
        "kinds/tiny.yml:4:27: unknown exporter kind 'redis-exportr'. Did you mean 'redis-exporter'?"
    ],
    "kind: tiny\ntitle: Tiny\nverdict: agent_container_running\n"
    "metrics: {from: exporter, exporter: redis, port: 1}\n": [
        ("kinds/tiny.yml:4:27: kind 'redis' is not an observer. "
        "Say `observer: true` in the kind 'redis', or name another.")
    ],
    'kind: tiny\ntitle: Tiny\nmetrics: {from: native, port: 1, drop: ["tiny_.*"]}\n'
    'declares:\n  tiny_x: {type: gauge, unit: bool, labels: [], help: "x"}\n': [
        ("kinds/tiny.yml:3:41: 'tiny_.*' drops the declared metric 'tiny_x'. "
        "Narrow the pattern, or remove the metric from `declares`.")
    ],
    'kind: tiny\ntitle: Tiny\nmetrics: {from: native, port: 1, drop: ["(a+)+b", "(?!a)b", "("]}\n': [
        "kinds/tiny.yml:3:41: '(a+)+b' repeats a repetition. See the syntax page of RE2.",
        ("kinds/tiny.yml:3:51: '(?!a)b' uses what RE2 does not have (look-around, back reference). "
        "See the syntax page of RE2."),
        "kinds/tiny.yml:3:61: '(' is not a regular expression. See the syntax page of RE2.",
    ],
    "kind: tiny\ntitle: Tiny\nverdict: probe_success\n"
    "probes: [{name: a, type: tcp, port: 1, path: /x}]\n": [
        ("kinds/tiny.yml:4:40: 'path' means nothing to a tcp probe. "
        "Remove it, or say `type: http`.")
    ],
    "kind: tiny\ntitle: Tiny\nverdict: agent_up\nprobes: [{name: a, type: tcp, port: 1}]\n": [
        ("kinds/tiny.yml:3:1: the verdict 'agent_up' comes from the prober 'agents'. "
        "Say `prober: agents`.")
    ],
    "kind: other\ntitle: Tiny\nverdict: agent_container_running\n": [
        ("kinds/tiny.yml:1:1: kind 'other' stands in 'tiny.yml'. "
        "Name the file 'other.yml' or the kind 'tiny'.")
    ],
    # Mistakes of form hide none of meaning, where they lie in other keys.
    "kind: other\ntitel: Tiny\nlog: jsn\npacks: [3, webb]\nverdict: tiny_up\n"
    "probes: [{name: a, type: tcp, port: 1, path: /x}]\ndeclares: {}\n": [
        ("kinds/tiny.yml:1:1: kind 'other' stands in 'tiny.yml'. "
        "Name the file 'other.yml' or the kind 'tiny'."),
        "kinds/tiny.yml:1:1: the key 'title' is missing. Add 'title:'.",
        "kinds/tiny.yml:2:1: unknown key 'titel'. Did you mean 'title'?",
        "kinds/tiny.yml:3:1: unknown log format 'jsn'. Did you mean 'json'?",
        ("kinds/tiny.yml:4:9: packs[0] must be a name of lower-case letters, digits, '_', '.' "
        "and '-', at most 63 characters, not 3."),
        ("kinds/tiny.yml:5:1: verdict 'tiny_up' is not a declared metric. Declare it under "
        "`declares`, or use up, probe_success, agent_up or agent_container_running."),
        "kinds/tiny.yml:6:40: 'path' means nothing to a tcp probe. Remove it, or say `type: http`.",
    ],
    "kind: tiny\ntitle: Tiny\nverdict: agent_container_running\nreplaces: true\n": [
        "kinds/tiny.yml:4:1: there is no built-in kind 'tiny' to replace. Remove `replaces`."
    ],
    "kind: tiny\ntitle: Tiny\nmetrics: {from: native, port: 1, multi_target: "
    '{path: /a, param: t, value: "{host}"}}\n': [
        ("kinds/tiny.yml:3:69: '{host}' is not a template we can fill. "
        "Use {service} and {port} only.")
    ],
}  # fmt: skip


def load(folder: Path, **files: str) -> tuple[dict[str, Kind], list[str]]:
    """Return all kinds with *files* (name -> text) as the catalog's own, and the findings as text."""
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text)
    kinds, findings = load_kinds(folder)
    return kinds, [str(finding) for finding in findings]


def test_every_key_of_the_form_arrives(tmp_path: Path) -> None:
    """A kind that uses every key becomes exactly the value it describes."""
    kinds, findings = load(tmp_path, tinydb=WHOLE)

    assert (kinds["tinydb"], findings) == (TINY, [])


@pytest.mark.parametrize(("text", "expected"), WRONG.items())
def test_what_is_wrong_is_said_with_place_fact_and_cure(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    """Each mistake gives its findings, whole, and the kind is left out."""
    kinds, findings = load(tmp_path, tiny=text)

    assert findings == expected
    assert "tiny" not in kinds


def test_all_problems_of_all_files_are_said_at_once(tmp_path: Path) -> None:
    """Broken YAML, an unknown key and a missing one in three files are reported together."""
    _, findings = load(
        tmp_path,
        a="kind: [\n",
        b="kind: b\ntitle: B\nverdct: up\n",
        c="kind: c\nverdict: agent_container_running\n",
    )

    assert [finding.split(": ")[0] for finding in findings] == [
        "kinds/a.yml:2:1", "kinds/b.yml:3:1", "kinds/c.yml:1:1",
    ]  # fmt: skip
    assert findings[1] == "kinds/b.yml:3:1: unknown key 'verdct'. Did you mean 'verdict'?"
    assert findings[2] == "kinds/c.yml:1:1: the key 'title' is missing. Add 'title:'."


def test_a_builtin_kind_is_replaced_only_on_purpose(tmp_path: Path) -> None:
    """A kind of a built-in name is refused, and taken with `replaces: true`."""
    text = "kind: nginx\ntitle: My nginx\nverdict: agent_container_running\nprober: agents\n"

    refused, findings = load(tmp_path, nginx=text)
    taken, nothing = load(tmp_path, nginx=f"{text}replaces: true\n")

    assert findings == [
        (
            "kinds/nginx.yml:1:1: kind 'nginx' exists already. "
            "Choose another name, or say `replaces: true` to take the place of ours."
        )
    ]
    assert (refused["nginx"].title, taken["nginx"].title, nothing) == ("nginx", "My nginx", [])


@pytest.mark.parametrize(
    "text", ["", "null\n", "[]\n", "3\n", "kind: 3\ntitle: []\n", "declares: {1: 2}\n", "a: &a 1\n"]
)
def test_no_file_breaks_the_loader(tmp_path: Path, text: str) -> None:
    """Whatever stands in a file, there is a finding and no exception."""
    kinds, findings = load(tmp_path, odd=text)

    assert findings
    assert "odd" not in kinds


def test_a_missing_folder_is_no_problem(tmp_path: Path) -> None:
    """A catalog without kinds of its own has exactly the built-in ones."""
    assert load_kinds(tmp_path / "none") == load_kinds()


def test_own_exporter_may_be_named_by_own_kind(tmp_path: Path) -> None:
    """Kinds of one catalog may refer to each other, whatever the order of their files."""
    exporter = "kind: zz\ntitle: Z\nobserver: true\nmetrics: {from: native, port: 1}\n"
    subject = (
        "kind: aa\ntitle: A\nmetrics: {from: exporter, exporter: zz, port: 1}\nverdict: aa_up\n"
        'declares:\n  aa_up: {type: gauge, unit: bool, labels: [], help: "x"}\n'
    )

    kinds, findings = load(tmp_path, aa=subject, zz=exporter)

    assert findings == []
    assert kinds["aa"].metrics is not None
    assert kinds["aa"].metrics.exporter == "zz"


def test_of_an_exporter_with_mistakes_nothing_is_said_elsewhere(tmp_path: Path) -> None:
    """A kind that names an exporter whose file is wrong has no mistake of its own."""
    subject = (
        "kind: aa\ntitle: A\nmetrics: {from: exporter, exporter: zz, port: 1}\n"
        "verdict: agent_container_running\n"
    )

    _, findings = load(tmp_path, aa=subject, zz="kind: zz\ntitle: Z\nobserver: maybe\n")

    assert [finding.split(": ")[0] for finding in findings] == [
        "kinds/zz.yml:1:1", "kinds/zz.yml:3:1",
    ]  # fmt: skip


def test_builtin_kinds_load_fast() -> None:
    """Reading all built-in kinds costs less than half of what the C YAML parser takes for them."""

    def cpu_s(work: Callable[[], object]) -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    texts = [path.read_bytes() for path in BUILTIN_DIR.glob("*.yml")]

    def parsed() -> None:
        for text in texts:
            yaml.load(text, Loader=yaml.CSafeLoader)

    # The best of five, by turns: both are as slow as the machine is just now.
    pairs = [(cpu_s(load_kinds), cpu_s(parsed)) for _ in range(5)]

    assert min(ours for ours, _ in pairs) < min(yamls for _, yamls in pairs) / 2
