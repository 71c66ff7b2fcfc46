"""
The README's first five minutes, done by hand from an empty folder: what it shows is what comes.

The numbers that commands print change with every alert: TIERWATCH_GOLDEN=write renews them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from generator.cli import main
from tests.docs.markdown import ROOT, Block, blocks

README = ROOT / "README.md"
OPERATOR = ROOT / "docs" / "operator.md"
Capture = pytest.CaptureFixture[str]


def steps() -> tuple[Block, ...]:
    """Return the blocks of the section, in order."""
    return blocks(README)


def masked(line: str) -> str:
    """Return *line* with its numbers hidden: how many alerts there are changes, what is said does not."""
    return re.sub(r"\d+(\.\d+)?", "#", line.rstrip())


def played(block: Block, run: Callable[[list[str]], list[str]]) -> Iterator[str]:
    """Yield the lines of a console block as its commands print them now; *run* gives a command's lines."""
    printed: Iterator[str] = iter(())
    for line in block.text.splitlines():
        if line.startswith("$ "):
            printed = iter(run(shlex.split(line)[2:]))
        if line.startswith("$ ") or line.strip() == "...":
            yield line
        else:
            # The iterator goes on where the last line was found: the order counts.
            found = next((each for each in printed if masked(each) == masked(line)), None)
            assert found is not None, f"not printed, or not here: {line}"
            yield found.rstrip()


def compare(page: Path, blocks_now: dict[str, str]) -> None:
    """Hold the blocks of *page* (as shown: as printed) together; write what is printed if renewal is asked for."""
    text = page.read_text(encoding="utf-8")
    for shown, now in blocks_now.items():
        text = text.replace(shown, now)
    if os.environ.get("TIERWATCH_GOLDEN") == "write":
        page.write_text(text, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == text, "renew with `make golden`"


@pytest.fixture
def run(capsys: Capture) -> Callable[[list[str]], list[str]]:
    """Return a function that runs a command of ours and returns what it prints, line by line."""

    def lines(words: list[str]) -> list[str]:
        assert main(words) == (1 if words[0] == "diff" else 0)
        return capsys.readouterr().out.splitlines()

    return lines


def test_five_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[[list[str]], list[str]]
) -> None:
    """Each file as shown, each command as shown: every line of output that the README shows comes, in order."""
    monkeypatch.chdir(tmp_path)
    now: dict[str, str] = {}
    for block in steps():
        if block.name.startswith("catalog/"):
            path = tmp_path / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            now[block.text] = "\n".join(played(block, run)) + "\n"

    assert sum(text.count("$ tierwatch ") for text in now) == 5
    compare(README, now)


def test_operator_reads_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[[list[str]], list[str]]
) -> None:
    """The operator's page shows what the first `tierwatch generate` prints about the catalog that ships."""
    shutil.copytree(ROOT / "catalog", tmp_path / "catalog")
    monkeypatch.chdir(tmp_path)
    now = {
        block.text: "\n".join(played(block, run)) + "\n"
        for block in blocks(OPERATOR)
        if block.language == "console"
    }

    assert len(now) == 1
    compare(OPERATOR, now)


def test_another_line_is_seen() -> None:
    """A line that differs in its words, or comes too late, is refused; other numbers are put right."""
    with pytest.raises(AssertionError, match="not printed, or not here: three 3"):
        list(
            played(
                Block("console", "$ tierwatch x\ntwo 2\nthree 3\n"), lambda _: ["three 3", "two 2"]
            )
        )

    now = played(Block("console", "$ tierwatch x\n...\ntwo 2\n"), lambda _: ["one 1", "two 22"])
    assert list(now) == ["$ tierwatch x", "...", "two 22"]


def test_mistake_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The misspelt kind gives exactly the message that the README shows, and nothing is written."""
    shown = next(block.text for block in steps() if "postgress" in block.text)
    core = next(block for block in steps() if block.name == "catalog/1-core.yml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "platform.yml").write_text("platform: shop\n", encoding="utf-8")
    wrong = core.text.replace("postgres,", "postgress,").replace("  db-exporter", "  # db-exporter")
    (tmp_path / "catalog" / "1-core.yml").write_text(wrong, encoding="utf-8")

    status = main(["generate"])

    # The README shows the message without the comment line that names the file.
    assert (status, capsys.readouterr().err) == (2, shown.replace(":3:", ":4:"))
    assert not (tmp_path / "rendered").exists()


@pytest.mark.parametrize("page", ["README.md", "docs/operator.md"])
def test_mounts_are_rendered(page: str, tmp_path: Path) -> None:
    """Every folder of rendered/ that a Compose file mounts exists, and holds the file its command names."""
    assert main(["generate", "--catalog", str(ROOT / "catalog"), "--out", str(tmp_path)]) in {0, 1}
    for block in blocks(ROOT / page):
        if block.name != "compose.yml":
            continue
        for name, service in yaml.safe_load(block.text)["services"].items():
            mounts = dict(
                reversed(mount.removesuffix(":ro").split(":")) for mount in service["volumes"]
            )
            ours = {
                inside: tmp_path / outside.removeprefix("./rendered/")
                for inside, outside in mounts.items()
                if outside.startswith("./rendered/")
            }
            assert all(folder.is_dir() for folder in ours.values()), name
            # Some commands stand in the page, the others in the rendered Compose files.
            words = [*service.get("command", ()), *rendered_command(tmp_path, name)]
            for word in words:
                path = Path(word.partition("config.file=")[2] or word)
                if path.suffix == ".yml":
                    assert (ours[str(path.parent)] / path.name).is_file(), word
            if words and words[0] in {"ollama", "agents", "hardware"}:
                config = ours[str(Path(words[2]).parent)] / Path(words[2]).name
                assert main(["exporter", *words[:2], str(config), "--check"]) == 0


def rendered_command(out: Path, name: str) -> list[str]:
    """Return the command that a rendered Compose file gives service *name*; empty if none does."""
    return [
        word
        for path in sorted(out.glob("*/compose.yml"))
        for word in yaml.safe_load(path.read_text("utf-8"))["services"]
        .get(name, {})
        .get("command", ())
    ]


def test_secret_files_are_listed(tmp_path: Path) -> None:
    """The operator's page names every secret file that the rendered platform reads."""
    main(["generate", "--catalog", str(ROOT / "catalog"), "--out", str(tmp_path)])
    page = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
    read = {
        found
        for path in tmp_path.rglob("*.yml")
        for found in re.findall(r"/etc/[a-z]+/secrets/\w+", path.read_text(encoding="utf-8"))
    }
    said = set(re.findall(r"/etc/[a-z]+/secrets/\w+", page))

    assert {path.removesuffix("_next") for path in read} == said


def test_own_rule_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule file that somebody put beside ours is still there, untouched, after the next run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "platform.yml").write_text("platform: shop\n", encoding="utf-8")
    (tmp_path / "catalog" / "1-core.yml").write_text(
        "tier: core\nservices: {db: {kind: postgres}}\n", encoding="utf-8"
    )
    main(["generate"])
    own = tmp_path / "rendered" / "prometheus" / "rules" / "own-shop.yml"
    own.write_text("groups: []\n", encoding="utf-8")
    main(["generate"])

    assert own.read_text(encoding="utf-8") == "groups: []\n"
