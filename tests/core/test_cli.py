"""The command: exit status, two streams, JSON for machines, no colour for files."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator import console, toolbox

ROOT = Path(__file__).parents[2]
Tierwatch = Callable[..., Any]
Tree = Callable[[Path], dict[str, bytes]]
COMMANDS = ("generate", "verify", "diff", "explain", "exporter")
CASES = (
    "empty-catalog", "file-platform-missing", "schema-hostile-texts", "unknown-names",
    "yaml-alias-bomb", "yaml-deep", "yaml-duplicate-key", "yaml-not-utf8", "yaml-two-documents",
    "dependency-cycle",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tierwatch: Tierwatch, command: str) -> None:
    """`--help` exits 0, says how to call the command and what it does."""
    said = tierwatch(command, "--help")

    assert (said.status, said.err) == (0, "")
    assert said.out.startswith(f"usage: tierwatch {command} ")
    assert len(said.out.split("\n\n")) >= 3


def test_the_command_lists_its_commands(tierwatch: Tierwatch) -> None:
    """`--help` names every command; no command at all is a wrong call that shows the same text."""
    said, bare = tierwatch("--help"), tierwatch()

    assert (said.status, bare.status, bare.out) == (0, 2, said.out)
    listed = {line.split()[0] for line in said.out.splitlines() if line.startswith("    ")}
    assert set(COMMANDS) <= listed


@pytest.mark.parametrize(
    "arguments", [("genrate",), ("generate", "--nonsense"), ("diff", "one"), ("explain",),
                  ("generate", "--format", "xml"), ("verify", "--catalog")],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_call_exits_2(tierwatch: Tierwatch, arguments: tuple[str, ...]) -> None:
    """A call that makes no sense says so on standard error and exits 2."""
    said = tierwatch(*arguments)

    assert (said.status, said.out) == (2, "")
    assert "error: " in said.err


def test_generate_writes_and_says_what(
    tierwatch: Tierwatch, shop_catalog: Path, tmp_path: Path
) -> None:
    """A first run adds files, a second changes nothing; both exit 0 and say nothing on stderr."""
    first = tierwatch("generate", "--catalog", shop_catalog, "--out", tmp_path / "out")
    again = tierwatch("generate", "--catalog", shop_catalog, "--out", tmp_path / "out")

    assert (first.status, first.err) == (0, "")
    assert first.out.startswith("shop: 8 services in 2 tiers\n")
    assert (again.status, again.err) == (0, "")
    assert again.out.splitlines()[-1] == "  nothing changed"
    assert "\x1b" not in first.out + again.out


def test_generate_for_machines(tierwatch: Tierwatch, shop_catalog: Path, tmp_path: Path) -> None:
    """`--format json` is one document with counts, estimate, findings and what changed."""
    said = tierwatch(
        "generate", "--catalog", shop_catalog, "--out", tmp_path / "o", "--format", "json"
    )
    found = json.loads(said.out)

    assert (said.status, said.err) == (0, "")
    assert (found["platform"], found["counts"]["services"], found["findings"]) == ("shop", 8, [])
    assert set(found["changed"]) == {"added", "changed", "removed", "edited_by_hand"}
    assert found["counts"]["files"] == len(found["changed"]["added"])


def test_check_writes_nothing(
    tierwatch: Tierwatch, shop_catalog: Path, tmp_path: Path, tree_of: Tree
) -> None:
    """`--check` exits 1 where the folder differs, 0 where it does not, and never writes."""
    out = tmp_path / "out"
    missing = tierwatch("generate", "--catalog", shop_catalog, "--out", out, "--check")
    assert (missing.status, out.exists()) == (1, False)

    tierwatch("generate", "--catalog", shop_catalog, "--out", out)
    assert tierwatch("generate", "--catalog", shop_catalog, "--out", out, "--check").status == 0
    (out / "prometheus" / "prometheus.yml").write_text("mine\n", encoding="utf-8")
    before = tree_of(out)
    edited = tierwatch("generate", "--catalog", shop_catalog, "--out", out, "--check")

    assert edited.status == 1
    assert (
        edited.err == f"{out} differs from what {shop_catalog} gives. Run `tierwatch generate`.\n"
    )
    assert edited.out.splitlines()[-1] == "  changed by hand: prometheus/prometheus.yml"
    assert tree_of(out) == before


@pytest.mark.parametrize("case", CASES)
def test_a_bad_catalog_writes_nothing(
    tierwatch: Tierwatch, shop_catalog: Path, tmp_path: Path, tree_of: Tree, case: str
) -> None:
    """Every problem stands on standard error, exit is 2, and the old tree stays byte for byte."""
    out = tmp_path / "out"
    tierwatch("generate", "--catalog", shop_catalog, "--out", out)
    before = tree_of(out)
    folder = ROOT / "tests" / "input" / "cases" / case
    expected = (folder / "expected.txt").read_text(encoding="utf-8")
    said = tierwatch("generate", "--catalog", folder, "--out", out)
    lines = expected.replace("catalog", folder.as_posix(), 1).splitlines()

    assert (said.status, said.out) == (2, "")
    count = len(lines)
    assert said.err.splitlines()[0] == lines[0]
    assert said.err.splitlines()[-1] == (
        f"{count} {'problem' if count == 1 else 'problems'}; nothing was written"
    )
    assert len(said.err.splitlines()) == count + 1
    assert tree_of(out) == before


def test_a_bad_catalog_for_machines(tierwatch: Tierwatch) -> None:
    """`--format json` gives the findings as one document, exit 2."""
    folder = ROOT / "tests" / "input" / "cases" / "unknown-names"
    said = tierwatch("verify", "--catalog", folder, "--format", "json")
    expected = (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
    found = json.loads(said.out)

    assert (said.status, said.err) == (2, "")
    assert set(found) == {"findings"}
    assert len(found["findings"]) == len(expected)
    assert {key for finding in found["findings"] for key in finding} == {
        "file", "line", "column", "fact", "cure", "check",
    }  # fmt: skip


@pytest.mark.parametrize("command", ["generate", "verify", "explain"])
def test_a_missing_folder_is_one_finding(
    tierwatch: Tierwatch, tmp_path: Path, command: str
) -> None:
    """A catalog that is not there exits 2 with its path and a cure, and makes no output folder."""
    name = ("db",) if command == "explain" else ()
    out = ("--out", tmp_path / "out") if command == "generate" else ()
    said = tierwatch(command, *name, "--catalog", tmp_path / "gone", *out)

    assert (said.status, said.out) == (2, "")
    assert said.err == (
        f"{tmp_path}/gone: there is no such folder. Check the path.\n"
        "1 problem; nothing was written\n"
    )
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_is_said(tierwatch: Tierwatch, tmp_path: Path) -> None:
    """A folder without platform.yml and tiers exits 2 and says what belongs there."""
    said = tierwatch("generate", "--catalog", tmp_path, "--out", tmp_path / "out")

    assert (said.status, said.out) == (2, "")
    assert said.err.splitlines()[-1].endswith("nothing was written")
    assert str(tmp_path) in said.err
    assert "Traceback" not in said.err


def test_an_unreadable_file_is_said(tmp_path: Path, shop_catalog: Path) -> None:
    """A tier file without permission to read it exits 2 and is named; nothing is written."""
    folder = tmp_path / "catalog"
    folder.mkdir()
    for path in shop_catalog.iterdir():
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "1-shop.yml").chmod(0)
    lead = ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*lead, sys.executable, "-m", "generator.cli", "generate", "--catalog", str(folder),
         "--out", str(tmp_path / "out")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (2, "")
    assert f"{folder}/1-shop.yml: " in done.stderr
    assert "permission denied" in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_instead_of_a_catalog_is_said(tierwatch: Tierwatch, tmp_path: Path) -> None:
    """`--catalog` that names a file exits 2 without a traceback."""
    path = tmp_path / "catalog.yml"
    path.write_text("platform: x\n", encoding="utf-8")
    said = tierwatch("verify", "--catalog", path)

    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"{path}: ")


def test_a_foreign_folder_exits_2(
    tierwatch: Tierwatch, shop_catalog: Path, tmp_path: Path, tree_of: Tree
) -> None:
    """`--out` on somebody's files is refused on standard error, and the files stay."""
    (tmp_path / "letter").write_text("dear", encoding="utf-8")
    said = tierwatch("generate", "--catalog", shop_catalog, "--out", tmp_path)

    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"{tmp_path}: is not empty and was not written by tierwatch")
    assert tree_of(tmp_path) == {"letter": b"dear"}


