"""The judges refuse what is planted, are missed when they are missing, and get stub secrets."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generator import toolbox, verify
from generator.artifacts import Artifact
from generator.catalog import load_catalog
from generator.errors import ToolError
from generator.render import Rendered, render
from generator.secrets_stub import stub_secrets
from generator.verify import Judgement, Verdict, judge

Said = Any
LOGGED = """tier: shop
services:
  db: {kind: postgres}
  loki: {kind: loki}
  promtail: {kind: promtail}
"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Return a small catalog with a log pipeline, rendered."""
    folder = tmp_path_factory.mktemp("logged")
    (folder / "platform.yml").write_text("platform: logged\n", encoding="utf-8")
    (folder / "1-shop.yml").write_text(LOGGED, encoding="utf-8")
    return render(load_catalog(folder, "catalog"))


def spoilt(rendered: Rendered, path: str, old: str, new: str, *also: str) -> Rendered:
    """Return *rendered* with only *path* and the files *also*, the first *old* in *path* made *new*."""
    text = rendered.files[path]
    assert old in text
    kept = [Artifact(name, rendered.files[name]) for name in also]
    return replace(rendered, artifacts=(Artifact(path, text.replace(old, new, 1)), *kept))


PROMETHEUS = "prometheus/prometheus.yml"
SERVICE_RULES, SERVICE_TESTS = "prometheus/rules/service.yml", "prometheus/tests/service.yml"
ALERTMANAGER = "alertmanager/alertmanager.yml"
TEMPLATES = tuple(f"alertmanager/templates/{name}.tmpl" for name in ("common", "email", "slack"))
# Fault: file, what stands there, what is planted, other files the judge opens, check, its words.
FAULTS: dict[str, tuple[str, str, str, tuple[str, ...], str, str]] = {
    "a rule that is no PromQL": (
        SERVICE_RULES, "expr: ", "expr: sum by ( + ", (), "rule files", "could not parse expression",
    ),
    "a rule with a duration that is none": (
        SERVICE_RULES, "for: ", "for: soon # ", (), "rule files", "not a valid duration string",
    ),
    "a template that does not parse": (
        SERVICE_RULES, "{{ $labels.service }}", "{{ $labels.service", (), "rule files", "template",
    ),
    "a recording rule with a forbidden name": (
        SERVICE_RULES, "record: service:present:bool", "record: service present", (), "rule files",
        "invalid recording rule name",
    ),
    "a scrape job without a name": (
        PROMETHEUS, "job_name:", "job_nam:", (), "prometheus.yml", "field job_nam not found",
    ),
    "two scrape jobs of one name": (
        PROMETHEUS, "job_name: blackbox\n", "job_name: prometheus\n", (), "prometheus.yml",
        "found multiple scrape configs with job name",
    ),
    "a receiver that is not there": (
        ALERTMANAGER, "receiver: ", "receiver: not-", TEMPLATES, "alertmanager.yml",
        "undefined receiver",
    ),
    "a blackbox module of no known sort": (
        "blackbox/blackbox.yml", "prober: http", "probe: http", (), "blackbox.yml",
        "field probe not found",
    ),
    "an alert that fires later than its test says": (
        SERVICE_RULES, "for: ", "for: 17m # ", (SERVICE_TESTS,), "unit tests of all rules",
        "alertname: ServiceDown",
    ),
}  # fmt: skip
LOG_FAULTS: dict[str, tuple[str, str, str, tuple[str, ...], str, str]] = {
    "a Promtail key that is not known": (
        "promtail/config.yml", "scrape_configs:", "scrape_conf:", (), "Promtail's config",
        "field scrape_conf not found",
    ),
    "a Loki schema that is not known": (
        "loki/config.yml", "schema: v13", "schema: v99", (), "Loki's config", "invalid schema version",
    ),
    "a Promtail stage that does something unknown": (
        "promtail/config.yml", "action: drop", "action: dance", (), "Promtail's config", "match stage",
    ),
}  # fmt: skip


