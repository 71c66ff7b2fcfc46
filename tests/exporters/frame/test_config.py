"""The configuration: what the generator writes is read whole, what is wrong is said with line and cure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.config import Auth, ConfigError, Target, load_config

ROOT = Path(__file__).parents[3]

GOOD = """version: 1
exporter: ollama
listen: "[::1]:9741"
deadline: 1500ms
docker: {url: unix:///var/run/docker.sock, project: shop}
targets:
- service: chat
  tier: ai
  kind: ollama
  profile: default
  container: shop-chat
  probe: http
  url: https://chat:11434/health?deep=1
  expect:
    status: 200
    body: '(?i)ok'
    host: chat.example
    dependencies: [{name: db, pointer: /services/db, good: [up, "true"]}]
  port: 11434
  other_ports: [10104]
  expected_models: [tinyllama]
  inference: {model: tinyllama, interval: 5m, load_options: {num_thread: 4, use_mmap: false}}
  auth: {username: prometheus, password_file: secrets/ollama}
"""
TARGET = {
    "service": "a", "tier": "t", "kind": "k", "profile": "default", "container": "c", "probe": "container",
}  # fmt: skip


@pytest.mark.parametrize("name", ["agents", "hardware", "ollama"])
def test_every_rendered_file_is_read_whole(name: str) -> None:
    """Each target of the platform's file arrives with all that stands there."""
    path = ROOT / "rendered" / "exporters" / f"{name}.yml"
    written = yaml.safe_load(path.read_text())

    config = load_config(path, name)

    assert str(config.listen) == written["listen"]
    assert [t["service"] for t in written["targets"]] == [t.service for t in config.targets]
    assert [t.get("url", "") for t in written["targets"]] == [t.url for t in config.targets]
    bodies = [t for t in config.targets if t.expect.body is not None]
    assert sum("body" in t.get("expect", {}) for t in written["targets"]) == len(bodies)


def test_every_field_arrives(tmp_path: Path) -> None:
    """Durations in seconds, addresses taken apart, defaults filled in."""
    path = tmp_path / "one.yml"
    path.write_text(GOOD)

    config = load_config(path)

    target = config.targets[0]
    assert (config.listen.host, config.listen.port, config.deadline_s) == ("::1", 9741, 1.5)
    assert config.docker is not None
    assert (config.docker.url, config.docker.project) == ("unix:///var/run/docker.sock", "shop")
    assert target.labels == ("chat", "ai", "ollama", "default")
    assert (target.port, target.other_ports, target.expected_models) == (
        11434,
        (10104,),
        ("tinyllama",),
    )
    assert target.inference is not None
    assert (target.inference.interval_s, target.inference.timeout_s, target.inference.tokens) == (
        300,
        30,
        16,
    )
    assert target.inference.load_options == (("num_thread", 4), ("use_mmap", False))
    assert target.auth == Auth(tmp_path / "secrets" / "ollama", "prometheus")
    assert target.expect.body is not None
    assert target.expect.body.search(b"... OK")
    assert target.expect.dependencies[0].good == ("up", "true")
    assert Target(**TARGET).expect.status == 200


def _with(exporter: str = "agents", **change: object) -> str:
    targets = [{**TARGET, **change}]
    data = {"version": 1, "listen": "a:1", "targets": targets, "exporter": exporter}
    return yaml.safe_dump(data, sort_keys=False)


WRONG = [
    ("", "1: the file: None is not a mapping with version, exporter, listen and targets. Correct it."),
    ("version: 1\nlisten: a:1\ntargets: []\nexporter: agent\n", ("3: targets: [] is not a list of targets, one per service."
     " Correct it.\nFILE:4: exporter: 'agent' is not ollama, agents or hardware. Correct it.")),
    ("version: 1\nexporter: agents\nlisten: a:1\ntargets: []\n", "4: targets: [] is not a list of targets, one per service. Correct it."),
    ("version: 1\nversion: 1\n", "2: 'version' stands here twice. Keep one of the two."),
    ("a: &x 1\n", "1: an anchor or alias. Write the value out."),
    ("a: !!python/object:os.system x\n", "1: a tag (tag:yaml.org,2002:python/object:os.system). Leave the tag out."),
    ("a: 1\n---\nb: 1\n", "2: a second document. Keep one document per file."),
    ("? [a]\n: 1\n", "1: a key that is not a text. Use plain keys."),
    ("a: " + "[" * 40 + "]" * 40 + "\n", "1: nested deeper than 32. Flatten it."),
    ("a: b: c\n", "1: not YAML: mapping values are not allowed in this context. Correct the line."),
    (_with(probe="http"), "9: service 'a': probe http needs a url. Add one like http://name:8080."),
    (_with(url="http://a:1"), "10: service 'a': probe container takes no url. Remove it, or say probe: http."),
    (_with(probe="tcp", url="http://a:1"), "10: service 'a': 'http://a:1' does not fit probe tcp. Begin it with tcp://."),
    (_with(probe="tcp", url="tcp://a:70000"), "10: service 'a': 'tcp://a:70000' has no such port. Use one from 1 to 65535."),
    (_with(expect={"status": 200}), "10: service 'a': probe container has no answer to expect. Remove it."),
    (_with(probe="http", url="http://a:1", expect={"status": 200, "body": r"(a)\1"}),
     "13: service 'a': '(a)\\\\1' is no RE2: invalid escape sequence: \\1. Correct the expression."),
    (_with(probe="http", url="http://[::zz]:1"), ("10: targets.0.url: 'http://[::zz]:1' is not an http(s):// or tcp:// address."
     " Write it like 'http://ollama:11434'.")),
    (_with(probe="http", url="http://[1:2]:1"), ("10: service 'a': 'http://[1:2]:1' has no IPv6 address in its brackets."
     " Write it like [fd00::1].")),
    (_with(other_ports=[1]), "10: service 'a': other_ports is for the exporter ollama alone. Remove it."),
    (_with("hardware", auth={"bearer_token_file": "a"}), "10: service 'a': auth is for the exporter ollama alone. Remove it."),
    (_with("ollama", auth={}), "10: service 'a': auth has nothing. Give bearer_token_file, or username and password_file."),
    (_with("ollama", auth={"username": "u", "bearer_token_file": "a"}),
     "10: service 'a': auth has bearer_token_file, username. Give bearer_token_file, or username and password_file."),
    (_with("ollama", auth={"bearer_token": "a"}),
     "11: targets.0.auth: 'bearer_token' is not known. Known are bearer_token_file, password_file, username."),
    (_with("ollama", inference={"model": "a", "interval": "1m", "load_options": {"num_gpu": 1}}), ("14: targets.0.inference.load_options:"
     " 'num_gpu' is not known. Known are main_gpu, num_batch, num_ctx, num_thread, use_mmap.")),
    (_with(probe="socket"), "9: targets.0.probe: 'socket' is not http, tcp or container. Correct it."),
    (_with(tire="x"), ("10: targets.0: 'tire' is not known. Known are auth, container, expect, expected_models, inference,"
     " kind, other_ports, port, probe, profile, service, tier, url.")),
    (_with(service="A B"), ("4: targets.0.service: 'A B' is not a name of small letters, digits, '-', '_' and '.',"
     " at most 63 long. Correct it.")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_a_wrong_file_names_line_and_cure(text: str, message: str, tmp_path: Path) -> None:
    """The message is whole: file, line, fact, cure."""
    path = tmp_path / "bad.yml"
    path.write_text(text)

    with pytest.raises(ConfigError) as raised:
        load_config(path)

    assert f"{path}:{message}".replace("FILE", str(path)) == str(raised.value)


@pytest.mark.parametrize(("file", "asked"), [("agents", "ollama"), ("ollama", "hardware")])
def test_the_file_of_another_exporter_is_refused(file: str, asked: str) -> None:
    """Place, fact and cure; nothing else is said of a file that is meant for somebody else."""
    path = ROOT / "rendered" / "exporters" / f"{file}.yml"

    with pytest.raises(ConfigError) as raised:
        load_config(path, asked)

    assert str(raised.value) == (
        f"{path}:3: this file is for the exporter {file}, not for {asked}. Run `tierwatch exporter"
        f" {file}` with it, or name the file for {asked}."
    )


def test_all_problems_are_said_at_once_by_line(tmp_path: Path) -> None:
    """Three mistakes, three lines, in the order of the file."""
    path = tmp_path / "bad.yml"
    targets = [{**TARGET, "probe": "http"}, {**TARGET, "url": "tcp://a:1"}]
    path.write_text(
        yaml.safe_dump(
            {"version": 1, "listen": "a:70000", "targets": targets, "exporter": "agents"},
            sort_keys=False,
        )
    )

    with pytest.raises(ConfigError) as raised:
        load_config(path)

    assert str(raised.value).splitlines() == [
        f"{path}:2: listen: 'a:70000' has no such port. Use one up to 65535.",
        f"{path}:9: service 'a': probe http needs a url. Add one like http://name:8080.",
        f"{path}:10: service 'a' is also target 0. Keep one of the two.",
        f"{path}:16: service 'a': probe container takes no url. Remove it, or say probe: http.",
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "no such file or directory. Name a file that can be read."),
        (lambda path: path.mkdir(), "is a directory. Name a file that can be read."),
        (lambda path: path.write_bytes(b"a: \xff\xfe"), "not YAML: "),
    ],
    ids=["missing", "folder", "not UTF-8"],
)
def test_a_file_that_cannot_be_read_says_so(make: object, message: str, tmp_path: Path) -> None:
    """Missing, a folder, not UTF-8: one line, no stack trace."""
    path = tmp_path / "bad.yml"
    make(path)  # type: ignore[operator]

    with pytest.raises(ConfigError) as raised:
        load_config(path)

    assert str(raised.value).startswith(f"{path}: {message}")
    assert "\n" not in str(raised.value)


_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False)
)
_DATA = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from([*TARGET, "url", "expect", "version", "listen", "targets", "docker", "deadline", "exporter", "auth", "x"]),
    inner, max_size=5), max_leaves=20)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(data=_DATA)
def test_whatever_stands_there_is_read_or_refused(
    data: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No input of the right syntax breaks the reader: it gives a configuration or a ConfigError."""
    path = tmp_path_factory.mktemp("any") / "any.yml"
    path.write_text(json.dumps(data))

    said = ""
    try:
        load_config(path)
    except ConfigError as error:
        said = str(error)

    assert [line for line in said.splitlines() if not line.startswith(str(path))] == []