def test_ten_thousand_services_with_one_error(tierwatch: Tierwatch, tmp_path: Path) -> None:
    """One misspelt kind among 10,000 services is one line, exit 2, and nothing is written."""
    names = [f"s{number:05d}" for number in range(10_000)]
    services = "".join(f"  {name}: {{kind: http-service}}\n" for name in names)
    wrong = services.replace("  s07777: {kind: http-service}", "  s07777: {kind: htp-service}")
    (tmp_path / "platform.yml").write_text("platform: large\n", encoding="utf-8")
    (tmp_path / "1-all.yml").write_text(f"tier: all\nservices:\n{wrong}", encoding="utf-8")
    said = tierwatch("generate", "--catalog", tmp_path, "--out", tmp_path / "out")

    assert (said.status, said.out) == (2, "")
    assert said.err == (
        f"{tmp_path}/1-all.yml:7780:12: service 's07777': unknown kind 'htp-service'. "
        "Did you mean 'http-service'?\n"
        "1 problem; nothing was written\n"
    )
    assert not (tmp_path / "out").exists()


def test_verify_for_machines(
    tierwatch: Tierwatch, shop_catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`verify --format json` lists every check with tool, verdict and detail."""
    monkeypatch.setattr(toolbox, "find", lambda _: None)
    said = tierwatch("verify", "--catalog", shop_catalog, "--format", "json")
    found = json.loads(said.out)

    assert (said.status, said.err) == (0, "")
    assert {proof["verdict"] for proof in found["proofs"]} == {"not proven"}
    assert {key for proof in found["proofs"] for key in proof} == {
        "check", "tool", "verdict", "detail",
    }  # fmt: skip


def test_progress_and_errors_stay_out_of_files(shop_catalog: Path, tmp_path: Path) -> None:
    """A run of its own whose streams are files writes neither colour nor progress to them."""
    done = subprocess.run(
        [sys.executable, "-m", "generator.cli", "generate", "--catalog", str(shop_catalog),
         "--out", str(tmp_path / "out")],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    assert b"\r" not in done.stdout


def test_progress_is_shown_and_removed_on_a_terminal(shop_catalog: Path, tmp_path: Path) -> None:
    """On a terminal standard error shows what takes long, and the line is gone at the end."""
    reader, writer = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "generator.cli", "generate", "--catalog", str(shop_catalog),
         "--out", str(tmp_path / "out")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=writer, check=False,
    )  # fmt: skip
    os.close(writer)
    shown = os.read(reader, 65536).decode()
    os.close(reader)

    assert (done.returncode, b"\x1b" in done.stdout) == (0, False)
    assert f"\r\x1b[Kreading {shop_catalog} ..." in shown
    assert shown.endswith("\r\x1b[K")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (_Terminal(), {"TERM": "xterm"}, "\x1b[32mproven\x1b[0m"),
        (_Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, "proven"),
        (_Terminal(), {"TERM": "dumb"}, "proven"),
        (io.StringIO(), {"TERM": "xterm"}, "proven"),
    ],
    ids=["terminal", "NO_COLOR", "dumb", "file"],
)
def test_colour_is_for_terminals(
    stream: io.StringIO, environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words are coloured on a terminal only, and never for somebody who asked for plain text."""
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert console.paint("proven", "proven", stream) == expected


def test_say_colours_verdicts_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the verdict at the start of a line is coloured; the same word later is not."""
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console.say(["  not proven  proven words (x)", "  plain failed"])

    assert terminal.getvalue() == "  \x1b[33mnot proven\x1b[0m  proven words (x)\n  plain failed\n"


def test_a_reader_that_leaves_is_no_fault(shop_catalog: Path) -> None:
    """A run whose reader has gone (`tierwatch ... | head`) says nothing of it on standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "generator.cli", "explain", "db", "--catalog", str(shop_catalog)],
        cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_said(tierwatch: Tierwatch) -> None:
    """`--version` names the program and a version."""
    said = tierwatch("--version")

    assert (said.status, said.err) == (0, "")
    assert said.out.split()[0] == "tierwatch"
    assert len(said.out.split()) == 2