@pytest.mark.live
@pytest.mark.parametrize("fault", [*FAULTS, *LOG_FAULTS])
def test_judges_refuse_planted_faults(
    shop: Rendered, logged: Rendered, tool: Callable[[str], Path], fault: str
) -> None:
    """The check that must see a fault fails, in the tool's own words, without our temporary paths."""
    path, old, new, also, check, words = {**FAULTS, **LOG_FAULTS}[fault]
    rendered = logged if fault in LOG_FAULTS else shop
    judgements = {j.check: j for j in judge(spoilt(rendered, path, old, new, *also))}
    tool(judgements[check].tool)

    assert judgements[check].verdict is Verdict.FAILED
    assert words in judgements[check].detail
    assert tempfile.gettempdir() + "/tierwatch-" not in judgements[check].detail


@pytest.mark.live
def test_amtool_refuses_a_route_that_leads_elsewhere(
    shop: Rendered, tool: Callable[[str], Path]
) -> None:
    """A route that amtool finds valid but that reaches others fails the routing table."""
    tool("amtool")
    text = shop.files[ALERTMANAGER]
    kept = [Artifact(name, shop.files[name]) for name in TEMPLATES]
    turned = text.replace('severity="warning"', 'severity="other"')
    assert turned != text
    judgements = {
        j.check: j.verdict
        for j in judge(replace(shop, artifacts=(Artifact(ALERTMANAGER, turned), *kept)))
    }

    assert judgements == {
        "alertmanager.yml": Verdict.PROVEN,
        "routing table": Verdict.FAILED,
    }


def test_checks_without_their_files_do_not_apply(shop: Rendered) -> None:
    """A catalog without Loki is not asked for Loki's judge."""
    assert judge(replace(shop, artifacts=())) == ()


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no judge be found."""
    monkeypatch.setattr(toolbox, "find", lambda _: None)


@pytest.mark.usefixtures("no_tools")
def test_a_missing_judge_is_said_with_its_cure(shop: Rendered) -> None:
    """Every check whose judge is missing is `not proven`, with the way to get it."""
    found = judge(shop)

    assert {judgement.verdict for judgement in found} == {Verdict.UNPROVEN}
    assert found[0] == Judgement(
        "unit tests of all rules",
        "promtool",
        Verdict.UNPROVEN,
        "promtool is missing, install it with `make tools` or the Debian package prometheus",
    )


@pytest.mark.usefixtures("no_tools")
@pytest.mark.parametrize(("option", "status"), [((), 0), (("--require-tools",), 1)])
def test_missing_judges_fail_only_where_they_are_required(
    tierwatch: Callable[..., Said],
    shop_catalog: Path,
    option: tuple[str, ...],
    status: int,
) -> None:
    """Without judges `verify` ends well and says what is not proven; --require-tools makes it 1."""
    said = tierwatch("verify", "--catalog", shop_catalog, *option)

    assert (said.status, said.err) == (status, "")
    lines = [line for line in said.out.splitlines() if "(tierwatch)" not in line]
    assert lines[0] == (
        "  not proven  unit tests of all rules (promtool): promtool is missing, "
        "install it with `make tools` or the Debian package prometheus"
    )
    assert {line[:12] for line in lines} == {"  not proven"}


def test_a_judge_that_fails_makes_the_exit_status_1(
    tierwatch: Callable[..., Said], shop_catalog: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A judge that says no is shown in its own words, and `verify` exits 1."""
    judge_ = tmp_path / "sayno"
    judge_.write_text("#!/bin/sh\necho planted words; exit 1\n", encoding="utf-8")
    judge_.chmod(0o755)
    monkeypatch.setattr(toolbox, "find", lambda _: judge_)
    said = tierwatch("verify", "--catalog", shop_catalog)

    assert said.status == 1
    lines = [line for line in said.out.splitlines() if "(tierwatch)" not in line]
    assert lines[:2] == [
        "  failed      unit tests of all rules (promtool)",
        "    planted words",
    ]


