"""The README's first five minutes, done by hand from an empty folder: what it shows is what comes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from generator.cli import main
from tests.docs.markdown import ROOT, Block, blocks

README = ROOT / "README.md"


def steps() -> tuple[Block, ...]:
    """Return the blocks of the section, in order."""
    return blocks(README)


def masked(line: str) -> str:
    """Return *line* with its numbers hidden: how many alerts there are changes, what is said does not."""
    return re.sub(r"\d+(\.\d+)?", "#", line.rstrip())


def calls(block: Block) -> Iterator[tuple[list[str], list[str]]]:
    """Yield each command of a console block with the lines shown below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield shlex.split(command), [line for line in shown if line.strip() != "..."]


def test_five_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each file as shown, each command as shown: every line of output that the README shows is there, in order."""
    monkeypatch.chdir(tmp_path)
    missing: list[str] = []
    played = 0
    for block in steps():
        if block.name.startswith("catalog/"):
            path = tmp_path / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            for words, shown in calls(block):
                assert words[0] == "tierwatch"
                status = main(words[1:])
                printed = iter([masked(line) for line in capsys.readouterr().out.splitlines()])
                # `in` on an iterator goes on where the last line was found: the order counts.
                missing += [line for line in shown if masked(line) not in printed]
                assert status == (1 if words[1] == "diff" else 0)
                played += 1
    assert missing == []
    assert played == 5


def test_mistake_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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
            for word in service.get("command", ()):
                if "config.file=" in word:
                    path = Path(word.partition("=")[2])
                    assert (ours[str(path.parent)] / path.name).is_file(), word


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