def test_a_tool_that_hangs_is_ended(tmp_path: Path) -> None:
    """A judge that does not end in time is an error that names it."""
    slow = tmp_path / "slowtool"
    slow.write_text("#!/bin/sh\nexec tail -f /dev/null\n", encoding="utf-8")
    slow.chmod(0o755)
    with pytest.raises(ToolError) as caught:
        toolbox.run(slow, [], timeout_s=0.2)

    assert str(caught.value) == "slowtool did not end within 0 s"


def test_a_tool_that_cannot_be_started_is_said(tmp_path: Path) -> None:
    """A file that is no program is an error that names it."""
    broken = tmp_path / "broken"
    broken.write_text("not a program", encoding="utf-8")
    with pytest.raises(ToolError) as caught:
        toolbox.run(broken, [])

    assert str(caught.value) == "broken cannot be started: Permission denied"


def test_tools_are_found_beside_the_checkout_and_in_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.tools/bin` of the working folder comes first, then PATH, also under Debian's names."""
    local = tmp_path / "here" / ".tools" / "bin"
    packaged = tmp_path / "usr"
    for path in (local / "sometool", packaged / "sometool", packaged / "prometheus-other-tool"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n", encoding="utf-8")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(packaged))
    monkeypatch.chdir(tmp_path)

    assert toolbox.find("sometool") == packaged / "sometool"
    assert toolbox.find("other_tool") == packaged / "prometheus-other-tool"
    assert toolbox.find("third") is None
    monkeypatch.chdir(tmp_path / "here")
    assert toolbox.find("sometool") == local / "sometool"


def test_a_relative_tool_is_found_from_the_first_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tools that failed to unpack (folders, dangling links) are not taken for tools."""
    local = tmp_path / ".tools" / "bin"
    local.mkdir(parents=True)
    (local / "gonetool").symlink_to(tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")

    assert toolbox.find("gonetool") is None


@pytest.mark.parametrize(
    ("line", "moved"),
    [
        ("  credentials_file: /etc/x/token", "  credentials_file: {}/etc_x_token"),
        ("- api_url_file: /etc/slack", "- api_url_file: {}/etc_slack"),
        ("password_file: '/etc/p'", "password_file: {}/etc_p"),
        ('password_file: "/etc/p"', "password_file: {}/etc_p"),
        ("credentials_file: relative/token", None),
        ("# credentials_file: /etc/x", None),
        ("rule_files: /etc/rules", None),
        ("description: see token_file: /etc/x for more", None),
    ],
)
def test_secret_files_are_replaced_by_stubs(tmp_path: Path, line: str, moved: str | None) -> None:
    """Keys that name a secret's absolute path get a stub that exists; nothing else changes."""
    folder = tmp_path / "secrets"
    text = f"a: 1\n{line}\nb: 2\n"
    found = stub_secrets(text, folder)
    expected = line if moved is None else moved.format(folder)

    assert found == f"a: 1\n{expected}\nb: 2\n"
    stubs = sorted(folder.iterdir()) if folder.exists() else []
    assert [stub.read_text(encoding="utf-8") for stub in stubs] == ["stub\n"] * (moved is not None)


def test_judging_leaves_nothing_behind(shop: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy with the stub secrets is gone when the judges are done, also after a fault of theirs."""
    seen: list[Path] = []

    def broken(_: verify._Check, folder: Path) -> Judgement:
        seen.append(folder)
        assert (folder / "prometheus" / "prometheus.yml").is_file()
        raise ToolError("broke")

    monkeypatch.setattr(verify, "_judge", broken)
    with pytest.raises(ToolError):
        judge(shop)

    assert seen != []
    assert not os.path.lexists(seen[0])
